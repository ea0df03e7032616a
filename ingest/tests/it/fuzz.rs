//! Broken parts inside sound containers: no reader of ours panics, whatever is missing, doubled or absurd.

use footnote_ingest::extract::{ExtractError, extract_bytes};

use crate::files::zip;

/// Rounds for each kind of file.
const ROUNDS: u64 = 300;

/// Looks like chance, and is the same every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap()
    }
}

/// A few things done to tags, attributes and numbers.
fn broken(text: &str, chance: &mut Chance) -> String {
    let mut text = text.to_owned();
    for _ in 0..1 + chance.below(4) {
        let tags: Vec<(usize, usize)> = text
            .match_indices('<')
            .filter_map(|(start, _)| Some((start, start + text[start..].find('>')? + 1)))
            .collect();
        let Some(&(start, end)) = tags.get(chance.below(tags.len())) else { break };
        match chance.below(6) {
            0 => text.replace_range(start..end, ""),
            1 => {
                let copy = text[start..end].to_owned();
                text.insert_str(end, &copy);
            }
            2 => {
                let other = tags[chance.below(tags.len())];
                let copy = text[other.0..other.1].to_owned();
                text.replace_range(start..end, &copy);
            }
            3 => {
                let tag = text[start..end].replace(|character: char| character.is_ascii_digit(), "9999999999");
                text.replace_range(start..end, &tag);
            }
            4 => {
                let tag = text[start..end].replace(|character: char| character.is_ascii_digit(), "-1");
                text.replace_range(start..end, &tag);
            }
            _ => {
                // An element that stays well-formed without its attributes.
                let name: String = text[start + 1..]
                    .chars()
                    .take_while(|one| !one.is_whitespace() && *one != '>' && *one != '/')
                    .collect();
                let is_empty = text[start..end].ends_with("/>");
                text.replace_range(start..end, &format!("<{name}{}>", if is_empty { "/" } else { "" }));
            }
        }
    }
    text
}

/// Breaks each of the parts in turn.
fn no_reader_panics(name: &str, parts: &[(&str, &str)]) {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut read = 0;
    for round in 0..ROUNDS {
        let victim = chance.below(parts.len());
        let texts: Vec<String> = parts
            .iter()
            .enumerate()
            .map(|(index, (_, text))| if index == victim { broken(text, &mut chance) } else { (*text).to_owned() })
            .collect();
        let files: Vec<(&str, &[u8])> =
            parts.iter().zip(&texts).map(|((name, _), text)| (*name, text.as_bytes())).collect();
        let outcome = extract_bytes(name, &zip(&files));
        assert_ne!(outcome, Err(ExtractError::Panicked), "{name}, round {round}: {}", texts[victim]);
        read += usize::from(outcome.is_ok());
    }
    // Or it would only be the XML that is refused.
    assert!(read > 20, "{name}: {read} of {ROUNDS} were read");
}

const RELATIONSHIPS: &str = r#"<Relationships><Relationship Id="r1" Type="http://x/relationships/officeDocument" Target="word/document.xml"/></Relationships>"#;

