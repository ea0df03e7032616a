//! The listing: `sessions:{<tenant>}`, a sorted set of session ids by last activity.
//!
//! It may lie on another node of a cluster than the sessions, so it is written after the turn was acknowledged, in
//! batches and at best effort; whoever lists finds out which sessions still exist and removes the others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use redis::Cmd;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::connection::Connection;
use super::scripts::{self, Scripts};
use crate::sessions::error::Error;
use crate::sessions::key::{self, SessionKey};
use crate::sessions::listing::{Listed, Position, timestamp, whole_seconds};
use crate::sessions::session::SessionSummary;

/// How many entries are looked at in one round trip.
const BATCH: usize = 256;
/// Entries that wait while Redis is away; beyond it a session is listed again from its next turn on.
const WAITING_LIMIT: usize = 100_000;

#[derive(Debug)]
pub(super) struct Listing {
    index: Arc<Index>,
    notes: mpsc::UnboundedSender<Note>,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Debug)]
struct Index {
    connection: Arc<Connection>,
    scripts: Arc<Scripts>,
    ttl: Option<Duration>,
}

#[derive(Debug)]
enum Note {
    Active { key: SessionKey, at: i64 },
    Flush(oneshot::Sender<()>),
}

impl Listing {
    pub(super) fn start(connection: Arc<Connection>, scripts: Arc<Scripts>, ttl: Option<Duration>) -> Self {
        let index = Arc::new(Index { connection, scripts, ttl });
        let (notes, noted) = mpsc::unbounded_channel();
        let tasks = [tokio::spawn(write(Arc::clone(&index), noted)), tokio::spawn(sweep(Arc::clone(&index)))];
        Self { index, notes, tasks }
    }

    /// Does not wait. `at` is in milliseconds since 1970.
    pub(super) fn note_activity(&self, key: &SessionKey, at: i64) {
        // The tasks end only with `self`.
        let _ = self.notes.send(Note::Active { key: key.clone(), at });
    }

