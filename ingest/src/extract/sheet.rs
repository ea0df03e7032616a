//! Spreadsheets: each visible sheet under its name, each block of cells a table whose first row names the columns.

mod attached;
mod cells;

use std::collections::HashMap;
use std::io::Cursor;

use calamine::{Data, Reader, SheetType, SheetVisible, Sheets, open_workbook_auto_from_rs};

use super::blocks::Blocks;
use super::{ExtractError, Extracted, title};
use attached::Attached;
use cells::Cells;

pub(super) fn extract(name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
    // A copy of what is packed is small beside what will be unpacked.
    let mut workbook =
        open_workbook_auto_from_rs(Cursor::new(bytes.clone())).map_err(|error| why_unreadable(&error))?;
    let attached = if matches!(workbook, Sheets::Xlsx(_)) { attached::read(bytes)? } else { HashMap::new() };
    let sheets: Vec<calamine::Sheet> =
        workbook.sheets_metadata().iter().filter(|sheet| sheet.visible == SheetVisible::Visible).cloned().collect();
    let mut blocks = Blocks::default();
    for sheet in sheets {
        let cells = match sheet.typ {
            SheetType::WorkSheet => read(&mut workbook, &sheet.name)?,
            SheetType::DialogSheet | SheetType::MacroSheet | SheetType::ChartSheet | SheetType::Vba => Cells::default(),
        };
        let attached = attached.get(&sheet.name);
        if cells.is_empty() && attached.is_none_or(|attached| attached.charts.is_empty()) {
            continue;
        }
        blocks.heading(1, &sheet.name);
        for rows in cells.tables() {
            match rows.as_slice() {
                [row] if row.len() == 1 => blocks.paragraph(&row[0]),
                rows => blocks.table_with_header(rows, 2),
            }
        }
        if let Some(Attached { charts, comments }) = attached {
            charts.iter().for_each(|chart| chart.write(&mut blocks));
            comments.iter().for_each(|comment| blocks.paragraph(comment));
        }
    }
    Ok(blocks.finish(Some(title::from_name(name)), name))
}

fn read(workbook: &mut Sheets<Cursor<Vec<u8>>>, sheet: &str) -> Result<Cells, ExtractError> {
    let damaged = |error: calamine::Error| why_unreadable(&error);
    let mut cells = Cells::default();
    if let Sheets::Xlsx(workbook) = workbook {
        // Cell by cell: a range would have room for all the empty ones between two that are far apart.
        let mut reader = workbook.worksheet_cells_reader(sheet).map_err(|error| damaged(error.into()))?;
        while let Some(cell) = reader.next_cell().map_err(|error| damaged(error.into()))? {
            let (row, column) = cell.get_position();
            cells.put(row, column, cells::text(&Data::from(cell.get_value().clone())));
        }
        drop(reader);
        for merged in workbook.merge_cells_by_sheet_name(sheet).unwrap_or_default() {
            cells.merge(merged.start, merged.end);
        }
        return Ok(cells);
    }
    let range = workbook.worksheet_range(sheet).map_err(damaged)?;
    let (first_row, first_column) = range.start().unwrap_or_default();
    for (row, column, value) in range.used_cells() {
        let place = |first: u32, at: usize| u32::try_from(at).map(|at| first.saturating_add(at)).unwrap_or(u32::MAX);
        cells.put(place(first_row, row), place(first_column, column), cells::text(value));
    }
    Ok(cells)
}

fn why_unreadable(error: &calamine::Error) -> ExtractError {
    let reason = error.to_string();
    if reason.to_lowercase().contains("password") { ExtractError::Encrypted } else { ExtractError::Damaged(reason) }
}
