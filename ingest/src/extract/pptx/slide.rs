//! The shapes of one slide, in the order in which they are drawn, which is the order of reading.

use std::collections::HashMap;

use roxmltree::Node;

use crate::extract::blocks::{Blocks, WIDEST_SPAN, repeated};
use crate::extract::{chart, xml};

pub(super) struct Slide<'a> {
    /// By relationship id.
    pub(super) charts: HashMap<String, chart::Chart>,
    pub(super) diagrams: HashMap<String, Vec<String>>,
    pub(super) blocks: &'a mut Blocks,
}

impl Slide<'_> {
    pub(super) fn write(&mut self, root: Node) {
        if let Some(shapes) = xml::path(root, &["cSld", "spTree"]) {
            self.shapes(shapes, 0);
        }
    }

    fn shapes(&mut self, node: Node, depth: usize) {
        if depth > xml::DEEPEST {
            return self.blocks.paragraph(&xml::all_text(node));
        }
        for shape in node.children() {
            match xml::name(shape) {
                "sp" => self.shape(shape),
                "grpSp" => self.shapes(shape, depth + 1),
                "graphicFrame" => self.frame(shape),
                "AlternateContent" => {
                    let choice = xml::child(shape, "Choice").or_else(|| xml::child(shape, "Fallback"));
                    if let Some(choice) = choice {
                        self.shapes(choice, depth + 1);
                    }
                }
                _ => {}
            }
        }
    }

    fn shape(&mut self, shape: Node) {
        let Some(body) = xml::child(shape, "txBody") else { return };
        match placeholder(shape) {
            Some("dt" | "ftr" | "sldNum" | "hdr") => {}
            Some("title" | "ctrTitle") => {
                let title = paragraphs(body).map(text).collect::<Vec<_>>().join(" ");
                self.blocks.heading(1, &title);
            }
            Some("subTitle") => paragraphs(body).for_each(|paragraph| self.blocks.paragraph(&text(paragraph))),
            // The text of a slide is a list unless it says otherwise; that of other shapes is one if it says so.
            placeholder => self.list(body, placeholder.is_some()),
        }
    }

    fn list(&mut self, body: Node, by_default: bool) {
        let mut numbers = Numbers::default();
        for paragraph in paragraphs(body) {
            let text = text(paragraph);
            if text.trim().is_empty() {
                continue;
            }
            let properties = xml::child(paragraph, "pPr");
            // PowerPoint has nine.
            let level = properties.and_then(|node| xml::attribute(node, "lvl")?.parse().ok()).unwrap_or(0_usize).min(8);
            let has = |name| properties.is_some_and(|properties| xml::child(properties, name).is_some());
            if has("buAutoNum") {
                let start =
                    properties.and_then(|node| xml::attribute(xml::child(node, "buAutoNum")?, "startAt")?.parse().ok());
                let number = numbers.next(level, start.unwrap_or(1));
                self.blocks.item(level, &format!("{number}."), &text);
            } else if has("buChar") || has("buBlip") || (by_default && !has("buNone")) {
                numbers.end(level + 1);
                self.blocks.item(level, "-", &text);
            } else {
                numbers.end(0);
                self.blocks.paragraph(&text);
            }
        }
    }

    fn frame(&mut self, frame: Node) {
        for node in frame.descendants() {
            match xml::name(node) {
                "tbl" => return self.blocks.table(&rows(node)),
                "chart" => {
                    if let Some(chart) = xml::attribute(node, "id").and_then(|id| self.charts.get(id)) {
                        chart.write(self.blocks);
                    }
                }
                "relIds" => {
                    let texts = xml::attribute(node, "dm").and_then(|id| self.diagrams.get(id));
                    texts.into_iter().flatten().for_each(|text| self.blocks.item(0, "-", text));
                }
                _ => {}
            }
        }
    }
}

/// How far the numbered items of each level have been counted.
#[derive(Default)]
struct Numbers(Vec<u32>);

impl Numbers {
    fn next(&mut self, level: usize, start: u32) -> u32 {
        self.end(level + 1);
        match self.0.get_mut(level) {
            Some(number) => {
                *number = number.saturating_add(1);
                *number
            }
            None => {
                self.0.resize(level + 1, start);
                start
            }
        }
    }

    /// The next item of this level, or a deeper one, begins a new list.
    fn end(&mut self, level: usize) {
        self.0.truncate(level);
    }
}

/// What a shape is a place for: `title`, `body`; plain shapes are none.
fn placeholder<'a>(shape: Node<'a, '_>) -> Option<&'a str> {
    let placeholder = shape.children().find_map(|properties| xml::path(properties, &["nvPr", "ph"]))?;
    Some(xml::attribute(placeholder, "type").unwrap_or("body"))
}

fn paragraphs<'a, 'input>(body: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    xml::children(body, "p")
}

fn text(paragraph: Node) -> String {
    let mut text = String::new();
    for node in paragraph.descendants() {
        match xml::name(node) {
            "t" => text.push_str(node.text().unwrap_or_default()),
            "br" => text.push('\n'),
            "tab" => text.push('\t'),
            _ => {}
        }
    }
    text
}

/// A short cell that spans rows or columns stands in each of them.
fn rows(table: Node) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for row in xml::children(table, "tr") {
        let mut cells: Vec<String> = Vec::new();
        for cell in xml::children(row, "tc").take(WIDEST_SPAN * WIDEST_SPAN) {
            let goes_on = |name| matches!(xml::attribute(cell, name), Some("1" | "true"));
            let above = || rows.last().and_then(|above| above.get(cells.len())).map(|text| repeated(text));
            let text = if goes_on("hMerge") {
                cells.last().map(|text| repeated(text))
            } else if goes_on("vMerge") {
                above()
            } else {
                xml::child(cell, "txBody").map(|body| paragraphs(body).map(text).collect::<Vec<_>>().join(" "))
            };
            cells.push(text.unwrap_or_default());
        }
        rows.push(cells);
    }
    rows
}

/// The texts of a diagram's points.
pub(super) fn diagram_texts(root: Node) -> Vec<String> {
    let points = root.descendants().filter(|node| xml::name(*node) == "pt");
    let texts = points.filter_map(|point| {
        let paragraphs: Vec<String> = paragraphs(xml::child(point, "t")?).map(text).collect();
        Some(paragraphs.join(" "))
    });
    texts.filter(|text| !text.trim().is_empty()).collect()
}

/// The paragraphs of what the speaker is to say.
pub(super) fn notes(root: Node) -> Vec<String> {
    let shapes = xml::path(root, &["cSld", "spTree"]).into_iter().flat_map(|tree| xml::children(tree, "sp"));
    let body =
        shapes.filter(|shape| placeholder(*shape) == Some("body")).filter_map(|shape| xml::child(shape, "txBody"));
    body.flat_map(paragraphs).map(text).collect()
}
