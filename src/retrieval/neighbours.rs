//! Chunks that follow one another in a document are one passage: a reader should not get it in pieces and out of order,
//! nor an answerer a sentence that was cut in two.

use footnote_knowledge::collection::Hit;

/// The hits in their order, each joined with those that stand beside it in its document. A joined passage takes the
/// place, the id and the scores of its best part.
pub(super) fn joined(hits: Vec<Hit>) -> Vec<Hit> {
    let mut passages: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        // The one before it and the one behind it, if both are there.
        let beside: Vec<usize> = (0..passages.len()).filter(|&index| adjoin(&passages[index], &hit)).collect();
        let Some((&best, others)) = beside.split_first() else {
            passages.push(hit);
            continue;
        };
        join(&mut passages[best], hit);
        for &other in others.iter().rev() {
            let other = passages.remove(other);
            join(&mut passages[best], other);
        }
    }
    passages
}

fn adjoin(one: &Hit, other: &Hit) -> bool {
    let (one, other) = (&one.chunk, &other.chunk);
    one.document_id == other.document_id
        && one.version == other.version
        && (one.end == other.start || other.end == one.start)
}

/// Adds the text of `other`, which stands just before or just behind `passage`.
fn join(passage: &mut Hit, other: Hit) {
    let (chunk, other) = (&mut passage.chunk, other.chunk);
    // Without one in common, the best part's: it is why the passage is here.
    if let Some(common) = in_common(chunk.heading.as_deref(), other.heading.as_deref()) {
        chunk.heading = Some(common);
    }
    // Kept for as long as a model answers.
    chunk.text.reserve_exact(other.text.len());
    if chunk.end == other.start {
        chunk.text.push_str(&other.text);
        chunk.end = other.end;
    } else {
        chunk.text.insert_str(0, &other.text);
        (chunk.start, chunk.number, chunk.page) = (other.start, other.number, other.page);
    }
}

/// The headings that both stand under.
fn in_common(one: Option<&str>, other: Option<&str>) -> Option<String> {
    const SEPARATOR: &str = " > ";
    let (one, other) = (one?, other?);
    let common = one.split(SEPARATOR).zip(other.split(SEPARATOR)).take_while(|(a, b)| a == b).map(|(a, _)| a);
    let common = common.collect::<Vec<_>>().join(SEPARATOR);
    (!common.is_empty()).then_some(common)
}

#[cfg(test)]
mod tests {
    use footnote_knowledge::collection::Chunk;
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;

    const TEXT: &str = "One. Zwei – mit Ümläuten. Three. Four. Five.";

    /// The part of [`TEXT`] between two of its characters.
    fn hit(document: u128, start: usize, end: usize, heading: &str) -> Hit {
        let chunk = Chunk {
            id: Uuid::from_u128(start as u128),
            document_id: Uuid::from_u128(document),
            source: String::new(),
            title: String::new(),
            heading: Some(heading.to_owned()).filter(|heading| !heading.is_empty()),
            page: Some(u32::try_from(start).unwrap()),
            number: start,
            start,
            end,
            text: TEXT.chars().skip(start).take(end - start).collect(),
            version: String::new(),
            tags: Vec::new(),
            ingested_at: Timestamp::UNIX_EPOCH,
        };
        Hit { chunk, score: 1.0 / (1.0 + start as f32), dense: None, bm25: None }
    }

    fn shown(hits: &[Hit]) -> Vec<(&str, usize, usize)> {
        hits.iter().map(|hit| (hit.chunk.text.as_str(), hit.chunk.start, hit.chunk.end)).collect()
    }

    #[test]
    fn chunks_that_follow_one_another_are_one_passage_in_the_place_of_the_best() {
        let hits = vec![hit(1, 26, 33, ""), hit(2, 0, 5, ""), hit(1, 5, 26, ""), hit(1, 39, 44, "")];
        let joined = joined(hits);
        let expected = [("Zwei – mit Ümläuten. Three. ", 5, 33), ("One. ", 0, 5), ("Five.", 39, 44)];
        assert_eq!(shown(&joined), expected);
        assert_eq!(joined[0].chunk.id, Uuid::from_u128(26), "the best part lends its id");
        assert_eq!(joined[0].chunk.page, Some(5), "the page is where it begins");
    }

    #[test]
    fn one_that_stands_between_two_joins_all_three() {
        let joined = joined(vec![hit(1, 0, 5, ""), hit(1, 26, 33, ""), hit(1, 5, 26, "")]);
        assert_eq!(shown(&joined), [("One. Zwei – mit Ümläuten. Three. ", 0, 33)]);
    }

    #[test]
    fn a_joined_passage_stands_under_the_headings_that_its_parts_have_in_common_or_its_best_part() {
        let joined = joined(vec![hit(1, 0, 5, "Guide > Setup > Linux"), hit(1, 5, 26, "Guide > Setup > macOS")]);
        assert_eq!(joined[0].chunk.heading.as_deref(), Some("Guide > Setup"));
        let joined = super::joined(vec![hit(1, 5, 26, "What it is"), hit(1, 0, 5, "")]);
        assert_eq!(joined[0].chunk.heading.as_deref(), Some("What it is"), "the best part's, where there is none");
    }
}
