//! What comes out of Word and OpenDocument texts and of presentations.

use footnote_ingest::extract::{ExtractError, Extracted, extract_bytes};

use crate::files::zip;

pub(crate) const RELATIONSHIPS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

pub(crate) fn extracted(name: &str, bytes: impl AsRef<[u8]>) -> Extracted {
    extract_bytes(name, bytes.as_ref()).unwrap()
}

pub(crate) fn headings(extracted: &Extracted) -> Vec<(u8, &str)> {
    extracted.headings.iter().map(|heading| (heading.level, heading.title.as_str())).collect()
}

/// An Office document whose main part is `part`, with these other parts.
pub(crate) fn office(part: &str, main: &str, others: &[(&str, &str)]) -> Vec<u8> {
    let root = format!(
        r#"<Relationships><Relationship Id="r1" Type="{RELATIONSHIPS}/officeDocument" Target="{part}"/></Relationships>"#
    );
    let mut parts: Vec<(&str, &[u8])> =
        vec![("[Content_Types].xml", b"<Types/>"), ("_rels/.rels", root.as_bytes()), (part, main.as_bytes())];
    parts.extend(others.iter().map(|(name, text)| (*name, text.as_bytes())));
    zip(&parts)
}

/// A Word document with this body, a style `Heading1`, and list 1: `1.`, `1.1.`.
fn docx(body: &str) -> Vec<u8> {
    let main = format!(
        r#"<w:document xmlns:w="w" xmlns:m="m" xmlns:mc="mc" xmlns:w14="w14"><w:body>{body}</w:body></w:document>"#
    );
    let relationships = r#"<Relationships><Relationship Id="a" Type="x/styles" Target="styles2.xml"/>
        <Relationship Id="b" Type="x/numbering" Target="numbering.xml"/><Relationship Id="c" Type="x/footnotes" Target="notes.xml"/></Relationships>"#;
    let styles = r#"<w:styles xmlns:w="w">
        <w:style w:styleId="Titel"><w:name w:val="Title"/></w:style>
        <w:style w:styleId="berschrift1"><w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
        <w:style w:styleId="Mine"><w:name w:val="My own"/><w:basedOn w:val="berschrift1"/></w:style>
        <w:style w:styleId="Code"><w:name w:val="Source Code"/></w:style></w:styles>"#;
    let numbering = r#"<w:numbering xmlns:w="w"><w:abstractNum w:abstractNumId="7">
        <w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
        <w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl>
        </w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num></w:numbering>"#;
    let footnotes = r#"<w:footnotes xmlns:w="w"><w:footnote w:type="separator" w:id="0"><w:p/></w:footnote>
        <w:footnote w:id="2"><w:p><w:r><w:t>Says the almanac.</w:t></w:r></w:p></w:footnote></w:footnotes>"#;
    office(
        "word/document.xml",
        &main,
        &[
            ("word/_rels/document.xml.rels", relationships),
            ("word/styles2.xml", styles),
            ("word/numbering.xml", numbering),
            ("word/notes.xml", footnotes),
        ],
    )
}

fn paragraph(properties: &str, text: &str) -> String {
    format!("<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>")
}

