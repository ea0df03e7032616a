//! The same documents on both engines: the same chunks in the same order, with the same scores.

use footnote_knowledge::collection::{Collection, Filter, NewDocument, SearchMode};

use crate::fixture::{TestStore, document, identity, search_by};

const WORDS: [&str; 24] = [
    "amber", "basalt", "cedar", "delta", "ember", "fjord", "garnet", "heather", "indigo", "juniper", "kelp", "larch",
    "marble", "nettle", "opal", "pumice", "quartz", "reed", "slate", "thistle", "umber", "verbena", "willow", "yarrow",
];
const QUESTIONS: [&str; 6] = [
    "amber",
    "quartz and slate",
    "which willow stands by the fjord",
    "kelp kelp reed",
    "the",
    "heather indigo juniper opal",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_rank_alike() {
    let Some(server) = TestStore::qdrant().await else {
        eprintln!("skipped: QDRANT_URL is not set");
        return;
    };
    let mut embedded = TestStore::embedded().await;
    // Ids are made from the name.
    embedded.name.clone_from(&server.name);
    let on_server = server.collection().await;
    let in_process = Collection::open(embedded.store.clone(), &embedded.name, &identity()).await.unwrap();
    let both = [&on_server, &in_process];
    for collection in both {
        for number in 0..40 {
            collection.replace_document(made_up(number, 0)).await.unwrap();
        }
    }
    compare(both, "as written").await;

    // With old versions beside the new ones, and documents that are gone.
    for collection in both {
        for number in 0..10 {
            collection.replace_document(made_up(number, 1)).await.unwrap();
        }
        for number in 30..34 {
            assert!(collection.delete_document(collection.document_id(&made_up(number, 0).source)).await.unwrap());
        }
    }
    compare(both, "after changes").await;
}

async fn compare([on_server, in_process]: [&Collection; 2], when: &str) {
    let filters = [
        Filter::default(),
        Filter { tags: vec!["third".to_owned()], ..Filter::default() },
        Filter { sources: vec![made_up(3, 0).source, made_up(20, 0).source], ..Filter::default() },
    ];
    for text in QUESTIONS {
        for mode in [SearchMode::Hybrid, SearchMode::Dense, SearchMode::Bm25] {
            for filter in &filters {
                let what = format!("{text:?} by {mode:?} under {filter:?}, {when}");
                let on_server = search_by(on_server, text, mode, filter, 20).await;
                let in_process = search_by(in_process, text, mode, filter, 20).await;
                let ids = |found: &[footnote_knowledge::collection::Hit]| {
                    found.iter().map(|hit| hit.chunk.id).collect::<Vec<_>>()
                };
                assert_eq!(ids(&on_server.hits), ids(&in_process.hits), "{what}");
                assert_eq!(on_server.candidates.len(), in_process.candidates.len(), "{what}");
                for (server, process) in on_server.candidates.iter().zip(&in_process.candidates) {
                    assert_eq!((server.chunk_id, server.dropped), (process.chunk_id, process.dropped), "{what}");
                    for (server, process) in [(server.dense, process.dense), (server.bm25, process.bm25)] {
                        assert_eq!(server.map(|ranked| ranked.rank), process.map(|ranked| ranked.rank), "{what}");
                        let score =
                            |ranked: Option<footnote_knowledge::collection::Ranked>| ranked.map_or(0.0, |it| it.score);
                        assert!((score(server) - score(process)).abs() < 1e-5, "{what}: {server:?} {process:?}");
                    }
                }
            }
        }
    }
}

/// Of eight chunks, none like another, in all the collection fewer than are ranked at most.
fn made_up(number: usize, version: usize) -> NewDocument {
    let texts: Vec<_> = (0..2)
        .map(|part| {
            let seed = 97 * number + 31 * part + 1009 * version;
            let words = (0..7 + seed % 5)
                .map(|position| WORDS[(seed + position * (3 + seed % 7) + position * position) % WORDS.len()]);
            format!("{} {seed}", words.collect::<Vec<_>>().join(" "))
        })
        .collect();
    let mut document = document(&format!("{number}.md"), &texts.iter().map(String::as_str).collect::<Vec<_>>());
    if number.is_multiple_of(3) {
        document.tags = vec!["third".to_owned()];
    }
    document
}
