//! A tree of HTML written as Markdown that reads well as plain text: headings, lists, tables, code and quotes keep their
//! form; emphasis, links and images leave their text.

mod table;

use html5ever::{LocalName, local_name};
use markup5ever_rcdom::{Handle, NodeData};

use crate::extract::{Heading, blocks, title};

#[derive(Debug, Default)]
pub(in crate::extract) struct Written {
    pub(in crate::extract) text: String,
    pub(in crate::extract) headings: Vec<Heading>,
}

/// What stands below `node`, as Markdown. Recurses as deep as the tree.
pub(super) fn markdown(node: &Handle) -> Written {
    let mut writer = Writer::default();
    writer.node(node);
    writer.end_block();
    writer.written
}

/// All text below `node`, spaces as they stand.
pub(super) fn plain_text(node: &Handle) -> String {
    let mut text = String::new();
    let mut left = vec![node.clone()];
    while let Some(node) = left.pop() {
        match (&node.data, element_name(&node)) {
            (NodeData::Text { contents }, _) => text.push_str(&contents.borrow()),
            (_, Some(name)) if is_invisible(&name) => {}
            (_, Some(name)) if name == local_name!("br") => text.push('\n'),
            (_, _) => left.extend(node.children.borrow().iter().rev().cloned()),
        }
    }
    text
}

fn element_name(node: &Handle) -> Option<LocalName> {
    if let NodeData::Element { name, .. } = &node.data { Some(name.local.clone()) } else { None }
}

/// Scripts, controls, and what stands for something that is not text.
fn is_invisible(name: &LocalName) -> bool {
    // `annotation` repeats a formula in another notation.
    const INVISIBLE: [&str; 16] = [
        "annotation",
        "audio",
        "canvas",
        "datalist",
        "dialog",
        "head",
        "iframe",
        "noscript",
        "object",
        "script",
        "select",
        "style",
        "svg",
        "template",
        "textarea",
        "video",
    ];
    INVISIBLE.contains(&&**name)
}

fn is_block(name: &LocalName) -> bool {
    const BLOCKS: [&str; 27] = [
        "address",
        "article",
        "aside",
        "body",
        "button",
        "caption",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hr",
        "html",
        "legend",
        "main",
        "nav",
        "p",
        "search",
        "section",
        "summary",
    ];
    BLOCKS.contains(&&**name)
}

#[derive(Default)]
struct Writer {
    written: Written,
    /// Text of the block being read: its own white space as single spaces, a `\n` for each `<br>`.
    inline: String,
    /// What stands before every line here: quote marks and the indentation of lists.
    prefix: String,
    /// Stands in place of the prefix on the next line: `- `, `3. `.
    marker: Option<String>,
    /// The prefix of the line before.
    prefix_before: String,
    /// Whether the next item follows without an empty line.
    tight: bool,
}

impl Writer {
    fn children(&mut self, node: &Handle) {
        node.children.borrow().iter().for_each(|child| self.node(child));
    }

    fn node(&mut self, node: &Handle) {
        match &node.data {
            NodeData::Text { contents } => self.text(&contents.borrow()),
            NodeData::Element { name, .. } => self.element(node, &name.local),
            NodeData::Document => self.children(node),
            NodeData::Doctype { .. } | NodeData::Comment { .. } | NodeData::ProcessingInstruction { .. } => {}
        }
    }

    fn text(&mut self, text: &str) {
        for character in text.chars() {
            if !character.is_whitespace() {
                self.inline.push(character);
            } else if !self.inline.ends_with(' ') {
                self.inline.push(' ');
            }
        }
    }

    fn element(&mut self, node: &Handle, name: &LocalName) {
        if is_invisible(name) {
            return;
        }
        match &**name {
            "br" => self.inline.push('\n'),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading(node, name.as_bytes()[1] - b'0'),
            "ul" | "ol" | "menu" => self.list(node, name == &local_name!("ol")),
            // Outside a list.
            "li" => self.item(node, "- "),
            "pre" => self.code(node),
            "blockquote" => self.indented("> ", None, |writer| writer.children(node)),
            "table" => self.table(node),
            _ if is_block(name) => {
                self.end_block();
                self.children(node);
                self.end_block();
            }
            _ => self.children(node),
        }
    }

