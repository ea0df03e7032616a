//! One record of a JSON file, flattened: `address.city: Berlin`.

use serde_json::Value;

/// The first of these fields that has a short text says what a record is about.
const HEADINGS: [&str; 6] = ["title", "name", "heading", "question", "subject", "id"];

const LONGEST_HEADING: usize = 120;

pub(super) struct Record(Vec<(String, String)>);

impl Record {
    /// Of all fields, or only of those whose dotted name is chosen, or below one that is.
    pub(super) fn read(value: &Value, chosen: &[String]) -> Self {
        let mut fields = Vec::new();
        flatten(value, "", &mut fields);
        let is_below = |field: &str, chosen: &str| {
            field.strip_prefix(chosen).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        fields.retain(|(field, _)| chosen.is_empty() || chosen.iter().any(|chosen| is_below(field, chosen)));
        Self(fields)
    }

    pub(super) fn heading(&self) -> Option<&str> {
        let value =
            |name: &&str| self.0.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let fits = |value: &&String| value.chars().count() <= LONGEST_HEADING && !value.contains('\n');
        HEADINGS.iter().filter_map(value).find(fits).map(String::as_str)
    }

    pub(super) fn lines(&self) -> String {
        let line = |(field, value): &(String, String)| {
            if field.is_empty() { value.clone() } else { format!("{field}: {value}") }
        };
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// As deep as the parser goes, which is 128.
fn flatten(value: &Value, name: &str, fields: &mut Vec<(String, String)>) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => fields.push((name.to_owned(), value.to_string())),
        Value::String(text) => fields.push((name.to_owned(), text.clone())),
        Value::Object(object) => object.iter().for_each(|(key, value)| flatten(value, &below(key), fields)),
        Value::Array(elements) if elements.iter().all(is_plain) => {
            let texts: Vec<String> = elements.iter().map(plain_text).collect();
            if !texts.is_empty() {
                fields.push((name.to_owned(), texts.join(", ")));
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| flatten(element, name, fields)),
    }
}

fn is_plain(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
