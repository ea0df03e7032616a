//! What Redis may answer instead of doing what it is asked: the turn is answered, flagged and saved later, and the log
//! names what is wrong and what to do.

use std::io::Write;
use std::sync::{Arc, Mutex};

use footnote::sessions::{Backend, SessionOptions, Sessions};
use tracing::subscriber::DefaultGuard;

use crate::place::{PATIENT, contents, eventually, key, read, redis_at, restrict, restricted_url, say};
use crate::redis_server::{RedisServer, wait_until};

/// What this test's thread logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Until the guard is dropped.
    fn listen() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let guard = tracing::subscriber::set_default(subscriber);
        (log, guard)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn on(url: &str) -> Sessions {
    Sessions::open(SessionOptions::new(redis_at(url, PATIENT))).await.unwrap()
}

/// One turn before, one while `refuse` holds, one after `mend`; the log names each of `words`.
async fn a_turn_is_refused(
    server: &mut RedisServer,
    url: &str,
    refuse: impl FnOnce(&mut RedisServer),
    mend: impl FnOnce(&mut RedisServer),
    words: &[&str],
) {
    let (log, _guard) = Log::listen();
    let sessions = on(url).await;
    let key = key("refused");
    assert!(say(&sessions, &key, "before").await.persisted);
    refuse(server);
    let saved = say(&sessions, &key, "during").await;
    assert_eq!((saved.persisted, saved.backend, saved.conversation_length), (false, Backend::Memory, 4));
    eventually("the log names it", async || words.iter().all(|word| log.text().contains(word))).await;
    assert_eq!(sessions.pending_turns(), 1);
    mend(server);
    eventually("no turn waits any more", async || sessions.pending_turns() == 0).await;
    assert!(say(&sessions, &key, "after").await.persisted);
    let session = read(&sessions, &key).await;
    assert_eq!(contents(&session.messages).into_iter().step_by(2).collect::<Vec<_>>(), ["before", "during", "after"]);
}

#[tokio::test]
async fn oom_at_maxmemory() {
    let mut server = RedisServer::start();
    let url = server.url();
    let limit = |limit: &'static str| {
        move |server: &mut RedisServer| {
            server.command(&["CONFIG", "SET", "maxmemory", limit]);
        }
    };
    a_turn_is_refused(&mut server, &url, limit("1"), limit("0"), &["OOM", "raise maxmemory"]).await;
}

#[tokio::test]
async fn readonly_of_a_replica() {
    let mut server = RedisServer::start();
    let url = server.url();
    let follow = |host: &'static str, port: &'static str| {
        move |server: &mut RedisServer| {
            server.command(&["REPLICAOF", host, port]);
        }
    };
    let words = ["ReadOnly", "name the primary", "redis+sentinel://"];
    a_turn_is_refused(&mut server, &url, follow("127.0.0.1", "1"), follow("NO", "ONE"), &words).await;
}

#[tokio::test]
async fn loading_after_a_restart() {
    // 20 ms a key, with a look at its clients at every kilobyte: half a minute, unless it is cut short.
    let slowly = ["--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"];
    let mut server = RedisServer::start_with(&slowly);
    let fill = "for i = 1, 1500 do redis.call('SET', 'other:' .. i, string.rep('x', 100)) end";
    server.command(&["EVAL", fill, "0"]);
    server.command(&["BGREWRITEAOF"]);
    wait_until("the file is rewritten", || server.info("aof_rewrite_in_progress") == "0");
    let url = server.url();
    let cut_short = |server: &mut RedisServer| {
        server.command(&["CONFIG", "SET", "key-load-delay", "0"]);
    };
    let words = ["BusyLoading", "loading its data"];
    a_turn_is_refused(&mut server, &url, RedisServer::begin_restart, cut_short, &words).await;
}

#[tokio::test]
async fn busy_with_a_script_of_somebody_else() {
    let mut server = RedisServer::start_with(&["--busy-reply-threshold", "1"]);
    let url = server.url();
    let port = server.port().to_string();
    let mut stuck = None;
    let run = |server: &mut RedisServer| {
        let mut cli = std::process::Command::new("redis-cli");
        stuck = Some(cli.args(["-p", &port, "EVAL", "while true do end", "0"]).spawn().unwrap());
        wait_until("Redis is busy", || server.command(&["PING"]).starts_with("BUSY"));
    };
    let end = |server: &mut RedisServer| {
        server.command(&["SCRIPT", "KILL"]);
    };
    a_turn_is_refused(&mut server, &url, run, end, &["BUSY", "SCRIPT KILL"]).await;
    stuck.expect("it was started").wait().unwrap();
}

