//! Quoted text without its Markdown marks.

use pulldown_cmark::{Event, Options, Parser};

/// The words of a part of a passage as a reader sees them, on one line: no marks of emphasis, links, headings, lists,
/// quotations or table cells; inline code keeps its backticks. Numbers in brackets are left out: in an answer they would
/// be read as citations.
pub fn shown(part: &str) -> String {
    let text = without_line_marks(part);
    let mut shown = String::with_capacity(text.len());
    for event in Parser::new_ext(&text, Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(text) | Event::InlineMath(text) | Event::DisplayMath(text) => shown.push_str(&text),
            // A tag, or something that only looks like one: `Vec<String>` in plain text must not lose its half.
            Event::Html(html) | Event::InlineHtml(html) => shown.push_str(&html),
            Event::Code(code) => {
                shown.push('`');
                shown.push_str(&code);
                shown.push('`');
            }
            Event::SoftBreak | Event::HardBreak => shown.push(' '),
            Event::Start(_) | Event::End(_) | Event::FootnoteReference(_) | Event::Rule | Event::TaskListMarker(_) => {}
        }
    }
    without_bracketed_numbers(&shown).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The lines joined, each without the marks at its beginning; table cells are separated by dashes.
fn without_line_marks(part: &str) -> String {
    let lines = part.lines().map(str::trim).map(|line| match line.strip_prefix('|') {
        Some(cells) => cells.trim_end_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join(" – "),
        None => line.trim_start_matches(['>', ' ']).to_owned(),
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// Without `[1]` and `[2, 3]`.
fn without_bracketed_numbers(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        match after.split_once(']') {
            Some((inside, behind)) if is_number_list(inside) => {
                kept.push_str(before.trim_end_matches(' '));
                rest = behind;
            }
            _ => {
                kept.push_str(before);
                kept.push('[');
                rest = after;
            }
        }
    }
    kept.push_str(rest);
    kept
}

/// What stands in the brackets of a citation.
fn is_number_list(inside: &str) -> bool {
    inside.split(',').all(|number| {
        let number = number.trim();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}
