//! A conversation as retrieval looks at it.

/// One earlier message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said<'a> {
    pub by: Speaker,
    pub text: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    User,
    Assistant,
}

/// What the user said, oldest first.
pub(super) fn of_user<'a>(earlier: &[Said<'a>]) -> Vec<&'a str> {
    earlier.iter().filter(|said| said.by == Speaker::User).map(|said| said.text).collect()
}