#[test]
fn word() {
    let document = r#"<w:document xmlns:w="w" xmlns:m="m"><w:body>
        <w:p><w:pPr><w:pStyle w:val="H1"/><w:numPr><w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>Head</w:t></w:r></w:p>
        <w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>Item</w:t><w:footnoteReference w:id="2"/></w:r></w:p>
        <w:tbl><w:tr><w:trPr><w:gridBefore w:val="1"/></w:trPr><w:tc><w:tcPr><w:gridSpan w:val="2"/><w:vMerge w:val="restart"/></w:tcPr><w:p><w:r><w:t>Cell</w:t></w:r></w:p></w:tc><w:tc><w:p/></w:tc></w:tr>
        <w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc></w:tr></w:tbl>
        <w:p><m:oMathPara><m:oMath><m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:d><m:e><m:r><m:t>b</m:t></m:r></m:e></m:d></m:den></m:f><m:nary><m:sub/><m:sup/><m:e><m:m><m:mr><m:e><m:r><m:t>c</m:t></m:r></m:e></m:mr></m:m></m:e></m:nary></m:oMath></m:oMathPara></w:p>
        </w:body></w:document>"#;
    let parts = [
        ("_rels/.rels", RELATIONSHIPS),
        ("word/document.xml", document),
        (
            "word/_rels/document.xml.rels",
            r#"<Relationships><Relationship Id="a" Type="x/styles" Target="styles.xml"/><Relationship Id="b" Type="x/numbering" Target="numbering.xml"/><Relationship Id="c" Type="x/footnotes" Target="footnotes.xml"/></Relationships>"#,
        ),
        (
            "word/styles.xml",
            r#"<w:styles xmlns:w="w"><w:style w:styleId="H1"><w:name w:val="heading 1"/><w:basedOn w:val="H1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style></w:styles>"#,
        ),
        (
            "word/numbering.xml",
            r#"<w:numbering xmlns:w="w"><w:abstractNum w:abstractNumId="7"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="upperRoman"/><w:lvlText w:val="%1."/></w:lvl><w:lvl w:ilvl="1"><w:start w:val="26"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)%9%"/></w:lvl></w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="7"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="0"/></w:lvlOverride></w:num></w:numbering>"#,
        ),
        (
            "word/footnotes.xml",
            r#"<w:footnotes xmlns:w="w"><w:footnote w:id="2"><w:p><w:r><w:t>Note.</w:t></w:r></w:p></w:footnote></w:footnotes>"#,
        ),
    ];
    no_reader_panics("a.docx", &parts);
}

#[test]
fn slides() {
    let relationships = RELATIONSHIPS.replace("word/document.xml", "ppt/presentation.xml");
    let parts = [
        ("_rels/.rels", relationships.as_str()),
        (
            "ppt/presentation.xml",
            r#"<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst><p:sldId id="8" r:id="x1"/></p:sldIdLst></p:presentation>"#,
        ),
        (
            "ppt/_rels/presentation.xml.rels",
            r#"<Relationships><Relationship Id="x1" Target="slides/slide1.xml"/></Relationships>"#,
        ),
        (
            "ppt/slides/_rels/slide1.xml.rels",
            r#"<Relationships><Relationship Id="c1" Type="x/chart" Target="../charts/chart1.xml"/></Relationships>"#,
        ),
        (
            "ppt/slides/slide1.xml",
            r#"<p:sld xmlns:p="p" xmlns:a="a" xmlns:c="c" xmlns:r="r"><p:cSld><p:spTree><p:sp><p:nvSpPr><p:nvPr><p:ph type="title"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:pPr lvl="3"><a:buAutoNum startAt="7"/></a:pPr><a:r><a:t>Title</a:t></a:r></a:p></p:txBody></p:sp><p:sp><p:txBody><a:p><a:pPr lvl="2"><a:buAutoNum startAt="3"/></a:pPr><a:r><a:t>One</a:t></a:r></a:p></p:txBody></p:sp>
            <p:graphicFrame><a:tbl><a:tr><a:tc gridSpan="2"><p:txBody><a:p><a:r><a:t>Cell</a:t></a:r></a:p></p:txBody></a:tc><a:tc hMerge="1"/></a:tr><a:tr><a:tc vMerge="1"/></a:tr></a:tbl></p:graphicFrame><p:graphicFrame><c:chart r:id="c1"/></p:graphicFrame></p:spTree></p:cSld></p:sld>"#,
        ),
        (
            "ppt/charts/chart1.xml",
            r#"<c:chartSpace xmlns:c="c" xmlns:a="a"><c:chart><c:title><a:t>Sales</a:t></c:title><c:plotArea><c:bar3DChart><c:ser><c:tx><c:pt idx="0"><c:v>North</c:v></c:pt></c:tx><c:cat><c:pt idx="0"><c:v>2024</c:v></c:pt></c:cat><c:val><c:pt idx="0"><c:v>4.40000004</c:v></c:pt></c:val></c:ser></c:bar3DChart></c:plotArea></c:chart></c:chartSpace>"#,
        ),
    ];
    no_reader_panics("a.pptx", &parts);
}

