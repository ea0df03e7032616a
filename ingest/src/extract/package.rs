//! The files inside a zip container that is one document (docx, pptx, odt, epub), and the XML among them.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use roxmltree::{Document, Node, ParsingOptions};
use zip::ZipArchive;
use zip::result::ZipError;

use super::{ExtractError, title, xml};

/// Unpacked bytes of one document, all its parts together. Real ones stay far below; a bomb does not.
const LARGEST_UNPACKED: u64 = 256 << 20;

/// Where Office documents keep what is said about them.
pub(super) const CORE_PROPERTIES: &str = "docProps/core.xml";

/// Elements, attributes and texts of one XML part.
const MOST_NODES: u32 = 20_000_000;

pub(super) struct Package {
    archive: ZipArchive<Cursor<Vec<u8>>>,
    /// Bytes that may still be unpacked.
    left: u64,
}

impl Package {
    pub(super) fn open(bytes: Vec<u8>) -> Result<Self, ExtractError> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| why_unreadable(&error))?;
        Ok(Self { archive, left: LARGEST_UNPACKED })
    }

    /// The bytes of one part; none if there is no such part. A leading `/` in `name` is left out.
    pub(super) fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>, ExtractError> {
        let part = match self.archive.by_name(name.trim_start_matches('/')) {
            Err(ZipError::FileNotFound) => return Ok(None),
            part => part.map_err(|error| why_unreadable(&error))?,
        };
        let mut bytes = Vec::new();
        // What the container says of a part's size may be a lie.
        let read = part.take(self.left + 1).read_to_end(&mut bytes);
        read.map_err(|error| ExtractError::Damaged(format!("{name}: {error}")))?;
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(ExtractError::TooMuch)?;
        Ok(Some(bytes))
    }

    /// The text of one XML part, decoded; none if there is no such part.
    pub(super) fn read_text(&mut self, name: &str) -> Result<Option<String>, ExtractError> {
        let Some(bytes) = self.read(name)? else { return Ok(None) };
        super::encoding::decode(bytes, None).map(Some)
    }

    /// The name of the main part of an Office document.
    pub(super) fn office_document(&mut self) -> Result<String, ExtractError> {
        let missing = || ExtractError::Damaged("it has no main part".to_owned());
        let relationships = self.read_text("_rels/.rels")?.ok_or_else(missing)?;
        let relationships = parse_xml(&relationships)?;
        let is_main =
            |node: &Node| node.attribute("Type").is_some_and(|kind| kind.ends_with("/relationships/officeDocument"));
        let main = relationships.root_element().children().find(is_main);
        let target = main.and_then(|node| node.attribute("Target")).ok_or_else(missing)?;
        Ok(target.trim_start_matches('/').to_owned())
    }

    /// The main part's name and its text.
    pub(super) fn main_part(&mut self) -> Result<(String, String), ExtractError> {
        let name = self.office_document()?;
        let missing = || ExtractError::Damaged("its main part is missing".to_owned());
        let text = self.read_text(&name)?.ok_or_else(missing)?;
        Ok((name, text))
    }

    /// The title that `part`, the document's properties, tells, if it is one.
    pub(super) fn stated_title(&mut self, part: &str) -> Result<Option<String>, ExtractError> {
        let Some(text) = self.read_text(part)? else { return Ok(None) };
        let title = parse_xml(&text).ok().and_then(|properties| {
            properties.descendants().find(|node| xml::name(*node) == "title").map(xml::all_text)
        });
        Ok(title.filter(|title| title::is_meant(title)))
    }

    /// What a part of an Office document refers to, by the ids it uses; outside addresses are left out.
    pub(super) fn relationships(&mut self, part: &str) -> Result<HashMap<String, Related>, ExtractError> {
        let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
        let Some(text) = self.read_text(&format!("{folder}/_rels/{file}.rels"))? else { return Ok(HashMap::new()) };
        let relationships = parse_xml(&text)?;
        let inside = |node: &Node| node.attribute("TargetMode") != Some("External");
        let relationship = |node: Node| {
            let kind = node.attribute("Type").and_then(|kind| kind.rsplit('/').next()).unwrap_or_default().to_owned();
            let part = resolve(folder, node.attribute("Target")?);
            Some((node.attribute("Id")?.to_owned(), Related { kind, part }))
        };
        Ok(relationships.root_element().children().filter(inside).filter_map(relationship).collect())
    }
}

/// What a part refers to. The names of parts are the writing program's choice; what they are, the kind tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Related {
    /// `styles`, `chart`: the last part of the relationship's type.
    pub(super) kind: String,
    /// Its path in the container.
    pub(super) part: String,
}

/// Entities of a document type are refused, and with them the bombs that are made of them.
pub(super) fn parse_xml(text: &str) -> Result<Document<'_>, ExtractError> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| ExtractError::Damaged(error.to_string()))
}

fn why_unreadable(error: &ZipError) -> ExtractError {
    match error {
        ZipError::UnsupportedArchive(reason) if reason.contains("assword") => ExtractError::Encrypted,
        error => ExtractError::Damaged(error.to_string()),
    }
}

/// The path of `target` as seen from `folder`, both inside the container.
pub(super) fn resolve(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
