//! What the styles of paragraphs mean.

use std::collections::HashMap;

use crate::extract::package::parse_xml;
use crate::extract::{ExtractError, xml};

#[derive(Debug, Default)]
pub(super) struct Styles(HashMap<String, Style>);

#[derive(Debug, Default)]
struct Style {
    /// In lower case.
    name: String,
    based_on: Option<String>,
    outline_level: Option<String>,
    list: Option<String>,
    list_level: Option<usize>,
}

/// The list that a style puts its paragraphs in.
#[derive(Debug, Clone)]
pub(super) struct StyleNumbering {
    pub(super) list: String,
    pub(super) level: usize,
}

/// A chain of styles that is longer goes in a circle.
const LONGEST_CHAIN: usize = 16;

/// From a level counted from 0, of which 9 is running text.
pub(super) fn heading_level(outline_level: &str) -> Option<u8> {
    outline_level.parse::<u8>().ok().filter(|level| *level < 9).map(|level| level + 1)
}

impl Styles {
    /// `text` is the part, or empty if there is none.
    pub(super) fn read(text: &str) -> Result<Self, ExtractError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let document = parse_xml(text)?;
        let styles = xml::children(document.root_element(), "style").filter_map(|node| {
            let properties = xml::child(node, "pPr");
            let numbering = properties.and_then(|properties| xml::child(properties, "numPr"));
            let style = Style {
                name: xml::value(node, "name").unwrap_or_default().to_lowercase(),
                based_on: xml::value(node, "basedOn").map(str::to_owned),
                outline_level: properties
                    .and_then(|properties| xml::value(properties, "outlineLvl"))
                    .map(str::to_owned),
                list: numbering.and_then(|numbering| xml::value(numbering, "numId")).map(str::to_owned),
                list_level: numbering.and_then(|numbering| xml::value(numbering, "ilvl")?.parse().ok()),
            };
            Some((xml::attribute(node, "styleId")?.to_owned(), style))
        });
        Ok(Self(styles.collect()))
    }

    /// The style and those that it is based on.
    fn chain(&self, id: &str) -> impl Iterator<Item = &Style> {
        let based_on = |style: &&Style| self.0.get(style.based_on.as_deref()?);
        std::iter::successors(self.0.get(id), based_on).take(LONGEST_CHAIN)
    }

    pub(super) fn heading_level(&self, id: &str) -> Option<u8> {
        let stated = self.chain(id).find_map(|style| style.outline_level.as_deref());
        stated.map_or_else(|| self.chain(id).find_map(|style| level_of_name(&style.name)), heading_level)
    }

    pub(super) fn is_title(&self, id: &str) -> bool {
        self.chain(id).any(|style| style.name == "title")
    }

    pub(super) fn is_code(&self, id: &str) -> bool {
        let names = ["code", "source code", "html preformatted", "plain text", "listing", "preformatted text"];
        self.chain(id).any(|style| names.contains(&style.name.as_str()))
    }

    pub(super) fn numbering(&self, id: &str) -> Option<StyleNumbering> {
        let list = self.chain(id).find_map(|style| style.list.clone())?;
        let level = self.chain(id).find_map(|style| style.list_level).unwrap_or(0);
        Some(StyleNumbering { list, level })
    }
}

fn level_of_name(name: &str) -> Option<u8> {
    name.strip_prefix("heading ")?.parse().ok().filter(|level| (1..=9).contains(level))
}
