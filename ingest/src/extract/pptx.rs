//! Presentations: each slide a page, its title a heading, with its lists, tables, charts and diagrams. Left out: dates,
//! footers and slide numbers, comments, pictures.

mod slide;

use super::blocks::Blocks;
use super::package::{CORE_PROPERTIES, Package, Related, parse_xml};
use super::{ExtractError, Extracted, chart, xml};
use slide::Slide;

pub(super) fn extract(name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
    let mut package = Package::open(bytes)?;
    let (main_part, presentation) = package.main_part()?;
    let presentation = parse_xml(&presentation)?;
    let relationships = package.relationships(&main_part)?;
    let slides = xml::child(presentation.root_element(), "sldIdLst").into_iter().flat_map(|list| list.children());
    let part = |slide| relationships.get(xml::relationship_id(slide)?).map(|related| related.part.clone());

    let mut blocks = Blocks::default();
    for part in slides.filter_map(part) {
        blocks.page();
        write_slide(&mut package, &part, &mut blocks)?;
    }
    let stated = package.stated_title(CORE_PROPERTIES)?;
    Ok(blocks.finish(stated, name))
}

fn write_slide(package: &mut Package, part: &str, blocks: &mut Blocks) -> Result<(), ExtractError> {
    let Some(text) = package.read_text(part)? else { return Ok(()) };
    let slide = parse_xml(&text)?;
    let relationships = package.relationships(part)?;
    let charts = chart::read_all(package, &relationships)?;
    let mut diagrams = std::collections::HashMap::new();
    for (id, Related { part, .. }) in relationships.iter().filter(|(_, related)| related.kind == "diagramData") {
        if let Some(text) = package.read_text(part)?
            && let Ok(xml) = parse_xml(&text)
        {
            diagrams.insert(id.clone(), slide::diagram_texts(xml.root_element()));
        }
    }
    Slide { charts, diagrams, blocks }.write(slide.root_element());
    write_notes(package, relationships.values(), blocks)
}

/// What the speaker is to say is part of what the slide says.
fn write_notes<'a>(
    package: &mut Package,
    mut parts: impl Iterator<Item = &'a Related>,
    blocks: &mut Blocks,
) -> Result<(), ExtractError> {
    let Some(related) = parts.find(|related| related.kind == "notesSlide") else { return Ok(()) };
    let Some(text) = package.read_text(&related.part)? else { return Ok(()) };
    let notes = slide::notes(parse_xml(&text)?.root_element());
    notes.iter().for_each(|paragraph| blocks.paragraph(paragraph));
    Ok(())
}
