//! Cutting texts, with the real tokenizer.

use std::sync::LazyLock;

use footnote_ingest::chunk::{ChunkSettings, Chunked, chunk};
use footnote_ingest::extract::{Extracted, extract_bytes};
use footnote_knowledge::collection::embedded_text;
use footnote_knowledge::embedding::{LocalEmbedder, Tokenizer};

static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    let open = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(LocalEmbedder::open()).unwrap().tokenizer().clone()
    };
    // Tests that call this may run on a runtime of their own, in which no other can be started.
    std::thread::spawn(open).join().unwrap()
});

const SETTINGS: ChunkSettings = ChunkSettings { max_tokens: 256 };

fn cut(extracted: &Extracted) -> Chunked {
    let chunked = chunk(extracted, SETTINGS, &|text| TOKENIZER.count(text));
    assert_promises(extracted, &chunked);
    chunked
}

fn cut_markdown(source: &str) -> Chunked {
    cut(&extract_bytes("a.md", source.as_bytes()).unwrap())
}

/// What holds for the chunks of any text.
fn assert_promises(extracted: &Extracted, chunked: &Chunked) {
    let characters: Vec<char> = extracted.text.chars().collect();
    let mut position = 0;
    for passage in &chunked.chunks {
        assert_eq!(passage.start, position, "a gap or an overlap");
        let text: String = characters[passage.start..passage.end].iter().collect();
        assert_eq!(passage.text, text, "the text is not what stands at its offsets");
        assert!(!passage.text.trim().is_empty(), "a blank chunk");
        position = passage.end;
        let embedded = embedded_text(&chunked.title, passage.heading.as_deref(), &passage.text);
        // Two special tokens stand around it.
        let tokens = TOKENIZER.count(&embedded) + 2;
        assert!(tokens <= SETTINGS.max_tokens, "{tokens} tokens: {embedded}");
    }
    assert_eq!(position, characters.len(), "the end of the text is missing");
}

fn headings(chunked: &Chunked) -> Vec<Option<&str>> {
    chunked.chunks.iter().map(|passage| passage.heading.as_deref()).collect()
}

const SENTENCE: &str = "The pilot measured the eastern beacon twice before the fog came in from the sea. ";

#[test]
fn chunks_follow_the_headings() {
    let paragraph = SENTENCE.repeat(6);
    let source = format!(
        "# Piloting\n\n{paragraph}\n\n## Beacons\n\n{paragraph}\n\n### In fog\n\n{paragraph}\n\n## Bells\n\n{paragraph}\n"
    );
    let chunked = cut_markdown(&source);
    assert_eq!(chunked.title, "Piloting");
    assert_eq!(headings(&chunked), [None, Some("Beacons"), Some("Beacons > In fog"), Some("Bells")]);
    assert!(chunked.chunks[1].text.starts_with("## Beacons\n"));
}

#[test]
fn a_long_section_is_several_chunks_under_its_heading() {
    let source = format!("# Log\n\n## Night\n\n{}", format!("{}\n\n", SENTENCE.repeat(4)).repeat(20));
    let chunked = cut_markdown(&source);
    assert!(chunked.chunks.len() > 5);
    assert!(headings(&chunked).iter().all(|heading| *heading == Some("Night")), "{:?}", headings(&chunked));
    for passage in &chunked.chunks {
        assert!(passage.text.trim_end().ends_with('.'), "cut inside a sentence: {:?}", passage.text);
    }
}

#[test]
fn tiny_sections_are_joined_under_what_they_share() {
    let chunked = cut_markdown("# Terms\n\n## Letters\n\n### A\n\nFirst.\n\n### B\n\nSecond.\n\n### C\n\nThird.\n");
    assert_eq!(headings(&chunked), [Some("Letters")]);
}

#[test]
fn a_heading_with_nothing_below_it_leads_to_the_next() {
    let source = format!(
        "# Manual\n\n## Part one\n\n### Lamps\n\n{}\n\n## Part two\n\n{}",
        SENTENCE.repeat(8),
        SENTENCE.repeat(8)
    );
    assert_eq!(headings(&cut_markdown(&source)), [Some("Part one > Lamps"), Some("Part two")]);
}

#[test]
fn an_empty_heading_leaves_its_sibling_its_own() {
    let source = format!("# Manual\n\n{0}\n\n## Part one\n\n## Part two\n\n{0}\n", SENTENCE.repeat(6));
    assert_eq!(headings(&cut_markdown(&source)), [None, Some("Part two")]);
}

#[test]
fn an_underlined_heading_stays_with_its_first_section() {
    for line in ["===", &"=".repeat(80)] {
        let source = format!("Manual\n{line}\n\n## Part one\n\n{}\n", SENTENCE.repeat(12));
        let chunked = cut_markdown(&source);
        assert!(headings(&chunked).iter().all(|heading| *heading == Some("Part one")), "{:?}", chunked.chunks);
    }
}

#[test]
fn a_title_and_headings_without_end_leave_room_for_the_text() {
    let long = "very long heading about beacons ".repeat(100);
    let source = format!("# {long}\n\n## {long}\n\n### short\n\n{}", SENTENCE.repeat(30));
    let chunked = cut_markdown(&source);
    assert!(chunked.title.ends_with('…') && chunked.title.starts_with("very long heading"));
    let last = chunked.chunks.last().unwrap();
    assert_eq!(last.heading.as_deref(), Some("… > short"));
    assert!(TOKENIZER.count(&last.text) < 256);
}

