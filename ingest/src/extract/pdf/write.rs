//! Blocks of a page's layout written as Markdown that reads well as plain text.

use pdfboss_output::{Block, Cell, Line, ListItem, Marker, PageLayout, Role};

use crate::extract::{Heading, title};

#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) text: String,
    pub(super) headings: Vec<Heading>,
    pub(super) page_starts: Vec<usize>,
}

pub(super) fn markdown(pages: &[PageLayout]) -> Written {
    let mut written = Written::default();
    for page in pages {
        written.page_starts.push(written.text.len());
        page.blocks.iter().for_each(|block| written.block(block));
    }
    written
}

impl Written {
    fn block(&mut self, block: &Block) {
        match block {
            Block::Heading { level, lines, .. } => {
                let Some(title) = title::on_one_line(&flow(lines)) else {
                    return;
                };
                let start = self.text.len();
                self.paragraph(&format!("{} {title}", "#".repeat((*level).clamp(1, 6).into())));
                let end = start + self.text[start..].trim_end().len();
                self.headings.push(Heading { level: *level, title, start, end });
            }
            Block::Paragraph { lines, role, .. } => match role {
                Role::Body => self.paragraph(&flow(lines)),
                Role::Quote => self.paragraph(&format!("> {}", flow(lines))),
                // Repeated on every page, they would divide sentences and be found instead of what they stand above.
                Role::PageHeader | Role::PageFooter => {}
            },
            Block::List { items, .. } => {
                self.paragraph(&items.iter().map(list_item).collect::<Vec<_>>().join("\n"));
            }
            Block::Table { rows, .. } => self.paragraph(&table(rows)),
        }
    }

    /// Followed by an empty line; nothing if it is blank.
    fn paragraph(&mut self, paragraph: &str) {
        let paragraph = paragraph.trim();
        if !paragraph.is_empty() {
            self.text.push_str(paragraph);
            self.text.push_str("\n\n");
        }
    }
}

fn list_item(item: &ListItem) -> String {
    let text = flow(&item.lines);
    match item.marker {
        Marker::Bullet => format!("- {text}"),
        Marker::Number(number) => format!("{number}. {text}"),
    }
}

/// Every row as wide as the widest; what spans several columns stands in the first.
fn table(rows: &[Vec<Cell>]) -> String {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell_text = |cell: Option<&Cell>| {
        let line = cell.and_then(|cell| cell.line.as_ref());
        line.map(|line| flow(std::slice::from_ref(line)).replace('|', "\\|")).unwrap_or_default()
    };
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| (0..width).map(|column| cell_text(row.get(column))).collect::<Vec<_>>())
        .filter(|row| row.iter().any(|text| !text.is_empty()))
        .map(|row| format!("| {} |", row.join(" | ")))
        .collect();
    if !lines.is_empty() {
        lines.insert(1, format!("| {} |", vec!["---"; width].join(" | ")));
    }
    lines.join("\n")
}

/// Lines as running text: a word divided at a line's end is whole again.
fn flow(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let written: String = line.inlines.iter().map(|inline| inline.text.as_str()).collect();
        let Some(written) = title::on_one_line(&written) else {
            continue;
        };
        let continues_word = written.starts_with(char::is_lowercase);
        match text.strip_suffix(['-', '\u{ad}', '\u{2010}']) {
            Some(whole) if continues_word && whole.ends_with(char::is_alphabetic) => text.truncate(whole.len()),
            Some(_) | None if text.is_empty() || !needs_space(&text, &written) => {}
            Some(_) | None => text.push(' '),
        }
        written.chars().for_each(|character| push_spelled_out(&mut text, character));
    }
    text
}

/// Chinese and Japanese run on from line to line.
fn needs_space(before: &str, after: &str) -> bool {
    let runs_on = |character: Option<char>| {
        character.is_some_and(|character| matches!(character, '\u{3000}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}'))
    };
    !(runs_on(before.chars().next_back()) && runs_on(after.chars().next()))
}

/// Ligatures are how letters are printed, not how they are searched for.
fn push_spelled_out(text: &mut String, character: char) {
    match character {
        'ﬀ' => text.push_str("ff"),
        'ﬁ' => text.push_str("fi"),
        'ﬂ' => text.push_str("fl"),
        'ﬃ' => text.push_str("ffi"),
        'ﬄ' => text.push_str("ffl"),
        'ﬅ' | 'ﬆ' => text.push_str("st"),
        '\u{ad}' => {}
        other => text.push(other),
    }
}
