//! The numbers of lists and headings, which Word computes and does not write down.

use std::collections::{HashMap, HashSet};

use roxmltree::Node;

use crate::extract::package::parse_xml;
use crate::extract::{ExtractError, xml};

const LEVELS: usize = 9;

#[derive(Debug, Default)]
pub(super) struct Numbering {
    definitions: HashMap<String, Vec<Level>>,
    lists: HashMap<String, List>,
    /// How far each definition has counted: lists of one definition go on from each other.
    counters: HashMap<String, [Option<u32>; LEVELS]>,
    begun: HashSet<String>,
}

#[derive(Debug, Clone)]
struct Level {
    start: u32,
    format: String,
    /// `%1.%2`.
    text: String,
}

#[derive(Debug)]
struct List {
    definition: String,
    /// Where the counting of a level begins anew.
    starts: HashMap<usize, u32>,
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
        let definitions = xml::children(root, "abstractNum").filter_map(|node| {
            let levels = xml::children(node, "lvl").take(LEVELS).map(Level::read).collect();
            Some((xml::attribute(node, "abstractNumId")?.to_owned(), levels))
        });
        let lists = xml::children(root, "num").filter_map(|node| {
            let starts = xml::children(node, "lvlOverride").filter_map(|node| {
                Some((xml::attribute(node, "ilvl")?.parse().ok()?, xml::value(node, "startOverride")?.parse().ok()?))
            });
            let list = List { definition: xml::value(node, "abstractNumId")?.to_owned(), starts: starts.collect() };
            Some((xml::attribute(node, "numId")?.to_owned(), list))
        });
        Ok(Self { definitions: definitions.collect(), lists: lists.collect(), ..Self::default() })
    }

    /// Counts one on. None if the list is none, as number 0 is.
    pub(super) fn next(&mut self, list: &str, level: usize) -> Option<Marker> {
        let List { definition, starts } = self.lists.get(list)?;
        let levels = self.definitions.get(definition)?;
        let Some(own) = levels.get(level) else { return Some(Marker::Bullet) };
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
    fn read(node: Node) -> Self {
        Self {
            start: xml::value(node, "start").and_then(|start| start.parse().ok()).unwrap_or(1),
            format: xml::value(node, "numFmt").unwrap_or("decimal").to_owned(),
            text: xml::value(node, "lvlText").unwrap_or_default().to_owned(),
        }
    }

    /// The text with each `%n` as the count of that level.
    fn number(&self, levels: &[Self], counters: &[Option<u32>; LEVELS]) -> String {
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
            if let (Some(level), Some(counter)) = (levels.get(index), counters.get(index)) {
                number.push_str(&formatted(counter.unwrap_or(level.start), &level.format));
            }
        }
        number
    }
}

fn formatted(number: u32, format: &str) -> String {
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
    if number >= 4000 {
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
