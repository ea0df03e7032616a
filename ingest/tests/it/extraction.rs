//! What comes out of a file's bytes.

use footnote_ingest::extract::{ExtractError, Extracted, Format, Markup, extract_bytes};

use crate::files;

fn extracted(name: &str, bytes: impl AsRef<[u8]>) -> Extracted {
    extract_bytes(name, bytes.as_ref()).unwrap()
}

fn headings(extracted: &Extracted) -> Vec<(u8, &str)> {
    extracted.headings.iter().map(|heading| (heading.level, heading.title.as_str())).collect()
}

/// Each heading's place is where its line is.
fn assert_headings_are_in_place(extracted: &Extracted) {
    for heading in &extracted.headings {
        let line = extracted.text[heading.start..].lines().next().unwrap();
        assert!(line.replace('`', "").contains(&heading.title), "{:?} is not in the line {line:?}", heading.title);
    }
}

#[test]
fn plain_text_is_itself_and_called_after_its_file() {
    let text = extracted("notes/garden_diary-2024.txt", "One.\r\nTwo.\rThree.\n");
    assert_eq!(text.title, "garden diary 2024");
    assert_eq!(text.text, "One.\nTwo.\nThree.\n");
    assert_eq!(text.markup, Markup::Plain);
}

#[test]
fn markdown_is_its_source_with_its_headings() {
    let source = "Before.\n\n# Bread & `yeast`\n\nText.\n\nFlour\n-----\n\n```\n# not a heading\n```\n";
    let markdown = extracted("bread.md", source);
    assert_eq!(markdown.text, source);
    assert_eq!(headings(&markdown), [(1, "Bread & yeast"), (2, "Flour")]);
    assert_headings_are_in_place(&markdown);
    assert_eq!(markdown.title, "Bread & yeast");
}

#[test]
fn front_matter_gives_the_title_and_is_not_text() {
    let markdown = extracted("a.md", "---\ntitle: \"The real title\"\nauthor: someone\n---\n# A heading\n\nText.\n");
    assert_eq!(markdown.title, "The real title");
    assert_eq!(markdown.text, "# A heading\n\nText.\n");
    assert_headings_are_in_place(&markdown);
}

#[test]
fn a_rule_at_the_top_is_not_front_matter() {
    let sources = [
        "---\n\nJust a rule above this.\n\n---\n\nAnd one below.\n",
        "---\n\nNote: the keys are with Anna.\n\n---\n\nRest.\n",
        "---\nNote: the keys are with Anna.\nShe is in the kitchen.\n\n---\n\nRest.\n",
        "---\n# First slide\n\nSee https://example.org at 10:30.\n\n---\n\n# Second slide\n",
    ];
    for source in sources {
        assert_eq!(extracted("a.md", source).text, source);
    }
}

#[test]
fn front_matter_may_have_lists_comments_and_text_of_several_lines() {
    let yaml = "title: 'T'\n# a comment\ntags:\n- one\n- two\n\nsummary: >\n  Some lines\n  of text.\nla-date: 2024\n";
    let markdown = extracted("a.md", format!("---\n{yaml}---\nText.\n"));
    assert_eq!((markdown.title.as_str(), markdown.text.as_str()), ("T", "Text.\n"));
}

#[test]
fn a_heading_in_a_quote_or_list_divides_nothing() {
    let source = "# Bread\n\n> # Note\n>\n> Quoted.\n\n- # Item\n\nText.\n\n## Yeast\n";
    let markdown = extracted("a.md", source);
    assert_eq!(markdown.text, source);
    assert_eq!(headings(&markdown), [(1, "Bread"), (2, "Yeast")]);
}

#[test]
fn a_heading_ends_where_its_last_line_does() {
    for (source, ends) in [("Bread\n=====\n\nText.\n", "====="), ("# Bread #\nText.\n", " #"), ("# Bread", "Bread")] {
        let markdown = extracted("a.md", source);
        assert!(markdown.text[..markdown.headings[0].end].ends_with(ends), "{markdown:?}");
    }
    let html = extracted("a.html", "<html><body><h1>Bread</h1><p>Text.");
    assert_eq!(&html.text[..html.headings[0].end], "# Bread");
}

