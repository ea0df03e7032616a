//! What a run leaves behind that was killed, and a vector store that is away in the middle of one.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Mutex;

use footnote_ingest::{Event, IngestOptions, ingest};
use footnote_knowledge::collection::{Collection, Filter};
use footnote_knowledge::embedding::{Embedder, LocalEmbedder};
use footnote_knowledge::vector_store::VectorStore;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::files::Folder;
use crate::program::{command, run, status};

/// Of some chunks each, and so many that a run is not over before a signal reaches it: files are done in bursts.
const FILES: usize = 80;

fn folder() -> Folder {
    (0..FILES).fold(Folder::new(), |folder, number| {
        let line =
            |line| format!("Beacon {number} of row {line} stands on its own rock, and is seen for twelve miles. ");
        let text: String = (0..40).map(line).collect();
        folder.with(&format!("{number}.txt"), text)
    })
}

/// Per source the version, and the text that its chunks make up.
async fn content(collection: &Collection) -> BTreeMap<String, (String, String)> {
    let mut content = BTreeMap::new();
    for document in collection.documents(&Filter::default(), None, 1000).await.unwrap().items {
        let chunks = collection.chunks(document.id).await.unwrap();
        assert_eq!(chunks.len(), document.chunk_count, "{}", document.source);
        let text = chunks.into_iter().map(|chunk| chunk.text).collect();
        content.insert(document.source, (document.version, text));
    }
    content
}

async fn stored_content(data: &std::path::Path) -> BTreeMap<String, (String, String)> {
    let store = VectorStore::open_embedded(&data.join("state/vectors")).await.unwrap();
    content(&Collection::open(store, "documents", &LocalEmbedder::identity()).await.unwrap()).await
}

#[tokio::test]
async fn after_a_run_that_was_killed_the_next_one_finishes_the_work() {
    let folder = folder();
    let path = folder.path().to_str().unwrap();
    let undisturbed = tempfile::tempdir().unwrap();
    assert_eq!(status(&run(undisturbed.path(), &[path])), 0);

    let killed = tempfile::tempdir().unwrap();
    let mut ended_early = 0;
    // Killed after so many files were reported, and by what Ctrl-C sends.
    for (files, signal) in [(1, "KILL"), (3, "INT"), (9, "KILL")] {
        let mut run = command(killed.path(), &[path, "--json"]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(run.stdout.take().unwrap()).lines();
        let done = lines.map(|line| line.unwrap()).filter(|line| line.contains("\"file_done\""));
        assert_eq!(done.take(files).count(), files);
        let kill = std::process::Command::new("kill").args(["-s", signal, &run.id().to_string()]).status();
        assert!(kill.unwrap().success());
        ended_early += usize::from(run.wait().unwrap().code().is_none());
    }
    assert!(ended_early > 0, "every kill came after the end");
    let output = run(killed.path(), &[path]);
    assert_eq!(status(&output), 0, "{output:?}");
    assert_eq!(stored_content(killed.path()).await, stored_content(undisturbed.path()).await);
}

/// Wherever it is hit: while it reads, embeds, writes or clears up, with files added, changed and removed in between.
#[tokio::test]
async fn a_run_that_is_killed_again_and_again_ends_as_one_that_was_not() {
    let folder = folder();
    let path = folder.path().to_str().unwrap();
    let killed = tempfile::tempdir().unwrap();
    let arguments = [path, "--prune", "--force", "--quiet"];
    let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
    println!("seed {seed}");
    let mut random = seed | 1;
    for round in 0..8 {
        // xorshift
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        let mut run = command(killed.path(), &arguments).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(u64::from(random % 900)));
        let _ = run.kill();
        run.wait().unwrap();
        folder.write(&format!("{round}.txt"), format!("Changed in round {round}."));
        folder.write(&format!("new-{round}.txt"), format!("Added in round {round}."));
        std::fs::remove_file(folder.path().join(format!("{}.txt", 50 + round))).unwrap();
    }
    assert_eq!(status(&run(killed.path(), &arguments)), 0);
    let undisturbed = tempfile::tempdir().unwrap();
    assert_eq!(status(&run(undisturbed.path(), &arguments)), 0);
    assert_eq!(stored_content(killed.path()).await, stored_content(undisturbed.path()).await);
}

/// Restarting Qdrant in the middle of a run: it is away until the run has noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vector_store_that_is_away_for_a_while_is_waited_for() {
    let Some(target) = std::env::var("QDRANT_URL").ok().filter(|url| !url.is_empty()) else {
        eprintln!("skipped: QDRANT_URL is not set");
        return;
    };
    let target = target.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = tokio::spawn(forward(listener, target.clone()));
    let store = VectorStore::connect(&format!("http://{address}"), None).await.unwrap();
    let embedder = Embedder::Local(LocalEmbedder::open().await.unwrap());
    let name = format!("test-outage-{}", std::process::id());
    let collection = Collection::open(store, &name, &embedder.identity()).await.unwrap();

    let (told, mut events) = tokio::sync::mpsc::unbounded_channel();
    let outage = tokio::spawn(async move {
        let mut waits = 0;
        let mut proxy = Some(proxy);
        while let Some(event) = events.recv().await {
            match event {
                Event::FileDone { .. } => {
                    // Dropping it closes the port and every connection.
                    if let Some(proxy) = proxy.take() {
                        proxy.abort();
                        assert!(proxy.await.unwrap_err().is_cancelled());
                    }
                }
                Event::Waiting { reason } => {
                    assert!(reason.contains("vector store"), "{reason}");
                    waits += 1;
                    if waits == 1 {
                        tokio::spawn(forward(TcpListener::bind(address).await.unwrap(), target.clone()));
                    }
                }
                _ => {}
            }
        }
        waits
    });
    let folder = folder();
    let told = Mutex::new(told);
    let tell = |event: Event| told.lock().unwrap().send(event).unwrap();
    let report = ingest(&[folder.path().to_owned()], &collection, &embedder, &IngestOptions::default(), &tell).await;
    drop(told);
    assert!(outage.await.unwrap() > 0, "nothing was waited for");
    assert_eq!(report.unwrap().added, FILES);
    assert_eq!(content(&collection).await.len(), FILES);
    let stored = collection.store().resolve_alias(&name).await.unwrap().unwrap();
    collection.store().delete_collection(&stored).await.unwrap();
}

/// Connections to `listener` reach `target` until this is dropped.
async fn forward(listener: TcpListener, target: String) {
    let mut connections = JoinSet::new();
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = TcpStream::connect(&target).await.unwrap();
        connections.spawn(async move { copy_bidirectional(&mut near, &mut far).await });
    }
}
