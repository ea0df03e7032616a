//! Answering a request once, however often it is sent: `Idempotency-Key`.
//!
//! A key is held while its turn is being answered, and leads to that answer afterwards, for a day or the session's life.
//! Redis holds keys for all servers. What is being answered here, and what waits for the store, this process knows by
//! itself, so that within it the promise holds in an outage too.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::key::SessionKey;
use super::session::Saved;

/// How long an answer is given again, if its session lives that long.
pub(super) const ANSWER_LIFE: Duration = Duration::from_secs(24 * 3600);

/// A client's name for one request: 1 to 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IdempotencyKey(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdempotencyKey {
    #[error("is empty; send 1 to {} bytes", IdempotencyKey::MAX_BYTES)]
    Empty,
    #[error("has {bytes} bytes; send at most {}", IdempotencyKey::MAX_BYTES)]
    TooLong { bytes: usize },
}

impl IdempotencyKey {
    pub const MAX_BYTES: usize = 128;

    pub fn parse(key: &str) -> Result<Self, InvalidIdempotencyKey> {
        match key.len() {
            0 => Err(InvalidIdempotencyKey::Empty),
            1..=Self::MAX_BYTES => Ok(Self(key.to_owned())),
            bytes => Err(InvalidIdempotencyKey::TooLong { bytes }),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request that is to be answered once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentRequest {
    pub key: IdempotencyKey,
    /// A digest without spaces: another request under the same key is a client's mistake.
    pub digest: String,
}

/// An answer as it is kept to be given again, together with its turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAnswer {
    pub(super) key: IdempotencyKey,
    pub(super) digest: String,
    /// The response, as its maker wrote it.
    pub(super) response: String,
}

impl StoredAnswer {
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.key.0.len() + self.digest.len() + self.response.len()
    }
}

/// What is known of a key when a request comes with it.
#[derive(Debug)]
pub enum Reservation {
    /// Nothing, or only of long ago. Now the key is held for this request.
    Reserved(Reserved),
    /// The same request is being answered.
    InFlight,
    /// Another request had this key.
    OtherRequest,
    /// This is what was answered, and what is now known of how that turn was saved.
    Answered { response: String, saved: Saved },
}

/// The right to answer a request. In this process the key is free again when this is dropped.
#[derive(Debug)]
pub struct Reserved {
    pub(super) session: SessionKey,
    pub(super) request: IdempotentRequest,
    /// Tells this attempt from a later one.
    pub(super) attempt: Uuid,
    in_flight: Arc<InFlight>,
}

impl Reserved {
    /// The answer to this request, to be saved with its turn.
    pub fn answer(&self, response: String) -> StoredAnswer {
        StoredAnswer { key: self.request.key.clone(), digest: self.request.digest.clone(), response }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.in_flight.lock().remove(&(self.session.clone(), self.request.key.clone()));
    }
}

/// The keys whose turns are being answered in this process.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<HashMap<(SessionKey, IdempotencyKey), String>>);

impl InFlight {
    /// Holds the key, or says why not.
    pub(super) fn hold(
        self: &Arc<Self>,
        session: &SessionKey,
        request: &IdempotentRequest,
    ) -> Result<Reserved, Reservation> {
        match self.lock().entry((session.clone(), request.key.clone())) {
            Entry::Occupied(held) if *held.get() == request.digest => Err(Reservation::InFlight),
            Entry::Occupied(_) => Err(Reservation::OtherRequest),
            Entry::Vacant(free) => {
                free.insert(request.digest.clone());
                Ok(Reserved {
                    session: session.clone(),
                    request: request.clone(),
                    attempt: Uuid::new_v4(),
                    in_flight: Arc::clone(self),
                })
            }
        }
    }

    /// Nothing panics while it holds this lock.
    fn lock(&self) -> MutexGuard<'_, HashMap<(SessionKey, IdempotencyKey), String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
