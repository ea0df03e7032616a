//! Word documents: the body with its headings, lists, tables, notes and equations. Left out: headers and footers, comments,
//! deleted text, pictures.

mod inline;
mod math;
mod numbering;
mod styles;
mod table;

use std::collections::HashMap;

use roxmltree::Node;

use super::blocks::Blocks;
use super::package::{CORE_PROPERTIES, Package, parse_xml};
use super::{ExtractError, Extracted, chart, xml};
use inline::{Inline, Parts};
use numbering::{Marker, Numbering};
use styles::Styles;

pub(super) fn extract(name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
    let mut package = Package::open(bytes)?;
    let (main_part, document) = package.main_part()?;
    let document = parse_xml(&document)?;
    let relationships = package.relationships(&main_part)?;
    let mut part = |kind: &str| {
        let related = relationships.values().find(|related| related.kind == kind);
        related.map_or(Ok(None), |related| package.read_text(&related.part)).map(Option::unwrap_or_default)
    };
    let styles = Styles::read(&part("styles")?)?;
    let numbering = Numbering::read(&part("numbering")?)?;
    let notes = Notes::read(&part("footnotes")?, &part("endnotes")?)?;
    let charts = chart::read_all(&mut package, &relationships)?;

    let has_pages = document.descendants().any(|node| xml::name(node) == "lastRenderedPageBreak");
    let mut body =
        Body { styles, numbering, notes, charts, blocks: Blocks::default(), code: String::new(), title: None };
    if has_pages {
        body.blocks.page();
    }
    if let Some(node) = xml::child(document.root_element(), "body") {
        body.content(node, 0);
    }
    body.end_code();
    let Body { blocks, title, .. } = body;
    let stated = package.stated_title(CORE_PROPERTIES)?;
    Ok(blocks.finish(title.or(stated), name))
}

struct Body {
    styles: Styles,
    numbering: Numbering,
    notes: Notes,
    /// By relationship id.
    charts: HashMap<String, chart::Chart>,
    blocks: Blocks,
    /// Paragraphs of code in a row.
    code: String,
    /// Of the paragraph that is styled as the title.
    title: Option<String>,
}

impl Body {
    /// What stands in the body, a text box or a content control.
    fn content(&mut self, node: Node, depth: usize) {
        if depth > xml::DEEPEST {
            return self.blocks.paragraph(&xml::all_text(node));
        }
        for child in node.children() {
            match xml::name(child) {
                "p" => self.paragraph(child, depth),
                "tbl" => self.table(child, depth),
                "sdt" if inline::is_placeholder(child) => {}
                "sdt" | "sdtContent" | "customXml" | "ins" | "moveTo" | "smartTag" => self.content(child, depth + 1),
                "AlternateContent" => {
                    if let Some(choice) = inline::alternative(child) {
                        self.content(choice, depth + 1);
                    }
                }
                _ => {}
            }
        }
    }

    fn paragraph(&mut self, node: Node, depth: usize) {
        let Inline { text, parts } = inline::read(node);
        let properties = xml::child(node, "pPr");
        let style = properties.and_then(|properties| xml::value(properties, "pStyle"));
        if parts.page_break_before {
            self.end_code();
            self.blocks.page();
        }
        if style.is_some_and(|style| self.styles.is_code(style)) {
            self.code.push_str(text.trim_end());
            self.code.push('\n');
        } else {
            self.end_code();
            self.written(&text, style, properties);
        }
        self.parts(&parts, depth);
    }

