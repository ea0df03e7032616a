//! Office Open XML: which of its kinds a container holds, its main part tells.

use super::package::Package;
use super::{ExtractError, Extracted, docx, pptx, sheet};

pub(super) fn extract(name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
    // A copy of what is packed is small beside what will be unpacked.
    let mut package = Package::open(bytes.clone())?;
    let main_part = package.office_document()?;
    // The folder has the same name in every file that any program writes; the part itself has not.
    match main_part.split('/').next() {
        Some("word") => docx::extract(name, bytes),
        Some("ppt") => pptx::extract(name, bytes),
        Some("xl") => sheet::extract(name, bytes),
        _ => Err(ExtractError::Damaged(format!("its main part, {main_part:?}, is of no kind that is known"))),
    }
}
