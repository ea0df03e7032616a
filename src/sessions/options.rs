//! What the session manager needs to know to start.

use std::path::PathBuf;
use std::time::Duration;

use footnote_knowledge::secret::Secret;

/// How sessions are kept. [`SessionOptions::new`] gives the defaults.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    pub store: StoreChoice,
    /// How long a session lives after its last turn or read; `None` is forever. Default: one hour.
    pub ttl: Option<Duration>,
    /// Older turns are trimmed, as whole turns. At least 2; default 1,000.
    pub max_messages: usize,
    /// How many of a session's newest messages a turn gets to see, and the RAM copy keeps. Default 128.
    pub recent_messages: usize,
    /// Memory for the RAM copies of sessions, or for all sessions if that is the only place they have. Default 64 MiB.
    pub ram_bytes: u64,
    /// Room for the turns that wait for the store to come back. Default 64 MiB.
    pub pending_bytes: usize,
    /// The folder of the journal, in which turns that wait for Redis survive this process. Default: no journal.
    pub journal: Option<PathBuf>,
}

/// Where sessions live.
#[derive(Debug, Clone)]
pub enum StoreChoice {
    Redis {
        /// `redis://`, `redis+unix://`, `redis+sentinel://` or `redis+cluster://`, or the first and the last two with
        /// `rediss` for TLS; a secret for its password.
        url: Secret,
        /// A PEM file with the CA of Redis' certificate, to be trusted instead of the system's.
        ca: Option<PathBuf>,
        /// The deadline of every call.
        timeout: Duration,
    },
    /// `sessions.redb` in this folder.
    Embedded { data_dir: PathBuf },
    /// This process only; gone when it ends.
    Memory,
}

impl StoreChoice {
    pub const DEFAULT_REDIS_TIMEOUT: Duration = Duration::from_millis(250);
}

impl SessionOptions {
    pub fn new(store: StoreChoice) -> Self {
        Self {
            store,
            ttl: Some(Duration::from_secs(3600)),
            max_messages: 1000,
            recent_messages: 128,
            ram_bytes: 64 << 20,
            pending_bytes: 64 << 20,
            journal: None,
        }
    }
}
