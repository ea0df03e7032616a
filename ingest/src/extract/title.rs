//! What a document is called.

use std::path::Path;

/// The file's name without its ending, `_` and `-` read as spaces.
pub(super) fn from_name(name: &str) -> String {
    let path = Path::new(name);
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().replace(['_', '-'], " ")).unwrap_or_default();
    let file_name = || path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    on_one_line(&stem).unwrap_or_else(file_name)
}

/// The text with every run of white space as one space; none if nothing is left.
pub(super) fn on_one_line(text: &str) -> Option<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then_some(line)
}

/// Whether a title in a file's properties is one: programs fill the field with the name of the file they printed, or of the
/// template, or with nothing meant.
pub(super) fn is_meant(title: &str) -> bool {
    let lower = title.to_lowercase();
    let has_file_name =
        ["microsoft word -", "untitled", "powerpoint presentation", "powerpoint-präsentation", "slide 1", "title"]
            .iter()
            .any(|marker| lower.starts_with(marker));
    let is_file_name = [".doc", ".docx", ".odt", ".indd", ".pdf", ".tex", ".dvi", ".ppt", ".pptx", ".xls", ".xlsx"]
        .iter()
        .any(|ending| lower.ends_with(ending));
    title.chars().any(char::is_alphabetic) && !has_file_name && !is_file_name
}
