//! Charts of Office documents: the numbers behind them, as a table.

use std::collections::HashMap;

use roxmltree::Node;

use super::blocks::Blocks;
use super::package::{Package, Related, parse_xml};
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
    relationships: &HashMap<String, Related>,
) -> Result<HashMap<String, Chart>, ExtractError> {
    let mut charts = HashMap::new();
    for (id, Related { part, .. }) in relationships.iter().filter(|(_, related)| related.kind == "chart") {
        // A damaged chart is no reason to do without the text around it.
        if let Some(text) = package.read_text(part)?
            && let Ok(xml) = parse_xml(&text)
        {
            charts.insert(id.clone(), Chart::read(xml.root_element()));
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
        let points = |name| xml::child(node, name).map(points);
        Self {
            name: points("tx").and_then(|names| names.into_iter().next()).unwrap_or_default(),
            categories: points("cat").or_else(|| points("xVal")).unwrap_or_default(),
            values: points("val").or_else(|| points("yVal")).unwrap_or_default(),
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

/// More points are no chart that anybody looked at.
const MOST_POINTS: usize = 10_000;

/// Each at its place, the places between them blank.
fn points(node: Node) -> Vec<String> {
    // Of labels in several levels, the innermost, which comes first.
    let level = node.descendants().find(|node| xml::name(*node) == "lvl").unwrap_or(node);
    let mut points: Vec<String> = Vec::new();
    for point in level.descendants().filter(|node| xml::name(*node) == "pt") {
        let place = point.attribute("idx").and_then(|place| place.parse().ok()).unwrap_or(points.len());
        if place < MOST_POINTS {
            points.resize(points.len().max(place + 1), String::new());
            points[place] = text_of_point(point);
        }
    }
    points
}

/// Numbers as short as they can be written; a label that looks like one stays as it is.
fn text_of_point(point: Node) -> String {
    let text = xml::child(point, "v").and_then(|value| value.text()).unwrap_or_default();
    let is_number = point.parent().is_some_and(|cache| matches!(xml::name(cache), "numCache" | "numLit"));
    match text.parse::<f64>() {
        Ok(number) if is_number && number.is_finite() => number.to_string(),
        Ok(_) | Err(_) => text.to_owned(),
    }
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
