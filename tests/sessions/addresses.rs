//! The Redis URLs: what is understood, and what is said of those that are not.

use std::time::Duration;

use footnote::sessions::{Error, SessionOptions, Sessions};

use crate::place::{PATIENT, key, redis_at, say};
use crate::redis_server::RedisServer;

/// Where Redis says nothing, and a test waits until it runs out.
const WAITED_OUT: Duration = Duration::from_secs(1);

async fn open_at(url: &str) -> Result<Sessions, Error> {
    Sessions::open(SessionOptions::new(redis_at(url, PATIENT))).await
}

#[tokio::test]
async fn redis_is_found_by_any_of_its_urls() {
    let server = RedisServer::start_with(&["--requirepass", "s3cret/"]);
    let socket = server.socket().display().to_string();
    for url in [
        format!("redis://:s3cret%2F@127.0.0.1:{}/3", server.port()),
        format!("redis://default:s3cret%2F@127.0.0.1:{}", server.port()),
        format!("valkey://:s3cret%2F@localhost:{}", server.port()),
        format!("redis+unix://{socket}?pass=s3cret/&db=2"),
    ] {
        let sessions = open_at(&url).await.unwrap();
        assert!(say(&sessions, &key("url"), "one").await.persisted, "{url}");
    }
    let databases = server.command(&["-a", "s3cret/", "INFO", "keyspace"]);
    for database in ["db0:", "db2:", "db3:"] {
        assert!(databases.contains(database), "{databases}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_said_and_a_bad_url_refused() {
    let server = RedisServer::start_with(&["--requirepass", "right"]);
    let sessions = open_at(&format!("redis://:wrong@127.0.0.1:{}", server.port())).await.unwrap();
    let error = sessions.check().await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error:?}");
    assert!(!say(&sessions, &key("a"), "one").await.persisted);
    let again = sessions.check().await.unwrap_err();
    assert!(matches!(again, Error::Denied(_)), "the cause is known during the whole outage: {again:?}");

    // To Redis, a greeting of TLS is the beginning of a command.
    let url = format!("rediss://127.0.0.1:{}", server.port());
    let sessions = Sessions::open(SessionOptions::new(redis_at(&url, WAITED_OUT))).await.unwrap();
    assert!(sessions.check().await.is_err(), "this Redis speaks no TLS");

    for url in ["http://127.0.0.1", "redis://:p@ss@:x", "nonsense", "redis://h/not-a-number", "redis+sentinel://h:1"] {
        let error = open_at(url).await.unwrap_err();
        assert!(matches!(error, Error::InvalidUrl(_)), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn a_ca_file_must_be_one_and_be_of_use() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let open = async |url: &str| {
        let mut options = SessionOptions::new(redis_at(url, PATIENT));
        let footnote::sessions::StoreChoice::Redis { ca, .. } = &mut options.store else { unreachable!() };
        *ca = Some(file.clone());
        Sessions::open(options).await.map(|_| ())
    };
    assert!(matches!(open("rediss://127.0.0.1").await, Err(Error::CannotOpen { .. })), "there is no such file");
    std::fs::write(&file, "not a certificate").unwrap();
    assert!(matches!(open("rediss://127.0.0.1").await, Err(Error::CannotOpen { .. })), "it is no PEM file");
    std::fs::copy(crate::certificates::Certificates::for_host("127.0.0.1").ca(), &file).unwrap();
    open("rediss://127.0.0.1").await.unwrap();
    assert!(matches!(open("redis://127.0.0.1").await, Err(Error::InvalidUrl(_))), "no TLS, no CA");
}
