//! The cells of a sheet that hold something, and the tables they form.

use std::collections::BTreeMap;

use calamine::Data;

use crate::extract::blocks::{WIDEST_SPAN, repeated};

type Row = BTreeMap<u32, String>;

#[derive(Debug, Default)]
pub(super) struct Cells(BTreeMap<u32, Row>);

impl Cells {
    pub(super) fn put(&mut self, row: u32, column: u32, text: String) {
        if !text.trim().is_empty() {
            self.0.entry(row).or_default().insert(column, text);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Repeats the text of a merged cell in every place it spans.
    pub(super) fn merge(&mut self, start: (u32, u32), end: (u32, u32)) {
        let Some(text) = self.0.get(&start.0).and_then(|row| row.get(&start.1)).cloned() else { return };
        let spans = |start: u32, end: u32| end.saturating_sub(start) as usize <= WIDEST_SPAN;
        if repeated(&text).is_empty() || !spans(start.0, end.0) || !spans(start.1, end.1) {
            return;
        }
        // The label of a section reaches over the whole table, and names no column.
        let stands_alone = |row: u32| {
            let others =
                self.0.get(&row).into_iter().flatten().filter(|(column, _)| !(start.1..=end.1).contains(*column));
            others.count() == 0
        };
        if (start.0..=end.0).all(stands_alone) {
            return;
        }
        for row in start.0..=end.0 {
            for column in start.1..=end.1 {
                self.put(row, column, text.clone());
            }
        }
    }

    /// Blocks of cells with an empty row or column between them, from top to bottom and then from left to right.
    pub(super) fn tables(&self) -> Vec<Vec<Vec<String>>> {
        let mut bands: Vec<Vec<&Row>> = Vec::new();
        let mut last_row = None;
        for (number, row) in &self.0 {
            let follows = last_row.is_some_and(|last: u32| last.checked_add(1) == Some(*number));
            match bands.last_mut() {
                Some(band) if follows => band.push(row),
                Some(_) | None => bands.push(vec![row]),
            }
            last_row = Some(*number);
        }
        bands.iter().flat_map(|band| tables_in(band)).collect()
    }
}

/// Of rows that follow each other, the tables side by side.
fn tables_in(band: &[&Row]) -> Vec<Vec<Vec<String>>> {
    let mut columns: Vec<u32> = band.iter().flat_map(|row| row.keys().copied()).collect();
    columns.sort_unstable();
    columns.dedup();
    let groups = columns.chunk_by(|one, next| one + 1 == *next);
    groups
        .map(|group| {
            let text = |row: &Row, column: &u32| row.get(column).cloned().unwrap_or_default();
            band.iter().map(|row| group.iter().map(|column| text(row, column)).collect()).collect()
        })
        .collect()
}

/// A value as a person would write it.
pub(super) fn text(value: &Data) -> String {
    match value {
        Data::DateTime(time) if time.is_duration() => time.to_string(),
        Data::DateTime(time) => {
            let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
            match (hour, minute, second) {
                (0, 0, 0) => format!("{year:04}-{month:02}-{day:02}"),
                _ if time.as_f64() < 1.0 => format!("{hour:02}:{minute:02}:{second:02}"),
                _ => format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
            }
        }
        Data::DateTimeIso(time) => time.trim_end_matches("T00:00:00").replace('T', " "),
        Data::Float(number) => number.to_string(),
        Data::Error(_) | Data::Empty => String::new(),
        other => other.to_string(),
    }
}
