//! Clearing up: old versions a minute after they were replaced, and chunks whose document never came or is gone.
//!
//! What this process replaces it removes by itself, document by document. Sweeps find what is left over: by other
//! processes, or by ones that did not live that long.

use std::collections::{HashMap, HashSet};
use std::ops::AddAssign;
use std::sync::{PoisonError, Weak};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use uuid::Uuid;

use super::error::Error;
use super::payload::{self, CURRENT, DOCUMENT_ID, INGESTED_AT, VERSION, Written};
use super::{Collection, Inner};
use crate::vector_store::{Condition, Fields, Filter};

/// How long a replaced version stays, for readers that began with it.
pub const OLD_VERSIONS_STAY: Duration = Duration::from_secs(60);

/// How long chunks without a current document may wait for it: longer than any ingest of one document takes.
pub const ORPHANS_STAY: Duration = Duration::from_secs(3600);

/// A whole sweep reads something of every chunk, so it comes rarely, and not while a server is starting.
const FIRST_WHOLE_SWEEP: Duration = Duration::from_secs(600);
const WHOLE_SWEEPS_EVERY: Duration = ORPHANS_STAY;

/// Documents carry the time of the machine that wrote them; no clock is taken to be further off than this.
const CLOCKS_DIFFER: Duration = Duration::from_secs(300);

const POINTS_PER_PAGE: usize = 1000;

/// Documents whose chunks are asked for at once.
const DOCUMENTS_AT_ONCE: usize = 100;

/// The embedded engine waits for the disk once for all that come together.
const REMOVALS_AT_ONCE: usize = 32;

/// What a sweep removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Versions of documents that have a newer one.
    pub old_versions: usize,
    /// Documents, or versions of them, that were never finished, or whose deletion was not.
    pub orphans: usize,
}

impl AddAssign for Swept {
    fn add_assign(&mut self, Self { old_versions, orphans }: Self) {
        self.old_versions += old_versions;
        self.orphans += orphans;
    }
}

/// A version that is no longer current.
#[derive(Debug, Clone)]
pub(super) struct OldVersion {
    pub(super) document_id: Uuid,
    pub(super) version: String,
    /// Its chunks are older than this; those of the same version that are written later belong to a new ingest of it.
    pub(super) written_before: Timestamp,
}

/// The old versions that this process replaced, to be removed when their time has come.
#[derive(Debug)]
pub(super) struct Superseded {
    queue: mpsc::UnboundedSender<(Instant, OldVersion)>,
    task: AbortHandle,
}

impl Superseded {
    pub(super) fn start(collection: Weak<Inner>) -> Self {
        let (queue, receiver) = mpsc::unbounded_channel();
        let task = tokio::spawn(remove_when_due(collection, receiver)).abort_handle();
        Self { queue, task }
    }

    pub(super) fn push(&self, old: OldVersion) {
        // Without the task (the runtime is ending) the next sweep removes it.
        let _ = self.queue.send((Instant::now() + OLD_VERSIONS_STAY, old));
    }
}

impl Drop for Superseded {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn remove_when_due(collection: Weak<Inner>, mut queue: mpsc::UnboundedReceiver<(Instant, OldVersion)>) {
    let mut next = queue.recv().await;
    while let Some((due, old)) = next.take() {
        tokio::time::sleep_until(due).await;
        let Some(inner) = collection.upgrade() else { return };
        let mut all_due = vec![old];
        while let Ok((due, old)) = queue.try_recv() {
            if due <= Instant::now() {
                all_due.push(old);
            } else {
                next = Some((due, old));
                break;
            }
        }
        let collection = Collection { inner };
        let remove = |old| {
            let collection = &collection;
            async move {
                if let Err(error) = collection.remove_old_version(&old).await {
                    let message = "an old version could not be removed; the next sweep will";
                    tracing::warn!(document.id = %old.document_id, error = &error as &dyn std::error::Error, message);
                }
            }
        };
        stream::iter(all_due).for_each_concurrent(REMOVALS_AT_ONCE, remove).await;
        if next.is_none() {
            drop(collection);
            next = queue.recv().await;
        }
    }
}

/// When a server looks for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct SweepsDue {
    /// What was replaced until then has been looked at.
    replaced_since: Timestamp,
    whole_at: Timestamp,
}

impl SweepsDue {
    pub(super) fn of_a_new_process(now: Timestamp) -> Self {
        Self { replaced_since: now, whole_at: later(now, FIRST_WHOLE_SWEEP) }
    }
}

impl Collection {
    /// What is due of clearing up, for a server that calls this every minute: old versions of documents that other
    /// processes replaced lately, and once an hour a whole [`Collection::sweep`].
    pub async fn sweep_what_is_due(&self) -> Result<Swept, Error> {
        self.sweep_what_is_due_at(Timestamp::now()).await
    }

