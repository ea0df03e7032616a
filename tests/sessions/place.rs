//! Where a test keeps sessions, and the few words in which tests speak of turns.

use std::time::{Duration, Instant};

use footnote::sessions::{Message, Saved, Session, SessionKey, SessionOptions, Sessions, StoreChoice, Turn};
use jiff::Timestamp;
use tempfile::TempDir;

use crate::redis_server::RedisServer;

/// Generous: tests that are not about outages must not see one because the machine is busy.
const PATIENT: Duration = Duration::from_secs(10);

/// A store that outlives the session managers opened on it.
pub(crate) enum Place {
    Memory,
    Embedded(TempDir),
    Redis(RedisServer),
}

impl Place {
    pub(crate) fn embedded() -> Self {
        Self::Embedded(TempDir::new().unwrap())
    }

    pub(crate) fn redis() -> Self {
        Self::Redis(RedisServer::start())
    }

    pub(crate) async fn open(&self) -> Sessions {
        self.open_with(|_| {}).await
    }

    pub(crate) async fn open_with(&self, change: impl FnOnce(&mut SessionOptions)) -> Sessions {
        let mut options = SessionOptions::new(match self {
            Self::Memory => StoreChoice::Memory,
            Self::Embedded(folder) => StoreChoice::Embedded { data_dir: folder.path().to_owned() },
            Self::Redis(server) => redis_at(&server.url(), PATIENT),
        });
        change(&mut options);
        Sessions::open(options).await.unwrap()
    }

    pub(crate) fn is_durable(&self) -> bool {
        match self {
            Self::Memory => false,
            Self::Embedded(_) | Self::Redis(_) => true,
        }
    }
}

pub(crate) fn redis_at(url: &str, timeout: Duration) -> StoreChoice {
    StoreChoice::Redis { url: footnote_knowledge::secret::Secret::new(url), timeout }
}

pub(crate) fn key(id: &str) -> SessionKey {
    SessionKey::new(id).unwrap()
}

/// Question `name` and answer `name!`.
pub(crate) fn turn(name: &str) -> Turn {
    let now = Timestamp::now();
    Turn::new(now, name.to_owned(), now, format!("{name}!"), Vec::new())
}

/// A whole turn of chat: load, then save.
pub(crate) async fn say(sessions: &Sessions, key: &SessionKey, name: &str) -> Saved {
    let loaded = sessions.load(key).await;
    sessions.append(key, loaded.seen, turn(name)).await
}

pub(crate) async fn read(sessions: &Sessions, key: &SessionKey) -> Session {
    sessions.read(key).await.unwrap().expect("the session is there")
}

pub(crate) fn contents<'a>(messages: impl IntoIterator<Item = &'a std::sync::Arc<Message>>) -> Vec<&'a str> {
    messages.into_iter().map(|message| message.content.as_str()).collect()
}

/// Every question is followed by its own answer.
pub(crate) fn assert_turns_are_whole(session: &Session) {
    for pair in session.messages.chunks(2) {
        assert_eq!(pair.len(), 2, "half a turn");
        assert_eq!(pair[0].turn_id, pair[1].turn_id);
        assert_eq!(format!("{}!", pair[0].content), pair[1].content);
    }
}

/// Asks again and again until it holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "did not happen in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