#[test]
fn open_documents() {
    let content = |kind: &str| {
        format!(
            r#"<o:document-content xmlns:o="o" xmlns:t="t" xmlns:b="b" xmlns:d="d" xmlns:s="s"><o:automatic-styles><s:style s:name="P1" s:parent-style-name="Title"/><t:list-style s:name="L1"><t:list-level-style-number t:level="1" s:num-format="1"/></t:list-style></o:automatic-styles><o:body><o:{kind}>
            <d:page><t:p t:style-name="P1">Title<t:s t:c="3"/></t:p><t:h t:outline-level="2">Head</t:h><t:list t:style-name="L1"><t:list-item t:start-value="4"><t:p>One</t:p><t:list><t:list-item><t:p>Two</t:p></t:list-item></t:list></t:list-item></t:list>
            <b:table><b:table-row b:number-rows-repeated="2"><b:table-cell b:number-columns-spanned="2" b:number-rows-spanned="2"><t:p>Cell</t:p></b:table-cell><b:covered-table-cell b:number-columns-repeated="1"/></b:table-row><b:table-row><b:covered-table-cell b:number-columns-repeated="2"/></b:table-row></b:table>
            <d:frame><d:object d:href="./Object 1"/></d:frame></d:page></o:{kind}></o:body></o:document-content>"#
        )
    };
    for (name, kind) in [("a.odt", "text"), ("a.odp", "presentation")] {
        let (content, mime) = (content(kind), format!("application/vnd.oasis.opendocument.{kind}"));
        let object = r#"<o:document-content xmlns:o="o" xmlns:t="t" xmlns:b="b"><b:table><b:table-row><b:table-cell><t:p>1</t:p></b:table-cell></b:table-row></b:table></o:document-content>"#;
        let meta = r#"<m><title>Words</title></m>"#;
        let parts = [
            ("mimetype", mime.as_str()),
            ("content.xml", &content),
            ("content.xml.copy", &content),
            ("Object 1/content.xml", object),
            ("meta.xml", meta),
        ];
        no_reader_panics(name, &parts);
    }
}

#[test]
fn books() {
    let parts = [
        ("mimetype", "application/epub+zip"),
        (
            "META-INF/container.xml",
            r#"<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>"#,
        ),
        (
            "OEBPS/book.opf",
            r#"<package><metadata><title>On bread</title></metadata><manifest><item id="one" href="one.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="one"/></spine></package>"#,
        ),
        (
            "OEBPS/one.xhtml",
            "<html><body><h1>Yeast</h1><p>It rises.</p><table><tr><td colspan=\"3\" rowspan=\"2\">x</td></tr></table></body></html>",
        ),
    ];
    no_reader_panics("a.epub", &parts);
}

#[test]
fn texts() {
    let texts = [
        ("a.csv", "a,b\n\"1,2\",<3>\n"),
        ("a.json", r#"[{"name": "<Rye>", "of": [1, {"b": null}]}]"#),
        ("a.jsonl", "{\"a\": \"<1>\"}\n"),
        (
            "a.rs",
            "/// <A>\nstruct A {\n    b: Vec<u8>,\n}\nimpl A {\n    fn c(&self) -> Vec<u8> {\n        0\n    }\n}\n",
        ),
        ("a.py", "class A:\n    def b(self):\n        return '<1>'\n"),
        ("a.cpp", "template <class T>\nclass A {\n  std::vector<T> b() {\n    return {};\n  }\n};\n"),
        ("a.md", "---\ntitle: <A>\ntags: [1, {a: b}]\n---\n# <b>A</b>\n\n| <a> | b |\n|---|---|\n| 1 | <br> |\n"),
        ("a.html", "<html><body><ul><li>1<ul><li>2</ul></ul><table><tr><td rowspan=3>x</table></body></html>"),
    ];
    for (name, text) in texts {
        let mut chance = Chance(88_172_645_463_325_252);
        for round in 0..ROUNDS {
            let mut bytes = broken(text, &mut chance).into_bytes();
            for _ in 0..chance.below(4) {
                let at = chance.below(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(chance.below(256)).unwrap();
                }
            }
            let outcome = extract_bytes(name, &bytes);
            assert_ne!(outcome, Err(ExtractError::Panicked), "{name}, round {round}: {bytes:?}");
        }
    }
}
