//! Sessions in this process only. Always flagged as what it is: a restart forgets everything, and when memory runs out
//! the session that was used least recently goes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use serde_json::{Map, Value};

use super::error::Error;
use super::idempotency::{ANSWER_LIFE, IdempotencyKey, Reserved, StoredAnswer};
use super::key::SessionKey;
use super::listing::{Listed, Position, timestamp, whole_seconds};
use super::message::Message;
use super::options::SessionOptions;
use super::record::{Decision, Record, Span, Tombstone, decide, merge_metadata};
use super::session::SessionSummary;
use super::store::{Append, Appended, Held, Read, ReadRequest, TOMBSTONE_LIFE};
use super::transfer::{ExportedSession, Imported};

/// Callers hold the session's lock, so that nothing happens to a session between looking it up and putting it back.
#[derive(Debug)]
pub(super) struct MemoryStore {
    sessions: Cache<SessionKey, Arc<Mutex<Kept>>>,
    tombstones: Cache<SessionKey, Tombstone>,
    ttl: Option<Duration>,
    max_messages: usize,
}

#[derive(Debug)]
struct Kept {
    record: Record,
    messages: VecDeque<Arc<Message>>,
    answers: HashMap<IdempotencyKey, KeptAnswer>,
    bytes: usize,
    used_at: Instant,
}

#[derive(Debug)]
struct KeptAnswer {
    answer: StoredAnswer,
    seq: u64,
    saved_at: Instant,
}

impl MemoryStore {
    pub(super) fn new(options: &SessionOptions) -> Self {
        let sessions = Cache::builder()
            .max_capacity(options.ram_bytes)
            .weigher(|_, kept: &Arc<Mutex<Kept>>| lock(kept).bytes.try_into().unwrap_or(u32::MAX))
            // The default policy would rather refuse a new conversation than drop an old, busy one.
            .eviction_policy(EvictionPolicy::lru());
        let sessions = match options.ttl {
            Some(ttl) => sessions.time_to_idle(ttl),
            None => sessions,
        };
        let tombstones = Cache::builder().max_capacity(100_000).time_to_live(TOMBSTONE_LIFE).build();
        Self { sessions: sessions.build(), tombstones, ttl: options.ttl, max_messages: options.max_messages }
    }

    pub(super) async fn append(&self, key: &SessionKey, append: &Append) -> Result<Appended, Error> {
        let kept = self.sessions.get(key).await;
        let tombstone = self.tombstones.get(key).await;
        let decision = {
            let kept = kept.as_ref().map(|kept| lock(kept));
            decide(kept.as_ref().map(|kept| &kept.record), tombstone, append, self.max_messages)
        };
        let record = match decision {
            Decision::Done(appended) => return Ok(appended),
            Decision::Extend(record) => record,
        };
        let appended = record.appended();
        let kept = match kept {
            Some(kept) => {
                lock(&kept).extend(record, append);
                kept
            }
            None => Arc::new(Mutex::new(Kept::new(record, append))),
        };
        // Also when it was there: the cache weighs an entry when it is put in.
        self.sessions.insert(key.clone(), kept).await;
        Ok(appended)
    }

    pub(super) async fn read(&self, key: &SessionKey, request: ReadRequest) -> Result<Read, Error> {
        let tombstone = self.tombstones.get(key).await;
        let Some(kept) = self.sessions.get(key).await else {
            return Ok(Read::Absent { deleted: tombstone.map(|tombstone| tombstone.epoch) });
        };
        let mut kept = lock(&kept);
        kept.used_at = Instant::now();
        let span = Span::answering(request, &kept.record);
        let skipped = usize::try_from(span.from - kept.record.trimmed).unwrap_or(usize::MAX);
        let messages = span.messages(kept.messages.iter().skip(skipped).cloned().collect());
        Ok(Read::Present(kept.record.clone().present(tombstone, request, messages)))
    }

    pub(super) async fn reserve(&self, reserved: &Reserved) -> Result<Held, Error> {
        let Some(kept) = self.sessions.get(&reserved.session).await else { return Ok(Held::Free) };
        let kept = lock(&kept);
        let answer = kept.answers.get(&reserved.request.key).filter(|answer| answer.is_young());
        Ok(answer.map_or(Held::Free, |kept| Held::by(kept.answer.clone(), &reserved.request, kept.seq)))
    }