    /// Waits until what was noted is written, or failed to be.
    pub(super) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        let _ = self.notes.send(Note::Flush(done));
        let _ = flushed.await;
    }

    pub(super) async fn forget(&self, key: &SessionKey, last_activity: i64) {
        self.flush().await;
        self.index.forget(key.tenant(), &[(key.encoded_id(), last_activity)]).await;
    }

    pub(super) async fn list(&self, tenant: &str, after: Option<Position>, limit: usize) -> Result<Vec<Listed>, Error> {
        self.flush().await;
        self.index.list(tenant, after, limit).await
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn write(index: Arc<Index>, mut noted: mpsc::UnboundedReceiver<Note>) {
    let mut waiting: HashMap<SessionKey, i64> = HashMap::new();
    let mut batch = Vec::new();
    while noted.recv_many(&mut batch, BATCH).await > 0 {
        let mut flushes = Vec::new();
        for note in batch.drain(..) {
            match note {
                Note::Active { key, at } if waiting.len() < WAITING_LIMIT => {
                    waiting.entry(key).and_modify(|latest| *latest = at.max(*latest)).or_insert(at);
                }
                Note::Active { .. } => {}
                Note::Flush(done) => flushes.push(done),
            }
        }
        // What fails here waits for the next note.
        if !waiting.is_empty() && index.add(&waiting).await.is_ok() {
            waiting.clear();
        }
        for done in flushes {
            let _ = done.send(());
        }
    }
}

/// Removes what has expired and nobody came across by listing.
async fn sweep(index: Arc<Index>) {
    let Some(ttl) = index.ttl else { return };
    let mut times = tokio::time::interval(ttl.clamp(Duration::from_secs(60), Duration::from_secs(600)));
    loop {
        times.tick().await;
        index.sweep(SessionKey::DEFAULT_TENANT, ttl).await;
    }
}

/// An entry as it stands in the sorted set.
type Member = (String, i64);

impl Index {
    async fn add(&self, sessions: &HashMap<SessionKey, i64>) -> Result<(), Error> {
        let mut by_tenant: HashMap<&str, Cmd> = HashMap::new();
        for (key, at) in sessions {
            let command = by_tenant.entry(key.tenant()).or_insert_with(|| {
                let mut command = redis::cmd("ZADD");
                // Another server may have noted a later turn.
                command.arg(set_name(key.tenant())).arg("GT");
                command
            });
            command.arg(*at).arg(key.encoded_id());
        }
        for command in by_tenant.into_values() {
            self.connection.query::<()>(&command).await?;
        }
        Ok(())
    }

    async fn list(&self, tenant: &str, after: Option<Position>, limit: usize) -> Result<Vec<Listed>, Error> {
        // Among equal scores Redis orders by the bytes of the member.
        let after = after.map(|position| (position.last_activity, key::encode(&position.session_id)));
        let highest = after.as_ref().map_or("+inf".to_owned(), |(score, _)| score.to_string());
        let mut listed = Vec::new();
        let mut dead = Vec::new();
        for offset in (0..).step_by(BATCH) {
            let members = self.members(tenant, "ZREVRANGEBYSCORE", &highest, "-inf", offset).await?;
            let at_end = members.len() < BATCH;
            let behind = |(member, score): &Member| {
                after.as_ref().is_none_or(|(after_score, after)| (score, member) < (after_score, after))
            };
            let members: Vec<_> = members.into_iter().filter(behind).collect();
            for (member, session) in self.sessions(tenant, members).await? {
                match session {
                    Some(session) if listed.len() < limit => listed.push(session),
                    Some(_) => {}
                    None => dead.push(member),
                }
            }
            if at_end || listed.len() == limit {
                break;
            }
        }
        self.forget(tenant, &dead).await;
        Ok(listed)
    }

    async fn members(
        &self,
        tenant: &str,
        command: &str,
        from: &str,
        to: &str,
        offset: usize,
    ) -> Result<Vec<Member>, Error> {
        let set = set_name(tenant);
        let mut query = redis::cmd(command);
        query.arg(&set).arg(from).arg(to).arg("WITHSCORES").arg("LIMIT").arg(offset).arg(BATCH);
        let found: Vec<(String, f64)> = self.connection.query(&query).await?;
        Ok(found.into_iter().map(|(member, score)| (member, score as i64)).collect())
    }

    /// What each of these sessions is, `None` for those that do not exist any more.
    async fn sessions(&self, tenant: &str, members: Vec<Member>) -> Result<Vec<(Member, Option<Listed>)>, Error> {
        let mut found = Vec::with_capacity(members.len());
        if members.is_empty() {
            return Ok(found);
        }
        let mut commands = Vec::with_capacity(2 * members.len());
        for (member, _) in &members {
            let session = session_name(tenant, member);
            let fields = ["created_at", "last_activity", "metadata", "seq"];
            commands.push(Cmd::hmget(&session, &fields));
            commands.push(Cmd::pttl(session));
        }
        type Fields = (Option<i64>, Option<i64>, Option<String>, Option<u64>);
        let replies = self.connection.query_all(&commands).await?;
        let unreadable = |error: redis::ParsingError| Error::Failed(Box::new(error));
        let mut replies = replies.into_iter();
        for member in members {
            let (Some(fields), Some(left)) = (replies.next(), replies.next()) else { break };
            let fields: Fields = redis::from_redis_value(fields).map_err(unreadable)?;
            let left: i64 = redis::from_redis_value(left).map_err(unreadable)?;
            let session = match fields {
                (Some(created_at), Some(last_activity), Some(metadata), Some(seq)) => {
                    let metadata: Map<String, Value> = scripts::json(metadata.as_bytes())?;
                    listed(&member, [created_at, last_activity], metadata, seq, left)
                }
                _ => None,
            };
            found.push((member, session));
        }
        Ok(found)
    }

    async fn sweep(&self, tenant: &str, ttl: Duration) {
        let oldest = Timestamp::now().as_millisecond().saturating_sub(ttl.as_millis().try_into().unwrap_or(i64::MAX));
        let mut skipped = 0;
        loop {
            // Reading a session prolongs its life but is no activity, so an old entry may well be alive.
            let Ok(members) = self.members(tenant, "ZRANGEBYSCORE", "-inf", &oldest.to_string(), skipped).await else {
                return;
            };
            let at_end = members.len() < BATCH;
            let Ok(sessions) = self.sessions(tenant, members).await else { return };
            let alive = sessions.iter().filter(|(_, session)| session.is_some()).count();
            let dead: Vec<Member> =
                sessions.into_iter().filter(|(_, session)| session.is_none()).map(|(member, _)| member).collect();
            // What cannot be removed would be found again and again.
            if !self.forget(tenant, &dead).await || at_end {
                return;
            }
            skipped += alive;
        }
    }

    /// Best effort: what stays is found again by the next listing. False if it stays.
    async fn forget(&self, tenant: &str, dead: &[Member]) -> bool {
        if dead.is_empty() {
            return true;
        }
        let set = set_name(tenant);
        let script = self.scripts.forget(&set, dead);
        let removed = self.connection.run::<()>(&set, &script).await;
        if let Err(error) = &removed {
            tracing::debug!(error = error as &dyn std::error::Error, "cannot remove ended sessions from the listing");
        }
        removed.is_ok()
    }
}

fn listed(
    (member, score): &Member,
    [created_at, last_activity]: [i64; 2],
    metadata: Map<String, Value>,
    seq: u64,
    left: i64,
) -> Option<Listed> {
    let session_id = key::decode(member)?;
    let position = Position { last_activity: *score, session_id: session_id.clone() };
    let summary = SessionSummary {
        session_id,
        created_at: timestamp(created_at),
        last_activity: timestamp(last_activity),
        metadata,
        // Redis says -1 for a key that does not expire.
        ttl_seconds: u64::try_from(left).ok().map(Duration::from_millis).map(whole_seconds),
        conversation_length: seq,
    };
    Some(Listed { summary, position })
}

fn set_name(tenant: &str) -> String {
    format!("sessions:{{{}}}", key::encode(tenant))
}

/// `member` is an id, already encoded.
fn session_name(tenant: &str, member: &str) -> String {
    format!("session:{{{}:{member}}}", key::encode(tenant))
}
