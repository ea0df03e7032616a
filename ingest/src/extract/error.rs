//! Why a file has no text for us, in words for the person who put it there.

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExtractError {
    #[error("empty")]
    Empty,
    #[error("not a format that can be read (txt, md, html, pdf)")]
    Unsupported,
    #[error("binary data, not text")]
    Binary,
    #[error("encrypted")]
    Encrypted,
    #[error("damaged or incomplete: {0}")]
    Damaged(String),
    /// Readable, but there is no text in it; what to do about it depends on the format.
    #[error("no text in it")]
    NoText(&'static str),
    #[error("the parser failed on it")]
    Panicked,
}

impl ExtractError {
    /// What the person can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Empty => "nothing to do, unless it should hold text",
            Self::Unsupported => "convert it to one of these formats",
            Self::Binary => "check what it is; if it is text, save it as UTF-8",
            Self::Encrypted => "save a copy without a password and ingest that",
            Self::Damaged(_) => "open it in a viewer to check it, and fetch or export it again",
            Self::NoText(advice) => advice,
            Self::Panicked => "open it in a viewer and save it again, or convert it to another format",
        }
    }
}
