//! Whether the length of a session matters, on every store: it should not, within a fifth.

use std::time::Duration;

use footnote::sessions::{SessionKey, SessionOptions, Sessions, StoreChoice};

use crate::conversation::{filled, medians, microseconds, on, open, timed, turn};
use crate::redis_server::RedisServer;

const LENGTHS: [usize; 3] = [10, 1_000, 10_000];
const ROUNDS: usize = 400;

pub(crate) async fn measure(redis: &RedisServer) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stores = [
        ("redis", on(redis)),
        ("embedded", StoreChoice::Embedded { data_dir: folder.path().to_owned() }),
        ("memory", StoreChoice::Memory),
    ];
    println!(
        "\n{:<10}{:<22}{:>12}{:>12}{:>12}{:>10}{:>10}",
        "store", "µs with messages", 10, 1_000, 10_000, "ratio", "ratio"
    );
    for (name, store) in stores {
        let sessions = open(store).await?;
        let mut keys = Vec::new();
        for length in LENGTHS {
            keys.push(filled(&sessions, &format!("of {length}"), length).await?);
        }
        let append = async |key: &SessionKey| {
            let seen = sessions.load(key).await.seen;
            timed(sessions.append(key, seen, turn())).await.0
        };
        report(name, "append", &keys, append).await;
        report(name, "read for a turn, warm", &keys, async |key: &SessionKey| load(&sessions, key).await).await;
        sessions.shutdown().await;
    }
    // It brings at most the newest 128 messages, which the shortest session has not.
    let without_ram = SessionOptions { ram_bytes: 0, ..SessionOptions::new(on(redis)) };
    let sessions = Sessions::open(without_ram).await?;
    let keys = LENGTHS.map(|length| SessionKey::new(&format!("of {length}")).expect("it is valid"));
    report("redis", "read for a turn, cold", &keys, async |key: &SessionKey| load(&sessions, key).await).await;
    Ok(())
}

async fn load(sessions: &Sessions, key: &SessionKey) -> Duration {
    let (time, loaded) = timed(sessions.load(key)).await;
    assert!(!loaded.messages.is_empty());
    time
}

async fn report(store: &str, operation: &str, keys: &[SessionKey], mut run: impl AsyncFnMut(&SessionKey) -> Duration) {
    let [short, longer, longest] = medians(ROUNDS, async |thing| run(&keys[thing]).await).await.map(microseconds);
    println!(
        "{store:<10}{operation:<22}{short:>12.1}{longer:>12.1}{longest:>12.1}{:>10.2}{:>10.2}",
        longer / short,
        longest / short
    );
}
