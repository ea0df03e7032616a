//! What comes out of spreadsheets, CSV, JSON, EPUB and source files.

use footnote_ingest::extract::{ExtractError, ExtractOptions, Format, Language, Markup, extract_bytes};

use crate::files::zip;
use crate::office::{RELATIONSHIPS, extracted, headings, office};

/// A workbook of two sheets, the second hidden; `A1` of the first refers to a comment.
fn workbook(cells: &str) -> Vec<u8> {
    let main = format!(
        r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="{RELATIONSHIPS}"><sheets>
        <sheet name="Prices" sheetId="1" r:id="s1"/><sheet name="Old" sheetId="2" state="hidden" r:id="s2"/></sheets></workbook>"#
    );
    let kind = |part: &str| format!("{RELATIONSHIPS}/{part}");
    let relationships = format!(
        r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="s1" Type="{0}" Target="worksheets/sheet1.xml"/><Relationship Id="s2" Type="{0}" Target="worksheets/sheet2.xml"/></Relationships>"#,
        kind("worksheet")
    );
    let sheet = |cells: &str| {
        format!(
            r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{cells}</sheetData></worksheet>"#
        )
    };
    let of_sheet =
        r#"<Relationships><Relationship Id="c" Type="x/comments" Target="../comments1.xml"/></Relationships>"#;
    let comments = r#"<comments><authors><author>Anna</author></authors><commentList><comment ref="A1" authorId="0"><text><t>In euros.</t></text></comment></commentList></comments>"#;
    office(
        "xl/workbook.xml",
        &main,
        &[
            ("xl/_rels/workbook.xml.rels", &relationships),
            ("xl/worksheets/sheet1.xml", &sheet(cells)),
            ("xl/worksheets/_rels/sheet1.xml.rels", of_sheet),
            ("xl/comments1.xml", comments),
            ("xl/worksheets/sheet2.xml", &sheet(r#"<row r="1"><c r="A1"><v>1</v></c></row>"#)),
        ],
    )
}

fn text_cell(place: &str, text: &str) -> String {
    format!(r#"<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>"#)
}

#[test]
fn a_sheet_is_its_tables_under_its_name() {
    let cells = format!(
        r#"<row r="1">{}{}</row><row r="2">{}<c r="B2"><v>3.0</v></c></row><row r="5">{}</row>"#,
        text_cell("A1", "Bread"),
        text_cell("B1", "Price"),
        text_cell("A2", "Rye"),
        text_cell("A5", "Prices may change.")
    );
    let sheet = extracted("prices.xlsx", workbook(&cells));
    assert_eq!(sheet.title, "prices");
    let expected = "# Prices\n\n| Bread | Price |\n| --- | --- |\n| Rye | 3 |\n\nPrices may change.\n\n\
                    Comment on A1 by Anna: In euros.\n\n";
    assert_eq!(sheet.text, expected);
    // Every passage that a long table is cut into knows the columns.
    assert_eq!(headings(&sheet), [(1, "Prices"), (2, "Bread | Price")]);
}

#[test]
fn cells_far_apart_take_no_room_between_them() {
    let cells = format!(
        r#"<row r="1">{}</row><row r="1048576">{}</row>"#,
        text_cell("A1", "first"),
        text_cell("XFD1048576", "last")
    );
    assert_eq!(
        extracted("a.xlsx", workbook(&cells)).text,
        "# Prices\n\nfirst\n\nlast\n\nComment on A1 by Anna: In euros.\n\n"
    );
}

#[test]
fn a_table_in_text_has_one_delimiter_and_a_header() {
    let table = "| city | size |\n| --- | --- |\n| Bonn, Germany | 3 |\n| a \\| b | 4 |\n\n";
    for (name, text) in [
        ("cities.csv", "city,size\n\"Bonn, Germany\",3\na | b,4\n"),
        ("cities.csv", "city;size\nBonn, Germany;3\na | b;4\n"),
        ("cities.tsv", "city\tsize\r\nBonn, Germany\t3\r\na | b\t4\r\n"),
    ] {
        let csv = extracted(name, text);
        assert_eq!(csv.text, table, "{text}");
        assert_eq!((csv.title.as_str(), headings(&csv)), ("cities", vec![(1, "city | size")]));
    }
}

#[test]
fn records_of_json_are_found_by_themselves() {
    let records = r#"[{"name": "Rye", "made": {"of": ["flour", "water"], "by": "Anna"}, "old": null}, {"name": "Wheat", "price": 3}]"#;
    let expected = "# Rye\n\nname: Rye\nmade.of: flour, water\nmade.by: Anna\n\n# Wheat\n\nname: Wheat\nprice: 3\n\n";
    assert_eq!(extracted("bread.json", records).text, expected);
    let lines = "{\"name\": \"Rye\"}\n\n{\"name\": \"Wheat\"}\n";
    assert_eq!(extracted("bread.jsonl", lines).text, "# Rye\n\nname: Rye\n\n# Wheat\n\nname: Wheat\n\n");

    let options = ExtractOptions { json_fields: vec!["made".to_owned()] };
    let chosen = Format::Json.extract("bread.json", records.into(), &options).unwrap();
    assert_eq!(chosen.text, "made.of: flour, water\nmade.by: Anna\n\n");
}

#[test]
fn a_broken_line_of_json_is_named() {
    let error = extract_bytes("bread.jsonl", b"{\"name\": \"Rye\"}\n{\"name\": \n").unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(extract_bytes("deep.json", deep.as_bytes()), Err(ExtractError::Damaged(_))));
}

#[test]
fn a_book_is_its_chapters_in_order() {
    let container = r#"<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>"#;
    let book = r#"<package xmlns:dc="dc"><metadata><dc:title>On bread</dc:title></metadata><manifest>
        <item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
        <item id="one" href="text/chapter%20one.xhtml" media-type="application/xhtml+xml"/>
        <item id="two" href="text/two.xhtml" media-type="application/xhtml+xml"/></manifest>
        <spine><itemref idref="n"/><itemref idref="two"/><itemref idref="one"/></spine></package>"#;
    let file = zip(&[
        ("mimetype", b"application/epub+zip"),
        ("META-INF/container.xml", container.as_bytes()),
        ("OEBPS/book.opf", book.as_bytes()),
        ("OEBPS/nav.xhtml", b"<html><body><p>Contents</p></body></html>"),
        ("OEBPS/text/chapter one.xhtml", b"<html><body><h1>Yeast</h1><p>It rises.</p></body></html>"),
        ("OEBPS/text/two.xhtml", b"<html><body><h1>Flour</h1><p>It is ground.</p></body></html>"),
    ]);
    let book = extracted("bread.epub", file);
    assert_eq!(book.title, "On bread");
    assert_eq!(book.text, "# Flour\n\nIt is ground.\n\n# Yeast\n\nIt rises.\n\n");
    assert_eq!(headings(&book), [(1, "Flour"), (1, "Yeast")]);
}

#[test]
fn source_code_is_cut_at_what_it_defines() {
    let source = "use std::fmt;\n\n/// A loaf.\nstruct Loaf {\n    grams: u32,\n}\n\nimpl Loaf {\n    // Hot.\n    fn bake(&self) {\n        heat();\n    }\n}\n";
    let code = extracted("src/loaf.rs", source);
    assert_eq!((code.title.as_str(), code.text.as_str()), ("loaf.rs", source));
    assert_eq!(code.markup, Markup::Code(Language::Rust));
    assert_eq!(headings(&code), [(1, "struct Loaf"), (1, "impl Loaf"), (2, "fn bake(&self)")]);
    // With what stands above it.
    assert!(code.text[code.headings[0].start..].starts_with("/// A loaf."));
    assert!(code.text[code.headings[2].start..].starts_with("    // Hot."));

    let python = extracted("loaf.py", "class Loaf:\n    def bake(self):\n        heat()\n");
    assert_eq!(headings(&python), [(1, "class Loaf"), (2, "def bake(self)")]);
}
