//! Servers that take long to start, used by one test after the other.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

/// Started for the first test that asks, and stopped with the last one that uses them or waits for them, so that nothing
/// outlives the test binary.
pub(crate) struct SharedServers<T>(Mutex<Weak<Servers<T>>>);

struct Servers<T> {
    servers: T,
    in_use: Arc<tokio::sync::Mutex<()>>,
}

/// The servers, for one test alone.
pub(crate) struct Lease<T> {
    _in_use: OwnedMutexGuard<()>,
    shared: Arc<Servers<T>>,
}

impl<T> SharedServers<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    pub(crate) async fn lease(&self, start: impl FnOnce() -> T) -> Lease<T> {
        let shared = self.running(start);
        let in_use = Arc::clone(&shared.in_use).lock_owned().await;
        Lease { _in_use: in_use, shared }
    }

    /// Others wait while one starts them.
    fn running(&self, start: impl FnOnce() -> T) -> Arc<Servers<T>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.upgrade().unwrap_or_else(|| {
            let started = Arc::new(Servers { servers: start(), in_use: Arc::default() });
            *known = Arc::downgrade(&started);
            started
        })
    }
}

impl<T> Deref for Lease<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.shared.servers
    }
}
