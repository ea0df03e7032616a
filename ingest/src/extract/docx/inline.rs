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
    pub(super) page_breaks_after: usize,
}

pub(super) fn read<'a, 'input>(paragraph: Node<'a, 'input>) -> Inline<'a, 'input> {
    let mut inline = Inline::default();
    inline.children(paragraph, 0);
    inline
}

/// Whether a content control only says what to write there.
pub(super) fn is_placeholder(control: Node) -> bool {
    xml::child(control, "sdtPr").is_some_and(|properties| xml::is_on(properties, "showingPlcHdr"))
}

/// The note that a reference leads to.
pub(super) fn note_id(reference: Node) -> Option<NoteId> {
    let is_endnote = xml::name(reference) == "endnoteReference";
    Some((is_endnote, xml::attribute(reference, "id")?.to_owned()))
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
            // Where a word may be divided is of use to a printer only.
            "t" => self.text.extend(node.text().unwrap_or_default().chars().filter(|character| *character != '\u{ad}')),
            "sym" => self.symbol(node),
            "r" if xml::child(node, "rPr").is_some_and(|properties| xml::is_on(properties, "vanish")) => {}
            "tab" | "ptab" => self.text.push('\t'),
            "br" | "cr" => self.text.push('\n'),
            "noBreakHyphen" => self.text.push('-'),
            "lastRenderedPageBreak" if self.text.trim().is_empty() => self.parts.page_break_before = true,
            "lastRenderedPageBreak" => self.parts.page_breaks_after += 1,
            "pPr" | "rPr" | "sdtPr" | "sdtEndPr" | "del" | "moveFrom" | "instrText" | "delText" | "rt" => {}
            "AlternateContent" => {
                if let Some(choice) = alternative(node) {
                    self.children(choice, depth + 1);
                }
            }
            "txbxContent" => self.parts.text_boxes.push(node),
            "chart" => self.parts.charts.extend(xml::attribute(node, "id")),
            "footnoteReference" | "endnoteReference" => self.parts.notes.extend(note_id(node)),
            "checkBox" => self.form_checkbox(node),
            "oMathPara" => self.parts.equations.extend(xml::children(node, "oMath").map(math::latex)),
            "oMath" => self.formula(node),
            "sdt" => self.control(node, depth),
            _ => self.children(node, depth + 1),
        }
    }

    /// A sign of a font of signs; most of them only decorate.
    fn symbol(&mut self, node: Node) {
        let code = xml::attribute(node, "char").and_then(|code| u32::from_str_radix(code, 16).ok());
        match code {
            // Boxes of Wingdings, ticked and not.
            Some(0xf052 | 0xf054 | 0xf078 | 0xf0fd | 0xf0fe) => self.text.push_str("[x]"),
            Some(0xf06f | 0xf071 | 0xf0a3 | 0xf0a8) => self.text.push_str("[ ]"),
            // What a font has in the area for private use, no other font has.
            Some(0xe000..=0xf8ff) | None => {}
            Some(code) => self.text.extend(char::from_u32(code)),
        }
    }

    /// Of a form before there were content controls.
    fn form_checkbox(&mut self, node: Node) {
        let is_ticked = match xml::child(node, "checked") {
            Some(_) => xml::is_on(node, "checked"),
            None => xml::is_on(node, "default"),
        };
        self.text.push_str(if is_ticked { "[x]" } else { "[ ]" });
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
            None if is_placeholder(node) => {}
            None => self.children(node, depth + 1),
        }
    }
}
