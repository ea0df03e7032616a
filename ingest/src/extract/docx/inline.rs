//! The text of a paragraph, and what is anchored in it.

use roxmltree::Node;

use super::{NoteId, math};
use crate::extract::xml;

#[derive(Default)]
pub(super) struct Inline<'a, 'input> {
    /// Line breaks as `\n`.
    pub(super) text: String,
    pub(super) parts: Parts<'a, 'input>,
}

#[derive(Default)]
pub(super) struct Parts<'a, 'input> {
    /// Equations that stand on lines of their own.
    pub(super) equations: Vec<String>,
    pub(super) text_boxes: Vec<Node<'a, 'input>>,
    /// Relationship ids.
    pub(super) charts: Vec<&'a str>,
    pub(super) notes: Vec<NoteId>,
    pub(super) page_break_before: bool,
    pub(super) page_break_after: bool,
}

pub(super) fn read<'a, 'input>(paragraph: Node<'a, 'input>) -> Inline<'a, 'input> {
    let mut inline = Inline::default();
    inline.children(paragraph, 0);
    inline
}

/// Of several ways to show something, one: the first, or the other if there is no text in that.
pub(super) fn alternative<'a, 'input>(node: Node<'a, 'input>) -> Option<Node<'a, 'input>> {
    let has_text = |node: &Node| node.descendants().any(|node| matches!(xml::name(node), "t" | "chart" | "oMath"));
    let first = xml::child(node, "Choice");
    first.filter(has_text).or_else(|| xml::child(node, "Fallback")).or(first)
}

impl<'a, 'input> Inline<'a, 'input> {
    fn children(&mut self, node: Node<'a, 'input>, depth: usize) {
        if depth > xml::DEEPEST {
            self.text.push_str(&xml::all_text(node));
            return;
        }
        node.children().filter(Node::is_element).for_each(|child| self.element(child, depth));
    }

    fn element(&mut self, node: Node<'a, 'input>, depth: usize) {
        match xml::name(node) {
            "t" => self.text.push_str(node.text().unwrap_or_default()),
            "tab" | "ptab" => self.text.push('\t'),
            "br" | "cr" => self.text.push('\n'),
            "noBreakHyphen" => self.text.push('-'),
            "lastRenderedPageBreak" if self.text.trim().is_empty() => self.parts.page_break_before = true,
            "lastRenderedPageBreak" => self.parts.page_break_after = true,
            "pPr" | "rPr" | "sdtPr" | "sdtEndPr" | "del" | "moveFrom" | "instrText" | "delText" | "rt" => {}
            "AlternateContent" => {
                if let Some(choice) = alternative(node) {
                    self.children(choice, depth + 1);
                }
            }
            "txbxContent" => self.parts.text_boxes.push(node),
            "chart" => self.parts.charts.extend(xml::attribute(node, "id")),
            "footnoteReference" => self.note(node, false),
            "endnoteReference" => self.note(node, true),
            "oMathPara" => self.parts.equations.extend(xml::children(node, "oMath").map(math::latex)),
            "oMath" => self.formula(node),
            "sdt" => self.control(node, depth),
            _ => self.children(node, depth + 1),
        }
    }

    fn note(&mut self, node: Node, is_endnote: bool) {
        if let Some(id) = xml::attribute(node, "id") {
            self.parts.notes.push((is_endnote, id.to_owned()));
        }
    }

    fn formula(&mut self, node: Node) {
        let formula = math::latex(node);
        if !formula.is_empty() {
            self.text.push_str(&format!(" ${formula}$ "));
        }
    }

    /// A content control: a box to tick, or text.
    fn control(&mut self, node: Node<'a, 'input>, depth: usize) {
        let checkbox = xml::path(node, &["sdtPr", "checkbox"]);
        match checkbox {
            Some(checkbox) if xml::is_on(checkbox, "checked") => self.text.push_str("[x]"),
            Some(_) => self.text.push_str("[ ]"),
            None => self.children(node, depth + 1),
        }
    }
}
