//! Why a file has no text for us, in words for the person who put it there.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ExtractError {
    #[error("empty")]
    Empty,
    #[error("not a format that can be read")]
    Unsupported,
    #[error("a format of Office before 2007")]
    Outdated,
    #[error("binary data, not text")]
    Binary,
    #[error("encrypted")]
    Encrypted,
    #[error("damaged or incomplete: {0}")]
    Damaged(String),
    /// Unpacked, it is larger than anything real.
    #[error("unpacked it is too large")]
    TooMuch,
    #[error("an archive inside an archive")]
    NestedArchive,
    /// Readable, but there is no text in it; what to do about it depends on the format.
    #[error("no text in it")]
    NoText(Cow<'static, str>),
    #[error("the parser failed on it")]
    Panicked,
    /// The process that read it ended, for instance because the file needed more memory than a file may.
    #[error("the parser crashed on it, or needed more memory than a file may")]
    Crashed,
    #[error("reading it took longer than {0} s")]
    TimedOut(u64),
    #[error("no process could be started to read it: {0}")]
    NoProcess(String),
}

impl ExtractError {
    /// What the person can do about it.
    pub fn advice(&self) -> &str {
        match self {
            Self::Empty => "nothing to do, unless it should hold text",
            Self::Unsupported => {
                "convert it to one of txt, md, html, pdf, docx, pptx, xlsx, odt, odp, ods, csv, epub, json"
            }
            Self::Outdated => "open it and save it as docx, pptx or pdf",
            Self::Binary => "check what it is; if it is text, save it as UTF-8",
            Self::Encrypted => "save a copy without a password and ingest that",
            Self::Damaged(_) => "open it in a viewer to check it, and fetch or export it again",
            Self::NestedArchive => "unpack the outer one, or ingest the inner one by itself",
            Self::TooMuch => "divide it into smaller files",
            Self::NoText(advice) => advice,
            Self::NoProcess(_) => "run it again when the machine has memory and processes to spare",
            Self::Panicked | Self::Crashed | Self::TimedOut(_) => {
                "open it in a viewer and save it again, divide it, or convert it to another format"
            }
        }
    }
}
