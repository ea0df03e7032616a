//! What a stored collection was made with, as a few hex digits of its name: whoever would make other vectors from the
//! same text gets another collection.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::embedding::EmbeddingIdentity;
use crate::vector_store::Bm25;

/// The text that is embedded, and indexed for BM25, for a chunk: title and heading say what the chunk is about when its
/// own words do not. Parts that are empty leave no line.
pub fn embedded_text(title: &str, heading: Option<&str>, text: &str) -> String {
    let parts = [title, heading.unwrap_or_default(), text];
    let parts: Vec<_> = parts.iter().filter(|part| !part.trim().is_empty()).copied().collect();
    parts.join("\n")
}

/// Ten hex digits of the SHA-256 of the canonical JSON (sorted keys) of everything above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    pub fn new(embedding: &EmbeddingIdentity) -> Self {
        // Built from the template itself, so that changing it changes the fingerprint.
        let template = embedded_text("{title}", Some("{heading}"), "{text}");
        let settings = serde_json::json!({ "bm25": Bm25::settings(), "embedding": embedding, "template": template });
        let digest = Sha256::digest(canonical(&settings).as_bytes());
        Self(digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// JSON with sorted keys, whatever order the map type keeps.
fn canonical(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| key.as_str());
            let fields: Vec<_> =
                fields.into_iter().map(|(key, value)| format!("{key:?}:{}", canonical(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        serde_json::Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minilm() -> EmbeddingIdentity {
        EmbeddingIdentity { model: "all-MiniLM-L6-v2".to_owned(), dimension: 384, pooling: "mean".to_owned() }
    }

    #[test]
    fn another_embedder_has_another_fingerprint() {
        let others = [
            EmbeddingIdentity { model: "other".to_owned(), ..minilm() },
            EmbeddingIdentity { dimension: 768, ..minilm() },
            EmbeddingIdentity { pooling: "cls".to_owned(), ..minilm() },
        ];
        for other in others {
            assert_ne!(Fingerprint::new(&other), Fingerprint::new(&minilm()));
        }
    }

    #[test]
    fn keys_are_sorted() {
        let value = serde_json::json!({ "b": [1, { "d": null, "c": "x" }], "a": true });
        assert_eq!(canonical(&value), r#"{"a":true,"b":[1,{"c":"x","d":null}]}"#);
    }

    #[test]
    fn empty_parts_leave_no_line() {
        assert_eq!(embedded_text("Title", Some("A > B"), "text"), "Title\nA > B\ntext");
        assert_eq!(embedded_text("", None, "text"), "text");
        assert_eq!(embedded_text("Title", Some(" "), "text"), "Title\ntext");
    }
}
