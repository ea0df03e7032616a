//! Vectors of passages, kept between runs under the hash of what was embedded: embedding a large corpus takes minutes,
//! measuring one more idea on it should not.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use footnote_knowledge::embedding::Embedder;
use sha2::{Digest, Sha256};

use super::progress::Progress;

/// Handed to the embedder, and written, at once: what an interrupted run loses.
const TEXTS_AT_ONCE: usize = 256;

const HASH_BYTES: usize = 32;

type Hash = [u8; HASH_BYTES];

/// One file of records, each the SHA-256 of a text and its vector as little-endian `f32`; one file for each embedder.
pub(super) struct EmbeddingCache {
    file: PathBuf,
    dimension: usize,
}

impl EmbeddingCache {
    pub(super) fn new(folder: &Path, embedder: &Embedder) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let identity = embedder.identity();
        let name = hash(&serde_json::to_string(&identity)?);
        let name: String = name.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { file: folder.join(format!("embeddings-{name}.bin")), dimension: identity.dimension })
    }

    /// One vector per text, in order; those that are not in the file are made and added.
    pub(super) async fn embed(&self, embedder: &Embedder, texts: &[String]) -> anyhow::Result<Vec<Vec<f32>>> {
        let mut known = self.read()?;
        let hashes: Vec<Hash> = texts.iter().map(|text| hash(text)).collect();
        let missing: Vec<usize> = (0..texts.len()).filter(|&index| !known.contains_key(&hashes[index])).collect();
        let mut progress = Progress::new("embedding passages", missing.len());
        if !missing.is_empty() {
            let mut file = self.append()?;
            for indices in missing.chunks(TEXTS_AT_ONCE) {
                let batch = indices.iter().map(|&index| texts[index].clone()).collect();
                let vectors = embedder.embed_documents(batch).await?;
                let mut records = Vec::with_capacity(indices.len() * self.record_bytes());
                for (&index, vector) in indices.iter().zip(vectors) {
                    records.extend_from_slice(&hashes[index]);
                    records.extend(vector.iter().flat_map(|number| number.to_le_bytes()));
                    known.insert(hashes[index], vector);
                }
                file.write_all(&records).with_context(|| format!("cannot write {}", self.file.display()))?;
                progress.advance(indices.len());
            }
        }
        Ok(hashes.iter().map(|hash| known[hash].clone()).collect())
    }

    fn read(&self) -> anyhow::Result<HashMap<Hash, Vec<f32>>> {
        if !self.file.exists() {
            return Ok(HashMap::new());
        }
        let bytes = fs::read(&self.file).with_context(|| format!("cannot read {}", self.file.display()))?;
        let records = bytes.chunks_exact(self.record_bytes()).map(|record| {
            let (hash, numbers) = record.split_at(HASH_BYTES);
            let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("four bytes each"));
            (hash.try_into().expect("cut to its length"), numbers.chunks_exact(4).map(number).collect())
        });
        Ok(records.collect())
    }

    /// The file at the end of its last whole record: a run that was stopped may have left half of one.
    fn append(&self) -> anyhow::Result<File> {
        let open = OpenOptions::new().create(true).append(true).open(&self.file);
        let file = open.with_context(|| format!("cannot write {}", self.file.display()))?;
        let length = file.metadata()?.len();
        let record = self.record_bytes() as u64;
        file.set_len(length / record * record)?;
        Ok(file)
    }

    fn record_bytes(&self) -> usize {
        HASH_BYTES + 4 * self.dimension
    }
}

fn hash(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}
