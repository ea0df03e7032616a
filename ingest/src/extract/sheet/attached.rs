//! What belongs to a sheet of an Office workbook beside its cells: charts and comments.

use std::collections::HashMap;

use roxmltree::Node;

use crate::extract::package::{Package, Related, parse_xml};
use crate::extract::{ExtractError, chart, xml};

#[derive(Debug, Default)]
pub(super) struct Attached {
    pub(super) charts: Vec<chart::Chart>,
    /// `Comment on B2 by Anna: text`.
    pub(super) comments: Vec<String>,
}

/// By the name of the sheet. Nothing of a workbook whose parts are not XML.
pub(super) fn read(bytes: Vec<u8>) -> Result<HashMap<String, Attached>, ExtractError> {
    let mut package = Package::open(bytes)?;
    let main_part = package.office_document()?;
    if !main_part.ends_with(".xml") {
        return Ok(HashMap::new());
    }
    let Some(workbook) = package.read_text(&main_part)? else { return Ok(HashMap::new()) };
    let workbook = parse_xml(&workbook)?;
    let parts = package.relationships(&main_part)?;
    let mut attached = HashMap::new();
    for sheet in xml::child(workbook.root_element(), "sheets").into_iter().flat_map(|sheets| sheets.children()) {
        if let (Some(name), Some(related)) =
            (xml::attribute(sheet, "name"), xml::relationship_id(sheet).and_then(|id| parts.get(id)))
        {
            attached.insert(name.to_owned(), of_sheet(&mut package, &related.part)?);
        }
    }
    Ok(attached)
}

fn of_sheet(package: &mut Package, part: &str) -> Result<Attached, ExtractError> {
    let mut attached = Attached::default();
    for Related { kind, part } in in_order(package.relationships(part)?) {
        if kind == "drawing" {
            let charts = package.relationships(&part)?;
            let mut charts: Vec<_> = chart::read_all(package, &charts)?.into_iter().collect();
            charts.sort_by(|(one, _), (other, _)| one.cmp(other));
            attached.charts.extend(charts.into_iter().map(|(_, chart)| chart));
        } else if kind == "comments"
            && let Some(text) = package.read_text(&part)?
            && let Ok(xml) = parse_xml(&text)
        {
            attached.comments.extend(comments(xml.root_element()));
        }
    }
    Ok(attached)
}

fn in_order(parts: HashMap<String, Related>) -> Vec<Related> {
    let mut parts: Vec<Related> = parts.into_values().collect();
    parts.sort();
    parts
}

fn comments(root: Node) -> Vec<String> {
    let authors: Vec<&str> = xml::child(root, "authors")
        .into_iter()
        .flat_map(|authors| xml::children(authors, "author"))
        .map(|author| author.text().unwrap_or_default())
        .collect();
    let comment = |comment: Node| {
        let text: String =
            comment.descendants().filter(|node| xml::name(*node) == "t").filter_map(|node| node.text()).collect();
        let author = xml::attribute(comment, "authorId").and_then(|id| authors.get(id.parse::<usize>().ok()?));
        // A thread is written again for programs that know none, with a notice before it and an id for the author.
        let (text, author) = match text.split_once("Comment:") {
            Some((notice, thread)) if notice.starts_with("[Threaded comment]") => (thread, None),
            Some(_) | None => (text.as_str(), author),
        };
        let place = xml::attribute(comment, "ref").unwrap_or_default();
        let by = author.map(|author| format!(" by {author}")).unwrap_or_default();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("Comment on {place}{by}: {text}")
    };
    xml::child(root, "commentList").into_iter().flat_map(|list| xml::children(list, "comment")).map(comment).collect()
}
