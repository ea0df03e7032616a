//! One operation at a time on one session.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

use super::key::SessionKey;

/// The numbers of a session's appends must reach the store in order. Sessions share a fixed number of locks, which needs
/// no cleaning up and can never give two locks to one session.
#[derive(Debug)]
pub(super) struct Locks {
    locks: Box<[Mutex<()>]>,
    hasher: RandomState,
}

impl Default for Locks {
    fn default() -> Self {
        Self { locks: (0..1024).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }
}

impl Locks {
    pub(super) async fn lock(&self, key: &SessionKey) -> MutexGuard<'_, ()> {
        let slot = self.hasher.hash_one(key) as usize % self.locks.len();
        self.locks[slot].lock().await
    }
}
