use super::*;
use crate::text::code_points::slice;

const LEARNING: &str = "# Learning\n\nMachine learning lets programs **learn** from examples. It needs 3,600 of them. \
    Arthur Samuel called it \"the field of study\" in 1959.\n\n- Redis keeps sessions.\n- Qdrant keeps vectors.";
const SESSIONS: &str =
    "会话保存一小时。每次提问都会续期。\n\n| flag | default |\n|---|---|\n| `--session-ttl` | 3600 |";

fn sources() -> Vec<SourceDocument> {
    vec![source(1, LEARNING), source(2, SESSIONS)]
}

pub(super) fn source(n: usize, text: &str) -> SourceDocument {
    SourceDocument {
        n,
        id: Uuid::from_u128(n as u128),
        document_id: Uuid::nil(),
        title: "A primer".to_owned(),
        source: "data/primer.md".to_owned(),
        page: None,
        heading: None,
        start: 0,
        end: text.chars().count(),
        text: text.to_owned(),
        text_truncated: false,
        score: 0.5,
        cited: true,
    }
}

/// Number, sentence, quote and verdict of each citation.
fn cited(response: &str) -> Vec<(usize, String, String, bool)> {
    let mut sources = sources();
    let checked = check(response, &mut sources);
    let told = checked.citations.into_iter().map(|citation| {
        let source = &sources[citation.n - 1];
        assert_eq!(citation.chunk_id, source.id);
        let sentence = slice(response, citation.sentence).to_owned();
        (citation.n, sentence, slice(&source.text, citation.quote).to_owned(), citation.verified)
    });
    told.collect()
}

fn told(n: usize, sentence: &str, quote: &str, verified: bool) -> (usize, String, String, bool) {
    (n, sentence.to_owned(), quote.to_owned(), verified)
}

#[test]
fn a_sentence_of_a_source_is_its_own_quote() {
    assert_eq!(
        cited("Machine learning lets programs learn from examples. [1] 每次提问都会续期。[2]"),
        [
            told(
                1,
                "Machine learning lets programs learn from examples.",
                "Machine learning lets programs **learn** from examples.",
                true
            ),
            told(2, "每次提问都会续期。", "每次提问都会续期。", true),
        ]
    );
}

#[test]
fn a_sentence_in_other_words_gets_the_part_that_supports_it() {
    let quote = "It needs 3,600 of them.";
    assert_eq!(cited("It needs 3600 [1]."), [told(1, "It needs 3600 [1].", quote, true)]);
    let both = "It needs 3,600 of them. Arthur Samuel called it \"the field of study\" in 1959.";
    let sentence = "Samuel, who called it a field of study in 1959, needs 3600 of them";
    assert_eq!(cited(&format!("{sentence} [1]")), [told(1, sentence, both, true)]);
}

#[test]
fn rows_and_items_can_be_cited() {
    assert_eq!(cited("`--session-ttl` – 3600 [2]")[0].2, "| `--session-ttl` | 3600 |");
    assert_eq!(
        cited("- Redis keeps sessions. [1]\n- Qdrant keeps vectors. [1]"),
        [
            told(1, "- Redis keeps sessions.", "- Redis keeps sessions.", true),
            told(1, "- Qdrant keeps vectors.", "- Qdrant keeps vectors.", true),
        ]
    );
}

#[test]
fn what_the_source_does_not_say_is_not_verified() {
    let unsupported = [
        "It needs 3601 of them. [1]",
        "Arthur Samuel called it \"a field of magic\" in 1959. [1]",
        "Neural networks imitate the brain of mammals. [1]",
        "Machine learning lets programs learn from examples. [2]",
        "Yes. [1]",
        "Use `--learn` for machine learning programs. [1]",
        "According to Turing machine learning lets programs learn from examples. [1]",
    ];
    for response in unsupported {
        let cited = cited(response);
        assert_eq!((cited.len(), cited[0].3), (1, false), "{response}");
    }
}

#[test]
fn markers_belong_to_the_sentence_they_stand_in_or_behind() {
    let cases: [(&str, &[(usize, &str)]); 9] = [
        ("This is one thing [1]. Another.", &[(1, "This is one thing [1].")]),
        ("One thing. [1] Another.", &[(1, "One thing.")]),
        ("One thing. [1] footnote is lower case. [2]", &[(1, "One thing."), (2, "footnote is lower case.")]),
        (
            "It is one [1][2]. Another is [2, 1].",
            &[(1, "It is one [1][2]."), (2, "It is one [1][2]."), (2, "Another is [2, 1]."), (1, "Another is [2, 1].")],
        ),
        ("According to [1], it learns [1].", &[(1, "According to [1], it learns [1].")]),
        ("[2] says so clearly. Yes.", &[(2, "says so clearly.")]),
        ("A first line\n[1]", &[(1, "A first line")]),
        ("A price of 3.50 is fair. [1]", &[(1, "A price of 3.50 is fair.")]),
        ("Uncited. Nothing here.", &[]),
    ];
    for (response, expected) in cases {
        let found: Vec<(usize, String)> =
            cited(response).into_iter().map(|(n, sentence, _, _)| (n, sentence)).collect();
        let expected: Vec<(usize, String)> =
            expected.iter().map(|(n, sentence)| (*n, (*sentence).to_owned())).collect();
        assert_eq!(found, expected, "{response}");
    }
}

#[test]
fn numbers_without_a_source_are_counted_and_code_cites_nothing() {
    let mut sources = sources();
    let checked = check("It learns [3]. It forgets [1, 9].\n\n```\nargv[2]\n```\nand `argv[2]`.", &mut sources);
    assert_eq!(checked.unknown, 2);
    assert_eq!(checked.citations.len(), 1);
    assert_eq!(sources.iter().map(|source| source.cited).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn sentences_that_cite_nothing_are_listed() {
    let response = "It learns from data [1]. Nobody knows why that is. Calling `argv[1]` is odd.\n\n- Redis keeps sessions. [2]\n- So do I.";
    let uncited: Vec<String> =
        check(response, &mut sources()).uncited.iter().map(|sentence| slice(response, *sentence).to_owned()).collect();
    assert_eq!(uncited, ["Nobody knows why that is.", "Calling `argv[1]` is odd.", "- So do I."]);
    assert_eq!(check("It learns [9].", &mut sources()).uncited.len(), 1, "no source, no support");
}

#[test]
fn an_answer_that_repeats_itself_is_checked_up_to_a_limit() {
    let mut sources = sources();
    let checked = check(&"It learns from examples [1]. ".repeat(10 * MOST_CITATIONS), &mut sources);
    assert_eq!(checked.citations.len(), MOST_CITATIONS);
    let checked = check(
        &format!("{}Redis keeps sessions. [2]", "It learns from examples [1]. ".repeat(MOST_CITATIONS)),
        &mut sources,
    );
    assert_eq!(checked.citations.len(), MOST_CITATIONS);
    assert!(sources[1].cited, "what is cited behind the limit is cited");
}

#[test]
fn no_response_breaks_the_check() {
    for response in ["", "[1]", "[1][2]\n", "[", "\n\n[1]\n\n", "```\n[1]", "🙂 [1]"] {
        let mut sources = sources();
        let _ = check(response, &mut sources);
        assert!(check(response, &mut []).citations.is_empty());
    }
    let mut empty = sources();
    empty[0].text = String::new();
    let checked = check("It learns [1].", &mut empty);
    assert_eq!((checked.citations[0].quote, checked.citations[0].verified), ([0, 0], false));
}