fn numbered(level: usize, text: &str) -> String {
    paragraph(&format!(r#"<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="1"/></w:numPr>"#), text)
}

#[test]
fn a_word_document_has_its_headings_lists_and_notes() {
    let body = [
        paragraph(r#"<w:pStyle w:val="Titel"/>"#, "The lighthouse"),
        paragraph(r#"<w:pStyle w:val="Mine"/>"#, "Keepers"),
        r#"<w:p><w:r><w:t>The lamp burns</w:t><w:footnoteReference w:id="2"/></w:r><w:del><w:r><w:t> never</w:t></w:r></w:del>
           <w:ins><w:r><w:t xml:space="preserve"> all night.</w:t></w:r></w:ins></w:p>"#
            .to_owned(),
        numbered(0, "Trim the wick"),
        numbered(1, "with scissors"),
        numbered(1, "in daylight"),
        numbered(0, "Light it"),
        paragraph(r#"<w:pStyle w:val="Code"/>"#, "lamp.on()"),
        paragraph(r#"<w:pStyle w:val="Code"/>"#, "  lamp.turn()"),
    ]
    .concat();
    let document = extracted("report.docx", docx(&body));
    assert_eq!(document.title, "The lighthouse");
    assert_eq!(headings(&document), [(1, "The lighthouse"), (2, "Keepers")]);
    let expected = "# The lighthouse\n\n## Keepers\n\nThe lamp burns all night.\n\nSays the almanac.\n\n\
                    1. Trim the wick\n  1.a) with scissors\n  1.b) in daylight\n2. Light it\n\n\
                    ```\nlamp.on()\n  lamp.turn()\n```\n\n";
    assert_eq!(document.text, expected);
}

#[test]
fn merged_cells_of_a_word_table_stand_in_each_place() {
    let cell = |properties: &str, text: &str| {
        format!("<w:tc><w:tcPr>{properties}</w:tcPr><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>")
    };
    let body = format!(
        "<w:tbl><w:tr>{}{}</w:tr><w:tr>{}{}{}</w:tr><w:tr>{}{}{}</w:tr></w:tbl>",
        cell(r#"<w:gridSpan w:val="2"/>"#, "Watch"),
        cell("", "Keeper"),
        cell(r#"<w:vMerge w:val="restart"/>"#, "Night"),
        cell("", "first"),
        cell("", "Anna"),
        cell("<w:vMerge/>", ""),
        cell("", "second"),
        cell("", "Ben"),
    );
    let table =
        "| Watch | Watch | Keeper |\n| --- | --- | --- |\n| Night | first | Anna |\n| Night | second | Ben |\n\n";
    assert_eq!(extracted("a.docx", docx(&body)).text, table);
}

#[test]
fn of_two_ways_to_show_a_text_box_one_is_read() {
    let in_box = |text: &str| format!("<w:txbxContent><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:txbxContent>");
    let body = format!(
        "<w:p><w:r><w:t>Outside.</w:t><mc:AlternateContent><mc:Choice>{}</mc:Choice><mc:Fallback>{}</mc:Fallback>\
         </mc:AlternateContent></w:r></w:p>",
        in_box("Inside."),
        in_box("Inside.")
    );
    assert_eq!(extracted("a.docx", docx(&body)).text, "Outside.\n\nInside.\n\n");
}

#[test]
fn equations_are_latex_and_boxes_are_ticked() {
    let body = "<w:p><w:r><w:t>Area </w:t></w:r><m:oMath><m:r><m:t>π</m:t></m:r><m:sSup><m:e><m:r><m:t>r</m:t></m:r></m:e>\
                <m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath></w:p>\
                <w:p><w:sdt><w:sdtPr><w14:checkbox><w14:checked w14:val=\"1\"/></w14:checkbox></w:sdtPr><w:sdtContent>\
                <w:r><w:t>☒</w:t></w:r></w:sdtContent></w:sdt><w:r><w:t xml:space=\"preserve\"> Oil</w:t></w:r></w:p>";
    assert_eq!(extracted("a.docx", docx(body)).text, "Area $\\pi r^{2}$\n\n[x] Oil\n\n");
}

#[test]
fn nesting_without_end_is_read_as_text() {
    let deep = format!("{}<w:r><w:t>Deep.</w:t></w:r>{}", "<w:smartTag>".repeat(3000), "</w:smartTag>".repeat(3000));
    let outcome = extract_bytes("a.docx", &docx(&format!("<w:p>{deep}</w:p>")));
    assert!(outcome.is_err() || outcome.unwrap().text.contains("Deep."));
}

#[test]
fn entities_that_multiply_are_refused() {
    let bomb =
        "<!DOCTYPE w [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]><w:document xmlns:w=\"w\"/>";
    let error = extract_bytes("a.docx", &office("word/document.xml", bomb, &[])).unwrap_err();
    assert!(matches!(error, ExtractError::Damaged(_)), "{error:?}");
}

#[test]
fn slides_are_pages_with_titles() {
    let shape = |kind: &str, text: &str| {
        format!(
            r#"<p:sp><p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"#
        )
    };
    let slide = |shapes: String| {
        format!(r#"<p:sld xmlns:p="p" xmlns:a="a"><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"#)
    };
    let main = format!(
        r#"<p:presentation xmlns:p="p" xmlns:r="{RELATIONSHIPS}"><p:sldIdLst><p:sldId id="9" r:id="x2"/><p:sldId id="8" r:id="x1"/></p:sldIdLst></p:presentation>"#
    );
    let relationships = r#"<Relationships><Relationship Id="x1" Target="slides/slide1.xml"/><Relationship Id="x2" Target="slides/slide2.xml"/></Relationships>"#;
    let deck = office(
        "ppt/presentation.xml",
        &main,
        &[
            ("ppt/_rels/presentation.xml.rels", relationships),
            (
                "ppt/slides/slide1.xml",
                &slide(shape("title", "Yeast") + &shape("sldNum", "2") + &shape("body", "It rises.")),
            ),
            ("ppt/slides/slide2.xml", &slide(shape("ctrTitle", "Bread") + &shape("body", "Flour and water."))),
        ],
    );
    let deck = extracted("deck.pptx", deck);
    // In the order of the presentation, not of the parts.
    assert_eq!(deck.text, "# Bread\n\n- Flour and water.\n\n# Yeast\n\n- It rises.\n");
    assert_eq!(deck.page_starts, [0, deck.text.find("# Yeast").unwrap()]);
}

/// A presentation of one slide with these shapes and, under the id `c1`, this chart.
fn slide(shapes: &str, chart: &str) -> String {
    let main = format!(
        r#"<p:presentation xmlns:p="p" xmlns:r="{RELATIONSHIPS}"><p:sldIdLst><p:sldId id="9" r:id="x1"/></p:sldIdLst></p:presentation>"#
    );
    let slide = format!(
        r#"<p:sld xmlns:p="p" xmlns:a="a" xmlns:c="c" xmlns:r="{RELATIONSHIPS}"><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"#
    );
    let chart = format!(
        r#"<c:chartSpace xmlns:c="c"><c:chart><c:plotArea><c:barChart>{chart}</c:barChart></c:plotArea></c:chart></c:chartSpace>"#
    );
    let deck = office(
        "ppt/presentation.xml",
        &main,
        &[
            (
                "ppt/_rels/presentation.xml.rels",
                r#"<Relationships><Relationship Id="x1" Target="slides/slide1.xml"/></Relationships>"#,
            ),
            ("ppt/slides/slide1.xml", &slide),
            (
                "ppt/slides/_rels/slide1.xml.rels",
                r#"<Relationships><Relationship Id="c1" Type="x/chart" Target="../graph.xml"/></Relationships>"#,
            ),
            ("ppt/graph.xml", &chart),
        ],
    );
    extracted("deck.pptx", deck).text
}

#[test]
fn the_numbers_of_a_chart_stay_with_their_categories() {
    let points = |kind: &str, points: &[(u8, &str)]| {
        let points: String =
            points.iter().map(|(place, value)| format!(r#"<c:pt idx="{place}"><c:v>{value}</c:v></c:pt>"#)).collect();
        format!("<c:{kind}>{points}</c:{kind}>")
    };
    let chart = format!(
        "<c:ser><c:tx>{}</c:tx><c:cat>{}</c:cat><c:val>{}</c:val></c:ser>",
        points("strCache", &[(0, "Sold")]),
        points("strCache", &[(0, "007"), (1, "1.10"), (2, "Infinity")]),
        // Nothing was sold of the second.
        points("numCache", &[(0, "4.4000000000000004"), (2, "2")])
    );
    let text = slide(r#"<p:graphicFrame><c:chart r:id="c1"/></p:graphicFrame>"#, &chart);
    assert_eq!(text, "Bar chart\n\n|  | Sold |\n| --- | --- |\n| 007 | 4.4 |\n| 1.10 |  |\n| Infinity | 2 |\n\n");
}

#[test]
fn absurd_levels_and_numbers_of_a_slide_are_put_up_with() {
    let item = r#"<a:p><a:pPr lvl="18446744073709551615"><a:buAutoNum startAt="4294967295"/></a:pPr><a:r><a:t>One</a:t></a:r></a:p>
        <a:p><a:pPr lvl="3"><a:buAutoNum startAt="4294967295"/></a:pPr><a:r><a:t>Two</a:t></a:r></a:p>
        <a:p><a:pPr lvl="3"><a:buAutoNum startAt="4294967295"/></a:pPr><a:r><a:t>Three</a:t></a:r></a:p>"#;
    let text = slide(&format!("<p:sp><p:txBody>{item}</p:txBody></p:sp>"), "");
    assert!(text.contains("One") && text.contains("Two") && text.contains("Three"), "{text}");
    // A cell that reaches over others is repeated if it is short.
    let cell = |attributes: &str, text: &str| {
        format!("<a:tc {attributes}><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></a:tc>")
    };
    let long = "Long. ".repeat(100);
    let merged = |text: &str| {
        let row = cell(r#"gridSpan="3""#, text) + &cell(r#"hMerge="1""#, "") + &cell(r#"hMerge="1""#, "");
        slide(&format!("<p:graphicFrame><a:tbl><a:tr>{row}</a:tr></a:tbl></p:graphicFrame>"), "")
    };
    assert!(merged("Short").starts_with("| Short | Short | Short |\n"));
    assert_eq!(merged(&long).matches("Long. Long.").count(), 50);
}

#[test]
fn signs_notes_in_tables_and_hidden_text_of_a_word_document() {
    let run = |inside: &str| format!("<w:r>{inside}</w:r>");
    let body = [
        format!("<w:p>{}{}{}</w:p>", run(r#"<w:sym w:font="Wingdings" w:char="F0FE"/>"#), run("<w:t xml:space=\"preserve\"> Oil and ga\u{ad}s</w:t>"), run("<w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t>")),
        r#"<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Lamp</w:t><w:footnoteReference w:id="2"/></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>One</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"#.to_owned(),
        r#"<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent><w:p><w:r><w:t>Write here.</w:t></w:r></w:p></w:sdtContent></w:sdt>"#.to_owned(),
        r#"<w:p><w:r><w:t>Name: </w:t></w:r><w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent><w:r><w:t>Click here.</w:t></w:r></w:sdtContent></w:sdt></w:p>"#.to_owned(),
    ]
    .concat();
    let expected = "[x] Oil and gas\n\n| Lamp | One |\n| --- | --- |\n\nSays the almanac.\n\nName:\n\n";
    assert_eq!(extracted("a.docx", docx(&body)).text, expected);
}

/// An OpenDocument file with this body.
fn open_document(kind: &str, body: &str) -> Vec<u8> {
    let content = format!(
        r#"<office:document-content xmlns:office="o" xmlns:text="t" xmlns:table="tb" xmlns:draw="d" xmlns:presentation="p" xmlns:style="s">
        <office:automatic-styles><style:style style:name="P1" style:parent-style-name="Title"/>
        <text:list-style style:name="L1"><text:list-level-style-number text:level="1" style:num-format="1"/></text:list-style>
        </office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"#
    );
    let mime = format!("application/vnd.oasis.opendocument.{kind}");
    zip(&[("mimetype", mime.as_bytes()), ("content.xml", content.as_bytes())])
}

#[test]
fn an_opendocument_text_has_its_headings_lists_and_tables() {
    let body = r#"<text:p text:style-name="P1">The lighthouse</text:p><text:h text:outline-level="1">Keepers</text:h>
        <text:p>The lamp<text:s text:c="2"/>burns<office:annotation><text:p>Really?</text:p></office:annotation>.</text:p>
        <text:list text:style-name="L1"><text:list-item><text:p>Trim</text:p></text:list-item><text:list-item><text:p>Light</text:p></text:list-item></text:list>
        <table:table><table:table-row><table:table-cell table:number-columns-spanned="2"><text:p>Watch</text:p></table:table-cell><table:covered-table-cell/></table:table-row>
        <table:table-row><table:table-cell><text:p>first</text:p></table:table-cell><table:table-cell><text:p>Anna</text:p></table:table-cell></table:table-row>
        <table:table-row table:number-rows-repeated="1048576"><table:table-cell table:number-columns-repeated="16384"/></table:table-row></table:table>"#;
    let document = extracted("notes.odt", open_document("text", body));
    assert_eq!(document.title, "The lighthouse");
    let expected = "# The lighthouse\n\n## Keepers\n\nThe lamp burns.\n\n1. Trim\n2. Light\n\n\
                    | Watch | Watch |\n| --- | --- |\n| first | Anna |\n\n";
    assert_eq!(document.text, expected);
}

#[test]
fn an_opendocument_presentation_has_a_page_for_each_slide() {
    let page = |title: &str, text: &str| {
        format!(
            r#"<draw:page><draw:frame presentation:class="title"><draw:text-box><text:p>{title}</text:p></draw:text-box></draw:frame>
            <draw:frame><draw:text-box><text:p>{text}</text:p></draw:text-box></draw:frame></draw:page>"#
        )
    };
    let slides = page("Bread", "Flour and water.") + &page("Yeast", "It rises.");
    let deck = extracted("deck.odp", open_document("presentation", &slides));
    assert_eq!(deck.text, "# Bread\n\nFlour and water.\n\n# Yeast\n\nIt rises.\n\n");
    assert_eq!(deck.page_starts.len(), 2);
}

#[test]
fn the_content_tells_what_a_container_is() {
    let document = docx(&paragraph("", "Bread."));
    // Whatever it is called.
    for name in ["a.docx", "a.pptx", "a.bin.docx", "letter"] {
        assert_eq!(extracted(name, &document).text, "Bread.\n\n", "{name}");
    }
    let errors = [
        ("old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and more".to_vec(), ExtractError::Outdated),
        ("secret.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and more".to_vec(), ExtractError::Encrypted),
        ("text.txt", zip(&[("a.txt", b"Bread.")]), ExtractError::Binary),
    ];
    for (name, bytes, expected) in errors {
        assert_eq!(extract_bytes(name, &bytes).unwrap_err(), expected, "{name}");
    }
    let damaged = extract_bytes("cut.docx", &document[..document.len() / 2]).unwrap_err();
    assert!(matches!(damaged, ExtractError::Damaged(_)), "{damaged:?}");
    let words = extract_bytes("words.docx", b"no container at all").unwrap_err();
    assert!(words.to_string().contains("does not begin like an Office document"), "{words}");
}