    fn written(&mut self, text: &str, style: Option<&str>, properties: Option<Node>) {
        if text.trim().is_empty() {
            return;
        }
        if style.is_some_and(|style| self.styles.is_title(style)) && self.title.is_none() {
            self.title = Some(text.to_owned());
            return self.blocks.heading(1, text);
        }
        let outline = properties.and_then(|properties| xml::value(properties, "outlineLvl"));
        let level = match outline {
            Some(level) => styles::heading_level(level),
            None => style.and_then(|style| self.styles.heading_level(style)),
        };
        let marker = self.marker(style, properties);
        match (level, marker) {
            (Some(level), marker) => {
                let level = level + u8::from(self.title.is_some());
                let number = match marker {
                    Some((_, Marker::Number(number))) => number + " ",
                    Some((_, Marker::Bullet)) | None => String::new(),
                };
                self.blocks.heading(level, &format!("{number}{text}"));
            }
            (None, Some((depth, Marker::Bullet))) => self.blocks.item(depth, "-", text),
            (None, Some((depth, Marker::Number(number)))) => self.blocks.item(depth, &number, text),
            (None, None) => self.blocks.paragraph(text),
        }
    }

    /// The depth of the list that the paragraph is an item of, and its mark.
    fn marker(&mut self, style: Option<&str>, properties: Option<Node>) -> Option<(usize, Marker)> {
        let own = properties.and_then(|properties| xml::child(properties, "numPr"));
        let inherited = style.and_then(|style| self.styles.numbering(style));
        let level = own.and_then(|own| xml::value(own, "ilvl")?.parse().ok());
        let list = match own.and_then(|own| xml::value(own, "numId")) {
            Some(list) => list.to_owned(),
            None => inherited.as_ref()?.list.clone(),
        };
        let level = level.or(inherited.map(|inherited| inherited.level)).unwrap_or(0);
        self.numbering.next(&list, level).map(|marker| (level, marker))
    }

    /// What is anchored in a paragraph.
    fn parts(&mut self, parts: &Parts, depth: usize) {
        for equation in &parts.equations {
            self.blocks.paragraph(&format!("$${equation}$$"));
        }
        for text_box in &parts.text_boxes {
            self.content(*text_box, depth + 1);
        }
        for chart in parts.charts.iter().filter_map(|id| self.charts.get(*id)) {
            chart.write(&mut self.blocks);
        }
        self.notes(&parts.notes);
        (0..parts.page_breaks_after).for_each(|_| self.blocks.page());
    }

    fn notes(&mut self, notes: &[NoteId]) {
        for text in notes.iter().filter_map(|note| self.notes.0.get(note)) {
            self.blocks.paragraph(text);
        }
    }

    fn table(&mut self, node: Node, depth: usize) {
        self.end_code();
        // A single cell frames what is in it.
        if let Some(cell) = table::only_cell(node) {
            return self.content(cell, depth + 1);
        }
        let rows = table::rows(node, depth);
        self.blocks.table(&rows);
        for inside in node.descendants() {
            match xml::name(inside) {
                "footnoteReference" | "endnoteReference" => {
                    let notes: Vec<NoteId> = inline::note_id(inside).into_iter().collect();
                    self.notes(&notes);
                }
                "chart" => {
                    if let Some(chart) = xml::attribute(inside, "id").and_then(|id| self.charts.get(id)) {
                        chart.write(&mut self.blocks);
                    }
                }
                "lastRenderedPageBreak" => self.blocks.page(),
                _ => {}
            }
        }
    }

    fn end_code(&mut self) {
        let code = std::mem::take(&mut self.code);
        self.blocks.code(&code);
    }
}

/// The texts of footnotes and endnotes.
struct Notes(HashMap<NoteId, String>);

/// Whether it is an endnote, and its id.
type NoteId = (bool, String);

impl Notes {
    fn read(footnotes: &str, endnotes: &str) -> Result<Self, ExtractError> {
        let mut notes = HashMap::new();
        for (text, is_endnote) in [(footnotes, false), (endnotes, true)] {
            if text.is_empty() {
                continue;
            }
            let xml = parse_xml(text)?;
            // The others are lines and signs that divide notes from the text.
            let written = xml.root_element().children().filter(|note| xml::attribute(*note, "type").is_none());
            notes.extend(written.filter_map(|note| {
                let text = table::block_text(note, 0);
                Some(((is_endnote, xml::attribute(note, "id")?.to_owned()), text))
            }));
        }
        Ok(Self(notes))
    }
}