#[tokio::test]
async fn misconf_when_snapshots_fail() {
    let mut server = RedisServer::start_with(&["--save", "3600 1"]);
    let url = server.url();
    // The snapshot cannot be moved to where it belongs.
    let in_the_way = server.folder().join("dump.rdb");
    let block = |server: &mut RedisServer| {
        std::fs::create_dir(&in_the_way).unwrap();
        server.command(&["BGSAVE"]);
        wait_until("the snapshot fails", || server.info("rdb_last_bgsave_status") == "err");
    };
    let unblock = |server: &mut RedisServer| {
        std::fs::remove_dir(&in_the_way).unwrap();
        server.command(&["BGSAVE"]);
    };
    a_turn_is_refused(&mut server, &url, block, unblock, &["MISCONF", "disk"]).await;
}

#[tokio::test]
async fn noreplicas_when_too_few_are_in_step() {
    let mut server = RedisServer::start();
    let url = server.url();
    let want = |number: &'static str| {
        move |server: &mut RedisServer| {
            server.command(&["CONFIG", "SET", "min-replicas-to-write", number]);
        }
    };
    let words = ["NOREPLICAS", "min-replicas-to-write"];
    a_turn_is_refused(&mut server, &url, want("1"), want("0"), &words).await;
}

#[tokio::test]
async fn noperm_of_a_user_who_may_not_do_it() {
    let mut server = RedisServer::start();
    restrict(&server);
    let url = restricted_url(&server);
    let permit = |rule: &'static str| {
        move |server: &mut RedisServer| {
            server.command(&["ACL", "SETUSER", "footnote", rule]);
        }
    };
    // Within a script, and a whole command.
    for (forbid, allow) in [("-rpush", "+rpush"), ("-evalsha", "+evalsha")] {
        server.command(&["FLUSHALL"]);
        a_turn_is_refused(&mut server, &url, permit(forbid), permit(allow), &["docs/redis.md lists"]).await;
    }
}

#[tokio::test]
async fn noauth_without_a_password() {
    let server = RedisServer::start_with(&["--requirepass", "secret"]);
    let (log, _guard) = Log::listen();
    let sessions = on(&server.url()).await;
    assert!(!say(&sessions, &key("a"), "one").await.persisted);
    let said = log.text();
    assert!(said.contains("redis://user:password@host"), "{said}");
    // The server may be given a password without a restart.
    server.command(&["-a", "secret", "CONFIG", "SET", "requirepass", ""]);
    eventually("no turn waits any more", async || sessions.pending_turns() == 0).await;
}

#[tokio::test]
async fn wrongpass_shows_no_password() {
    let server = RedisServer::start_with(&["--requirepass", "right"]);
    let (log, _guard) = Log::listen();
    let sessions = on(&format!("redis://someone:s3cret@127.0.0.1:{}", server.port())).await;
    assert!(!say(&sessions, &key("a"), "one").await.persisted);
    let said = log.text();
    assert!(said.contains("user or password of the URL is wrong"), "{said}");
    assert!(!said.contains("s3cret") && !format!("{sessions:?}").contains("s3cret"), "{said}");
}

#[tokio::test]
async fn noscript_is_no_refusal() {
    let server = RedisServer::start();
    let (log, _guard) = Log::listen();
    let sessions = on(&server.url()).await;
    for name in ["1", "2"] {
        assert!(say(&sessions, &key("a"), name).await.persisted);
        server.command(&["SCRIPT", "FLUSH"]);
    }
    assert!(!log.text().contains("WARN"), "{}", log.text());
}

/// The wrong kind of URL for what is there.
#[tokio::test]
async fn a_server_of_another_kind_is_recognised() {
    let server = RedisServer::start();
    for (url, advice) in [
        (format!("redis+cluster://127.0.0.1:{}", server.port()), "begin the URL with redis://"),
        (format!("redis+sentinel://127.0.0.1:{}/main", server.port()), "this is no sentinel"),
    ] {
        let (log, _guard) = Log::listen();
        let sessions = on(&url).await;
        assert!(!say(&sessions, &key("a"), "one").await.persisted);
        assert!(log.text().contains(advice), "{url}: {}", log.text());
        let error = format!("{:#}", anyhow::Error::new(sessions.check().await.unwrap_err()));
        assert!(error.contains(advice), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_key_that_holds_something_else_is_damage() {
    let server = RedisServer::start();
    let sessions = on(&server.url()).await;
    server.command(&["SET", "session:{default:a}:messages", "not a list"]);
    assert!(!say(&sessions, &key("a"), "one").await.persisted);
    assert_eq!(sessions.pending_turns(), 0, "it would wait for ever");
    let error = sessions.read(&key("a")).await.unwrap_err();
    assert!(matches!(error, footnote::sessions::Error::Damaged(_)), "{error:?}");
}
