//! EPUB books: their chapters in reading order, each a page of HTML.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use roxmltree::Node;

use super::blocks::Blocks;
use super::package::{Package, parse_xml, resolve};
use super::{ExtractError, Extracted, encoding, html, xml};

pub(super) fn extract(name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
    let mut package = Package::open(bytes)?;
    let missing = |what: &str| ExtractError::Damaged(format!("its {what} is missing"));
    let container = package.read_text("META-INF/container.xml")?.ok_or_else(|| missing("container"))?;
    let container = parse_xml(&container)?;
    let root_file = container.descendants().find(|node| xml::name(*node) == "rootfile");
    let root_file = root_file.and_then(|node| node.attribute("full-path")).ok_or_else(|| missing("table of parts"))?;
    let book = package.read_text(root_file)?.ok_or_else(|| missing("table of parts"))?;
    let book = parse_xml(&book)?;
    if let Some(encryption) = package.read_text("META-INF/encryption.xml")?
        && encrypts_text(&encryption)
    {
        return Err(ExtractError::Encrypted);
    }

    let folder = root_file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut blocks = Blocks::default();
    for href in chapters(book.root_element()) {
        let part = resolve(folder, &href);
        let Some(bytes) = package.read(&part)? else { continue };
        if let Some(written) = html::write(&encoding::decode(bytes, None)?) {
            blocks.append(&written.text, written.headings);
        }
    }
    let title = book.descendants().find(|node| xml::name(*node) == "title").map(xml::all_text);
    Ok(blocks.finish(title, name))
}

/// Fonts may be scrambled in a book that anybody may read.
fn encrypts_text(encryption: &str) -> bool {
    let is_text = |uri: &str| [".xhtml", ".html", ".htm", ".xml"].iter().any(|ending| uri.ends_with(ending));
    parse_xml(encryption).is_ok_and(|xml| xml.descendants().filter_map(|node| node.attribute("URI")).any(is_text))
}

/// The parts that are read one after another, without the table of contents.
fn chapters<'a>(book: Node<'a, '_>) -> Vec<Cow<'a, str>> {
    let parts = xml::child(book, "manifest").into_iter().flat_map(|manifest| xml::children(manifest, "item"));
    let by_id: HashMap<&str, Node> = parts.filter_map(|part| Some((part.attribute("id")?, part))).collect();
    let order = xml::child(book, "spine").into_iter().flat_map(|spine| xml::children(spine, "itemref"));
    let chapter = |reference: Node| {
        let part = by_id.get(reference.attribute("idref")?)?;
        let is_contents = part.attribute("properties").is_some_and(|all| all.split(' ').any(|one| one == "nav"));
        let is_text = part.attribute("media-type").is_none_or(|kind| kind.contains("html"));
        let href = part.attribute("href").filter(|_| !is_contents && is_text)?;
        Some(percent_decode_str(href).decode_utf8_lossy())
    };
    order.filter_map(chapter).collect()
}
