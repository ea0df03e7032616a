//! The set's corpus as a collection, made once and kept under the data folder.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use footnote_knowledge::collection::{NewChunk, NewDocument, embedded_text};
use footnote_knowledge::embedding::Embedder;
use footnote_knowledge::options::StoreOptions;
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::dataset::Passage;
use super::embeddings::EmbeddingCache;
use super::progress::Progress;
use crate::cli::EvalOptions;
use crate::library::{Library, Opened};
use crate::source_document::SourceDocument;

/// Below the data folder, apart from what `serve` keeps there.
const FOLDER: &str = "eval";

/// Documents written at the same time share their waits for the disk.
const WRITES_AT_ONCE: usize = 32;

pub(super) struct Corpus {
    pub(super) library: Library,
    /// The passage's id, by where it stands.
    ids: HashMap<(String, usize), String>,
}

impl Corpus {
    /// The id of the passage in the set.
    pub(super) fn id_of(&self, source: &SourceDocument) -> Option<&str> {
        self.ids.get(&(source.source.clone(), source.start)).map(String::as_str)
    }
}

/// The collection that holds these passages and no others.
pub(super) async fn open(
    options: &EvalOptions,
    passages: &[Passage],
    built_in: Option<Arc<Embedder>>,
) -> anyhow::Result<Corpus> {
    let hash = content_hash(passages);
    let folder = options.store.data_dir.join(FOLDER);
    let store =
        StoreOptions { data_dir: folder.join(&hash), collection: format!("eval-{hash}"), ..options.store.clone() };
    let library = Library::new(store, options.embedding.clone(), options.openai.clone(), built_in);
    let opened = library.open().await.map_err(anyhow::Error::new)?;
    let documents = documents(passages);
    let ids = documents.iter().flat_map(Document::ids).collect();
    write(&opened, documents, &folder, &hash).await?;
    Ok(Corpus { library: library.clone(), ids })
}

/// The passages of one title: a chunk's title is that of its document.
struct Document<'a> {
    source: String,
    title: &'a str,
    passages: Vec<Placed<'a>>,
}

struct Placed<'a> {
    passage: &'a Passage,
    /// Code points.
    start: usize,
    end: usize,
}

impl Document<'_> {
    fn ids(&self) -> impl Iterator<Item = ((String, usize), String)> {
        self.passages.iter().map(|placed| ((self.source.clone(), placed.start), placed.passage.id.clone()))
    }
}

fn documents(passages: &[Passage]) -> Vec<Document<'_>> {
    // Not next to each other in the document: the set's passages need not be neighbours in it.
    const GAP: usize = 1_000_000;
    let mut documents: Vec<Document> = Vec::new();
    let mut by_title: HashMap<&str, usize> = HashMap::new();
    for passage in passages {
        let index = *by_title.entry(&passage.title).or_insert_with(|| {
            let source = format!("eval/{}", documents.len());
            documents.push(Document { source, title: &passage.title, passages: Vec::new() });
            documents.len() - 1
        });
        let placed = &mut documents[index].passages;
        let start = placed.last().map_or(0, |last| last.end + GAP);
        placed.push(Placed { passage, start, end: start + passage.text.chars().count() });
    }
    documents
}

/// Writes what is not there yet: an interrupted run is taken up where it stopped.
async fn write(opened: &Opened, documents: Vec<Document<'_>>, folder: &Path, version: &str) -> anyhow::Result<()> {
    let mut absent = Vec::new();
    for document in documents {
        let written = opened.collection.document(opened.collection.document_id(&document.source)).await?;
        if written.is_none_or(|written| written.chunk_count != document.passages.len()) {
            absent.push(document);
        }
    }
    if absent.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = absent
        .iter()
        .flat_map(|document| document.passages.iter().map(|placed| (document.title, &placed.passage.text)))
        .map(|(title, text)| embedded_text(title, None, text))
        .collect();
    let cache = EmbeddingCache::new(folder, &opened.embedder)?;
    let mut vectors = cache.embed(&opened.embedder, &texts).await?.into_iter();
    let new: Vec<NewDocument> = absent.iter().map(|document| new_document(document, version, &mut vectors)).collect();

    let mut progress = Progress::new("writing documents", new.len());
    let mut written =
        stream::iter(new).map(|document| opened.collection.replace_document(document)).buffer_unordered(WRITES_AT_ONCE);
    while written.try_next().await?.is_some() {
        progress.advance(1);
    }
    Ok(())
}

fn new_document(document: &Document, version: &str, vectors: &mut impl Iterator<Item = Vec<f32>>) -> NewDocument {
    let chunks = document.passages.iter().zip(vectors).map(|(placed, embedding)| NewChunk {
        heading: None,
        page: None,
        start: placed.start,
        end: placed.end,
        text: placed.passage.text.clone(),
        embedding,
    });
    NewDocument {
        source: document.source.clone(),
        title: document.title.to_owned(),
        content_hash: version.to_owned(),
        version: version.to_owned(),
        tags: Vec::new(),
        metadata: [].into(),
        chunks: chunks.collect(),
    }
}

/// Of ids, titles and texts, in order.
fn content_hash(passages: &[Passage]) -> String {
    let mut hasher = Sha256::new();
    for part in passages.iter().flat_map(|passage| [&passage.id, &passage.title, &passage.text]) {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
