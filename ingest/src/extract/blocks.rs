//! Blocks of an office document, one after another, written as Markdown that reads well as plain text.

use std::collections::BTreeMap;

use super::{Extracted, Heading, Markup, title};

/// Rows or columns that one cell of a table may span; more is a mistake or an attack.
pub(super) const WIDEST_SPAN: usize = 63;

/// Bytes of a cell that is worth repeating in every row and column it spans: the label of a group is, a note of some
/// sentences stands once.
const LONGEST_REPEATED: usize = 200;

/// What a cell that spans several places says in the others.
pub(super) fn repeated(text: &str) -> String {
    if text.len() <= LONGEST_REPEATED { text.to_owned() } else { String::new() }
}

/// Texts on one line, blank ones left out.
pub(super) fn joined(texts: &[String]) -> String {
    texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The line above and below code, longer than any run of its sign in the code.
pub(super) fn fence(code: &str) -> String {
    let longest_run = code.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    "`".repeat((longest_run + 1).max(3))
}

#[derive(Debug, Default)]
pub(super) struct Blocks {
    text: String,
    headings: Vec<Heading>,
    page_starts: Vec<usize>,
    /// Whether the last block was an item, which the next item follows without an empty line.
    in_list: bool,
}

impl Blocks {
    /// What follows is on a new page, slide or the like.
    pub(super) fn page(&mut self) {
        self.end_list();
        self.page_starts.push(self.text.len());
    }

    /// Nothing if the title is blank. Levels from 1, the outermost.
    pub(super) fn heading(&mut self, level: u8, title: &str) {
        let Some(title) = title::on_one_line(title) else { return };
        self.end_list();
        let start = self.text.len();
        self.text.push_str(&"#".repeat(level.clamp(1, 6).into()));
        self.text.push(' ');
        self.text.push_str(&title);
        self.headings.push(Heading { level, title, start, end: self.text.len() });
        self.text.push_str("\n\n");
    }

    /// Line breaks stay; nothing if it is blank.
    pub(super) fn paragraph(&mut self, text: &str) {
        let mut lines = text.lines().filter_map(title::on_one_line).peekable();
        if lines.peek().is_none() {
            return;
        }
        self.end_list();
        lines.for_each(|line| self.line(&line));
        self.text.push('\n');
    }

    /// One item of a list. `depth` counts the lists around it, 0 for none; `marker` is `-`, `3.`, `a)` and the like.
    pub(super) fn item(&mut self, depth: usize, marker: &str, text: &str) {
        let Some(text) = title::on_one_line(text) else { return };
        self.in_list = true;
        // Deeper lists say nothing, and indented further would be code.
        let indentation = "  ".repeat(depth.min(8));
        self.line(&format!("{indentation}{marker} {text}"));
    }

    /// Lines as they stand, fenced.
    pub(super) fn code(&mut self, code: &str) {
        let code = code.trim_matches('\n').trim_end();
        if code.is_empty() {
            return;
        }
        self.end_list();
        let fence = fence(code);
        self.line(&fence);
        code.lines().for_each(|line| self.line(line));
        self.line(&fence);
        self.text.push('\n');
    }

    /// Markdown with its headings.
    pub(super) fn append(&mut self, text: &str, headings: Vec<Heading>) {
        self.end_list();
        let offset = self.text.len();
        let moved = |heading: Heading| Heading { start: offset + heading.start, end: offset + heading.end, ..heading };
        self.headings.extend(headings.into_iter().map(moved));
        self.text.push_str(text);
        if !text.trim().is_empty() {
            self.text.push('\n');
        }
    }

    /// The first row stands above the line. Rows are filled up to the same width, blank ones left out.
    pub(super) fn table(&mut self, rows: &[Vec<String>]) {
        self.write_table(rows, None);
    }

    /// Like [`Blocks::table`]; the first row names the columns of a table that may be long, so it is a heading of this
    /// level to every passage that the table is cut into.
    pub(super) fn table_with_header(&mut self, rows: &[Vec<String>], level: u8) {
        self.write_table(rows, Some(level));
    }

    fn write_table(&mut self, rows: &[Vec<String>], header_level: Option<u8>) {
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        let cells = |row: &[String]| -> Vec<String> {
            let cell = |column| row.get(column).and_then(|cell: &String| title::on_one_line(cell)).unwrap_or_default();
            (0..width).map(cell).collect()
        };
        let mut written = rows.iter().map(|row| cells(row)).filter(|row| row.iter().any(|cell| !cell.is_empty()));
        let Some(first) = written.next() else { return };
        self.end_list();
        let start = self.text.len();
        self.row(&first);
        if let Some(level) = header_level {
            let title =
                first.iter().filter(|cell| !cell.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" | ");
            self.headings.push(Heading { level, title, start, end: self.text.len() - 1 });
        }
        self.row(&vec!["---".to_owned(); width]);
        written.for_each(|row| self.row(&row));
        self.text.push('\n');
    }

    fn row(&mut self, cells: &[String]) {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        self.line(&format!("| {} |", cells.join(" | ")));
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn end_list(&mut self) {
        if std::mem::take(&mut self.in_list) {
            self.text.push('\n');
        }
    }

    /// `title` is what the document calls itself; else its first heading of the highest rank, else the file's name.
    pub(super) fn finish(self, title: Option<String>, name: &str) -> Extracted {
        let Self { text, headings, page_starts, in_list: _ } = self;
        let title = title
            .and_then(|title| title::on_one_line(&title))
            .or_else(|| headings.iter().min_by_key(|heading| heading.level).map(|heading| heading.title.clone()))
            .unwrap_or_else(|| title::from_name(name));
        Extracted { title, text, headings, page_starts, markup: Markup::Markdown, front_matter: BTreeMap::new() }
    }
}
