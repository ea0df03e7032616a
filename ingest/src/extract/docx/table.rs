//! Tables as grids: a short cell that spans rows or columns stands in each of them.

use roxmltree::Node;

use super::inline;
use crate::extract::blocks::{WIDEST_SPAN, joined, repeated};
use crate::extract::xml;

/// The only cell of a table that has one.
pub(super) fn only_cell<'a, 'input>(table: Node<'a, 'input>) -> Option<Node<'a, 'input>> {
    let mut cells = rows_of(table).flat_map(cells_of);
    cells.next().filter(|_| cells.next().is_none())
}

pub(super) fn rows(table: Node, depth: usize) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for row in rows_of(table) {
        let skipped =
            xml::path(row, &["trPr", "gridBefore"]).and_then(|node| xml::attribute(node, "val")?.parse().ok());
        let mut cells = vec![String::new(); skipped.unwrap_or(0_usize).min(WIDEST_SPAN)];
        for cell in cells_of(row) {
            let properties = xml::child(cell, "tcPr");
            let span = properties.and_then(|node| xml::value(node, "gridSpan")?.parse().ok()).unwrap_or(1_usize);
            let goes_on = properties.and_then(|node| xml::child(node, "vMerge"));
            let goes_on = goes_on.is_some_and(|node| xml::attribute(node, "val") != Some("restart"));
            let above = || rows.last().and_then(|above| above.get(cells.len())).cloned().unwrap_or_default();
            let text = if goes_on { repeated(&above()) } else { block_text(cell, depth + 1) };
            let copies = span.clamp(1, WIDEST_SPAN) - 1;
            cells.push(text.clone());
            let text = repeated(&text);
            cells.extend(std::iter::repeat_n(text, copies));
        }
        rows.push(cells);
    }
    rows
}

fn rows_of<'a, 'input>(table: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    unwrapped(table, "tr")
}

fn cells_of<'a, 'input>(row: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    unwrapped(row, "tc")
}

/// Children of this name, also those in content controls.
fn unwrapped<'a, 'input>(node: Node<'a, 'input>, name: &'static str) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children()
        .flat_map(move |child| {
            let inside = xml::child(child, "sdtContent").filter(|_| xml::name(child) == "sdt");
            let (own, inside) = match inside {
                Some(inside) => (None, Some(inside)),
                None => (Some(child), None),
            };
            own.into_iter().chain(inside.into_iter().flat_map(|inside| inside.children()))
        })
        .filter(move |child| xml::name(*child) == name)
}

/// The paragraphs and tables below, one after another.
pub(super) fn block_text(node: Node, depth: usize) -> String {
    if depth > xml::DEEPEST {
        return xml::all_text(node);
    }
    let mut texts = Vec::new();
    for child in node.children() {
        match xml::name(child) {
            "p" => {
                let inline = inline::read(child);
                let boxes = inline.parts.text_boxes.iter().map(|text_box| block_text(*text_box, depth + 1));
                let equations = inline.parts.equations.iter().map(|equation| format!("${equation}$"));
                texts.push(inline.text);
                texts.extend(equations.chain(boxes));
            }
            "tbl" => texts.extend(rows(child, depth + 1).into_iter().flatten()),
            "sdt" | "sdtContent" | "customXml" | "ins" | "moveTo" | "smartTag" => {
                texts.push(block_text(child, depth + 1));
            }
            "AlternateContent" => texts.extend(inline::alternative(child).map(|choice| block_text(choice, depth + 1))),
            _ => {}
        }
    }
    joined(&texts)
}
