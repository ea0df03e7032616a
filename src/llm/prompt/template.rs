//! A prompt template: text with `{{name}}` placeholders, taken apart once, when it is loaded.

use std::fmt;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum InvalidTemplate {
    #[error("cannot read the prompt template {}: {cause}", .path.display())]
    Unreadable { path: PathBuf, cause: std::io::Error },

    #[error("the prompt template contains the unknown placeholder {{{{{0}}}}}; known are {known}", known = Known)]
    UnknownPlaceholder(String),

    #[error("the prompt template lacks {{{{{0}}}}}")]
    Missing(&'static str),

    #[error("the prompt template contains {{{{{0}}}}} more than once")]
    Repeated(&'static str),

    #[error("the system prompt takes no placeholders, but contains {{{{{0}}}}}; they belong into the prompt")]
    PlaceholderInSystem(String),

    #[error("the prompt template is empty")]
    Empty,
}

struct Known;

impl fmt::Display for Known {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = Placeholder::ALL.iter().map(|known| format!("{{{{{}}}}}", known.name())).collect();
        formatter.write_str(&names.join(", "))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placeholder {
    Sources,
    History,
    Question,
}

impl Placeholder {
    const ALL: [Self; 3] = [Self::Sources, Self::History, Self::Question];

    fn name(self) -> &'static str {
        match self {
            Self::Sources => "sources",
            Self::History => "history",
            Self::Question => "question",
        }
    }
}

/// A template with every placeholder exactly once.
#[derive(Debug, Clone)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Value(Placeholder),
}

impl Template {
    /// Of its own text.
    pub(super) fn bytes(&self) -> usize {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Value(_) => 0,
        };
        self.0.iter().map(text).sum()
    }

    pub(super) fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        if text.trim().is_empty() {
            return Err(InvalidTemplate::Empty);
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, name, after)) = next_placeholder(rest) {
            let placeholder = Placeholder::ALL
                .into_iter()
                .find(|known| known.name() == name.trim())
                .ok_or_else(|| InvalidTemplate::UnknownPlaceholder(name.trim().to_owned()))?;
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Value(placeholder));
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        let template = Self(pieces);
        for placeholder in Placeholder::ALL {
            match template.count(placeholder) {
                0 => return Err(InvalidTemplate::Missing(placeholder.name())),
                1 => {}
                _ => return Err(InvalidTemplate::Repeated(placeholder.name())),
            }
        }
        Ok(template)
    }

    fn count(&self, placeholder: Placeholder) -> usize {
        self.0.iter().filter(|piece| matches!(piece, Piece::Value(value) if *value == placeholder)).count()
    }

    pub(super) fn fill<'value>(&self, value_of: impl Fn(Placeholder) -> &'value str) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Value(placeholder) => value_of(*placeholder),
        });
        pieces.collect::<String>().trim().to_owned()
    }
}

/// A system prompt: the same for every question, so a placeholder in it is a mistake.
pub(super) fn parse_fixed(text: &str) -> Result<String, InvalidTemplate> {
    if text.trim().is_empty() {
        return Err(InvalidTemplate::Empty);
    }
    match next_placeholder(text) {
        Some((_, name, _)) => Err(InvalidTemplate::PlaceholderInSystem(name.trim().to_owned())),
        None => Ok(text.trim().to_owned()),
    }
}

/// The file's text, or `default` when no file is given.
pub(super) fn read(path: Option<&Path>, default: &str) -> Result<String, InvalidTemplate> {
    match path {
        None => Ok(default.to_owned()),
        Some(path) => {
            std::fs::read_to_string(path).map_err(|cause| InvalidTemplate::Unreadable { path: path.to_owned(), cause })
        }
    }
}

/// The text before the first `{{name}}`, the name, and the text after it.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((before, name, after))
}
