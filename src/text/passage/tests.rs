use super::*;

const PASSAGE: &str = "\
# Sessions

A session lives for **3600 s** after its last
turn. Each turn renews it.

## Options
| flag | default |
|---|---|
| `--session-ttl` | 3600 |

- Redis keeps them. It is shared.
- *Embedded* keeps them
  on disk.
1. First, stop.

```sh
footnote serve. Now.
```

Loss
----
Note. Memory forgets [3].
";

fn parts(passage: &str) -> Vec<(UnitKind, &str, Option<String>)> {
    units(passage).into_iter().map(|unit| (unit.kind, &passage[unit.span], unit.heading)).collect()
}

#[test]
fn a_passage_falls_into_sentences_items_rows_and_code_under_their_headings() {
    let under = |heading: &str| Some(heading.to_owned());
    assert_eq!(
        parts(PASSAGE),
        [
            (UnitKind::Sentence, "A session lives for **3600 s** after its last\nturn.", under("Sessions")),
            (UnitKind::Sentence, "Each turn renews it.", under("Sessions")),
            (UnitKind::TableRow, "| `--session-ttl` | 3600 |", under("Options")),
            (UnitKind::ListItem, "- Redis keeps them.", under("Options")),
            (UnitKind::ListItem, "It is shared.", under("Options")),
            (UnitKind::ListItem, "- *Embedded* keeps them\n  on disk.", under("Options")),
            (UnitKind::ListItem, "1. First, stop.", under("Options")),
            (UnitKind::Code, "```sh\nfootnote serve. Now.\n```", under("Options")),
            (UnitKind::Sentence, "Note. Memory forgets [3].", under("Loss")),
        ]
    );
}

#[test]
fn units_of_one_block_are_known_as_such() {
    let blocks: Vec<usize> = units(PASSAGE).into_iter().map(|unit| unit.block).collect();
    assert_eq!(blocks[0], blocks[1], "one paragraph");
    assert_ne!(blocks[1], blocks[2]);
    assert_eq!(blocks[3], blocks[4], "one list item");
    assert_ne!(blocks[4], blocks[5]);
}

#[test]
fn a_passage_may_begin_and_end_anywhere() {
    assert_eq!(parts("of the table | x |\nand so on").len(), 1);
    assert_eq!(parts("| b | 2 |\n| c | 3 |").len(), 2, "rows without their header");
    assert_eq!(parts("```\nnever closed. Still code.")[0].0, UnitKind::Code);
    assert_eq!(parts("1998 was the year.\n2024 too.")[0].0, UnitKind::Sentence, "a year is no list number");
    for nothing in ["", "\n\n", "# Heading", "---", "|---|"] {
        assert_eq!(parts(nothing), [], "{nothing:?}");
    }
}

#[test]
fn shown_text_has_no_marks_and_no_numbers_in_brackets() {
    let cases = [
        ("A session lives for **3600 s** after its last\nturn.", "A session lives for 3600 s after its last turn."),
        ("- *Embedded* keeps them\n  on disk.", "Embedded keeps them on disk."),
        ("| `--session-ttl` | 3600 |", "`--session-ttl` – 3600"),
        ("> quoted\n> twice", "quoted twice"),
        ("See [the manual](https://x.example/a_b) and ![a chart](c.png).", "See the manual and a chart."),
        ("Memory forgets [3], always [1, 2].", "Memory forgets, always."),
        ("Read `argv[1]` first [1].", "Read `argv[1]` first."),
        ("A list [x] of Vec<String> and snake_case_name * 2.", "A list [x] of Vec<String> and snake_case_name * 2."),
        ("机器**学习**很有用。", "机器学习很有用。"),
        ("## Heading ##", "Heading"),
    ];
    for (part, expected) in cases {
        assert_eq!(shown(part), expected);
    }
}