    /// [`Collection::sweep_what_is_due`] as if it were `now`.
    pub async fn sweep_what_is_due_at(&self, now: Timestamp) -> Result<Swept, Error> {
        let mut due = *self.inner.sweeps_due.lock().unwrap_or_else(PoisonError::into_inner);
        let swept = if due.whole_at <= now {
            due.whole_at = later(now, WHOLE_SWEEPS_EVERY);
            self.sweep_at(now).await?
        } else {
            self.drop_predecessors(now).await?;
            // What this process replaces, it removes by itself.
            let others_write = self.inner.store.is_shared();
            if others_write { self.sweep_replaced(due.replaced_since, now).await? } else { Swept::default() }
        };
        due.replaced_since = earlier(now, OLD_VERSIONS_STAY);
        *self.inner.sweeps_due.lock().unwrap_or_else(PoisonError::into_inner) = due;
        Ok(swept)
    }

    /// Removes what no search can see any more: versions replaced at least a minute ago, and chunks at least an hour old
    /// whose document, or whose version of it, never became current; and the collection that was rebuilt as this one.
    /// Then lets the store reclaim the space.
    ///
    /// May be run at any time, by several processes at once, and again.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        self.sweep_at(Timestamp::now()).await
    }

    /// [`Collection::sweep`] as if it were `now`.
    pub async fn sweep_at(&self, now: Timestamp) -> Result<Swept, Error> {
        self.drop_predecessors(now).await?;
        let stored = self.stored().await?;
        // First what was written lately: what compacting takes of memory is free again when every chunk is looked at.
        self.inner.store.compact(stored).await?;
        let chunks = Filter::all([payload::our_tenant(), payload::is_chunk()]);
        let swept = self.sweep_among(chunks, now).await?;
        if swept != Swept::default() {
            self.inner.store.compact(stored).await?;
        }
        // An ingest of much may have been killed.
        self.inner.store.resume_indexing(stored).await?;
        Ok(swept)
    }

    /// Of the documents that became current since then.
    async fn sweep_replaced(&self, since: Timestamp, now: Timestamp) -> Result<Swept, Error> {
        let lately = Filter::all([
            payload::our_tenant(),
            payload::is_document(),
            Condition::NotBefore { field: INGESTED_AT, time: earlier(since, CLOCKS_DIFFER) },
        ]);
        let (mut swept, mut from) = (Swept::default(), None);
        loop {
            let page =
                self.inner.store.scroll(self.stored().await?, &lately, from, DOCUMENTS_AT_ONCE, Fields::All).await?;
            let documents: Vec<_> = page.points.into_iter().map(payload::read_document).collect::<Result<_, _>>()?;
            if !documents.is_empty() {
                // A version that is current somewhere may be an old one of another document; a whole sweep finds it.
                let chunks = Filter::all([
                    payload::our_tenant(),
                    payload::is_chunk(),
                    any_of(DOCUMENT_ID, documents.iter().map(|document| document.id.to_string())),
                ])
                .and_not(any_of(VERSION, documents.iter().map(|document| document.version.clone())));
                swept += self.sweep_among(chunks, now).await?;
            }
            from = page.next;
            if from.is_none() {
                return Ok(swept);
            }
        }
    }

    /// Removes the outdated and the abandoned versions that these chunks are of.
    async fn sweep_among(&self, chunks: Filter, now: Timestamp) -> Result<Swept, Error> {
        let stored = self.stored().await?;
        let settled = earlier(now, OLD_VERSIONS_STAY);
        let abandoned = earlier(now, ORPHANS_STAY);
        let chunks = chunks.and(Condition::NotAfter { field: INGESTED_AT, time: settled });
        let mut swept = Swept::default();
        let mut outdated = Vec::new();
        for ((document_id, version), NotCurrent { oldest, replaced_at }) in self.not_current(stored, &chunks).await? {
            let written_before = match replaced_at {
                Some(replaced_at) if oldest < replaced_at && replaced_at <= settled => {
                    swept.old_versions += 1;
                    replaced_at
                }
                // Readers may still be at it.
                Some(replaced_at) if oldest < replaced_at => continue,
                Some(_) | None if oldest <= abandoned => {
                    swept.orphans += 1;
                    abandoned
                }
                Some(_) | None => continue,
            };
            outdated.push(OldVersion { document_id, version, written_before });
        }
        let remove = |old| async move { self.remove_chunks(&old).await };
        stream::iter(outdated).map(Ok).try_for_each_concurrent(REMOVALS_AT_ONCE, remove).await?;
        Ok(swept)
    }

    /// The versions that some of these chunks are of and searches do not see. A page of chunks is compared at a time, so
    /// that memory is taken for what is found only.
    async fn not_current(&self, stored: &str, chunks: &Filter) -> Result<HashMap<(Uuid, String), NotCurrent>, Error> {
        let store = &self.inner.store;
        let mut found = HashMap::new();
        let mut from = None;
        loop {
            let fields = Fields::Only(&[DOCUMENT_ID, VERSION, INGESTED_AT]);
            let page = store.scroll(stored, chunks, from, POINTS_PER_PAGE, fields).await?;
            let chunks: Vec<_> = page.points.into_iter().map(payload::read_written).collect::<Result<_, _>>()?;
            let ids: HashSet<_> = chunks.iter().map(|chunk| chunk.document_id).collect();
            let ids: Vec<_> = ids.into_iter().collect();
            let documents = store.retrieve(stored, &ids, Fields::Only(&[CURRENT, INGESTED_AT])).await?;
            let documents: HashMap<_, _> = documents
                .into_iter()
                .map(|point| Ok((point.id, payload::read_current(point)?)))
                .collect::<Result<_, Error>>()?;
            for Written { document_id, version, ingested_at } in chunks {
                let document = documents.get(&document_id);
                if document.is_some_and(|document| document.version == version) {
                    continue;
                }
                let replaced_at = document.map(|document| document.ingested_at);
                let found = found.entry((document_id, version));
                let version = found.or_insert(NotCurrent { oldest: ingested_at, replaced_at });
                version.oldest = ingested_at.min(version.oldest);
            }
            from = page.next;
            if from.is_none() {
                return Ok(found);
            }
        }
    }

    async fn remove_old_version(&self, old: &OldVersion) -> Result<(), Error> {
        match self.document(old.document_id).await? {
            // It was ingested again and is current again.
            Some(document) if document.version == old.version => Ok(()),
            Some(_) | None => self.remove_chunks(old).await,
        }
    }

    async fn remove_chunks(&self, old: &OldVersion) -> Result<(), Error> {
        let chunks = Filter::all([
            payload::our_tenant(),
            payload::is_chunk(),
            payload::of_document(old.document_id),
            payload::of_version(&old.version),
            Condition::NotAfter { field: INGESTED_AT, time: old.written_before },
        ]);
        Ok(self.inner.store.delete_matching(self.stored().await?, &chunks).await?)
    }
}

