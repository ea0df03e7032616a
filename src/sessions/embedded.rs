//! Sessions in one file of this machine, durable: an acknowledged turn survives SIGKILL and power loss.
//!
//! Reads run on the blocking pool, each on its own snapshot. All writes go through one thread, which commits what has
//! queued up as one transaction, so that many turns share one flush to disk. The tables are in [`tables`].

mod read;
mod tables;
mod write;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::task::spawn_blocking;

use super::database_file::DatabaseFile;
use super::error::Error;
use super::idempotency::Reserved;
use super::key::SessionKey;
use super::listing::{Listed, Position};
use super::options::SessionOptions;
use super::store::{Append, Appended, Held, Read, ReadRequest};
use super::transfer::{ExportedSession, Imported};
use read::Snapshot;
use writer::{Work, Writer};

/// Where a data folder has its sessions.
pub fn file_in(data_dir: &Path) -> PathBuf {
    data_dir.join("sessions.redb")
}

#[derive(Debug)]
pub(super) struct EmbeddedStore {
    file: Arc<DatabaseFile>,
    writer: Writer,
    ttl: Option<Duration>,
}

impl EmbeddedStore {
    /// A missing file is made; one that another process uses, or that is damaged, is left alone and reported.
    pub(super) async fn open(data_dir: &Path, options: &SessionOptions) -> Result<Self, Error> {
        let path = file_in(data_dir);
        let file = Arc::new(run(move || DatabaseFile::open(path, tables::create)).await?);
        let writer = Writer::start(Arc::clone(&file), options.ttl, options.max_messages);
        Ok(Self { file, writer, ttl: options.ttl })
    }

    pub(super) async fn append(&self, key: &SessionKey, append: &Append) -> Result<Appended, Error> {
        let (key, append) = (key.clone(), append.clone());
        self.writer.run(|reply| Work::Append { key, append, reply }).await
    }

    pub(super) async fn read(&self, key: &SessionKey, request: ReadRequest) -> Result<Read, Error> {
        let (file, snapshot_key, ttl) = (Arc::clone(&self.file), key.clone(), self.ttl);
        let (read, prolong) =
            run(move || Snapshot::take(&file)?.read(&snapshot_key, request, ttl, tables::now())).await?;
        if prolong {
            self.writer.prolong(key.clone());
        }
        Ok(read)
    }

    pub(super) async fn reserve(&self, reserved: &Reserved) -> Result<Held, Error> {
        let (file, key, request) = (Arc::clone(&self.file), reserved.session.clone(), reserved.request.clone());
        run(move || Snapshot::take(&file)?.answer(&key, &request, tables::now())).await
    }

    pub(super) async fn delete(&self, key: &SessionKey) -> Result<bool, Error> {
        let key = key.clone();
        self.writer.run(|reply| Work::Delete { key, reply }).await
    }

    pub(super) async fn patch_metadata(&self, key: &SessionKey, patch: Map<String, Value>) -> Result<bool, Error> {
        let key = key.clone();
        self.writer.run(|reply| Work::PatchMetadata { key, patch, reply }).await
    }

    pub(super) async fn import(
        &self,
        key: &SessionKey,
        session: ExportedSession,
        replace: bool,
    ) -> Result<Imported, Error> {
        let key = key.clone();
        self.writer.run(|reply| Work::Import { key, session, replace, reply }).await
    }

    pub(super) async fn list(&self, tenant: &str, after: Option<Position>, limit: usize) -> Result<Vec<Listed>, Error> {
        let (file, tenant) = (Arc::clone(&self.file), tenant.to_owned());
        run(move || Snapshot::take(&file)?.list(&tenant, after, limit, tables::now())).await
    }

    /// Whether a write gets to the disk.
    pub(super) async fn check(&self) -> Result<(), Error> {
        self.writer.run(|reply| Work::Check { reply }).await
    }

    /// Commits what is queued and closes the file; later calls fail.
    pub(super) async fn close(&self) {
        self.writer.stop().await;
        let file = Arc::clone(&self.file);
        let _ = spawn_blocking(move || file.close()).await;
    }
}

/// Runs blocking work of the engine, which on a file damaged from outside may panic instead of failing.
async fn run<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    spawn_blocking(work).await.unwrap_or_else(|panic| Err(Error::Failed(Box::new(panic))))
}
