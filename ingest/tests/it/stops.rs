//! What ends a run, and what costs one file: an embedder or a store that fails for everything, or for one text.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once};

use footnote_ingest::{Error, Event};
use footnote_knowledge::{collection, embedding};

use crate::endpoint::{Endpoint, Reply};
use crate::files::Folder;
use crate::knowledge::Knowledge;

/// Twenty files; one of them is called and says `poison`.
fn folder() -> Folder {
    (0..20).fold(Folder::new().with("poison.txt", "poison"), |folder, number| {
        folder.with(&format!("{number}.txt"), format!("Beacon number {number}."))
    })
}

#[tokio::test]
async fn a_text_that_the_embedder_cannot_take_costs_its_file() {
    for reply in [|| Reply::Status(400), || Reply::Status(500), || Reply::NoDirection] {
        let refuses_poison =
            move |_: usize, texts: &str| if texts.contains("poison") { reply() } else { Reply::Vectors };
        let endpoint = Endpoint::start(refuses_poison).await;
        let knowledge = Knowledge::with_embedder(endpoint.embedder().await).await;
        let report = knowledge.ingest(folder().path()).await;
        assert_eq!(report.added, 20, "{report:?}");
        let [failure] = report.failed.as_slice() else { panic!("{report:?}") };
        assert_eq!(failure.source, "docs/poison.txt");
        assert!(failure.reason.contains("embedding endpoint"), "{failure:?}");
        assert!(failure.advice.contains("this file"), "{failure:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_takes_no_text_any_more_ends_the_run() {
    // A revoked key, a model that is gone, an endpoint that answers nonsense.
    for reply in [|| Reply::Status(401), || Reply::Status(404), || Reply::NoDirection] {
        let endpoint = Endpoint::start(move |number, _| if number < 5 { Reply::Vectors } else { reply() }).await;
        let knowledge = Knowledge::with_embedder(endpoint.embedder().await).await;
        let folder = (0..200).fold(Folder::new(), |folder, number| folder.with(&format!("{number}.txt"), "Text."));
        let stopped = knowledge.ingest_until_it_stops(folder.path(), |_| {}).await;
        let Error::Embedding { source_name, source } = &stopped.error else { panic!("{stopped:?}") };
        assert!(source_name.starts_with("docs/"), "{stopped:?}");
        assert!(!source.is_transient(), "{stopped:?}");
        assert!(stopped.report.failed.is_empty(), "no file is to blame: {stopped:?}");
        // What was being written when the run ended may be there, too.
        let stored = knowledge.sources().await.len();
        assert!(stopped.report.added <= stored && stored <= 5, "{stored} stored: {stopped:?}");
        assert!(endpoint.requests() < 60, "{} requests", endpoint.requests());
    }
}

#[tokio::test]
async fn an_endpoint_that_is_away_for_a_moment_is_waited_for() {
    let endpoint =
        Endpoint::start(|number, _| if (3..30).contains(&number) { Reply::Status(503) } else { Reply::Vectors }).await;
    let knowledge = Knowledge::with_embedder(endpoint.embedder().await).await;
    let (report, events) = knowledge.ingest_and_watch(folder().path()).await;
    assert_eq!((report.added, report.failed.len()), (21, 0), "{report:?}");
    let told: Vec<_> = events.iter().filter(|event| matches!(event, Event::Waiting { .. } | Event::Resumed)).collect();
    let [Event::Waiting { reason }, .., Event::Resumed] = told.as_slice() else { panic!("{told:?}") };
    assert!(reason.contains("unavailable"), "{reason}");
}

#[tokio::test]
async fn an_endpoint_that_stays_away_ends_the_run_and_the_next_one_goes_on() {
    let away = Arc::new(AtomicBool::new(false));
    let is_away = Arc::clone(&away);
    let answers =
        move |_: usize, _: &str| if is_away.load(Ordering::SeqCst) { Reply::Status(503) } else { Reply::Vectors };
    let endpoint = Endpoint::start(answers).await;
    let knowledge = Knowledge::with_embedder(endpoint.embedder().await).await;
    let folder = (0..60).fold(Folder::new(), |folder, number| folder.with(&format!("{number}.txt"), "Text."));
    let goes_away = |event| {
        if let Event::FileDone { .. } = event {
            away.store(true, Ordering::SeqCst);
        }
    };
    let stopped = knowledge.ingest_until_it_stops(folder.path(), goes_away).await;
    assert!(stopped.error.is_transient(), "{stopped:?}");
    let Error::Embedding { source: embedding::Error::Unavailable { .. }, .. } = &stopped.error else {
        panic!("{stopped:?}")
    };
    away.store(false, Ordering::SeqCst);
    let report = knowledge.ingest(folder.path()).await;
    // Of what was being written when it stopped, some may have arrived.
    assert!(report.unchanged >= stopped.report.added, "{report:?}");
    assert_eq!(report.unchanged + report.added, 60, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_that_is_gone_ends_the_run() {
    let knowledge = Knowledge::new().await;
    let folder = (0..60).fold(Folder::new(), |folder, number| folder.with(&format!("{number}.txt"), "Text."));
    let (alias, collection) = (knowledge.vectors().join("documents.json"), knowledge.collection.clone());
    let (written, mut when_written) = tokio::sync::mpsc::channel(1);
    let (removed, when_removed) = std::sync::mpsc::channel();
    tokio::spawn(async move {
        when_written.recv().await.unwrap();
        std::fs::remove_file(alias).unwrap();
        assert!(matches!(collection.check().await, Err(collection::Error::Gone { .. })));
        removed.send(()).unwrap();
    });
    // The run stands still after its first file until the collection is gone.
    let (first, when_removed) = (Once::new(), Mutex::new(when_removed));
    let watch = |event| {
        if let Event::FileDone { .. } = event {
            first.call_once(|| {
                written.try_send(()).unwrap();
                when_removed.lock().unwrap().recv().unwrap();
            });
        }
    };
    let stopped = knowledge.ingest_until_it_stops(folder.path(), watch).await;
    assert!(matches!(stopped.error, Error::Collection(collection::Error::Gone { .. })), "{stopped:?}");
    assert!(stopped.report.failed.is_empty(), "no file is to blame: {stopped:?}");
    assert!(stopped.report.added < 60, "{stopped:?}");
}
