//! A root's name belongs to one folder, because a document of another folder under the same name would take the place of
//! one that is still wanted.
//!
//! The collection remembers the folder that each name was used for last. Another folder is refused, unless nothing would
//! be overwritten, or the person says by `--root-name` that it is the same one in another place, or it evidently is: in
//! the embedded engine, which lives on this machine, a folder that is not there any more has been moved. (Of a server the
//! folder may be on another machine.)

use std::path::{Path, PathBuf};

use footnote_knowledge::collection::{self, Collection};
use footnote_knowledge::vector_store::VectorStore;

use super::known::KnownDocuments;
use crate::discover::{Root, RootError};
use crate::error::Error;

/// A name to be recorded for its folder.
pub(super) struct Claim<'a>(&'a Root);

/// What is to be recorded of these roots, unless one of them has another's name. Nothing is written.
pub(super) async fn check<'a>(
    collection: &Collection,
    roots: &'a [Root],
    known: &KnownDocuments,
    named_by_hand: bool,
) -> Result<Vec<Claim<'a>>, Error> {
    let mut claims: Vec<Claim<'a>> = Vec::new();
    for root in roots {
        if claims.iter().any(|Claim(claimed)| claimed.name == root.name) {
            continue;
        }
        let other = collection.root_folder(&root.name).await?.map(PathBuf::from);
        match other {
            Some(other) if root.given == other => {}
            Some(other) if !named_by_hand && is_another(collection, root, &other) && known.has_any_of(root) => {
                return Err(RootError::NameTaken { name: root.name.clone(), other, given: root.given.clone() }.into());
            }
            Some(_) | None => claims.push(Claim(root)),
        }
    }
    Ok(claims)
}

fn is_another(collection: &Collection, root: &Root, other: &Path) -> bool {
    let is_gone = || !other.exists();
    let was_moved = match collection.store() {
        VectorStore::Embedded(_) => is_gone(),
        VectorStore::Qdrant(_) => false,
    };
    !was_moved && !root.is_at(other)
}

impl Claim<'_> {
    pub(super) async fn record(&self, collection: &Collection) -> Result<(), collection::Error> {
        let Self(root) = self;
        collection.set_root_folder(&root.name, &root.given.to_string_lossy()).await
    }
}
