//! Holding an Idempotency-Key for a turn, on behalf of the session manager. What is held, and how long, is told in
//! [`super::idempotency`].

use std::time::Duration;

use super::idempotency::{IdempotentRequest, Reservation, Reserved};
use super::key::SessionKey;
use super::session::Saved;
use super::store::Held;
use super::{Sessions, in_memory, log};

impl Sessions {
    /// Holds the request's key for `life`, which must be longer than the turn may take, or says what became of the
    /// request before. While the store is down, this server goes by what it knows itself.
    ///
    /// Keep what is reserved until the turn is appended; after a failure give it to [`Sessions::release`].
    pub async fn reserve(&self, key: &SessionKey, request: &IdempotentRequest, life: Duration) -> Reservation {
        let inner = &self.inner;
        let reserved = match inner.in_flight.hold(key, request) {
            Ok(reserved) => reserved,
            Err(held) => return held,
        };
        let _lock = inner.locks.lock(key).await;
        // What still waits after it is looked at first.
        let _ = inner.replay(key).await;
        let held = match inner.pending.answer(key, &request.key) {
            Some((answer, waiting)) => {
                let stored = inner.ram.get(key).await.map_or(0, |copy| copy.seq());
                let saved = in_memory(stored + waiting);
                return answered(Held::by(answer, request, 0), reserved, saved);
            }
            None => inner.store.reserve(&reserved, life).await,
        };
        match held {
            Ok(held) => {
                let seq = if let Held::Answered { seq, .. } = held { seq } else { 0 };
                answered(held, reserved, inner.acknowledged(seq))
            }
            Err(error) => {
                log(&error, "cannot look up an idempotency key; it holds in this server only");
                match inner.answers.find(key, &request.key).await {
                    Some((answer, seq)) => answered(Held::by(answer, request, seq), reserved, inner.acknowledged(seq)),
                    None => Reservation::Reserved(reserved),
                }
            }
        }
    }

    /// Frees the key of a request whose turn failed or is lost, so that it can be tried again at once.
    pub async fn release(&self, reserved: &Reserved) {
        if let Err(error) = self.inner.store.release(reserved).await {
            log(&error, "cannot free an idempotency key; it is free when the time of the turn is over");
        }
    }
}

fn answered(held: Held, reserved: Reserved, saved: Saved) -> Reservation {
    match held {
        Held::Free => Reservation::Reserved(reserved),
        Held::InFlight => Reservation::InFlight,
        Held::OtherRequest => Reservation::OtherRequest,
        Held::Answered { response, .. } => Reservation::Answered { response, saved },
    }
}
