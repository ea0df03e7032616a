//! The engine of one collection: its settings, and who may use it when.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use qdrant_edge::{
    EdgeConfig, EdgeOptimizersConfig, EdgeShard, EdgeSparseVectorParams, EdgeVectorParams, HnswIndexConfig,
    OperationError, UpdateOperation, WalOptions,
};

use super::super::error::Error;
use super::super::point::CollectionSchema;
use super::steps::{Step, reached};
use super::{convert, leftovers, space, sync_folder};

pub(super) const DENSE: &str = "dense";
pub(super) const SPARSE: &str = "bm25";

/// Vectors of a segment from which compacting pays: about 3,000 chunks.
const COMPACT_FROM_KB: usize = 5_000;

/// Above so many segments the engine merges them: few merges of much, at some cost to each search.
const SEGMENTS: usize = 6;

/// Vectors of a segment that is merged no further, about 16,000 chunks: while it merges, the engine has the old ones and
/// the new one in memory. More segments cost a search little, since every vector is compared anyway.
const LARGEST_SEGMENT_KB: usize = 25_000;

/// A log part is allocated at this size, and there are always two.
const LOG_PART_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Engine {
    folder: PathBuf,
    /// None when it was closed, or could not be opened again after it failed.
    shard: RwLock<Option<EdgeShard>>,
    /// Listing reads ids first and points then; whoever deletes in between makes a page look like the last one.
    listing: RwLock<()>,
    /// It refused something or panicked, and has to be opened again before it takes a write.
    failed: AtomicBool,
    /// It was changed since it was flushed.
    changed: AtomicBool,
}

