//! What is found out about the masters of a Redis that fails over. What the settings mean is tested beside the code, what
//! `doctor` prints in `tests/it`.

use footnote::sessions::{Diagnosis, Severity};

use crate::place::Place;
use crate::redis_server::wait_until;

async fn diagnosed(place: &Place) -> Vec<Diagnosis> {
    place.open().await.diagnose().await.unwrap()
}

fn find<'a>(found: &'a [Diagnosis], words: &str) -> Vec<&'a Diagnosis> {
    found.iter().filter(|finding| finding.text.contains(words)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_master_of_a_cluster_is_looked_at() {
    let place = Place::redis_cluster().await;
    let Place::RedisCluster(cluster) = &place else { unreachable!("it was made for a cluster") };
    cluster.masters[1].command(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]);
    let found = diagnosed(&place).await;
    cluster.masters[1].command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);

    let bad = find(&found, "volatile-lru");
    assert_eq!((bad.len(), bad[0].severity), (1, Severity::Objection));
    assert!(bad[0].text.contains(&cluster.masters[1].port().to_string()), "{bad:?}");
    assert_eq!(find(&found, "appendfsync always").len(), 3);
    let alone = find(&found, "no replica is connected");
    assert!(alone.len() == 3 && alone.iter().all(|finding| finding.severity == Severity::Advice), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_that_the_sentinels_name_is_looked_at() {
    let place = Place::redis_sentinel().await;
    let Place::RedisSentinel(redis) = &place else { unreachable!("it was made for sentinels") };
    let found = diagnosed(&place).await;
    assert_eq!(find(&found, "min-replicas-to-write 0")[0].severity, Severity::Advice);
    redis.master.command(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    // The master counts a replica some time after the replica takes itself to be in step.
    wait_until("the replica counts", || redis.master.info("min_slaves_good_slaves") == "1");
    let found = diagnosed(&place).await;
    redis.master.command(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    assert_eq!(find(&found, "min-replicas-to-write 1")[0].severity, Severity::Fine, "{found:?}");
}
