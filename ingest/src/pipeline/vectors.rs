//! Vectors that need not be computed again: those of the document's last version, those of a document with the same
//! content (a renamed file), and those of the same text elsewhere in this run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use footnote_knowledge::collection::{self, Collection, EmbeddedChunk, embedded_text};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::known::KnownDocuments;
use super::prepare::Prepared;
use crate::discover::Root;

/// Texts of this run whose vectors are remembered: about 25 MB.
const MOST_REMEMBERED: usize = 16_384;

/// The vectors of a larger document would take more memory than they save time.
const MOST_OLD_CHUNKS: usize = 20_000;

/// Documents of the same content that are looked at: one is enough, unless their titles differ.
const MOST_COPIES: usize = 8;

type TextHash = [u8; 16];

#[derive(Debug, Default)]
pub(super) struct Vectors {
    of_this_run: Mutex<HashMap<TextHash, Vec<f32>>>,
    /// Contents that are being embedded, each of which one document at a time does.
    contents: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

/// Those of one document that are known from the collection.
#[derive(Debug, Default)]
pub(super) struct OldVectors {
    by_text: HashMap<TextHash, Vec<f32>>,
    /// Of a renamed file, by the number of the chunk: its title may be another now, which is no reason to compute all anew.
    by_number: Vec<Vec<f32>>,
}

impl Vectors {
    /// Held while a document is embedded: another one with the same content waits, and finds the vectors.
    pub(super) async fn one_at_a_time(&self, content_hash: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
            contents.retain(|_, lock| lock.strong_count() > 0);
            match contents.get(content_hash).and_then(Weak::upgrade) {
                Some(lock) => lock,
                None => {
                    let lock = Arc::default();
                    contents.insert(content_hash.to_owned(), Arc::downgrade(&lock));
                    lock
                }
            }
        };
        lock.lock_owned().await
    }

    pub(super) fn get(&self, text: &str) -> Option<Vec<f32>> {
        self.of_this_run().get(&hash(text)).cloned()
    }

    pub(super) fn has_all(&self, mut texts: impl Iterator<Item = String>) -> bool {
        texts.all(|text| self.of_this_run().contains_key(&hash(&text)))
    }

    pub(super) fn remember(&self, text: &str, vector: &[f32]) {
        let mut vectors = self.of_this_run();
        if vectors.len() >= MOST_REMEMBERED {
            vectors.clear();
        }
        vectors.insert(hash(text), vector.to_vec());
    }

    fn of_this_run(&self) -> MutexGuard<'_, HashMap<TextHash, Vec<f32>>> {
        self.of_this_run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OldVectors {
    pub(super) async fn read(
        collection: &Collection,
        known: &KnownDocuments,
        roots: &[Root],
        document: &Prepared,
    ) -> Result<Self, collection::Error> {
        let mut vectors = Self::default();
        if let Some(last) = known.get(&document.source) {
            vectors.add_texts(collection, last.id, last.chunk_count).await?;
            return Ok(vectors);
        }
        let mut copies = collection.documents_with_content(&document.content_hash, MOST_COPIES).await?;
        // Of one with the same title, what was embedded is the same.
        copies.sort_by_key(|copy| copy.title != document.title);
        for same in copies {
            if same.version == document.version && is_gone(&same.source, roots) {
                let chunks = chunks_of(collection, same.id, same.chunk_count).await?;
                if chunks.len() == document.passages.len() {
                    vectors.by_number = chunks.into_iter().map(|chunk| chunk.vector).collect();
                    return Ok(vectors);
                }
            }
            vectors.add_texts(collection, same.id, same.chunk_count).await?;
            if same.title == document.title {
                break;
            }
        }
        Ok(vectors)
    }

    /// The vector of the passage of this number, which is embedded as `text`.
    pub(super) fn get(&self, number: usize, text: &str) -> Option<Vec<f32>> {
        self.by_number.get(number).or_else(|| self.by_text.get(&hash(text))).cloned()
    }

    async fn add_texts(
        &mut self,
        collection: &Collection,
        document: Uuid,
        chunks: usize,
    ) -> Result<(), collection::Error> {
        for EmbeddedChunk { chunk, vector } in chunks_of(collection, document, chunks).await? {
            let text = embedded_text(&chunk.title, chunk.heading.as_deref(), &chunk.text);
            self.by_text.insert(hash(&text), vector);
        }
        Ok(())
    }
}

async fn chunks_of(
    collection: &Collection,
    document: Uuid,
    chunks: usize,
) -> Result<Vec<EmbeddedChunk>, collection::Error> {
    if chunks > MOST_OLD_CHUNKS { Ok(Vec::new()) } else { collection.embedded_chunks(document).await }
}

/// Whether the file of this source is not there any more. Of one in an archive that is not known, and does not matter.
fn is_gone(source: &str, roots: &[Root]) -> bool {
    roots.iter().any(|root| root.path_of(source).is_some_and(|path| !path.exists()))
}

fn hash(text: &str) -> TextHash {
    let mut hash = TextHash::default();
    let length = hash.len();
    hash.copy_from_slice(&Sha256::digest(text)[..length]);
    hash
}
