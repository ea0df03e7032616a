//! The Qdrant engine in this process: one folder, one process, a sub-folder and a writer thread per collection.
//!
//! Here: the folder, its lock, and which collections are open. One collection is in `shard`, its writer thread in
//! `writer`, aliases in `alias`, our types to the engine's and back in `convert`.

mod alias;
mod convert;
mod engine;
mod leftovers;
mod shard;
mod space;
mod steps;
mod writer;

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use self::engine::Engine;
use self::shard::Shard;
use self::steps::{Step, reached};
use super::error::Error;
use super::point::{CollectionSchema, Fields, Filter, Point, RankingQuery, ScoredPoint, ScrollPage, StoredPoint};
use crate::data_folder;

/// Folders of collections that are being made or removed; whatever an interrupted process left is deleted on opening.
const UNFINISHED: &str = ".unfinished-";

#[derive(Debug, Clone)]
pub struct EmbeddedStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    shards: Mutex<HashMap<String, Arc<Shard>>>,
    /// Held while a collection is opened, made or removed, so that none is opened twice.
    changing: tokio::sync::Mutex<()>,
    /// The lock ends with the process, however it ends.
    lock: Mutex<Option<File>>,
}

impl EmbeddedStore {
    pub(super) async fn open(folder: &Path) -> Result<Self, Error> {
        let folder = folder.to_owned();
        blocking(move || {
            fs::create_dir_all(&folder).map_err(|source| Error::Io { path: folder.clone(), source })?;
            let lock = lock_folder(&folder)?;
            // What is there can be read without.
            let _ = data_folder::hide(&folder);
            remove_unfinished(&folder)?;
            let inner = Inner {
                folder,
                shards: Mutex::default(),
                changing: tokio::sync::Mutex::default(),
                lock: Mutex::new(Some(lock)),
            };
            Ok(Self { inner: Arc::new(inner) })
        })
        .await
    }

