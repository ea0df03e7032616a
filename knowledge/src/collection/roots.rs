//! Which folder each root name was used for last. The first part of a document's source is such a name; two folders under
//! one name would overwrite each other's documents.
//!
//! One more point per name, and not a field of each document: the same input gives the same documents on any machine,
//! wherever the folder is there, and nobody who may list documents learns paths of the machine that ingested them.

use super::error::Error;
use super::payload;
use super::{Collection, names};
use crate::vector_store::Fields;

impl Collection {
    /// The absolute path recorded for `name`.
    pub async fn root_folder(&self, name: &str) -> Result<Option<String>, Error> {
        let id = names::root_id(self.name(), name);
        let points = self.inner.store.retrieve(self.stored().await?, &[id], Fields::All).await?;
        Ok(points.into_iter().next().and_then(payload::read_root_folder))
    }

    /// Records `folder`, an absolute path, in place of what was recorded for `name`.
    pub async fn set_root_folder(&self, name: &str, folder: &str) -> Result<(), Error> {
        let point = payload::root_point(names::root_id(self.name(), name), name, folder);
        Ok(self.inner.store.upsert(self.stored().await?, vec![point]).await?)
    }
}
