//! Where a test keeps sessions, and the few words in which tests speak of turns.

use std::time::{Duration, Instant};

use footnote::sessions::{Backend, Message, Saved, Session, SessionKey, SessionOptions, Sessions, StoreChoice, Turn};
use footnote_knowledge::secret::Secret;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::redis_cluster::RedisCluster;
use crate::redis_sentinel::RedisSentinels;
use crate::redis_server::RedisServer;
use crate::shared_servers::{Lease, SharedServers};

/// Generous: a test must not see an outage because the machine is busy. Those that make one do not wait so long for it:
/// a Redis that was killed refuses at once. Where one hangs, the test has a deadline of its own.
pub(crate) const PATIENT: Duration = Duration::from_secs(10);

static CLUSTER: SharedServers<RedisCluster> = SharedServers::new();
static SENTINELS: SharedServers<RedisSentinels> = SharedServers::new();

/// A store that outlives the session managers opened on it.
pub(crate) enum Place {
    Memory,
    Embedded(TempDir),
    Redis(RedisServer),
    /// As the user of docs/redis.md, who may do what sessions need and nothing else.
    RestrictedRedis(RedisServer),
    RedisCluster(Lease<RedisCluster>),
    RedisSentinel(Lease<RedisSentinels>),
}

impl Place {
    pub(crate) fn embedded() -> Self {
        Self::Embedded(TempDir::new().unwrap())
    }

    pub(crate) fn redis() -> Self {
        Self::Redis(RedisServer::start())
    }

    pub(crate) fn restricted_redis() -> Self {
        let server = RedisServer::start();
        restrict(&server);
        Self::RestrictedRedis(server)
    }

    pub(crate) async fn redis_cluster() -> Self {
        let cluster = CLUSTER.lease(RedisCluster::start).await;
        cluster.flush();
        Self::RedisCluster(cluster)
    }

    /// No test that shares them is about failover.
    pub(crate) async fn redis_sentinel() -> Self {
        let sentinels = SENTINELS.lease(RedisSentinels::start).await;
        sentinels.flush();
        Self::RedisSentinel(sentinels)
    }

    pub(crate) async fn open(&self) -> Sessions {
        self.open_with(|_| {}).await
    }

    pub(crate) async fn open_with(&self, change: impl FnOnce(&mut SessionOptions)) -> Sessions {
        let mut options = SessionOptions::new(match self {
            Self::Memory => StoreChoice::Memory,
            Self::Embedded(folder) => StoreChoice::Embedded { data_dir: folder.path().to_owned() },
            Self::Redis(server) => redis_at(&server.url(), PATIENT),
            Self::RestrictedRedis(server) => redis_at(&restricted_url(server), PATIENT),
            Self::RedisCluster(cluster) => redis_at(&cluster.url(), PATIENT),
            Self::RedisSentinel(sentinels) => redis_at(&sentinels.url(), PATIENT),
        });
        change(&mut options);
        Sessions::open(options).await.unwrap()
    }

    /// What is said of a turn that was saved here.
    pub(crate) fn backend(&self) -> Backend {
        match self {
            Self::Memory => Backend::Memory,
            Self::Embedded(_) => Backend::Embedded,
            Self::Redis(_) | Self::RestrictedRedis(_) | Self::RedisCluster(_) | Self::RedisSentinel(_) => {
                Backend::Redis
            }
        }
    }

    pub(crate) fn is_durable(&self) -> bool {
        self.backend() != Backend::Memory
    }
}

pub(crate) const REDIS_PAGE: &str = include_str!("../../docs/redis.md");

/// Makes the user `footnote` with the permissions of docs/redis.md, and leaves the default user to the test's own commands.
pub(crate) fn restrict(server: &RedisServer) {
    let answer = server.command(&acl_command().collect::<Vec<_>>());
    assert_eq!(answer, "OK");
}

/// The commands that user may run.
pub(crate) fn permissions() -> impl Iterator<Item = &'static str> {
    acl_command().filter_map(|word| word.strip_prefix('+'))
}

fn acl_command() -> impl Iterator<Item = &'static str> {
    let line = REDIS_PAGE.lines().find(|line| line.starts_with("ACL SETUSER footnote ")).expect("the page has it");
    line.split_whitespace()
}

pub(crate) fn restricted_url(server: &RedisServer) -> String {
    format!("redis://footnote:PASSWORD@127.0.0.1:{}", server.port())
}

pub(crate) fn redis_at(url: &str, timeout: Duration) -> StoreChoice {
    StoreChoice::Redis { url: Secret::new(url), ca: None, timeout }
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

/// What is there, once the store answers: a busy machine may look like an outage for a moment.
pub(crate) async fn read(sessions: &Sessions, key: &SessionKey) -> Session {
    let mut session = None;
    eventually("the session is read", async || match sessions.read(key).await {
        Ok(read) => {
            session = read;
            true
        }
        Err(error) => {
            assert!(error.is_outage(), "{error:?}");
            false
        }
    })
    .await;
    session.expect("the session is there")
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
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < deadline, "did not happen in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
