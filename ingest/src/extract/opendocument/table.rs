//! Tables as grids: a short cell that spans rows or columns stands in each of them.

use roxmltree::Node;

use super::inline;
use crate::extract::blocks::{WIDEST_SPAN, joined, repeated};
use crate::extract::xml;

/// Times that one row or cell with text may stand for; more only fills the page.
const MOST_REPEATED: usize = 100;

pub(super) fn rows(table: Node, depth: usize) -> Vec<Vec<String>> {
    let mut grid = Grid::default();
    grid.collect(table, depth);
    grid.rows
}

#[derive(Default)]
struct Grid {
    rows: Vec<Vec<String>>,
    /// Of each column, the text that reaches down into it and for how many more rows.
    from_above: Vec<(String, usize)>,
}

impl Grid {
    fn collect(&mut self, node: Node, depth: usize) {
        if depth > xml::DEEPEST {
            return;
        }
        for child in node.children() {
            match xml::name(child) {
                "table-row" => self.row(child, depth),
                "table-header-rows" | "table-rows" | "table-row-group" => self.collect(child, depth + 1),
                _ => {}
            }
        }
    }

    fn row(&mut self, row: Node, depth: usize) {
        let mut cells = Vec::new();
        // The text that reaches over the covered cells to the right, and over how many.
        let mut from_left = (String::new(), 0);
        for cell in row.children() {
            match xml::name(cell) {
                "table-cell" => {
                    let text = block_text(cell, depth + 1);
                    let short = repeated(&text);
                    let span = number(cell, "number-columns-spanned").min(WIDEST_SPAN);
                    let down = number(cell, "number-rows-spanned").min(WIDEST_SPAN);
                    for column in cells.len()..cells.len() + span {
                        self.reach_down(column, &short, down - 1);
                    }
                    let most = if text.is_empty() { WIDEST_SPAN } else { MOST_REPEATED };
                    cells.extend(std::iter::repeat_n(text, number(cell, "number-columns-repeated").min(most)));
                    from_left = (short, span - 1);
                }
                "covered-table-cell" => {
                    for _ in 0..number(cell, "number-columns-repeated").min(WIDEST_SPAN) {
                        let text = self.covered(cells.len(), &mut from_left);
                        cells.push(text);
                    }
                }
                _ => {}
            }
        }
        if cells.iter().any(|cell| !cell.is_empty()) {
            let times = number(row, "number-rows-repeated").min(MOST_REPEATED);
            self.rows.extend(std::iter::repeat_n(cells, times));
        }
    }

    /// What stands in a cell that another one reaches over.
    fn covered(&mut self, column: usize, (text, columns): &mut (String, usize)) -> String {
        if *columns > 0 {
            *columns -= 1;
            return text.clone();
        }
        match self.from_above.get_mut(column) {
            Some((text, rows)) if *rows > 0 => {
                *rows -= 1;
                text.clone()
            }
            Some(_) | None => String::new(),
        }
    }

    fn reach_down(&mut self, column: usize, text: &str, rows: usize) {
        if self.from_above.len() <= column {
            self.from_above.resize_with(column + 1, Default::default);
        }
        self.from_above[column] = (text.to_owned(), rows);
    }
}

fn number(node: Node, attribute: &str) -> usize {
    xml::attribute(node, attribute).and_then(|number| number.parse().ok()).unwrap_or(1).max(1)
}

/// The paragraphs, lists and tables below, one after another.
pub(super) fn block_text(node: Node, depth: usize) -> String {
    if depth > xml::DEEPEST {
        return xml::all_text(node);
    }
    let mut texts = Vec::new();
    for child in node.children() {
        match xml::name(child) {
            "p" | "h" => {
                let inline = inline::read(child);
                texts.push(inline.text);
                texts.extend(inline.anchored.into_iter().map(|node| block_text(node, depth + 1)));
            }
            "annotation" => {}
            "table" => texts.extend(rows(child, depth + 1).into_iter().flatten()),
            _ => texts.push(block_text(child, depth + 1)),
        }
    }
    joined(&texts)
}
