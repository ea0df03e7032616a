//! The commands and modes of the program beside a plain run.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use footnote_knowledge::collection::{Collection, Filter, SearchMode, SearchQuery, Selection};
use footnote_knowledge::embedding::LocalEmbedder;
use footnote_knowledge::vector_store::VectorStore;
use serde_json::Value;

use crate::endpoint::{Endpoint, Reply};
use crate::files::{Folder, pdf, zip};
use crate::knowledge::Knowledge;
use crate::program::{command, run, status, stdout};

fn folder() -> Folder {
    Folder::new().with("bread.md", "# Bread\n\nFlour, water, salt.\n").with("yeast.txt", "Yeast is a fungus.")
}

#[test]
fn extract_writes_what_the_collection_would_hold() {
    let folder = folder()
        .with("more/book.pdf", pdf(&[&["A page."]]))
        .with("old.zip", zip(&[("in.txt", b"Packed.")]))
        .with("photo.png", b"\x89PNG")
        .with("cut.pdf", "no PDF");
    let place = tempfile::tempdir().unwrap();
    let output = run(place.path(), &["extract", folder.path().to_str().unwrap(), "--out", "out"]);
    assert_eq!(status(&output), 1, "{output:?}");
    let read = |name: &str| std::fs::read_to_string(place.path().join("out").join(name)).unwrap();
    assert_eq!(read("bread.md.txt"), "# Bread\n\nFlour, water, salt.\n");
    assert_eq!(read("yeast.txt.txt"), "Yeast is a fungus.");
    assert!(read("more/book.pdf.txt").contains("A page."));
    assert_eq!(read("old.zip/in.txt.txt"), "Packed.");
    let summary = stdout(&output);
    assert!(summary.starts_with("4 texts written, 1 skipped, 1 failed\n"), "{summary}");
    assert!(!place.path().join("state").exists(), "nothing is indexed");
}

/// Waits for an event of a run.
fn wait_for(events: &mpsc::Receiver<Value>, is_it: impl Fn(&Value) -> bool) -> Value {
    loop {
        let event = events.recv_timeout(Duration::from_secs(60)).expect("the event comes");
        if is_it(&event) {
            return event;
        }
    }
}

/// Makes several changes that the process sees as one, however long they take.
fn at_once(watching: &Child, changes: impl FnOnce()) {
    let send = |signal| {
        let kill = std::process::Command::new("kill").args(["-s", signal, &watching.id().to_string()]).status();
        assert!(kill.unwrap().success());
    };
    send("STOP");
    changes();
    send("CONT");
}

/// `ingest --watch` of these paths, and what it tells.
fn watch(place: &Path, paths: &[&str]) -> (Child, mpsc::Receiver<Value>) {
    let arguments = [paths, &["--watch", "--json"]].concat();
    let mut watching = command(place, &arguments).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let (tell, events) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let _ = tell.send(serde_json::from_str(&line).unwrap());
        }
    });
    (watching, events)
}

fn finished(event: &Value) -> bool {
    event["event"] == "finished"
}

#[test]
fn a_watched_folder_may_come_later() {
    let (folder, place) = (folder(), tempfile::tempdir().unwrap());
    let later = place.path().join("later");
    let (mut watching, events) = watch(place.path(), &[folder.path().to_str().unwrap(), later.to_str().unwrap()]);
    let report = wait_for(&events, finished);
    assert_eq!((&report["added"], &report["failed"][0]["source"]), (&2.into(), &later.to_str().unwrap().into()));

    at_once(&watching, || {
        std::fs::create_dir(&later).unwrap();
        std::fs::write(later.join("rye.md"), "# Rye\n\nRye flour.\n").unwrap();
    });
    let report = wait_for(&events, finished);
    assert_eq!((&report["added"], &report["failed"]), (&1.into(), &Value::Array(Vec::new())));
    watching.kill().unwrap();
    watching.wait().unwrap();
}