impl Engine {
    /// Makes an empty collection at `path` by way of `unfinished`: it is there whole or not at all.
    pub(super) fn create(path: &Path, unfinished: &Path, schema: &CollectionSchema) -> Result<(), Error> {
        let io = |source| Error::Io { path: unfinished.to_owned(), source };
        let parent = path.parent().unwrap_or(path);
        space::expect(parent, space::FOR_POINTS)?;
        fs::create_dir(unfinished).map_err(io)?;
        let shard = EdgeShard::new(unfinished, config(schema))
            .map_err(|error| Error::engine("the collection could not be made", error))?;
        for operation in convert::create_indexes(schema, &[]) {
            shard.update(operation).map_err(|error| Error::engine("a payload index could not be made", error))?;
        }
        drop(shard);
        reached(Step::Made);
        fs::rename(unfinished, path).map_err(io)?;
        sync_folder(parent).map_err(io)
    }

    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let shard = RwLock::new(Some(load(folder)?));
        Ok(Self {
            folder: folder.to_owned(),
            shard,
            listing: RwLock::default(),
            failed: AtomicBool::default(),
            changed: AtomicBool::default(),
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether it can be read and written. Never waits.
    pub(super) fn is_sound(&self) -> bool {
        !self.has_failed() && self.shard.try_read().is_ok_and(|shard| shard.is_some())
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn read<T>(&self, work: impl FnOnce(&EdgeShard) -> Result<T, Error>) -> Result<T, Error> {
        let shard = self.shard.read().unwrap_or_else(PoisonError::into_inner);
        work(shard.as_ref().ok_or_else(|| self.not_open())?)
    }

    /// As [`Engine::read`], while nothing is changed.
    pub(super) fn list<T>(&self, work: impl FnOnce(&EdgeShard) -> Result<T, Error>) -> Result<T, Error> {
        self.read(|shard| {
            let _unchanged = self.listing.read().unwrap_or_else(PoisonError::into_inner);
            work(shard)
        })
    }

    /// As [`Engine::read`], for the writer; none when the engine is not open, or panics, as it does when a flush fails.
    pub(super) fn write<T>(&self, work: impl FnOnce(&EdgeShard) -> T) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(|| self.read(|shard| Ok(work(shard))))) {
            Ok(done) => done.ok(),
            Err(_) => {
                self.failed.store(true, Ordering::Relaxed);
                None
            }
        }
    }

    /// Changes `shard`, which is this engine's.
    pub(super) fn change(&self, shard: &EdgeShard, operation: UpdateOperation) -> Result<(), Error> {
        let _nobody_lists = self.listing.write().unwrap_or_else(PoisonError::into_inner);
        self.changed.store(true, Ordering::Relaxed);
        shard.update(operation).map_err(|error| self.fail("a write failed", error))
    }

    /// Merges segments of `shard`, which is this engine's, if much is gained by it: it decides.
    pub(super) fn merge(&self, shard: &EdgeShard) -> Result<(), Error> {
        self.changed.store(true, Ordering::Relaxed);
        shard.optimize().map_err(|error| self.fail("compacting the vectors failed", error))?;
        Ok(())
    }

    /// Makes durable what was changed, if anything was: a flush needs some room even for nothing.
    pub(super) fn flush(&self, shard: &EdgeShard) {
        if self.changed.load(Ordering::Relaxed) {
            shard.flush();
            self.changed.store(false, Ordering::Relaxed);
        }
    }

    fn fail(&self, what: &str, error: OperationError) -> Error {
        self.failed.store(true, Ordering::Relaxed);
        Error::engine(what, error)
    }

    /// Closes it and opens it again, as it was flushed last. Waits for readers; those who come meanwhile wait.
    pub(super) fn reopen(&self) -> Result<(), Error> {
        let mut shard = self.shard.write().unwrap_or_else(PoisonError::into_inner);
        // What cannot be flushed now was never acknowledged.
        let _ = drop_flushed(shard.take());
        self.failed.store(true, Ordering::Relaxed);
        *shard = Some(load(&self.folder)?);
        self.changed.store(false, Ordering::Relaxed);
        self.failed.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Waits for readers, and flushes.
    pub(super) fn close(&self) -> Result<(), Error> {
        let flushed = drop_flushed(self.shard.write().unwrap_or_else(PoisonError::into_inner).take());
        if self.changed.load(Ordering::Relaxed) { flushed } else { Ok(()) }
    }

    pub(super) fn not_open(&self) -> Error {
        let folder = self.folder.display();
        Error::Unavailable { message: format!("{folder} is not open: it was closed, or writing into it failed") }
    }
}

fn load(path: &Path) -> Result<EdgeShard, Error> {
    let corrupt = |message: String| Error::Corrupt { path: path.to_owned(), message };
    leftovers::remove(path)?;
    // It begins a part of its log.
    space::expect(path, space::FOR_MARKS)?;
    let mut attempts = 0;
    loop {
        // It panics on some damage.
        let loaded = catch_unwind(|| EdgeShard::load(path, None));
        match loaded.map_err(|_| corrupt("the engine panicked while loading it".to_owned()))? {
            Ok(shard) => return Ok(shard),
            // The folder is ours. A process that is being started at this moment by another thread has a copy of every
            // open file, locks and all, until it runs its program.
            Err(error) if attempts < LOCKED_ATTEMPTS && error.to_string().contains("WouldBlock") => {
                attempts += 1;
                std::thread::sleep(LOCKED_PAUSE);
            }
            Err(error) => return Err(corrupt(error.to_string())),
        }
    }
}

const LOCKED_ATTEMPTS: usize = 500;
const LOCKED_PAUSE: Duration = Duration::from_millis(10);

/// Dropping it flushes, which panics on a full disk.
fn drop_flushed(shard: Option<EdgeShard>) -> Result<(), Error> {
    catch_unwind(AssertUnwindSafe(|| drop(shard)))
        .map_err(|_| Error::engine("the vectors could not be flushed", "the engine panicked"))
}

fn config(schema: &CollectionSchema) -> EdgeConfig {
    // "On disk" are the same mapped files, without reading 32 MB of them into memory on opening.
    let dense = EdgeVectorParams::builder(schema.dimension, qdrant_edge::Distance::Cosine).on_disk(true).build();
    let sparse = EdgeSparseVectorParams::builder().modifier(qdrant_edge::Modifier::Idf).on_disk(true).build();
    // Exact search takes milliseconds at 50,000 chunks, building HNSW over them minutes, during which the writer
    // thread could take no writes: m = 0 makes segments that are "indexed" without a graph.
    let no_graph = HnswIndexConfig { m: 0, on_disk: Some(true), ..HnswIndexConfig::default() };
    let optimizers = EdgeOptimizersConfig {
        indexing_threshold: Some(COMPACT_FROM_KB),
        default_segment_number: Some(SEGMENTS),
        max_segment_size: Some(LARGEST_SEGMENT_KB),
        ..EdgeOptimizersConfig::default()
    };
    let log = WalOptions { segment_capacity: LOG_PART_BYTES, ..WalOptions::default() };
    EdgeConfig::builder()
        .vector(DENSE, dense)
        .sparse_vector(SPARSE, sparse)
        .hnsw_config(no_graph)
        .optimizers(optimizers)
        .wal_options(log)
        .build()
}
