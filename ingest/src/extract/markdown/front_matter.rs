//! YAML between two lines of `---` at the very beginning of a Markdown file.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::extract::title;

/// The front matter, if there is any, and what follows it. A line of `---` may also be a rule above plain text, or divide
/// slides, and text must not be lost: only what reads like YAML line by line is taken for front matter.
pub(super) fn split(text: &str) -> (Option<&str>, &str) {
    let Some(inside) = text.strip_prefix("---\n") else {
        return (None, text);
    };
    let end = ["\n---\n", "\n...\n"].iter().filter_map(|fence| inside.find(fence).map(|at| (at, fence.len()))).min();
    match end {
        Some((at, fence)) if reads_like_yaml(&inside[..at]) => (Some(&inside[..at]), &inside[at + fence..]),
        Some(_) | None => (None, text),
    }
}

/// What it says, by names in lower case. What reads like YAML and is none says nothing.
pub(super) fn read(front_matter: &str) -> BTreeMap<String, Value> {
    let fields: BTreeMap<String, Value> = serde_saphyr::from_str(front_matter).unwrap_or_default();
    fields.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect()
}

pub(super) fn title(front_matter: &BTreeMap<String, Value>) -> Option<String> {
    match front_matter.get("title")? {
        Value::String(title) => title::on_one_line(title),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn reads_like_yaml(inside: &str) -> bool {
    let begins_at_once = inside.lines().next().is_some_and(|line| !line.trim().is_empty());
    begins_at_once && inside.lines().any(has_key) && inside.lines().all(|line| has_key(line) || continues(line))
}

/// `key: value`, the key one word.
fn has_key(line: &str) -> bool {
    let Some((key, value)) = line.split_once(':') else {
        return false;
    };
    let key = key.trim_matches(['"', '\'']);
    let is_word = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
    !key.is_empty() && key.chars().all(is_word) && (value.is_empty() || value.starts_with([' ', '\t']))
}

/// Lines that belong to the key above them, comments and blank lines.
fn continues(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with([' ', '\t', '#']) || line == "-" || line.starts_with("- ")
}
