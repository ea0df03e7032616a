//! The scripts, their arguments and their replies. Each runs by its hash, and is loaded first where it is not known.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use redis::{Script, ScriptInvocation};
use serde_json::Value;
use uuid::Uuid;

use crate::sessions::error::Error;
use crate::sessions::idempotency::{ANSWER_LIFE, Reserved};
use crate::sessions::key::SessionKey;
use crate::sessions::listing::timestamp;
use crate::sessions::message::Message;
use crate::sessions::record::Record;
use crate::sessions::session::Seen;
use crate::sessions::store::{Append, Appended, Held, Messages, Present, Read, ReadRequest, TOMBSTONE_LIFE};

#[derive(Debug)]
pub(super) struct Scripts {
    append: Script,
    read: Script,
    reserve: Script,
    release: Script,
    delete: Script,
    patch: Script,
    forget: Script,
    import_piece: Script,
    import: Script,
}

/// Every reply is a list of strings, the first of which says what it is.
pub(super) type Reply = Vec<Vec<u8>>;

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            append: Script::new(include_str!("append.lua")),
            read: Script::new(include_str!("read.lua")),
            reserve: Script::new(include_str!("reserve.lua")),
            release: Script::new(include_str!("release.lua")),
            delete: Script::new(include_str!("delete.lua")),
            patch: Script::new(include_str!("patch.lua")),
            forget: Script::new(include_str!("forget.lua")),
            import_piece: Script::new(include_str!("import_piece.lua")),
            import: Script::new(include_str!("import.lua")),
        }
    }

    /// `user` and `assistant` are the messages as JSON.
    pub(super) fn append(
        &self,
        key: &SessionKey,
        append: &Append,
        [user, assistant]: [&[u8]; 2],
        ttl: Option<Duration>,
        max_messages: usize,
    ) -> ScriptInvocation<'_> {
        let Seen(seen) = append.seen;
        // At least a millisecond: 0 stands for a session that never expires.
        let ttl_left = ttl.map(|ttl| ttl.saturating_sub(append.waited()).max(Duration::from_millis(1)));
        let mut script = on_session(&self.append, key);
        script.arg(text(append.writer)).arg(append.number);
        script.arg(if seen.is_some() { "yes" } else { "no" });
        script.arg(optional(seen.and_then(|seen| seen.epoch))).arg(optional(seen.and_then(|seen| seen.deleted)));
        script.arg(text(append.epoch_if_new));
        script.arg(append.asked_at().as_millisecond()).arg(append.answered_at().as_millisecond());
        script.arg(milliseconds(ttl)).arg(milliseconds(ttl_left)).arg(max_messages);
        script.arg(user).arg(assistant);
        match &append.answer {
            Some(answer) => {
                let until = Timestamp::now().as_millisecond() + ANSWER_LIFE.as_millis() as i64;
                let record = format!("answered {} {}", answer.digest, append.user.turn_id);
                script.arg(answer.key.as_str()).arg(record).arg(format!("{until}\n{}", answer.response));
            }
            None => {
                script.arg("").arg("").arg("");
            }
        }
        script
    }

    pub(super) fn reserve(&self, reserved: &Reserved, life: Duration) -> ScriptInvocation<'_> {
        let now = Timestamp::now().as_millisecond();
        let held_until = now.saturating_add(life.as_millis().try_into().unwrap_or(i64::MAX));
        let mut script = on_session(&self.reserve, &reserved.session);
        script.arg(reserved.request.key.as_str()).arg(&reserved.request.digest).arg(text(reserved.attempt));
        script.arg(now).arg(held_until);
        script
    }

    pub(super) fn release(&self, reserved: &Reserved) -> ScriptInvocation<'_> {
        let mut script = on_session(&self.release, &reserved.session);
        script.arg(reserved.request.key.as_str()).arg(text(reserved.attempt));
        script
    }

    /// `before` is the number of the first message that is not wanted, from the end.
    pub(super) fn read(
        &self,
        key: &SessionKey,
        request: ReadRequest,
        before: Option<u64>,
        ttl: Option<Duration>,
    ) -> ScriptInvocation<'_> {
        let mut script = on_session(&self.read, key);
        match request.known {
            Some(known) => script.arg(text(known.epoch)).arg(known.seq).arg(text(known.turn_id)),
            None => script.arg("").arg(0).arg(""),
        };
        script.arg(request.newest).arg(if request.metadata { "yes" } else { "no" }).arg(milliseconds(ttl));
        script.arg(before.map(|before| before.to_string()).unwrap_or_default());
        script
    }

    pub(super) fn delete(&self, key: &SessionKey) -> ScriptInvocation<'_> {
        let mut script = on_session(&self.delete, key);
        script.arg(Timestamp::now().as_millisecond()).arg(milliseconds(Some(TOMBSTONE_LIFE))).arg(text(Uuid::new_v4()));
        script
    }

    pub(super) fn patch(
        &self,
        key: &SessionKey,
        before: &str,
        after: &str,
        now: i64,
        ttl: Option<Duration>,
    ) -> ScriptInvocation<'_> {
        let mut script = on_session(&self.patch, key);
        script.arg(before).arg(after).arg(now).arg(milliseconds(ttl));
        script
    }

    /// `messages` are JSON.
    pub(super) fn import_piece(&self, list: &str, messages: &[Vec<u8>], life: Duration) -> ScriptInvocation<'_> {
        let mut script = self.import_piece.key(list);
        script.arg(milliseconds(Some(life))).arg(messages);
        script
    }

    /// `list` holds the messages.
    pub(super) fn import(
        &self,
        key: &SessionKey,
        list: &str,
        record: &Record,
        replace: bool,
        ttl: Option<Duration>,
    ) -> ScriptInvocation<'_> {
        let mut script = on_session(&self.import, key);
        script.key(list);
        script.arg(if replace { "yes" } else { "no" }).arg(text(record.epoch)).arg(record.seq).arg(record.trimmed);
        script.arg(record.created_at).arg(record.last_activity);
        script.arg(Value::Object(record.metadata.clone()).to_string()).arg(milliseconds(ttl));
        script
    }

    /// `dead` are members of the listing with the score they were found at.
    pub(super) fn forget(&self, listing: &str, dead: &[(String, i64)]) -> ScriptInvocation<'_> {
        let mut script = self.forget.key(listing);
        for (member, score) in dead {
            script.arg(member).arg(*score);
        }
        script
    }
}

