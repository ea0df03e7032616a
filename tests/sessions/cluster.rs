//! A Redis Cluster: keys on several nodes, keys that move, and nodes that go away.

use std::time::Duration;

use footnote::sessions::{Backend, SessionKey, SessionOptions, Sessions};

use crate::place::{PATIENT, Place, assert_turns_are_whole, contents, eventually, key, read, redis_at, say};
use crate::redis_cluster::RedisCluster;

/// Where a node hangs, and a test waits until it runs out. The others have half of it to answer in: the other half may
/// go by while the library tries the one that hangs.
const WAITED_OUT: Duration = Duration::from_secs(4);

async fn on(url: &str) -> Sessions {
    within(PATIENT, url).await
}

async fn within(deadline: Duration, url: &str) -> Sessions {
    Sessions::open(SessionOptions::new(redis_at(url, deadline))).await.unwrap()
}

/// A session on the given master.
fn key_on(cluster: &RedisCluster, master: usize) -> SessionKey {
    let mut keys = (0..).map(|number| key(&format!("user {number}")));
    keys.find(|key| cluster.master_of(&key.to_string()) == master).unwrap()
}

async fn replayed(sessions: &Sessions) {
    eventually("no turn waits any more", async || sessions.pending_turns() == 0).await;
}

#[tokio::test]
async fn sessions_are_spread_and_their_keys_together() {
    let place = Place::redis_cluster().await;
    let sessions = place.open().await;
    let Place::RedisCluster(cluster) = &place else { unreachable!("it was made for a cluster") };
    let keys: Vec<_> = (0..30).map(|number| key(&format!("user {number}"))).collect();
    for key in &keys {
        assert!(say(&sessions, key, "hello").await.persisted);
    }
    let everywhere: Vec<String> = cluster.masters.iter().map(|master| master.command(&["KEYS", "session:*"])).collect();
    for key in &keys {
        let on: Vec<_> = everywhere.iter().filter(|keys| keys.contains(&key.to_string())).collect();
        assert_eq!(on.len(), 1, "{key}");
        assert!(on[0].contains(&format!("{key}:messages")));
    }
    assert!(everywhere.iter().all(|keys| !keys.is_empty()));
    assert_eq!(sessions.list("default", None, 50).await.unwrap().sessions.len(), 30);
}

#[tokio::test]
async fn scripts_are_loaded_on_the_node_that_forgot_them() {
    let place = Place::redis_cluster().await;
    let sessions = place.open().await;
    let Place::RedisCluster(cluster) = &place else { unreachable!("it was made for a cluster") };
    let keys: Vec<_> = (0..3).map(|master| key_on(cluster, master)).collect();
    for round in ["1", "2"] {
        for key in &keys {
            assert!(say(&sessions, key, round).await.persisted);
        }
        for master in &cluster.masters {
            master.command(&["SCRIPT", "FLUSH"]);
        }
    }
    for key in &keys {
        assert_eq!(contents(&read(&sessions, key).await.messages), ["1", "1!", "2", "2!"]);
    }
}

#[tokio::test]
async fn connections_closed_while_idle_are_no_outage() {
    let place = Place::redis_cluster().await;
    let sessions = place.open().await;
    let Place::RedisCluster(cluster) = &place else { unreachable!("it was made for a cluster") };
    for round in ["1", "2", "3"] {
        for master in 0..3 {
            assert!(say(&sessions, &key_on(cluster, master), round).await.persisted);
        }
        for master in &cluster.masters {
            master.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        }
    }
}

/// As when nodes are added: the slot of a session is on its way, then elsewhere.
#[tokio::test]
async fn a_session_is_followed_to_another_node() {
    let cluster = RedisCluster::start();
    let sessions = on(&cluster.url()).await;
    let key = key_on(&cluster, 0);
    assert!(say(&sessions, &key, "before").await.persisted);

    let (from, to) = (&cluster.masters[0], &cluster.masters[1]);
    let [from_id, to_id] = [from, to].map(|node| node.command(&["CLUSTER", "MYID"]));
    let slot = from.command(&["CLUSTER", "KEYSLOT", &key.to_string()]);
    to.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
    from.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
    let port = to.port().to_string();
    let keys = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "10"]);
    let migrate = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
    from.command(&migrate.into_iter().chain(keys.lines()).collect::<Vec<_>>());

    // Redis runs no script with several keys in a slot that is under way.
    let saved = say(&sessions, &key, "on the way").await;
    assert_eq!((saved.persisted, saved.backend, saved.conversation_length), (false, Backend::Memory, 4));
    for node in [to, from, &cluster.masters[2]] {
        node.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
    }
    replayed(&sessions).await;
    assert!(say(&sessions, &key, "after").await.persisted);
    let session = read(&sessions, &key).await;
    assert_turns_are_whole(&session);
    assert_eq!(
        contents(&session.messages).into_iter().step_by(2).collect::<Vec<_>>(),
        ["before", "on the way", "after"]
    );
    assert!(to.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "10"]).contains(&key.to_string()));
}

