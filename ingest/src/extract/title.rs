//! What a document is called.

use std::path::Path;

/// The file's name without its ending, `_` and `-` read as spaces.
pub(super) fn from_name(name: &str) -> String {
    let stem =
        Path::new(name).file_stem().map(|stem| stem.to_string_lossy().replace(['_', '-'], " ")).unwrap_or_default();
    on_one_line(&stem).unwrap_or_else(|| name.to_owned())
}

/// The text with every run of white space as one space; none if nothing is left.
pub(super) fn on_one_line(text: &str) -> Option<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then_some(line)
}