pub(super) fn appended(reply: &Reply) -> Result<Appended, Error> {
    match (status(reply), reply.as_slice()) {
        ("saved", [_, epoch, seq, trimmed]) => {
            Ok(Appended::Saved { epoch: parse(epoch)?, seq: parse(seq)?, trimmed: parse(trimmed)? })
        }
        ("repeated", [_, seq]) => Ok(Appended::Repeated { seq: parse(seq)? }),
        ("deleted", [_]) => Ok(Appended::Deleted),
        ("superseded", [_, seq]) => Ok(Appended::Superseded { seq: parse(seq)? }),
        _ => Err(damaged(reply)),
    }
}

pub(super) fn read(reply: &Reply) -> Result<Read, Error> {
    match (status(reply), reply.as_slice()) {
        ("absent", [_, deletion]) => Ok(Read::Absent { deleted: parse_optional(deletion)? }),
        (
            status @ ("newest" | "since"),
            [_, epoch, seq, trimmed, deletion, created_at, last_activity, metadata, messages @ ..],
        ) => {
            let messages = messages.iter().map(|json| message(json)).collect::<Result<_, _>>()?;
            Ok(Read::Present(Present {
                epoch: parse(epoch)?,
                seq: parse(seq)?,
                trimmed: parse(trimmed)?,
                deleted: parse_optional(deletion)?,
                created_at: timestamp(parse(created_at)?),
                last_activity: timestamp(parse(last_activity)?),
                metadata: if metadata.is_empty() { Default::default() } else { json(metadata)? },
                messages: if status == "since" { Messages::Since(messages) } else { Messages::Newest(messages) },
            }))
        }
        _ => Err(damaged(reply)),
    }
}

pub(super) fn held(reply: &Reply) -> Result<Held, Error> {
    match (status(reply), reply.as_slice()) {
        ("reserved", [_]) => Ok(Held::Free),
        ("in_flight", [_]) => Ok(Held::InFlight),
        ("other_request", [_]) => Ok(Held::OtherRequest),
        ("answered", [_, seq, response]) => {
            let response = String::from_utf8(response.clone());
            let response =
                response.map_err(|_| Error::Damaged("an answer kept for its request is unreadable".into()))?;
            Ok(Held::Answered { response, seq: parse(seq)? })
        }
        _ => Err(damaged(reply)),
    }
}

pub(super) fn status(reply: &Reply) -> &str {
    reply.first().and_then(|status| std::str::from_utf8(status).ok()).unwrap_or_default()
}

/// The keys that every script on a session gets, in this order.
fn on_session<'script>(script: &'script Script, key: &SessionKey) -> ScriptInvocation<'script> {
    let session = key.to_string();
    let mut invocation = script.key(&session);
    invocation.key(format!("{session}:messages")).key(format!("{session}:turns")).key(format!("{session}:gone"));
    invocation
}

fn message(text: &[u8]) -> Result<Arc<Message>, Error> {
    json(text).map(Arc::new)
}

pub(super) fn json<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(text).map_err(|error| Error::Damaged(format!("unreadable entry ({error})")))
}

pub(super) fn parse<T: std::str::FromStr>(field: &[u8]) -> Result<T, Error> {
    let parsed = std::str::from_utf8(field).ok().and_then(|field| field.parse().ok());
    parsed.ok_or_else(|| Error::Damaged("a field of its record is missing or unreadable".into()))
}

fn parse_optional(field: &[u8]) -> Result<Option<Uuid>, Error> {
    if field.is_empty() { Ok(None) } else { parse(field).map(Some) }
}

fn damaged(reply: &Reply) -> Error {
    match (status(reply), reply.as_slice()) {
        ("damaged", [_, there, expected]) => {
            let (there, expected) = (String::from_utf8_lossy(there), String::from_utf8_lossy(expected));
            Error::Damaged(format!("{there} of {expected} messages are there"))
        }
        _ => Error::Damaged("its record is unreadable".into()),
    }
}

fn text(id: Uuid) -> String {
    id.to_string()
}

fn optional(id: Option<Uuid>) -> String {
    id.map(text).unwrap_or_default()
}

/// 0 for ever.
fn milliseconds(life: Option<Duration>) -> u64 {
    life.map_or(0, |life| life.as_millis().try_into().unwrap_or(u64::MAX))
}
