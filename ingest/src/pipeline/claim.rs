//! A root's name belongs to one folder, because a document of another folder under the same name would take the place of
//! one that is still wanted.
//!
//! The collection remembers the folder that each name was used for last. Another folder is refused, unless nothing would
//! be overwritten, or the person says by `--root-name` that it is the same one in another place, or it evidently is: in
//! the embedded engine, which lives on this machine, a folder that is not there any more has been moved. (Of a server, or
//! of files that were sent from elsewhere, the folder may be on another machine.)

use std::path::{Path, PathBuf};

use footnote_knowledge::collection::{self, Collection, Filter};
use footnote_knowledge::vector_store::VectorStore;

use super::{IngestOptions, Origin};
use crate::discover::{Root, RootError};
use crate::error::Error;

/// Before the path of a folder on another machine than this, where nothing can be said of it but that it is equal.
const ELSEWHERE: &str = "elsewhere:";

/// The folder that is to be recorded for a name.
pub(super) struct Claim {
    name: String,
    folder: PathBuf,
}

/// What is to be recorded of these roots, unless one of them has another's name. Nothing is written.
pub(super) async fn check(
    collection: &Collection,
    roots: &[Root],
    options: &IngestOptions,
) -> Result<Vec<Claim>, Error> {
    let mut claims: Vec<Claim> = Vec::new();
    for root in roots {
        if claims.iter().any(|claim| claim.name == root.name) {
            continue;
        }
        let (folder, said_to_be_the_same) = match &options.origin {
            Origin::Folders => (root.given.clone(), options.root_name.is_some()),
            Origin::Sent { from: Some(folder), here: true, same_folder } => (folder.clone(), *same_folder),
            Origin::Sent { from: Some(folder), here: false, same_folder } => {
                (PathBuf::from(format!("{ELSEWHERE}{}", folder.display())), *same_folder)
            }
            Origin::Sent { from: None, .. } => continue,
        };
        let other = collection.root_folder(&root.name).await?.map(PathBuf::from);
        match other {
            Some(other) if folder == other => {}
            Some(other)
                if !said_to_be_the_same
                    && !is_same(collection, &folder, &other, &options.origin)
                    && has_documents(collection, root).await? =>
            {
                let name = root.name.clone();
                return Err(match &options.origin {
                    Origin::Folders | Origin::Sent { here: true, .. } => {
                        RootError::NameTaken { name, other, given: folder }
                    }
                    // Nobody elsewhere learns paths of this machine.
                    Origin::Sent { here: false, .. } => RootError::NameTakenElsewhere { name },
                }
                .into());
            }
            // Nor takes a name from a folder here, even where its documents may be replaced.
            Some(other) if is_elsewhere(&folder) && !is_elsewhere(&other) => {}
            Some(_) | None => claims.push(Claim { name: root.name.clone(), folder }),
        }
    }
    Ok(claims)
}

fn is_elsewhere(folder: &Path) -> bool {
    folder.to_string_lossy().starts_with(ELSEWHERE)
}

/// Whether both paths lead to the same place, or the folder evidently moved from the other one.
fn is_same(collection: &Collection, folder: &Path, other: &Path, origin: &Origin) -> bool {
    if is_elsewhere(folder) || is_elsewhere(other) {
        return false;
    }
    let is_there_now = || other.canonicalize().is_ok_and(|other| folder.canonicalize().is_ok_and(|one| one == other));
    match (origin, collection.store()) {
        (Origin::Folders, VectorStore::Qdrant(_)) => is_there_now(),
        (Origin::Folders, VectorStore::Embedded(_)) | (Origin::Sent { .. }, _) => is_there_now() || !other.exists(),
    }
}

async fn has_documents(collection: &Collection, root: &Root) -> Result<bool, collection::Error> {
    let called_after_it = Filter { folders: vec![root.name.clone()], ..Filter::default() };
    Ok(!collection.documents(&called_after_it, None, 1).await?.items.is_empty())
}

impl Claim {
    pub(super) async fn record(&self, collection: &Collection) -> Result<(), collection::Error> {
        collection.set_root_folder(&self.name, &self.folder.to_string_lossy()).await
    }
}
