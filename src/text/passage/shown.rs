//! Quoted text without its Markdown marks.

use pulldown_cmark::{Event, Options, Parser};

use crate::text::markers::without_markers;

/// The words of a part of a passage as a reader sees them, on one line: no marks of emphasis, links, headings, lists,
/// quotations or table cells; inline code keeps its backticks. Numbers in brackets are left out: in an answer they would
/// be read as citations.
pub fn shown(part: &str) -> String {
    let text = without_line_marks(part);
    let mut shown = String::with_capacity(text.len());
    // The parser may cut `[1]` into several texts, so markers are taken out of what lies between pieces of code.
    let mut prose = String::new();
    for event in Parser::new_ext(&text, Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(text) | Event::InlineMath(text) | Event::DisplayMath(text) => prose.push_str(&text),
            // A tag, or something that only looks like one: `Vec<String>` in plain text must not lose its half.
            Event::Html(html) | Event::InlineHtml(html) => prose.push_str(&html),
            Event::Code(code) => {
                shown.push_str(&without_markers(&std::mem::take(&mut prose)));
                shown.extend(["`", &code, "`"]);
            }
            Event::SoftBreak | Event::HardBreak => prose.push(' '),
            Event::Start(_) | Event::End(_) | Event::FootnoteReference(_) | Event::Rule | Event::TaskListMarker(_) => {}
        }
    }
    shown.push_str(&without_markers(&prose));
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The lines joined, each without the marks at its beginning; table cells are separated by dashes.
fn without_line_marks(part: &str) -> String {
    let lines = part.lines().map(str::trim).map(|line| match line.strip_prefix('|') {
        Some(cells) => cells.trim_end_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join(" – "),
        None => line.trim_start_matches(['>', ' ']).to_owned(),
    });
    lines.collect::<Vec<_>>().join(" ")
}