#[test]
fn offsets_are_code_points_in_any_script() {
    let texts = [
        "机器学习是人工智能的一个分支。它使用数据和算法来模仿人类学习的方式，逐步提高准确性。".repeat(40),
        "🎉👩‍🚀🚀 Ein Fest für alle! 🇪🇺 ".repeat(200),
        "머신러닝은 인공지능의 한 분야이다. 데이터를 통해 배운다. ".repeat(60),
        "ภาษาไทยไม่มีช่องว่างระหว่างคำ".repeat(80),
        "e\u{301}te\u{301} ".repeat(500),
    ];
    for text in texts {
        let chunked = cut(&extract_bytes("a.txt", text.as_bytes()).unwrap());
        assert!(chunked.chunks.len() > 1);
    }
}

#[test]
fn a_line_of_ten_megabytes_is_cut() {
    let line = SENTENCE.repeat((10 << 20) / SENTENCE.len());
    let chunked = cut(&extract_bytes("a.txt", line.as_bytes()).unwrap());
    assert!(chunked.chunks.len() > 7000, "{}", chunked.chunks.len());
}

#[test]
fn text_without_any_space_is_cut() {
    let chunked = cut(&extract_bytes("a.txt", "abcdefghij".repeat(30_000).as_bytes()).unwrap());
    // The tokenizer reads each as one unknown word; chunks of 300,000 characters would be no use to anyone.
    assert!(chunked.chunks.iter().all(|passage| passage.text.len() < 2000));
}

#[test]
fn a_word_of_megabytes_is_never_tokenized_whole() {
    let extracted = extract_bytes("a.txt", "0123456789abcdef€".repeat(40_000).as_bytes()).unwrap();
    let count = |text: &str| {
        assert!(text.len() <= 8192, "{} bytes at once", text.len());
        TOKENIZER.count(text)
    };
    let chunked = chunk(&extracted, SETTINGS, &count);
    assert!(chunked.chunks.iter().all(|passage| passage.text.len() < 2000));
}

#[test]
fn empty_lines_and_indentation_stay_where_they_belong() {
    let block = "    let indented = beacon();\n    measure(indented);\n".repeat(12);
    let chunked = cut_markdown(&format!("# Code\n\n{}", format!("{SENTENCE}\n\n{block}\n\n\n").repeat(8)));
    assert!(chunked.chunks.len() > 1);
    for passage in &chunked.chunks {
        assert!(!passage.text.starts_with('\n'), "{:?}", passage.text);
    }
}

#[test]
fn a_table_and_a_list_keep_their_lines() {
    let rows: String = (0..200).map(|row| format!("| beacon {row} | {} m |\n", row * 3)).collect();
    let items: String = (0..200).map(|item| format!("- light number {item} of the coast\n")).collect();
    let chunked = cut_markdown(&format!("# Lists\n\n| name | height |\n| --- | --- |\n{rows}\n\n{items}"));
    for passage in &chunked.chunks {
        assert!(passage.text.ends_with('\n'), "cut inside a line: {:?}", passage.text);
    }
}

#[test]
fn the_page_is_where_a_chunk_begins() {
    let text = format!("{}\n\n{}\n\n", SENTENCE.repeat(20).trim_end(), SENTENCE.repeat(20).trim_end());
    let second = text.len() / 2;
    let extracted = Extracted { page_starts: vec![0, second], ..extract_bytes("a.txt", text.as_bytes()).unwrap() };
    let pages: Vec<_> = cut(&extracted).chunks.iter().map(|passage| passage.page).collect();
    assert_eq!((pages.first(), pages.last()), (Some(&Some(1)), Some(&Some(2))));
    assert!(pages.is_sorted());
    assert!(cut_markdown(SENTENCE).chunks.iter().all(|passage| passage.page.is_none()));
}

#[test]
fn the_same_text_is_always_cut_the_same_way() {
    let source = format!("# A\n\n{}\n\n## B\n\n{}", SENTENCE.repeat(30), SENTENCE.repeat(3));
    assert_eq!(cut_markdown(&source), cut_markdown(&source));
}

/// Texts put together from pieces that are hard to cut, in an order that a fixed sequence of numbers gives.
#[test]
fn any_mixture_is_cut_without_gaps() {
    let pieces = [
        "\n",
        "\n\n",
        "   ",
        "\t",
        "# Heading\n\n",
        "### Deep *heading*\n",
        "Setext\n===\n",
        "word ",
        "Satz. ",
        "漢字",
        "🎉",
        "```\ncode\n",
        "```\n",
        "- item\n",
        "  - nested\n",
        "> quote\n",
        "| a | b |\n|---|---|\n| c | d |\n",
        "<div>",
        "&amp;",
        "\u{a0}",
        "\u{200b}",
        "verylongwordwithoutanyend",
        "a.b.c",
        "---\n",
        "e\u{301}",
        "אבג ",
        "\u{3000}",
    ];
    let mut state = 42_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..100 {
        let length = 1 + next(400);
        let source: String = (0..length).map(|_| pieces[next(pieces.len())].repeat(1 + next(3))).collect();
        for name in ["a.md", "a.txt"] {
            if let Ok(extracted) = extract_bytes(name, source.as_bytes()) {
                cut(&extracted);
            }
        }
    }
}