/// A version that searches do not see, or not yet.
struct NotCurrent {
    /// When the first of its chunks was written.
    oldest: Timestamp,
    /// When another version became the one that is seen; none if the document has none.
    replaced_at: Option<Timestamp>,
}

fn any_of(field: &'static str, values: impl Iterator<Item = String>) -> Condition {
    Condition::AnyOf { field, values: values.collect() }
}

pub(super) fn later(now: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).expect("an hour fits");
    now.checked_add(by).expect("an hour after now is a time")
}

pub(super) fn earlier(now: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).expect("an hour fits");
    now.checked_sub(by).expect("an hour before now is a time")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{NewChunk, NewDocument};
    use super::*;
    use crate::embedding::EmbeddingIdentity;
    use crate::vector_store::VectorStore;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_old_version_goes_when_its_time_has_come_unless_it_is_current_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = VectorStore::open_embedded(folder.path()).await.unwrap();
        let identity = EmbeddingIdentity { model: "test".into(), dimension: 1, pooling: "none".into() };
        let collection = Collection::open(store.clone(), "documents", &identity).await.unwrap();
        let stored = collection.inner.stored.clone();
        let mut written = Vec::new();
        for version in ["one", "two", "three"] {
            written.push(collection.replace_document(new_document(version)).await.unwrap());
        }
        let old = |version: &str| OldVersion {
            document_id: written[0].id,
            version: version.to_owned(),
            written_before: written[2].ingested_at,
        };
        // A queue of its own, where all are due at once; `three` is current.
        let removals = Superseded::start(Arc::downgrade(&collection.inner));
        for version in ["three", "one", "two"] {
            removals.queue.send((Instant::now(), old(version))).unwrap();
        }
        let chunks = Filter::all([payload::is_chunk()]);
        let deadline = Instant::now() + Duration::from_secs(20);
        while store.count(&stored, &chunks).await.unwrap() > 1 {
            assert!(Instant::now() < deadline, "old versions stay");
        }
        assert_eq!(collection.chunks(written[0].id).await.unwrap()[0].version, "three");
    }

    fn new_document(version: &str) -> NewDocument {
        let chunk = NewChunk { heading: None, page: None, start: 0, end: 4, text: "text".into(), embedding: vec![1.0] };
        NewDocument {
            source: "a.md".into(),
            title: String::new(),
            content_hash: version.into(),
            version: version.into(),
            tags: Vec::new(),
            metadata: Default::default(),
            chunks: vec![chunk],
        }
    }
}
