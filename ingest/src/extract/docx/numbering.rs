//! The numbers of lists and headings, which Word computes and does not write down.

use std::collections::{HashMap, HashSet};

use roxmltree::Node;

use crate::extract::package::parse_xml;
use crate::extract::{ExtractError, xml};

const LEVELS: usize = 9;

#[derive(Debug, Default)]
pub(super) struct Numbering {
    /// Levels by their depth; one that is not defined is none.
    definitions: HashMap<String, [Option<Level>; LEVELS]>,
    lists: HashMap<String, List>,
    /// How far each definition has counted: lists of one definition go on from each other.
    counters: HashMap<String, [Option<i64>; LEVELS]>,
    begun: HashSet<String>,
}

#[derive(Debug, Clone)]
struct Level {
    start: i64,
    format: String,
    /// `%1.%2`.
    text: String,
    /// Numbers of the levels above are shown as plain numbers.
    is_legal: bool,
}

#[derive(Debug)]
struct List {
    definition: String,
    /// Where the counting of a level begins anew.
    starts: HashMap<usize, i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Marker {
    Bullet,
    Number(String),
}

impl Numbering {
    /// `text` is the part, or empty if there is none.
    pub(super) fn read(text: &str) -> Result<Self, ExtractError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let document = parse_xml(text)?;
        let root = document.root_element();
        let mut definitions = HashMap::new();
        // Definitions that stand for a style's list, which is defined elsewhere.
        let (mut of_styles, mut links) = (HashMap::new(), Vec::new());
        for node in xml::children(root, "abstractNum") {
            let Some(id) = xml::attribute(node, "abstractNumId") else { continue };
            of_styles.extend(xml::value(node, "styleLink").map(|style| (style, id)));
            match xml::value(node, "numStyleLink") {
                Some(style) => links.push((id, style)),
                None => drop(definitions.insert(id.to_owned(), Level::read_all(node))),
            }
        }
        for (id, style) in links {
            let levels = of_styles.get(style).and_then(|linked| definitions.get(*linked)).cloned();
            definitions.extend(levels.map(|levels| (id.to_owned(), levels)));
        }
        let lists = xml::children(root, "num").filter_map(|node| {
            let starts = xml::children(node, "lvlOverride").filter_map(|node| {
                Some((xml::attribute(node, "ilvl")?.parse().ok()?, xml::value(node, "startOverride")?.parse().ok()?))
            });
            let list = List { definition: xml::value(node, "abstractNumId")?.to_owned(), starts: starts.collect() };
            Some((xml::attribute(node, "numId")?.to_owned(), list))
        });
        Ok(Self { definitions, lists: lists.collect(), ..Self::default() })
    }

    /// Counts one on. None if the list is none, as number 0 is.
    pub(super) fn next(&mut self, list: &str, level: usize) -> Option<Marker> {
        let List { definition, starts } = self.lists.get(list)?;
        let levels = self.definitions.get(definition)?;
        let Some(Some(own)) = levels.get(level) else { return Some(Marker::Bullet) };
        let counters = self.counters.entry(definition.clone()).or_default();
        if self.begun.insert(list.to_owned()) {
            for (level, start) in starts {
                if let Some(counter) = counters.get_mut(*level) {
                    *counter = start.checked_sub(1);
                }
            }
        }
        let counter = counters.get_mut(level)?;
        *counter = Some(counter.map_or(own.start, |count| count.saturating_add(1)));
        counters.iter_mut().skip(level + 1).for_each(|deeper| *deeper = None);
        match own.format.as_str() {
            "bullet" => Some(Marker::Bullet),
            "none" => None,
            _ => Some(Marker::Number(own.number(levels, counters))),
        }
    }
}

impl Level {
    fn read_all(definition: Node) -> [Option<Self>; LEVELS] {
        let mut levels = [const { None }; LEVELS];
        for node in xml::children(definition, "lvl") {
            let depth: Option<usize> = xml::attribute(node, "ilvl").and_then(|depth| depth.parse().ok());
            if let Some(level) = depth.and_then(|depth| levels.get_mut(depth)) {
                *level = Some(Self::read(node));
            }
        }
        levels
    }

    fn read(node: Node) -> Self {
        Self {
            is_legal: xml::is_on(node, "isLgl"),
            start: xml::value(node, "start").and_then(|start| start.parse().ok()).unwrap_or(1),
            format: xml::value(node, "numFmt").unwrap_or("decimal").to_owned(),
            text: xml::value(node, "lvlText").unwrap_or_default().to_owned(),
        }
    }

    /// The text with each `%n` as the count of that level.
    fn number(&self, levels: &[Option<Self>; LEVELS], counters: &[Option<i64>; LEVELS]) -> String {
        let mut number = String::new();
        let mut characters = self.text.chars().peekable();
        while let Some(character) = characters.next() {
            let digit = characters.peek().and_then(|next| next.to_digit(10)).filter(|_| character == '%');
            let Some(digit) = digit else {
                number.push(character);
                continue;
            };
            characters.next();
            let index = (digit as usize).saturating_sub(1);
            if let (Some(Some(level)), Some(counter)) = (levels.get(index), counters.get(index)) {
                let format = if self.is_legal { "decimal" } else { &level.format };
                number.push_str(&formatted(counter.unwrap_or(level.start), format));
            }
        }
        number
    }
}

fn formatted(number: i64, format: &str) -> String {
    // Letters and Roman numerals begin with one.
    let Ok(number) = u32::try_from(number) else { return number.to_string() };
    match format {
        "lowerLetter" => letters(number, b'a'),
        "upperLetter" => letters(number, b'A'),
        "lowerRoman" => roman(number).to_lowercase(),
        "upperRoman" => roman(number),
        "decimalZero" => format!("{number:02}"),
        _ => number.to_string(),
    }
}

/// a … z, aa … zz.
fn letters(number: u32, first: u8) -> String {
    let Some(index) = number.checked_sub(1) else { return number.to_string() };
    let letter = char::from(first + u8::try_from(index % 26).unwrap_or_default());
    let times = (index / 26 + 1).min(8);
    (0..times).map(|_| letter).collect()
}

fn roman(number: u32) -> String {
    const NUMERALS: [(u32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if number == 0 || number >= 4000 {
        return number.to_string();
    }
    let mut left = number;
    let mut roman = String::new();
    for (value, numeral) in NUMERALS {
        while left >= value {
            left -= value;
            roman.push_str(numeral);
        }
    }
    roman
}
