//! Markdown: its source is the text; front matter is left out and headings are noted.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{ExtractError, Extracted, Heading, Markup, encoding, title};

pub(super) fn extract(name: &str, bytes: &[u8]) -> Result<Extracted, ExtractError> {
    let decoded = encoding::decode(bytes, None)?;
    let (front_matter, text) = split_front_matter(&decoded);
    let text = text.to_owned();
    let headings = headings(&text);
    let title = front_matter
        .and_then(front_matter_title)
        .or_else(|| headings.iter().min_by_key(|heading| heading.level).map(|heading| heading.title.clone()))
        .unwrap_or_else(|| title::from_name(name));
    Ok(Extracted { title, text, headings, page_starts: Vec::new(), markup: Markup::Markdown })
}

/// The headings as Markdown has them: not the `#` lines of a code block, but those with a line of `===` below.
fn headings(text: &str) -> Vec<Heading> {
    let mut headings = Vec::new();
    let mut current: Option<(u8, Range<usize>, String)> = None;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => current = Some((level as u8, range, String::new())),
            Event::End(TagEnd::Heading(_)) => {
                if let Some((level, range, title)) = current.take()
                    && let Some(title) = title::on_one_line(&title)
                {
                    headings.push(Heading { level, title, start: range.start });
                }
            }
            Event::Text(part) | Event::Code(part) => {
                if let Some((_, _, title)) = &mut current {
                    title.push_str(&part);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some((_, _, title)) = &mut current {
                    title.push(' ');
                }
            }
            _ => {}
        }
    }
    headings
}

/// A block between two lines of `---` at the very beginning, if it reads like `key: value` lines.
fn split_front_matter(text: &str) -> (Option<&str>, &str) {
    let Some(inside) = text.strip_prefix("---\n") else {
        return (None, text);
    };
    let end = ["\n---\n", "\n...\n"].iter().filter_map(|fence| inside.find(fence).map(|at| (at, fence.len()))).min();
    match end {
        Some((at, fence)) if inside[..at].lines().any(|line| line.contains(':')) => {
            (Some(&inside[..at]), &inside[at + fence..])
        }
        // A line of `---` may also be a rule above plain text.
        _ => (None, text),
    }
}

fn front_matter_title(front_matter: &str) -> Option<String> {
    let value = front_matter.lines().find_map(|line| line.strip_prefix("title:"))?.trim();
    let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    title::on_one_line(unquoted.unwrap_or(value))
}
