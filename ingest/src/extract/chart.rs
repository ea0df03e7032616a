//! Charts of Office documents: the numbers behind them, as a table.

use std::collections::HashMap;

use roxmltree::Node;

use super::blocks::Blocks;
use super::package::{Package, parse_xml};
use super::{ExtractError, xml};

#[derive(Debug)]
pub(super) struct Chart {
    /// `Line chart`.
    kind: String,
    title: String,
    /// The first names the series, the first of each other its category.
    rows: Vec<Vec<String>>,
}

/// The charts among what a part refers to, by relationship id.
pub(super) fn read_all(
    package: &mut Package,
    relationships: &HashMap<String, String>,
) -> Result<HashMap<String, Chart>, ExtractError> {
    let mut charts = HashMap::new();
    for (id, part) in relationships.iter().filter(|(_, part)| part.contains("/charts/chart")) {
        if let Some(text) = package.read_text(part)? {
            charts.insert(id.clone(), Chart::read(parse_xml(&text)?.root_element()));
        }
    }
    Ok(charts)
}

impl Chart {
    fn read(root: Node) -> Self {
        let title = xml::path(root, &["chart", "title"]).map(text_of).unwrap_or_default();
        let plots = xml::path(root, &["chart", "plotArea"]).into_iter().flat_map(|area| area.children());
        let plots: Vec<Node> = plots.filter(|node| xml::name(*node).ends_with("Chart")).collect();
        let kind = plots.first().map(|plot| kind(xml::name(*plot))).unwrap_or_default();
        let series: Vec<Series> = plots.iter().flat_map(|plot| xml::children(*plot, "ser")).map(Series::read).collect();
        Self { kind, title, rows: rows(&series) }
    }

    pub(super) fn write(&self, blocks: &mut Blocks) {
        blocks.paragraph(&self.kind);
        blocks.paragraph(&self.title);
        blocks.table(&self.rows);
    }
}

#[derive(Default)]
struct Series {
    name: String,
    categories: Vec<String>,
    values: Vec<String>,
}

impl Series {
    fn read(node: Node) -> Self {
        let points =
            |names: [&str; 2]| names.iter().find_map(|name| xml::child(node, name)).map(points).unwrap_or_default();
        Self {
            name: points(["tx", "tx"]).into_iter().next().unwrap_or_default(),
            categories: points(["cat", "xVal"]),
            values: points(["val", "yVal"]),
        }
    }
}

fn rows(series: &[Series]) -> Vec<Vec<String>> {
    let longest = series.iter().max_by_key(|series| series.categories.len());
    let categories = longest.map(|series| series.categories.as_slice()).unwrap_or_default();
    let count = series.iter().map(|series| series.values.len()).max().unwrap_or(0);
    let text = |texts: &[String], index: usize| texts.get(index).cloned().unwrap_or_default();
    let header = std::iter::once(String::new()).chain(series.iter().map(|series| series.name.clone())).collect();
    let row = |index| {
        let values = series.iter().map(|series| text(&series.values, index));
        std::iter::once(text(categories, index)).chain(values).collect()
    };
    std::iter::once(header).chain((0..count).map(row)).collect()
}

/// Numbers as short as they can be written.
fn points(node: Node) -> Vec<String> {
    let text = |point: Node| xml::child(point, "v").and_then(|value| value.text()).unwrap_or_default().to_owned();
    let point = |point: Node| {
        let text = text(point);
        text.parse::<f64>().map(|number| number.to_string()).unwrap_or(text)
    };
    node.descendants().filter(|node| xml::name(*node) == "pt").map(point).collect()
}

fn text_of(node: Node) -> String {
    let texts = node.descendants().filter(|node| xml::name(*node) == "t").filter_map(|node| node.text());
    texts.collect()
}

/// `lineChart` and `line3DChart` as `Line chart`.
fn kind(element: &str) -> String {
    let kind = element.trim_end_matches("Chart").trim_end_matches("3D");
    let mut letters = kind.chars();
    let first = letters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{} chart", letters.as_str())
}