    pub(super) async fn check(&self) -> Result<(), Error> {
        if self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return Err(Error::Unavailable { message: "it was closed".to_owned() });
        }
        let open: Vec<_> = self.inner.shards().values().cloned().collect();
        open.iter().try_for_each(|shard| shard.check())
    }

    pub(super) async fn ensure_collection(&self, collection: &str, schema: &CollectionSchema) -> Result<(), Error> {
        let path = self.path(collection)?;
        {
            let _changing = self.inner.changing.lock().await;
            let (schema, path) = (schema.clone(), path.clone());
            let unfinished = self.unfinished_path();
            blocking(move || if path.exists() { Ok(()) } else { Engine::create(&path, &unfinished, &schema) }).await?;
        }
        self.shard(collection).await?.ensure_indexes(schema).await
    }

    pub(super) async fn collection_exists(&self, collection: &str) -> Result<bool, Error> {
        Ok(self.path(collection)?.is_dir())
    }

    pub(super) async fn delete_collection(&self, collection: &str) -> Result<bool, Error> {
        let path = self.path(collection)?;
        let _changing = self.inner.changing.lock().await;
        let open = self.inner.shards().remove(collection);
        let doomed = self.unfinished_path();
        blocking(move || {
            if let Some(shard) = open {
                shard.close()?;
            }
            if !path.exists() {
                return Ok(false);
            }
            // Renamed first: a kill in between leaves no half-deleted collection behind.
            let io = |source| Error::Io { path: path.clone(), source };
            fs::rename(&path, &doomed).map_err(io)?;
            reached(Step::Renamed);
            fs::remove_dir_all(&doomed).map_err(io)?;
            Ok(true)
        })
        .await
    }

    pub(super) async fn resolve_alias(&self, alias: &str) -> Result<Option<String>, Error> {
        let path = self.path(alias)?;
        let found = blocking(move || alias::read(&path.with_added_extension("json"))).await?;
        // One may be left of a collection that was removed.
        Ok(match found {
            Some(collection) if self.collection_exists(&collection).await? => Some(collection),
            Some(_) | None => None,
        })
    }

    pub(super) async fn switch_alias(&self, alias: &str, collection: &str) -> Result<(), Error> {
        if !self.collection_exists(collection).await? {
            return Err(Error::NotFound { collection: collection.to_owned() });
        }
        let (path, collection) = (self.path(alias)?, collection.to_owned());
        blocking(move || alias::replace(&path.with_added_extension("json"), &collection)).await
    }

    pub(super) async fn upsert(&self, collection: &str, points: Vec<Point>) -> Result<(), Error> {
        self.shard(collection).await?.upsert(points).await
    }

    pub(super) async fn delete_points(&self, collection: &str, ids: &[Uuid]) -> Result<(), Error> {
        self.shard(collection).await?.delete_points(ids).await
    }

    pub(super) async fn delete_matching(&self, collection: &str, filter: &Filter) -> Result<(), Error> {
        self.shard(collection).await?.delete_matching(filter).await
    }

    pub(super) async fn rank(
        &self,
        collection: &str,
        queries: Vec<RankingQuery<'_>>,
    ) -> Result<Vec<Vec<ScoredPoint>>, Error> {
        self.shard(collection).await?.rank(queries).await
    }

    pub(super) async fn retrieve(
        &self,
        collection: &str,
        ids: &[Uuid],
        fields: Fields<'_>,
    ) -> Result<Vec<StoredPoint>, Error> {
        self.shard(collection).await?.retrieve(ids, fields).await
    }

    pub(super) async fn dense_vectors(&self, collection: &str, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<f32>>, Error> {
        self.shard(collection).await?.dense_vectors(ids).await
    }

    pub(super) async fn scroll(
        &self,
        collection: &str,
        filter: &Filter,
        from: Option<Uuid>,
        limit: usize,
        fields: Fields<'_>,
    ) -> Result<ScrollPage, Error> {
        self.shard(collection).await?.scroll(filter, from, limit, fields).await
    }

    pub(super) async fn count(&self, collection: &str, filter: &Filter) -> Result<usize, Error> {
        self.shard(collection).await?.count(filter).await
    }

    pub(super) async fn compact(&self, collection: &str) -> Result<(), Error> {
        self.shard(collection).await?.compact().await
    }

    pub(super) async fn log_bytes(&self) -> Result<u64, Error> {
        let folder = self.inner.folder.clone();
        blocking(move || leftovers::log_bytes(&folder)).await
    }

    pub(super) async fn close(&self) -> Result<(), Error> {
        let _changing = self.inner.changing.lock().await;
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.close()).await
    }

    fn path(&self, name: &str) -> Result<PathBuf, Error> {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        if plain && !name.is_empty() && !name.starts_with('.') {
            Ok(self.inner.folder.join(name))
        } else {
            Err(Error::engine(format!("`{name}` cannot name a collection"), "use letters, digits, `_`, `-` and `.`"))
        }
    }

    fn unfinished_path(&self) -> PathBuf {
        self.inner.folder.join(format!("{UNFINISHED}{}", Uuid::new_v4()))
    }

    /// The open collection of that name; opens it on first use.
    async fn shard(&self, collection: &str) -> Result<Arc<Shard>, Error> {
        if let Some(shard) = self.inner.shards().get(collection) {
            return Ok(Arc::clone(shard));
        }
        let _changing = self.inner.changing.lock().await;
        if let Some(shard) = self.inner.shards().get(collection) {
            return Ok(Arc::clone(shard));
        }
        self.check().await?;
        let path = self.path(collection)?;
        if !path.is_dir() {
            return Err(Error::NotFound { collection: collection.to_owned() });
        }
        let shard = Arc::new(blocking(move || Shard::load(&path)).await?);
        self.inner.shards().insert(collection.to_owned(), Arc::clone(&shard));
        Ok(shard)
    }
}

impl Inner {
    fn shards(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Shard>>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) -> Result<(), Error> {
        let open: Vec<_> = self.shards().drain().map(|(_, shard)| shard).collect();
        let closed = open.iter().map(|shard| shard.close()).collect::<Vec<_>>();
        // Last: until here the folder is ours. Closing the file would not do: a process that another thread is starting
        // has a copy of it until it runs its program.
        if let Some(lock) = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = lock.unlock();
        }
        closed.into_iter().collect()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(error = &error as &dyn std::error::Error, "could not close the vector store");
        }
    }
}

fn lock_folder(folder: &Path) -> Result<File, Error> {
    let path = folder.join("lock");
    let io = |source| Error::Io { path: path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

fn remove_unfinished(folder: &Path) -> Result<(), Error> {
    let io = |source| Error::Io { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_dir_all(entry.path()).map_err(io)?;
        }
    }
    Ok(())
}

/// The name under which the engine's own log lines come.
pub const ENGINE_LOG_TARGET: &str = "qdrant_edge";

/// Makes a rename in `folder` durable; where folders cannot be synced (Windows) the system does it.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Runs file work off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => Err(Error::engine("the embedded engine failed", panic)),
    }
}