/// The others' sessions do not notice.
#[tokio::test]
async fn an_outage_of_one_node_is_one_of_its_sessions_only() {
    let mut cluster = RedisCluster::start_with(3, &["--cluster-require-full-coverage", "no"]);
    let sessions = on(&cluster.url()).await;
    let (lost, kept) = (key_on(&cluster, 0), key_on(&cluster, 2));
    for key in [&lost, &kept] {
        assert!(say(&sessions, key, "1").await.persisted);
    }
    cluster.masters[0].kill();
    for name in ["2", "3", "4"] {
        assert!(!say(&sessions, &lost, name).await.persisted);
        assert!(say(&sessions, &kept, name).await.persisted, "turn {name} of another node's session");
    }
    assert!(sessions.check().await.is_err());
    cluster.masters[0].restart();
    replayed(&sessions).await;
    for key in [&lost, &kept] {
        let session = read(&sessions, key).await;
        assert_turns_are_whole(&session);
        assert_eq!(contents(&session.messages).into_iter().step_by(2).collect::<Vec<_>>(), ["1", "2", "3", "4"]);
    }
    sessions.check().await.unwrap();
}

#[tokio::test]
async fn a_node_that_hangs_keeps_its_own_sessions_waiting_only() {
    let cluster = RedisCluster::start();
    let sessions = within(WAITED_OUT, &cluster.url()).await;
    let (lost, kept) = (key_on(&cluster, 0), key_on(&cluster, 2));
    for key in [&lost, &kept] {
        assert!(say(&sessions, key, "1").await.persisted);
    }
    cluster.masters[0].pause();
    assert!(!say(&sessions, &lost, "2").await.persisted);
    for name in ["2", "3", "4", "5"] {
        assert!(say(&sessions, &kept, name).await.persisted, "turn {name} of another node's session");
    }
    cluster.masters[0].resume();
    replayed(&sessions).await;
    assert_eq!(contents(&read(&sessions, &lost).await.messages), ["1", "1!", "2", "2!"]);
}

#[tokio::test]
async fn when_a_master_dies_its_replica_takes_its_sessions_on() {
    let mut cluster = RedisCluster::start();
    cluster.add_replica(&[]);
    let sessions = on(&cluster.url()).await;
    let key = key_on(&cluster, 0);
    assert!(say(&sessions, &key, "1").await.persisted);
    cluster.masters[0].wait_until_copied_to(&cluster.replicas[0]);
    cluster.masters[0].kill();
    assert!(!say(&sessions, &key, "2").await.persisted);
    // Only now: the turn must not find the replica in charge already. And no longer than it takes: on a busy machine the
    // living are silent for a second, too.
    cluster.give_up_after(Duration::from_secs(1));
    replayed(&sessions).await;
    cluster.give_up_after(Duration::from_secs(60));
    assert_eq!(cluster.replicas[0].info("role"), "master");
    assert!(say(&sessions, &key, "3").await.persisted);
    let session = read(&on(&cluster.url()).await, &key).await;
    assert_eq!(contents(&session.messages).into_iter().step_by(2).collect::<Vec<_>>(), ["1", "2", "3"]);
}

#[tokio::test]
async fn a_node_taken_for_a_single_server_is_recognised() {
    let place = Place::redis_cluster().await;
    let Place::RedisCluster(cluster) = &place else { unreachable!("it was made for a cluster") };
    let sessions = on(&cluster.masters[0].url()).await;
    assert!(!say(&sessions, &key_on(cluster, 1), "1").await.persisted);
    let error = sessions.read(&key_on(cluster, 1)).await.unwrap_err();
    let said = format!("{:#}", anyhow::Error::new(error));
    assert!(said.contains("redis+cluster://"), "{said}");
}
