//! The body of a text or a presentation, block by block.

use std::collections::HashMap;

use roxmltree::Node;

use super::inline::{self, Inline};
use super::lists::ListStyles;
use super::table;
use crate::extract::blocks::Blocks;
use crate::extract::package::{Package, parse_xml};
use crate::extract::{ExtractError, xml};

pub(super) struct Writer<'a> {
    /// The style that each automatic one was made from.
    parents: HashMap<String, String>,
    lists: ListStyles,
    package: &'a mut Package,
    blocks: Blocks,
    title: Option<String>,
    /// What is embedded and could not be read.
    error: Option<ExtractError>,
}

pub(super) fn parents_of_styles<'a, 'input: 'a>(
    roots: impl Iterator<Item = Node<'a, 'input>>,
) -> HashMap<String, String> {
    let styles = roots.flat_map(|root| root.descendants()).filter(|node| xml::name(*node) == "style");
    let parent = |style| {
        Some((xml::attribute(style, "name")?.to_owned(), xml::attribute(style, "parent-style-name")?.to_owned()))
    };
    styles.filter_map(parent).collect()
}

impl<'a> Writer<'a> {
    pub(super) fn new(parents: HashMap<String, String>, lists: ListStyles, package: &'a mut Package) -> Self {
        Self { parents, lists, package, blocks: Blocks::default(), title: None, error: None }
    }

    /// The blocks, and the title if a paragraph is styled as one.
    pub(super) fn finish(self) -> Result<(Blocks, Option<String>), ExtractError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok((self.blocks, self.title)),
        }
    }

    pub(super) fn content(&mut self, node: Node, depth: usize) {
        if depth > xml::DEEPEST {
            return self.blocks.paragraph(&xml::all_text(node));
        }
        match xml::name(node) {
            "h" => self.heading(node, depth),
            "p" => self.paragraph(node, depth),
            "list" => self.list(node, "", 0, depth),
            "table" => self.blocks.table(&table::rows(node, depth)),
            "page" => {
                self.blocks.page();
                self.children(node, depth);
            }
            "frame" => self.frame(node, depth),
            // What was deleted, comments, and what only repeats the headings.
            "tracked-changes" | "annotation" | "table-of-content" | "forms" | "settings" | "image-map" | "desc" => {}
            // Of a slide: its footer and the like are on its master page.
            _ => self.children(node, depth),
        }
    }

    fn children(&mut self, node: Node, depth: usize) {
        node.children().filter(Node::is_element).for_each(|child| self.content(child, depth + 1));
    }

    fn heading(&mut self, node: Node, depth: usize) {
        let Inline { text, anchored } = inline::read(node);
        let level: u8 = xml::attribute(node, "outline-level").and_then(|level| level.parse().ok()).unwrap_or(1);
        self.blocks.heading(level.saturating_add(u8::from(self.title.is_some())), &text);
        anchored.into_iter().for_each(|node| self.content(node, depth + 1));
    }

    fn paragraph(&mut self, node: Node, depth: usize) {
        let Inline { text, anchored } = inline::read(node);
        match self.named_style(node) {
            "Title" if self.title.is_none() && !text.trim().is_empty() => {
                self.title = Some(text.clone());
                self.blocks.heading(1, &text);
            }
            "Subtitle" => self.blocks.heading(2, &text),
            _ => self.blocks.paragraph(&text),
        }
        anchored.into_iter().for_each(|node| self.content(node, depth + 1));
    }

    /// The style of a paragraph, or the one that it was made from.
    fn named_style<'b>(&'b self, node: Node<'b, '_>) -> &'b str {
        let style = xml::attribute(node, "style-name").unwrap_or_default();
        self.parents.get(style).map_or(style, String::as_str)
    }

    fn list(&mut self, list: Node, outer_style: &str, list_depth: usize, depth: usize) {
        if depth > xml::DEEPEST {
            return;
        }
        let style = xml::attribute(list, "style-name").unwrap_or(outer_style);
        let numbered = self.lists.is_numbered(style, list_depth);
        let mut number = 0;
        for item in list.children() {
            // A header is an item without a mark.
            let marked = match xml::name(item) {
                "list-item" => true,
                "list-header" => false,
                _ => continue,
            };
            if let Some(start) = xml::attribute(item, "start-value").and_then(|start| start.parse::<u32>().ok()) {
                number = start.saturating_sub(1);
            }
            let mut is_first = marked;
            for block in item.children() {
                match xml::name(block) {
                    "p" | "h" if is_first => {
                        is_first = false;
                        let Inline { text, anchored } = inline::read(block);
                        number += u32::from(!text.trim().is_empty());
                        let marker = if numbered { format!("{number}.") } else { "-".to_owned() };
                        self.blocks.item(list_depth, &marker, &text);
                        anchored.into_iter().for_each(|node| self.content(node, depth + 1));
                    }
                    "list" => self.list(block, style, list_depth + 1, depth + 1),
                    _ => self.content(block, depth + 1),
                }
            }
        }
    }

    fn frame(&mut self, frame: Node, depth: usize) {
        match xml::attribute(frame, "class") {
            Some("title") => {
                let title = table::block_text(frame, depth);
                return self.blocks.heading(1, &title);
            }
            Some("date-time" | "footer" | "page-number" | "header") => return,
            Some(_) | None => {}
        }
        // An object comes with a picture of itself.
        match xml::child(frame, "object") {
            Some(object) => self.object(object),
            None => self.children(frame, depth),
        }
    }

    /// A chart, which is a document of its own with the table behind it.
    fn object(&mut self, object: Node) {
        let Some(folder) = xml::attribute(object, "href") else { return };
        let part = format!("{}/content.xml", folder.trim_start_matches("./").trim_end_matches('/'));
        match self.package.read_text(&part) {
            Ok(Some(text)) => {
                if let Ok(content) = parse_xml(&text) {
                    let tables = content.descendants().filter(|node| xml::name(*node) == "table");
                    let rows: Vec<_> = tables.map(|table| table::rows(table, 0)).collect();
                    rows.iter().for_each(|rows| self.blocks.table(rows));
                }
            }
            Ok(None) => {}
            Err(error) => self.error = Some(error),
        }
    }
}
