//! Markdown: its source is the text. Front matter and HTML tags are left out, and headings are noted.

mod front_matter;

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{ExtractError, Extracted, Heading, Markup, encoding, html, title};

pub(super) fn extract(name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
    let decoded = encoding::decode(bytes, None)?;
    let (front_matter, source) = front_matter::split(&decoded);
    let Rewritten { text, headings, .. } = Rewritten::new(source);
    let front_matter = front_matter.map(front_matter::read).unwrap_or_default();
    let title = front_matter::title(&front_matter)
        .or_else(|| headings.iter().min_by_key(|heading| heading.level).map(|heading| heading.title.clone()))
        .unwrap_or_else(|| title::from_name(name));
    Ok(Extracted { title, text, headings, page_starts: Vec::new(), markup: Markup::Markdown, front_matter })
}

/// The source with HTML read as what it says: blocks as Markdown, inline tags as nothing, `&amp;` as `&`.
struct Rewritten<'a> {
    source: &'a str,
    /// How much of the source has been dealt with.
    position: usize,
    text: String,
    headings: Vec<Heading>,
}

impl<'a> Rewritten<'a> {
    fn new(source: &'a str) -> Self {
        let mut rewritten = Self { source, position: 0, text: String::new(), headings: Vec::new() };
        // The heading being read: where it begins, its level and title so far.
        let mut heading: Option<(usize, u8, String)> = None;
        let mut in_code = false;
        // Quotes and list items around what is being read.
        let mut within = 0_usize;
        for (event, range) in Parser::new_ext(source, Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Start(Tag::HtmlBlock) => rewritten.html_block(range),
                Event::InlineHtml(tag) => rewritten.replace(range, if tag.starts_with("<br") { " " } else { "" }),
                Event::Start(Tag::CodeBlock(_)) => in_code = true,
                Event::End(TagEnd::CodeBlock) => in_code = false,
                Event::Start(Tag::BlockQuote(_) | Tag::Item) => within += 1,
                Event::End(TagEnd::BlockQuote(_) | TagEnd::Item) => within = within.saturating_sub(1),
                // A heading in a list or quote divides nothing.
                Event::Start(Tag::Heading { level, .. }) if within == 0 => {
                    rewritten.copy_to(range.start);
                    heading = Some((rewritten.text.len(), level as u8, String::new()));
                }
                Event::End(TagEnd::Heading(_)) => {
                    if let Some((start, level, title)) = heading.take() {
                        rewritten.end_heading(start, level, &title, range.end);
                    }
                }
                Event::Text(part) | Event::Code(part) if heading.is_some() => {
                    if let Some((_, _, title)) = &mut heading {
                        title.push_str(&part);
                    }
                }
                Event::SoftBreak | Event::HardBreak => {
                    if let Some((_, _, title)) = &mut heading {
                        title.push(' ');
                    }
                }
                Event::Text(part) if !in_code && source[range.clone()].starts_with('&') => {
                    rewritten.replace(range, &part);
                }
                _ => {}
            }
        }
        rewritten.copy_to(source.len());
        rewritten
    }

    fn copy_to(&mut self, end: usize) {
        if end > self.position {
            self.text.push_str(&self.source[self.position..end]);
            self.position = end;
        }
    }

    fn replace(&mut self, range: Range<usize>, by: &str) {
        if range.start >= self.position {
            self.copy_to(range.start);
            self.text.push_str(by);
            self.position = range.end;
        }
    }

    fn end_heading(&mut self, start: usize, level: u8, title: &str, end: usize) {
        self.copy_to(end);
        if let Some(title) = title::on_one_line(title) {
            let end = start + self.text[start..].trim_end().len();
            self.headings.push(Heading { level, title, start, end });
        }
    }

    fn html_block(&mut self, range: Range<usize>) {
        // What cannot be read as HTML stays as it is written.
        let Some(written) = html::write(&self.source[range.clone()]) else {
            return;
        };
        self.copy_to(range.start);
        let offset = self.text.len();
        self.headings.extend(written.headings.into_iter().map(|heading| Heading {
            start: offset + heading.start,
            end: offset + heading.end,
            ..heading
        }));
        self.replace(range, &written.text);
    }
}