    fn heading(&mut self, node: &Handle, level: u8) {
        self.end_block();
        let text = plain_text(node);
        // Many pages end each heading with a link to itself.
        let Some(title) = title::on_one_line(text.trim_end().trim_end_matches(['#', '¶', '§', '🔗'])) else {
            return;
        };
        self.begin_block();
        // A heading in a list or quote divides nothing.
        let divides = self.prefix.is_empty() && self.marker.is_none();
        let start = self.written.text.len();
        self.line(&format!("{} {title}", "#".repeat(level.into())));
        if divides {
            let end = self.written.text.len() - 1;
            self.written.headings.push(Heading { level, title, start, end });
        }
    }

    fn list(&mut self, node: &Handle, numbered: bool) {
        self.end_block();
        let was_tight = std::mem::take(&mut self.tight);
        let mut number = 0;
        for child in node.children.borrow().iter() {
            match element_name(child).as_deref() {
                Some("li") => {
                    number += 1;
                    let marker = if numbered { format!("{number}. ") } else { "- ".to_owned() };
                    self.item(child, &marker);
                    self.tight = true;
                }
                // A list directly in a list belongs to the item before.
                Some("ul" | "ol") => self.indented("  ", None, |writer| writer.node(child)),
                Some(_) | None => self.node(child),
            }
        }
        self.end_block();
        self.tight = was_tight;
    }

    fn item(&mut self, node: &Handle, marker: &str) {
        let indentation = " ".repeat(marker.len());
        self.indented(&indentation, Some(marker), |writer| writer.children(node));
    }

    /// Runs `write` with every line behind `prefix`, the first one behind `marker` if there is one.
    fn indented(&mut self, prefix: &str, marker: Option<&str>, write: impl FnOnce(&mut Self)) {
        self.end_block();
        let outer = self.prefix.len();
        // A marker still waiting means that this is the first thing in an item: both stand on one line.
        let before = self.marker.take();
        self.marker = match (before, marker) {
            (Some(before), marker) => Some(before + marker.unwrap_or(prefix)),
            (None, marker) => marker.map(|marker| self.prefix.clone() + marker),
        };
        self.prefix.push_str(prefix);
        write(self);
        self.end_block();
        self.prefix.truncate(outer);
        self.marker = None;
    }

    fn code(&mut self, node: &Handle) {
        self.end_block();
        let code = plain_text(node);
        let code = code.trim_matches('\n').trim_end();
        if code.is_empty() {
            return;
        }
        let fence = blocks::fence(code);
        self.begin_block();
        self.line(&fence);
        code.lines().for_each(|line| self.line(line));
        self.line(&fence);
    }

    fn table(&mut self, node: &Handle) {
        self.end_block();
        let table = table::read(node);
        // Tables that only arrange a page: their cells are blocks.
        if table.is_layout() {
            for cell in table.cells() {
                self.children(&cell);
                self.end_block();
            }
            return;
        }
        if let Some(caption) = table.caption() {
            self.begin_block();
            self.line(&caption);
        }
        let mut rows = table.rows().into_iter();
        if let Some(header) = rows.next() {
            self.begin_block();
            self.line(&table_row(&header));
            self.line(&table_row(&vec!["---".to_owned(); header.len()]));
        }
        rows.for_each(|row| self.line(&table_row(&row)));
    }

    /// Writes the inline text read so far as a block of its own.
    fn end_block(&mut self) {
        let inline = std::mem::take(&mut self.inline);
        let mut lines = inline.split('\n').filter_map(title::on_one_line).peekable();
        if lines.peek().is_some() {
            self.begin_block();
            lines.for_each(|line| self.line(&line));
        }
    }

    /// An empty line between this block and the one before, unless they are items of one list.
    fn begin_block(&mut self) {
        let is_item = self.marker.is_some();
        if self.written.text.is_empty() || (self.tight && is_item) {
            return;
        }
        // A quote goes on only if both blocks are in it.
        let shared =
            self.prefix.bytes().zip(self.prefix_before.bytes()).take_while(|(one, other)| one == other).count();
        self.written.text.push_str(self.prefix[..shared].trim_end());
        self.written.text.push('\n');
    }

    fn line(&mut self, line: &str) {
        match self.marker.take() {
            Some(marker) => self.written.text.push_str(&marker),
            None => self.written.text.push_str(&self.prefix),
        }
        self.written.text.push_str(line);
        self.written.text.push('\n');
        self.prefix_before.clone_from(&self.prefix);
    }
}

fn table_row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}
