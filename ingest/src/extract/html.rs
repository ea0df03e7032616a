//! Web pages: the article without the menu where there is one, else all of the page's text.

mod tree;
mod write;

use std::collections::BTreeMap;

use encoding_rs::Encoding;
use html5ever::local_name;
use markup5ever_rcdom::{Handle, NodeData};

use super::{ExtractError, Extracted, Markup, encoding, title};
use write::Written;

/// Deeper pages lose their form: what reads them recurses, and a stack overflow cannot be caught. Real pages stay
/// below 100.
const DEEPEST: usize = 256;

/// An article this much shorter than the page's own text, by characters, is a teaser in it rather than what it is about.
const SMALLEST_ARTICLE_SHARE: f64 = 0.1;

pub(super) fn extract(name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
    let declared = declared_encoding(&bytes);
    let html = encoding::decode(bytes, declared)?;
    let page = tree::parse(&html).map_err(|too_deep| ExtractError::Damaged(too_deep.to_string()))?;
    let whole = write_tree(&page.document);
    let (article_title, written) = match article(&html, &page.document) {
        Some((title, content)) => {
            let article = write(&content).unwrap_or_default();
            let share = article.text.chars().count() as f64 / whole.text.chars().count().max(1) as f64;
            if share < SMALLEST_ARTICLE_SHARE { (None, whole) } else { (title, article) }
        }
        None => (None, whole),
    };
    let title = article_title
        .or_else(|| element_text(&page.document, &local_name!("title")))
        .or_else(|| written.headings.first().map(|heading| heading.title.clone()))
        .unwrap_or_else(|| title::from_name(name));
    let (text, headings) = (written.text, written.headings);
    Ok(Extracted {
        title,
        text,
        headings,
        page_starts: Vec::new(),
        markup: Markup::Markdown,
        front_matter: BTreeMap::new(),
    })
}

/// A page or part of one as Markdown; none if it is nested beyond reason.
pub(super) fn write(html: &str) -> Option<Written> {
    tree::parse(html).ok().map(|page| write_tree(&page.document))
}

fn write_tree(document: &Handle) -> Written {
    if tree::depth(document) > DEEPEST {
        return Written { text: write::plain_text(document), headings: Vec::new() };
    }
    write::markdown(document)
}

/// The title and the HTML of the article, if this is a page that has one.
fn article(html: &str, page: &Handle) -> Option<(Option<String>, String)> {
    if tree::depth(page) > DEEPEST {
        return None;
    }
    let document = legible::Document::new(html);
    if !document.is_probably_readerable(None) {
        return None;
    }
    let article = document.parse(None, None).ok()?;
    Some((title::on_one_line(&article.title), article.content))
}

/// `<meta charset="…">` or `<meta http-equiv="content-type" content="…; charset=…">` in the first 1024 bytes, where the
/// standard wants it.
fn declared_encoding(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = encoding::lossy_ascii(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    let (_, after) = start.split_once("charset=")?;
    let label = after.trim_start_matches(['"', '\'', ' ']);
    let end = label.find(['"', '\'', ' ', ';', '>', '/']).unwrap_or(label.len());
    Encoding::for_label(&label.as_bytes()[..end])
}

/// The text of the first such element.
fn element_text(document: &Handle, name: &html5ever::LocalName) -> Option<String> {
    let mut left = vec![document.clone()];
    while let Some(node) = left.pop() {
        if let NodeData::Element { name: element, .. } = &node.data
            && element.local == *name
        {
            return title::on_one_line(&write::plain_text(&node));
        }
        left.extend(node.children.borrow().iter().rev().cloned());
    }
    None
}
