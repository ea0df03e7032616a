//! Sessions in Redis or Valkey, shared by any number of servers.
//!
//! A session is `session:{<tenant>:<id>}`, a hash of `created_at`, `last_activity` (milliseconds since 1970),
//! `metadata` (JSON), `epoch`, `seq` (messages ever appended), `trimmed` (how many of them are gone from the front) and
//! `w:<writer>` (the last append number of each server). `…:messages` is the list of its messages as JSON, newest last;
//! `…:turns` is a hash of what became of requests by their Idempotency-Key (`reserve.lua` tells its values); `…:gone` is the
//! tombstone, `<epoch> <time> <name>` of the deletion. The first three live and die together. All changes are made by the
//! Lua scripts beside this file, so that they are atomic and safe to repeat. The listing is apart, in [`listing`].
//! `…:import:<epoch>` is a session on its way in. `sessions:check` (in a cluster one per range of slots,
//! `sessions:check:{<tag>}`) is written to find out whether Redis takes writes.

mod address;
mod certificates;
mod connection;
mod diagnosis;
mod failure;
mod import;
mod listing;
mod scripts;
mod slots;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use redis::Cmd;
use serde_json::{Map, Value};

use super::error::Error;
use super::idempotency::Reserved;
use super::key::SessionKey;
use super::listing::{Listed, Position};
use super::options::SessionOptions;
use super::record::merge_metadata;
use super::store::{Append, Appended, Held, Messages, Read, ReadRequest};
use address::Address;
use certificates::Certificates;
use connection::Connection;
use listing::Listing;
use scripts::{Reply, Scripts, status};

/// Under which the Redis library logs.
pub const LOG_TARGET: &str = "redis";

/// How often a metadata change starts again because somebody else changed it at the same time.
const PATCH_ATTEMPTS: usize = 8;

/// How many messages come in one reply. A long session in one piece would keep the turns of others waiting on the
/// connection, past their deadline.
const PAGE: usize = 256;

const REPLACED: &str = "the session was deleted while it was read";

#[derive(Debug)]
pub(super) struct RedisStore {
    connection: Arc<Connection>,
    scripts: Arc<Scripts>,
    listing: Listing,
    ttl: Option<Duration>,
    max_messages: usize,
}

impl RedisStore {
    /// `ca` is the file of a CA to be trusted instead of the system's.
    pub(super) fn open(
        url: &str,
        ca: Option<&Path>,
        deadline: Duration,
        options: &SessionOptions,
    ) -> Result<Self, Error> {
        let address = Address::parse(url).map_err(|error| Error::InvalidUrl(Box::new(error)))?;
        let connection = Arc::new(Connection::open(address, Certificates::read(ca)?, deadline)?);
        let scripts = Arc::new(Scripts::new());
        let listing = Listing::start(Arc::clone(&connection), Arc::clone(&scripts), options.ttl);
        Ok(Self { connection, scripts, listing, ttl: options.ttl, max_messages: options.max_messages })
    }

    pub(super) async fn append(&self, key: &SessionKey, append: &Append) -> Result<Appended, Error> {
        let to_json = |message| serde_json::to_vec(message).map_err(|error| Error::Failed(Box::new(error)));
        let (user, assistant) = (to_json(&*append.user)?, to_json(&*append.assistant)?);
        let script = self.scripts.append(key, append, [&user, &assistant], self.ttl, self.max_messages);
        let reply: Reply = self.connection.run(key, &script).await?;
        let appended = scripts::appended(&reply)?;
        match appended {
            Appended::Saved { .. } | Appended::Repeated { .. } => {
                self.listing.note_activity(key, append.answered_at().as_millisecond());
            }
            Appended::Deleted | Appended::Superseded { .. } => {}
        }
        Ok(appended)
    }

