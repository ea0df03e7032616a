//! Tables as text: values divided by commas, semicolons, tabs or bars.

use super::blocks::Blocks;
use super::{ExtractError, Extracted, encoding, title};

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// So many lines tell what divides the values.
const LINES: usize = 50;

pub(super) fn extract(name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
    let text = encoding::decode(bytes, None)?;
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter(&text))
        .has_headers(false)
        .flexible(true)
        .trim(::csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| ExtractError::Damaged(error.to_string()))?;
        rows.push(record.iter().map(str::to_owned).collect());
    }
    let mut blocks = Blocks::default();
    blocks.table_with_header(&rows, 1);
    Ok(blocks.finish(Some(title::from_name(name)), name))
}

/// The one that divides most lines into the same number of values, which is more than one; of several the first.
fn delimiter(text: &str) -> u8 {
    let same_as_first = |delimiter: u8| {
        let counts: Vec<usize> = text.lines().take(LINES).map(|line| count(line, delimiter)).collect();
        let first = counts.first().copied().unwrap_or(0);
        if first == 0 { (0, 0) } else { (counts.iter().filter(|count| **count == first).count(), first) }
    };
    // `max_by_key` takes the last of equals.
    DELIMITERS.into_iter().rev().max_by_key(|delimiter| same_as_first(*delimiter)).unwrap_or(b',')
}

/// How often it stands outside quotes.
fn count(line: &str, delimiter: u8) -> usize {
    let mut quoted = false;
    let divides = |byte: u8| {
        quoted ^= byte == b'"';
        byte == delimiter && !quoted
    };
    line.bytes().map(divides).filter(|divides| *divides).count()
}