#[test]
fn html_in_markdown_is_read_as_what_it_says() {
    let source = "<h1 align=\"center\">Anvil</h1>\n\n<!-- badges -->\n\nFast &amp; <b>small</b> &lt;tool&gt;.\n\n## Use\n\n`&amp;`\n";
    let markdown = extracted("README.md", source);
    assert_eq!(markdown.text, "# Anvil\n\n\nFast & small <tool>.\n\n## Use\n\n`&amp;`\n");
    assert_eq!(headings(&markdown), [(1, "Anvil"), (2, "Use")]);
    assert_headings_are_in_place(&markdown);
}

#[test]
fn a_web_page_is_its_article_not_its_menu() {
    let paragraph =
        "The lighthouse was built in 1857 of granite, which was brought by sea, because no road led there. ";
    let page = format!(
        "<!DOCTYPE html><html><head><title>The lighthouse</title><style>p {{}}</style></head><body>\
         <nav><ul><li><a href='/'>Home</a></li><li><a href='/shop'>Shop now</a></li></ul></nav>\
         <article><h2>Building</h2><p>{0}</p><p>{0}</p><h2>Keepers</h2><p>{0}</p><ol><li>Anna</li><li>Berta</li></ol>\
         <table><tr><th>Year</th><th>Height</th></tr><tr><td>1857</td><td>31 m</td></tr></table></article>\
         <footer>Cookie settings</footer><script>alert(1)</script></body></html>",
        paragraph.repeat(4)
    );
    let html = extracted("page.html", page);
    assert_eq!(html.title, "The lighthouse");
    assert_eq!(headings(&html), [(2, "Building"), (2, "Keepers")]);
    assert_headings_are_in_place(&html);
    assert!(html.text.contains("1. Anna\n2. Berta\n"), "{}", html.text);
    assert!(html.text.contains("| Year | Height |\n| --- | --- |\n| 1857 | 31 m |\n"), "{}", html.text);
    for unwanted in ["Shop now", "Cookie", "alert", "<p>"] {
        assert!(!html.text.contains(unwanted), "{unwanted} is in {}", html.text);
    }
}

#[test]
fn a_page_without_an_article_is_all_of_its_text() {
    let html =
        extracted("opening-hours.html", "<html><body><p>Open <b>daily</b></p><ul><li>Monday</li><li>Friday</li></ul>");
    assert_eq!(html.text, "Open daily\n\n- Monday\n- Friday\n");
    assert_eq!(html.title, "opening hours");
}

#[test]
fn cells_that_span_rows_and_columns_stand_in_each() {
    let table = "<table><tr><th rowspan=2>Duck</th><th colspan=2>Count</th></tr><tr><th>North</th><th>South</th></tr>\
                 <tr><td>Teal</td><td>3</td><td>4</td></tr></table>";
    let html = extracted("ducks.html", format!("<html><body>{table}"));
    assert_eq!(
        html.text,
        "| Duck | Count | Count |\n| --- | --- | --- |\n| Duck | North | South |\n| Teal | 3 | 4 |\n"
    );
}

#[test]
fn a_long_cell_that_spans_many_stands_once() {
    let (note, rows) = ("note ".repeat(200_000), "<tr></tr>".repeat(49));
    let table = format!("<table><tr><th colspan=50 rowspan=50>{note}</th></tr>{rows}</table>");
    let text = extracted("notes.html", format!("<html><body>{table}")).text;
    assert!(text.len() < note.len() + 1000, "{} bytes", text.len());
    assert!(text.contains(note.trim_end()));
}

#[test]
fn code_and_quotes_keep_their_form() {
    let html = extracted(
        "a.html",
        "<html><body><pre><code>if x {\n    y\n}</code></pre><blockquote><p>One.</p><p>Two.</p></blockquote>",
    );
    assert_eq!(html.text, "```\nif x {\n    y\n}\n```\n\n> One.\n>\n> Two.\n");
}