#[test]
fn a_watched_folder_is_kept_in_step() {
    let (folder, place) = (folder(), tempfile::tempdir().unwrap());
    let path = folder.path().to_str().unwrap();
    let (mut watching, events) = watch(place.path(), &[path]);
    assert_eq!(wait_for(&events, finished)["added"], 2);

    at_once(&watching, || {
        folder.write("new.md", "# New\n\nA third one.");
        folder.write("bread.md", "# Bread\n\nRye flour, water, salt.\n");
        // What an editor and an office program leave behind.
        folder.write("bread.md~", "# Bread");
        folder.write("~$report.docx", "lock");
    });
    let report = wait_for(&events, finished);
    assert_eq!((&report["added"], &report["updated"], &report["unchanged"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!(report["failed"], Value::Array(Vec::new()));

    at_once(&watching, || {
        std::fs::rename(folder.path().join("new.md"), folder.path().join("renamed.md")).unwrap();
        std::fs::remove_file(folder.path().join("yeast.txt")).unwrap();
    });
    let report = wait_for(&events, finished);
    assert_eq!((&report["added"], &report["removed"], &report["reused"]), (&1.into(), &2.into(), &1.into()));

    let packed = |text: &[u8]| folder.write("old.zip", zip(&[("in.txt", text)]));
    packed(b"Packed.");
    assert_eq!(wait_for(&events, finished)["added"], 1);
    packed(b"Packed anew.");
    assert_eq!(wait_for(&events, finished)["updated"], 1);
    std::fs::remove_file(folder.path().join("old.zip")).unwrap();
    assert_eq!(wait_for(&events, finished)["removed"], 1);

    // Not mounted for a while.
    let away = place.path().join("away");
    let names = ["bread.md", "renamed.md"];
    std::fs::create_dir(&away).unwrap();
    let move_all = |from: &Path, to: &Path| {
        names.iter().for_each(|name| std::fs::rename(from.join(name), to.join(name)).unwrap());
    };
    at_once(&watching, || move_all(folder.path(), &away));
    let report = wait_for(&events, finished);
    assert_eq!((&report["removed"], &report["gone"]), (&0.into(), &2.into()));
    at_once(&watching, || move_all(&away, folder.path()));
    let report = wait_for(&events, finished);
    assert_eq!((&report["unchanged"], &report["removed"], &report["gone"]), (&2.into(), &0.into(), &0.into()));
    watching.kill().unwrap();
    watching.wait().unwrap();
    let summary = stdout(&run(place.path(), &[path]));
    assert!(summary.starts_with("2 files: 0 added, 0 updated, 2 unchanged"), "{summary}");
}

async fn collection(data: &Path) -> Collection {
    let store = VectorStore::open_embedded(&data.join("state/vectors")).await.unwrap();
    Collection::open(store, "documents", &LocalEmbedder::identity()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_of_another_embedder_is_built_anew_from_its_texts() {
    let (folder, place) = (folder(), tempfile::tempdir().unwrap());
    let path = folder.path().to_str().unwrap().to_owned();
    assert_eq!(status(&run(place.path(), &[&path, "--tag", "kitchen"])), 0);
    let endpoint = Endpoint::start(|_, _| Reply::Vectors).await;
    let url = endpoint.base_url().to_owned();
    let place_path = place.path().to_owned();
    let blocking = tokio::task::spawn_blocking(move || {
        let other = ["--embedder", "openai", "--embedding-model", "other", "--openai-base-url", &url];
        let refused = run(&place_path, &[&[path.as_str()], &other[..]].concat());
        assert_eq!(status(&refused), 2, "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("--reindex"), "{refused:?}");
        // No file is needed.
        let rebuilt = run(&place_path, &[&["--reindex"], &other[..]].concat());
        assert_eq!(status(&rebuilt), 0, "{rebuilt:?}");
        let again = run(&place_path, &[&["--reindex"], &other[..]].concat());
        assert_eq!(status(&again), 0, "{again:?}");
        let back = run(&place_path, &["--reindex"]);
        assert_eq!(status(&back), 0, "{back:?}");
    });
    blocking.await.unwrap();
    let collection = collection(place.path()).await;
    let documents = collection.documents(&Filter::default(), None, 10).await.unwrap().items;
    assert_eq!(documents.len(), 2);
    assert!(documents.iter().all(|document| document.tags == ["kitchen"]), "{documents:?}");
    let folders: Vec<_> = std::fs::read_dir(place.path().join("state/vectors"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|name| name.starts_with("documents-"))
        .collect();
    assert_eq!(folders.len(), 1, "the old one is dropped: {folders:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_is_copied_to_a_server_with_its_vectors() {
    let Some(url) = std::env::var("QDRANT_URL").ok().filter(|url| !url.is_empty()) else {
        eprintln!("skipped: QDRANT_URL is not set");
        return;
    };
    let (folder, place) = (folder(), tempfile::tempdir().unwrap());
    let name = format!("test-copy-{}", std::process::id());
    assert_eq!(status(&run(place.path(), &[folder.path().to_str().unwrap(), "--collection", &name])), 0);
    let copy = ["copy", "--from", "state", "--to", &url, "--collection", &name];
    let output = run(place.path(), &copy);
    assert_eq!(status(&output), 0, "{output:?}");
    assert!(stdout(&output).starts_with("2 files: 2 added"), "{output:?}");
    assert!(stdout(&run(place.path(), &copy)).starts_with("2 files: 0 added, 0 updated, 2 unchanged"));

    let store = VectorStore::connect(&url, None).await.unwrap();
    let copied = Collection::open(store.clone(), &name, &LocalEmbedder::identity()).await.unwrap();
    let local = VectorStore::open_embedded(&place.path().join("state/vectors")).await.unwrap();
    let original = Collection::open(local, &name, &LocalEmbedder::identity()).await.unwrap();
    for document in original.documents(&Filter::default(), None, 10).await.unwrap().items {
        let (one, other) =
            (original.embedded_chunks(document.id).await.unwrap(), copied.embedded_chunks(document.id).await.unwrap());
        assert_eq!(one.len(), other.len());
        for (one, other) in one.iter().zip(&other) {
            assert_eq!(one.chunk.id, other.chunk.id);
            assert!(one.vector.iter().zip(&other.vector).all(|(one, other)| (one - other).abs() < 1e-5));
        }
    }
    let stored = store.resolve_alias(&name).await.unwrap().unwrap();
    store.delete_collection(&stored).await.unwrap();
}

#[tokio::test]
async fn front_matter_folders_and_dates_can_be_filtered_on() {
    let front = |author: &str, more: &str| {
        format!("---\nauthor: {author}\n{more}---\n# Bread\n\n{author} says that rye bread is dark.\n")
    };
    let folder = Folder::new()
        .with("hr/anna.md", front("Anna", "tags: [draft, kitchen]\n"))
        .with("hr/deep/ben.md", front("Ben", "year: 2024\n"))
        .with("it/carla.md", front("Carla", ""));
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    std::fs::File::options().write(true).open(folder.path().join("it/carla.md")).unwrap().set_modified(old).unwrap();
    let knowledge = Knowledge::new().await;
    knowledge.ingest(folder.path()).await;
    let found = async |filter: Value| {
        let filter: Filter = serde_json::from_value(filter).unwrap();
        let listed = knowledge.collection.documents(&filter, None, 10).await.unwrap().items;
        let mut listed: Vec<_> = listed.into_iter().map(|document| document.source).collect();
        listed.sort();
        let query = SearchQuery {
            text: "rye bread",
            embedding: &[0.05; 384],
            context: &[],
            mode: SearchMode::Hybrid,
            filter: &filter,
            limit: 10,
            selection: Selection::default(),
        };
        let hits = knowledge.collection.search(query).await.unwrap().hits;
        let mut searched: Vec<_> = hits.into_iter().map(|hit| hit.chunk.source).collect();
        searched.sort();
        assert_eq!(listed, searched);
        listed
    };
    let (anna, ben, carla) = ("docs/hr/anna.md", "docs/hr/deep/ben.md", "docs/it/carla.md");
    assert_eq!(found(serde_json::json!({"folders": ["docs/hr"]})).await, [anna, ben]);
    assert_eq!(found(serde_json::json!({"folders": ["docs/hr/deep/"]})).await, [ben]);
    assert_eq!(found(serde_json::json!({"metadata": {"author": "Anna"}})).await, [anna]);
    assert_eq!(found(serde_json::json!({"metadata": {"year": "2024", "author": "Ben"}})).await, [ben]);
    assert_eq!(found(serde_json::json!({"metadata": {"year": "2024", "author": "Anna"}})).await, [""; 0]);
    assert_eq!(found(serde_json::json!({"tags": ["draft"]})).await, [anna]);
    assert_eq!(found(serde_json::json!({"modified_before": "2010-01-01T00:00:00Z"})).await, [carla]);
    assert_eq!(found(serde_json::json!({"modified_after": "2010-01-01T00:00:00Z"})).await, [anna, ben]);

    // A tag that the file no longer has goes, one that was given stays.
    let document = knowledge.documents().await.into_iter().find(|one| one.source == anna).unwrap();
    assert_eq!(document.tags, ["draft", "kitchen"]);
    assert_eq!(document.metadata["author"], "Anna");
    folder.write("hr/anna.md", front("Anna", "tags: kitchen\n"));
    let report = knowledge.ingest(folder.path()).await;
    assert_eq!((report.updated, report.unchanged), (1, 2), "{report:?}");
    let document = knowledge.documents().await.into_iter().find(|one| one.source == anna).unwrap();
    assert_eq!(document.tags, ["kitchen"]);
}
