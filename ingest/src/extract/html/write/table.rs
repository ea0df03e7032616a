//! A table as a grid: a short cell that spans rows or columns stands in each of them.

use html5ever::{LocalName, local_name};
use markup5ever_rcdom::{Handle, NodeData};

use super::element_name;
use crate::extract::{blocks, title};

/// Rows or columns that one cell may span; more is a mistake or an attack.
const WIDEST_SPAN: usize = 50;

pub(super) struct Table {
    caption: Option<Handle>,
    rows: Vec<Vec<Cell>>,
}

struct Cell {
    node: Handle,
    is_header: bool,
    columns: usize,
    rows: usize,
}

/// Reads the rows of `table`, not those of tables in it.
pub(super) fn read(table: &Handle) -> Table {
    let mut read = Table { caption: None, rows: Vec::new() };
    read.collect(table);
    read
}

impl Table {
    fn collect(&mut self, node: &Handle) {
        for child in node.children.borrow().iter() {
            match element_name(child).as_deref() {
                Some("thead" | "tbody" | "tfoot") => self.collect(child),
                Some("caption") => self.caption = Some(child.clone()),
                Some("tr") => self.rows.push(child.children.borrow().iter().filter_map(Cell::new).collect()),
                Some(_) | None => {}
            }
        }
    }

    /// Whether it arranges rather than tabulates: no header cell, and one column or blocks in its cells.
    pub(super) fn is_layout(&self) -> bool {
        let cells = || self.rows.iter().flatten();
        let one_column = self.rows.iter().all(|row| row.len() <= 1);
        !cells().any(|cell| cell.is_header) && (one_column || cells().any(|cell| has_blocks(&cell.node)))
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = Handle> {
        self.rows.iter().flatten().map(|cell| cell.node.clone())
    }

    pub(super) fn caption(&self) -> Option<String> {
        title::on_one_line(&super::plain_text(self.caption.as_ref()?))
    }

    /// The text of every place in the grid, rows filled up to the same width.
    pub(super) fn rows(&self) -> Vec<Vec<String>> {
        let mut grid: Vec<Vec<String>> = Vec::new();
        let mut columns = Columns::default();
        for cells in &self.rows {
            let mut row = Vec::new();
            for cell in cells {
                columns.fill_from_above(&mut row);
                let text = cell.text();
                let repeated = blocks::repeated(&text);
                for column in 0..cell.columns {
                    columns.reach_down(row.len(), &repeated, cell.rows - 1);
                    row.push(if column == 0 { text.clone() } else { repeated.clone() });
                }
            }
            columns.fill_from_above(&mut row);
            if row.iter().any(|text| !text.is_empty()) {
                grid.push(row);
            }
        }
        let width = grid.iter().map(Vec::len).max().unwrap_or(0);
        grid.iter_mut().for_each(|row| row.resize(width, String::new()));
        grid
    }
}

/// What reaches down into each column from rows above, and for how many more rows.
#[derive(Default)]
struct Columns(Vec<Option<(String, usize)>>);

impl Columns {
    fn reach_down(&mut self, column: usize, text: &str, rows: usize) {
        self.0.resize(self.0.len().max(column + 1), None);
        self.0[column] = (rows > 0).then(|| (text.to_owned(), rows));
    }

    fn fill_from_above(&mut self, row: &mut Vec<String>) {
        while let Some(Some((text, rows))) = self.0.get_mut(row.len()) {
            row.push(text.clone());
            *rows -= 1;
            if *rows == 0 {
                self.0[row.len() - 1] = None;
            }
        }
    }
}

impl Cell {
    fn new(node: &Handle) -> Option<Self> {
        let name = element_name(node)?;
        let is_header = name == local_name!("th");
        (is_header || name == local_name!("td")).then(|| Self {
            node: node.clone(),
            is_header,
            columns: span(node, &local_name!("colspan")),
            rows: span(node, &local_name!("rowspan")),
        })
    }

    /// On one line, and without what would end a cell.
    fn text(&self) -> String {
        title::on_one_line(&spaced_text(&self.node)).unwrap_or_default().replace('|', "\\|")
    }
}

/// The text of a cell, its blocks and nested cells divided by spaces.
fn spaced_text(node: &Handle) -> String {
    let mut text = String::new();
    for child in node.children.borrow().iter() {
        match element_name(child) {
            Some(name) if super::is_invisible(&name) => {}
            Some(name) if super::is_block(&name) || is_block_in_cell(&name) => {
                text.push(' ');
                text.push_str(&spaced_text(child));
                text.push(' ');
            }
            Some(_) => text.push_str(&spaced_text(child)),
            None => text.push_str(&super::plain_text(child)),
        }
    }
    text
}

fn is_block_in_cell(name: &LocalName) -> bool {
    matches!(
        &**name,
        "ul" | "ol" | "li" | "table" | "tr" | "td" | "th" | "pre" | "br" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6"
    )
}

fn has_blocks(cell: &Handle) -> bool {
    cell.children.borrow().iter().any(|child| {
        element_name(child).is_some_and(|name| {
            matches!(&*name, "table" | "div" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "center") || has_blocks(child)
        })
    })
}

fn span(node: &Handle, attribute: &LocalName) -> usize {
    let NodeData::Element { attrs, .. } = &node.data else {
        return 1;
    };
    let attributes = attrs.borrow();
    let value = attributes.iter().find(|candidate| candidate.name.local == *attribute).map(|found| &found.value);
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(1).clamp(1, WIDEST_SPAN)
}