#[test]
fn a_page_of_many_nested_elements_is_read_without_its_form() {
    let html = format!("<html><body>{}deep inside", "<div>".repeat(1000));
    assert_eq!(extracted("deep.html", html).text.trim(), "deep inside");
}

#[test]
fn a_page_nested_without_end_is_refused_at_once() {
    let html = format!("<html><body>{}deep inside", "<div>".repeat(1_000_000));
    let error = extract_bytes("deep.html", html.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("inside each other"), "{error}");
}

#[test]
fn a_page_that_only_seems_to_close_its_elements_is_refused_at_once() {
    // Each end tag is of nothing that is open, or may not reach through a table.
    for unit in ["<div></b>", "<div/>", "<div><table><tr><td></div>", "<x></y>", "<!-- </div> --><div>"] {
        let html = format!("<html><body>{}deep inside", unit.repeat(300_000));
        let error = extract_bytes("deep.html", html.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("inside each other"), "{unit}: {error}");
    }
}

#[test]
fn drawings_of_thousands_of_shapes_are_not_deep() {
    let shapes = "<rect width='1'/><use href='#a'/><circle r='2'/>".repeat(2000);
    let commented_out = "<!-- <div> -->".repeat(3000);
    let drawing = format!("<svg><defs>{shapes}</defs><g>{shapes}</g></svg>");
    let html = format!("<html><body>{commented_out}<p>Above.</p>{drawing}<p>Below.</p>");
    assert_eq!(extracted("plot.html", html).text, "Above.\n\nBelow.\n");
    let markdown = extracted("plot.md", format!("Above.\n\n<p>A plot: {drawing}</p>\n\nBelow.\n"));
    assert_eq!(markdown.text, "Above.\n\nA plot:\n\nBelow.\n");
}

#[test]
fn html_in_markdown_that_cannot_be_read_stays() {
    let source = format!("Above.\n\n<div>{}kept\n\nBelow.\n", "<div>".repeat(10_000));
    assert_eq!(extracted("a.md", &source).text, source);
}

#[test]
fn elements_whose_end_is_left_out_are_not_nested() {
    let html = format!("<html><body><ul>{}</ul><p>One<p>Two", "<li>item".repeat(5000));
    assert_eq!(extracted("list.html", html).text.lines().filter(|line| *line == "- item").count(), 5000);
}

#[test]
fn html_is_known_by_its_content() {
    assert_eq!(extracted("page.txt", "<!doctype html><title>T</title><p>Text</p>").text, "Text\n");
}

#[test]
fn a_pdf_knows_its_pages() {
    let file = files::pdf(&[&["The first page tells of bread."], &["The second page tells of yeast."]]);
    let pdf = extracted("recipes.pdf", &file);
    assert_eq!(pdf.page_starts.len(), 2);
    assert!(pdf.text[..pdf.page_starts[1]].contains("bread"));
    assert!(pdf.text[pdf.page_starts[1]..].contains("yeast"));
    // By content, whatever it is called.
    assert_eq!(extracted("recipes.txt", &file).text, pdf.text);
    let behind_a_header = [b"X-Header: 1\r\n\r\n".as_slice(), &file].concat();
    assert_eq!(Format::detect("recipes.pdf", &behind_a_header), Ok(Format::Pdf));
}

#[test]
fn a_text_about_pdf_is_no_pdf() {
    let text = "# Reading PDF\n\nThe file begins with `%PDF-1.7`.\n";
    assert_eq!(extracted("README.md", text).text, text);
    assert_eq!(extract_bytes("read.xyz", text.as_bytes()), Err(ExtractError::Unsupported));
}

#[test]
fn words_divided_at_a_line_end_are_whole_again() {
    let pdf =
        extracted("a.pdf", files::pdf(&[&["The keeper of the light-", "house lit the lamp and", "went to bed."]]));
    assert!(pdf.text.contains("of the lighthouse lit the lamp and went to bed."), "{}", pdf.text);
}