    pub(super) async fn delete(&self, key: &SessionKey) -> Result<bool, Error> {
        // Not by `remove` alone, which also gives what has expired.
        let Some(kept) = self.sessions.get(key).await else {
            return Ok(false);
        };
        self.sessions.invalidate(key).await;
        let epoch = lock(&kept).record.epoch;
        let tombstone = Tombstone { epoch, deleted_at: Timestamp::now().as_millisecond() };
        self.tombstones.insert(key.clone(), tombstone).await;
        Ok(true)
    }

    pub(super) async fn patch_metadata(&self, key: &SessionKey, patch: Map<String, Value>) -> Result<bool, Error> {
        let Some(kept) = self.sessions.get(key).await else {
            return Ok(false);
        };
        {
            let mut kept = lock(&kept);
            let mut metadata = kept.record.metadata.clone();
            merge_metadata(&mut metadata, patch)?;
            kept.record.metadata = metadata;
            kept.record.last_activity = kept.record.last_activity.max(Timestamp::now().as_millisecond());
            kept.used_at = Instant::now();
        }
        self.sessions.insert(key.clone(), kept).await;
        Ok(true)
    }

    pub(super) async fn import(&self, key: &SessionKey, session: ExportedSession, replace: bool) -> Imported {
        if !replace && self.sessions.contains_key(key) {
            return Imported::AlreadyThere;
        }
        let (record, messages) = session.into_record(self.max_messages);
        let mut kept = Kept::empty(record);
        messages.into_iter().for_each(|message| kept.push(Arc::new(message)));
        self.sessions.insert(key.clone(), Arc::new(Mutex::new(kept))).await;
        Imported::Added
    }

    pub(super) fn list(&self, tenant: &str, after: Option<Position>, limit: usize) -> Vec<Listed> {
        let of_tenant = self.sessions.iter().filter(|(key, _)| key.tenant() == tenant);
        let mut listed: Vec<Listed> = of_tenant.map(|(key, kept)| self.listed(&key, &lock(&kept))).collect();
        listed.retain(|entry| after.as_ref().is_none_or(|after| entry.position < *after));
        listed.sort_unstable_by(|a, b| b.position.cmp(&a.position));
        listed.truncate(limit);
        listed
    }

    fn listed(&self, key: &SessionKey, kept: &Kept) -> Listed {
        let record = &kept.record;
        let summary = SessionSummary {
            session_id: key.id().to_owned(),
            created_at: timestamp(record.created_at),
            last_activity: timestamp(record.last_activity),
            metadata: record.metadata.clone(),
            ttl_seconds: self.ttl.map(|ttl| whole_seconds(ttl.saturating_sub(kept.used_at.elapsed()))),
            conversation_length: record.seq,
        };
        let position = Position { last_activity: record.last_activity, session_id: summary.session_id.clone() };
        Listed { summary, position }
    }
}

impl Kept {
    fn empty(record: Record) -> Self {
        let (messages, answers) = (VecDeque::new(), HashMap::new());
        Self { record, messages, answers, bytes: size_of::<Self>(), used_at: Instant::now() }
    }

    fn new(record: Record, append: &Append) -> Self {
        let mut kept = Self::empty(record.clone());
        kept.extend(record, append);
        kept
    }

    fn push(&mut self, message: Arc<Message>) {
        self.bytes += message.bytes();
        self.messages.push_back(message);
    }

    fn extend(&mut self, record: Record, append: &Append) {
        self.record = record;
        self.used_at = Instant::now();
        self.push(Arc::clone(&append.user));
        self.push(Arc::clone(&append.assistant));
        while self.messages.len() as u64 > self.record.seq - self.record.trimmed {
            let oldest = self.messages.pop_front();
            self.bytes -= oldest.map_or(0, |message| message.bytes());
        }
        if let Some(answer) = &append.answer {
            let bytes = &mut self.bytes;
            self.answers.retain(|_, kept| {
                let young = kept.is_young();
                *bytes -= if young { 0 } else { kept.answer.bytes() };
                young
            });
            self.bytes += answer.bytes();
            let kept = KeptAnswer { answer: answer.clone(), seq: self.record.seq, saved_at: self.used_at };
            let replaced = self.answers.insert(answer.key.clone(), kept);
            self.bytes -= replaced.map_or(0, |kept| kept.answer.bytes());
        }
    }
}

impl KeptAnswer {
    fn is_young(&self) -> bool {
        self.saved_at.elapsed() < ANSWER_LIFE
    }
}

/// Nothing panics while it holds this lock; if it ever did, the session is still whole.
fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
