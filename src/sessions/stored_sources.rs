//! How much of a turn's sources is kept with it: enough to show them again, although the documents may be gone by then.

use crate::source_document::SourceDocument;

/// The most that the sources of one answer may take as JSON.
pub(super) const LIMIT_BYTES: usize = 64 << 10;

/// Cuts texts from the last source on until all fit. Should even empty texts not be enough, the last sources go.
pub(super) fn fit(mut sources: Vec<SourceDocument>) -> Vec<SourceDocument> {
    let mut excess = json_bytes(&sources).saturating_sub(LIMIT_BYTES);
    for source in sources.iter_mut().rev() {
        if excess == 0 {
            break;
        }
        // The mark is part of what is written.
        excess += if source.text_truncated { 0 } else { MARK.len() };
        let before = json_bytes(&source.text);
        // A character takes at least as much in JSON as in UTF-8.
        let kept = source.text.len().saturating_sub(excess);
        source.text.truncate(source.text.floor_char_boundary(kept));
        source.text_truncated = true;
        excess = excess.saturating_sub(before - json_bytes(&source.text));
    }
    while json_bytes(&sources) > LIMIT_BYTES {
        sources.pop();
    }
    sources
}

const MARK: &str = r#""text_truncated":true,"#;

fn json_bytes(value: &(impl serde::Serialize + ?Sized)) -> usize {
    serde_json::to_vec(value).map_or(0, |json| json.len())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn source(n: usize, text: &str) -> SourceDocument {
        SourceDocument {
            n,
            id: Uuid::nil(),
            document_id: Uuid::nil(),
            title: "Title".into(),
            source: "data/a.md".into(),
            page: None,
            heading: None,
            start: 0,
            end: text.chars().count(),
            text: text.into(),
            text_truncated: false,
            score: 1.0,
            cited: true,
        }
    }

    #[test]
    fn what_fits_is_kept_as_it_is() {
        let sources = vec![source(1, "one"), source(2, "two")];
        assert_eq!(fit(sources.clone()), sources);
    }

    #[test]
    fn the_last_texts_are_cut_first_at_a_character_and_marked() {
        for text in ["é🦀\"\n", "plain words "] {
            let sources: Vec<_> = (1..=4).map(|n| source(n, &text.repeat(3000))).collect();
            let kept = fit(sources.clone());
            assert!(json_bytes(&kept) <= LIMIT_BYTES, "{}", json_bytes(&kept));
            assert_eq!(kept[0], sources[0], "the first is whole");
            assert_eq!(kept.len(), 4);
            let last = &kept[3];
            assert!(last.text_truncated && sources[3].text.starts_with(&last.text) && last.end == sources[3].end);
            let cut = kept.iter().filter(|source| source.text_truncated).count();
            assert!(kept.iter().rev().take(cut).all(|source| source.text_truncated), "from the end");
        }
    }

    #[test]
    fn sources_without_end_still_fit() {
        let long_title = SourceDocument { title: "t".repeat(5000), ..source(1, "text") };
        let kept = fit(vec![long_title; 50]);
        assert!(json_bytes(&kept) <= LIMIT_BYTES && kept.len() >= 12);
    }
}