#[test]
fn text_is_read_in_its_own_encoding() {
    let sentence = "Der Müller mahlt für Käthe süße Brötchen. Größe und Qualität sind geprüft.";
    let latin_1: Vec<u8> = sentence.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect();
    let little_endian: Vec<u8> = sentence.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big_endian: Vec<u8> = sentence.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let files = [
        ("utf-8", sentence.as_bytes().to_vec()),
        ("utf-8 with a mark", [b"\xef\xbb\xbf", sentence.as_bytes()].concat()),
        ("latin-1", latin_1),
        ("utf-16 with a mark, little endian", [b"\xff\xfe", little_endian.as_slice()].concat()),
        ("utf-16 with a mark, big endian", [b"\xfe\xff", big_endian.as_slice()].concat()),
        ("utf-16 without a mark", little_endian),
    ];
    for (encoding, bytes) in files {
        assert_eq!(extracted("a.txt", bytes).text, sentence, "{encoding}");
    }
}

#[test]
fn a_broken_byte_in_utf_8_breaks_one_character() {
    let sentence = "Der Müller mahlt für Käthe süße Brötchen. ";
    let (before, after) = (sentence.repeat(50), sentence.repeat(50));
    let pasted = [before.as_bytes(), b"caf\xe9 ", after.as_bytes()].concat();
    assert_eq!(extracted("a.md", pasted).text, format!("{before}caf\u{fffd} {after}"));
    // Cut in the middle of a character, as a log is that is being written.
    let cut = format!("{before}Größe");
    let cut = &cut.as_bytes()[..cut.len() - 2];
    assert_eq!(extracted("a.txt", cut).text, format!("{before}Grö\u{fffd}"));
}

#[test]
fn a_page_says_its_encoding() {
    let mut page = b"<html><head><meta charset=\"windows-1251\"></head><body><p>".to_vec();
    page.extend(b"\xcf\xf0\xe8\xe2\xe5\xf2");
    assert_eq!(extracted("a.html", page).text, "Привет\n");
}

#[test]
fn what_has_no_text_says_why_and_what_to_do() {
    let png = [b"\x89PNG\r\n\x1a\n".as_slice(), &[0; 100]].concat();
    let noise: Vec<u8> = (1..=255).cycle().take(5000).collect();
    let whole = files::pdf(&[&["This file breaks off."; 40]]);
    let files = [
        ("empty.txt", Vec::new(), ExtractError::Empty),
        ("blank.md", b" \n\t\n".to_vec(), ExtractError::Empty),
        ("picture.txt", png.clone(), ExtractError::Binary),
        ("noise.txt", noise, ExtractError::Binary),
        ("picture.png", png, ExtractError::Unsupported),
        ("letter.pdf", b"not a PDF at all".to_vec(), ExtractError::Damaged("it does not begin like a PDF".to_owned())),
        (
            "cut.pdf",
            whole[..whole.len() / 2].to_vec(),
            ExtractError::Damaged("the file breaks off before its end".to_owned()),
        ),
        ("secret.pdf", files::encrypted_pdf(), ExtractError::Encrypted),
        (
            "page.html",
            b"<!doctype html><script>draw()</script>".to_vec(),
            ExtractError::NoText("the page has no text of its own; it may be filled in by a script".into()),
        ),
    ];
    for (name, bytes, expected) in files {
        let error = extract_bytes(name, &bytes).unwrap_err();
        assert_eq!(error, expected, "{name}");
        assert!(!error.advice().is_empty());
    }
    let scan = extract_bytes("scan.pdf", &files::pdf_without_text()).unwrap_err();
    assert_eq!(scan.to_string(), "no text in it");
    assert!(scan.advice().contains("OCR"), "{}", scan.advice());
}

#[test]
fn no_cut_of_a_pdf_panics_or_passes_for_the_whole() {
    let whole = files::pdf(&[&["The keeper lit the lamp."; 20], &["The lamp burned all night."; 20]]);
    for length in (10..whole.len() - 10).step_by(37) {
        let error = extract_bytes("cut.pdf", &whole[..length]).unwrap_err();
        assert!(matches!(error, ExtractError::Damaged(_)), "cut at {length}: {error:?}");
    }
}
