//! JSON: records as paragraphs of `field: value` lines, so that each is found by itself.

mod record;

use serde_json::Value;

use super::blocks::Blocks;
use super::{ExtractError, ExtractOptions, Extracted, encoding, title};
use record::Record;

/// One value; the elements of an array of objects are records.
pub(super) fn extract(name: &str, bytes: Vec<u8>, options: &ExtractOptions) -> Result<Extracted, ExtractError> {
    let text = encoding::decode(bytes, None)?;
    let value: Value = serde_json::from_str(&text).map_err(|error| ExtractError::Damaged(error.to_string()))?;
    Ok(written(name, records(&value), options))
}

/// A value in each line.
pub(super) fn extract_lines(name: &str, bytes: Vec<u8>, options: &ExtractOptions) -> Result<Extracted, ExtractError> {
    let text = encoding::decode(bytes, None)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let values: Vec<Value> = lines
        .map(|(number, line)| {
            let damaged = |error| ExtractError::Damaged(format!("line {}: {error}", number + 1));
            serde_json::from_str(line).map_err(damaged)
        })
        .collect::<Result<_, _>>()?;
    Ok(written(name, values.iter().collect(), options))
}

/// The elements of an array, also of one that is all there is in an object; else the value.
fn records(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(elements) => elements.iter().collect(),
        Value::Object(fields) => match fields.values().next() {
            Some(Value::Array(elements)) if fields.len() == 1 && elements.iter().all(Value::is_object) => {
                elements.iter().collect()
            }
            Some(_) | None => vec![value],
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![value],
    }
}

fn written(name: &str, records: Vec<&Value>, options: &ExtractOptions) -> Extracted {
    let mut blocks = Blocks::default();
    for value in records {
        let record = Record::read(value, &options.json_fields);
        if let Some(heading) = record.heading() {
            blocks.heading(1, heading);
        }
        blocks.paragraph(&record.lines());
    }
    blocks.finish(Some(title::from_name(name)), name)
}
