//! OpenDocument: texts and presentations. Its spreadsheets are read as all spreadsheets are.

mod inline;
mod lists;
mod table;
mod writer;

use super::package::{Package, parse_xml};
use super::{ExtractError, Extracted, sheet, xml};
use lists::ListStyles;
use writer::Writer;

pub(super) fn extract(name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
    // A copy of what is packed is small beside what will be unpacked.
    let mut package = Package::open(bytes.clone())?;
    let missing = || ExtractError::Damaged("its content is missing".to_owned());
    let content = package.read_text("content.xml")?.ok_or_else(missing)?;
    let styles = package.read_text("styles.xml")?;
    let content = parse_xml(&content).map_err(|error| encrypted_or(error, &mut package))?;
    let styles = styles.as_deref().map(parse_xml).transpose()?;
    let body = xml::child(content.root_element(), "body").ok_or_else(missing)?;
    if xml::child(body, "spreadsheet").is_some() {
        return sheet::extract(name, bytes);
    }

    let roots = std::iter::once(content.root_element()).chain(styles.iter().map(|styles| styles.root_element()));
    let list_styles = ListStyles::read(roots.clone());
    let mut writer = Writer::new(writer::parents_of_styles(roots), list_styles, &mut package);
    body.children().for_each(|content| writer.content(content, 0));
    let (blocks, styled_title) = writer.finish()?;
    let stated = package.stated_title("meta.xml")?;
    Ok(blocks.finish(styled_title.or(stated), name))
}

fn encrypted_or(error: ExtractError, package: &mut Package) -> ExtractError {
    match package.read_text("META-INF/manifest.xml") {
        Ok(Some(manifest)) if manifest.contains("encryption-data") => ExtractError::Encrypted,
        Ok(_) | Err(_) => error,
    }
}