    pub(super) async fn read(&self, key: &SessionKey, request: ReadRequest) -> Result<Read, Error> {
        let page = ReadRequest { newest: request.newest.min(PAGE), ..request };
        let mut present = match self.read_page(key, page, None).await? {
            Read::Present(present) => present,
            absent @ Read::Absent { .. } => return Ok(absent),
        };
        if let Messages::Newest(messages) = &mut present.messages {
            let wanted = (present.seq - present.trimmed).min(request.newest as u64);
            let mut pages = vec![std::mem::take(messages)];
            let mut oldest = present.seq - pages[0].len() as u64;
            while oldest > present.trimmed && present.seq - oldest < wanted {
                let older = match self.read_page(key, ReadRequest { known: None, ..page }, Some(oldest)).await? {
                    Read::Present(older) if older.epoch == present.epoch => older,
                    Read::Present(_) | Read::Absent { .. } => return Err(Error::Failed(REPLACED.into())),
                };
                // Others go on with the session: what they trimmed meanwhile is no part of it any more.
                present.trimmed = older.trimmed;
                if let Messages::Newest(older) = older.messages {
                    oldest -= older.len() as u64;
                    pages.push(older);
                }
            }
            *messages = pages.into_iter().rev().flatten().collect();
            let kept = usize::try_from(present.seq - present.trimmed).unwrap_or(usize::MAX).min(request.newest);
            messages.drain(..messages.len().saturating_sub(kept));
        }
        Ok(Read::Present(present))
    }

    async fn read_page(&self, key: &SessionKey, page: ReadRequest, before: Option<u64>) -> Result<Read, Error> {
        let script = self.scripts.read(key, page, before, self.ttl);
        let reply: Reply = self.connection.run(key, &script).await?;
        scripts::read(&reply)
    }

    pub(super) async fn reserve(&self, reserved: &Reserved, life: Duration) -> Result<Held, Error> {
        let script = self.scripts.reserve(reserved, life);
        let reply: Reply = self.connection.run(&reserved.session, &script).await?;
        scripts::held(&reply)
    }

    pub(super) async fn release(&self, reserved: &Reserved) -> Result<(), Error> {
        let script = self.scripts.release(reserved);
        self.connection.run::<Reply>(&reserved.session, &script).await.map(drop)
    }

    pub(super) async fn delete(&self, key: &SessionKey) -> Result<bool, Error> {
        let script = self.scripts.delete(key);
        let reply: Reply = self.connection.run(key, &script).await?;
        if status(&reply) == "absent" {
            return Ok(false);
        }
        let last_activity = reply.get(1).map_or(Ok(0), |field| scripts::parse(field))?;
        self.listing.forget(key, last_activity).await;
        Ok(true)
    }

    pub(super) async fn patch_metadata(&self, key: &SessionKey, patch: Map<String, Value>) -> Result<bool, Error> {
        let session = key.to_string();
        for _ in 0..PATCH_ATTEMPTS {
            let Some(before): Option<String> = self.connection.query(&Cmd::hget(&session, "metadata")).await? else {
                return Ok(false);
            };
            let mut metadata = scripts::json(before.as_bytes())?;
            merge_metadata(&mut metadata, patch.clone())?;
            let after = Value::Object(metadata).to_string();
            let now = Timestamp::now().as_millisecond();
            let script = self.scripts.patch(key, &before, &after, now, self.ttl);
            let reply: Reply = self.connection.run(key, &script).await?;
            match status(&reply) {
                "changed" => {}
                "absent" => return Ok(false),
                _ => {
                    self.listing.note_activity(key, now);
                    return Ok(true);
                }
            }
        }
        Err(Error::Failed("the metadata was changed by others all the time".into()))
    }

    pub(super) async fn list(&self, tenant: &str, after: Option<Position>, limit: usize) -> Result<Vec<Listed>, Error> {
        self.listing.list(tenant, after, limit).await
    }

    pub(super) async fn check(&self) -> Result<(), Error> {
        self.connection.check().await
    }

    pub(super) async fn reachable(&self) {
        self.connection.reachable().await;
    }

    pub(super) async fn close(&self) {
        self.listing.flush().await;
    }
}
