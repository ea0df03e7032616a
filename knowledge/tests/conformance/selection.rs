//! What a search leaves out or brings forward, beside the order of its ranking.

use std::time::Duration;

use footnote_knowledge::collection::{Dropped, Filter, SearchMode, SearchResult, Selection};
use jiff::Timestamp;

use crate::fixture::{TestStore, document, on_every_store, search, search_by, select, texts};

on_every_store!(
    a_passage_that_repeats_a_better_one_makes_room_for_the_next,
    a_threshold_keeps_what_is_near_enough_by_cosine,
    a_threshold_holds_for_what_only_words_found,
    diversity_brings_another_subject_forward,
    documents_are_found_by_the_time_they_were_ingested,
);

fn dropped(result: &SearchResult, reason: Dropped) -> usize {
    result.candidates.iter().filter(|candidate| candidate.dropped == Some(reason)).count()
}

async fn a_passage_that_repeats_a_better_one_makes_room_for_the_next(store: TestStore) {
    let collection = store.collection().await;
    let notice = "the museum is closed on the first monday of each month for cleaning";
    for (source, text) in [
        ("a.md", notice.to_owned()),
        ("b.md", notice.to_uppercase()),
        ("c.md", format!("{notice}.")),
        ("d.md", "the museum shows ships".to_owned()),
        ("e.md", "the garden is open".to_owned()),
    ] {
        collection.replace_document(document(source, &[&text])).await.unwrap();
    }
    let result = select(&collection, "museum closed monday", 2, Selection::default()).await;
    assert_eq!(result.hits.len(), 2);
    assert_eq!(texts(&result)[1], "the museum shows ships");
    assert_eq!(dropped(&result, Dropped::Repeats), 2);
    assert_eq!(dropped(&result, Dropped::BelowLimit), 1);
    let all = select(&collection, "museum closed monday", 50, Selection::default()).await;
    assert_eq!(all.hits.len(), 3);
}

async fn a_threshold_keeps_what_is_near_enough_by_cosine(store: TestStore) {
    let collection = store.collection().await;
    collection.replace_document(document("near.md", &["tides turn twice a day"])).await.unwrap();
    collection.replace_document(document("far.md", &["a garden of old roses"])).await.unwrap();
    let ask = async |score_threshold| {
        select(&collection, "tides turn", 10, Selection { score_threshold: Some(score_threshold), mmr: None }).await
    };
    let everything = ask(-1.0).await;
    assert_eq!(everything.hits.len(), 2);
    let cosines: Vec<f32> = everything.hits.iter().map(|hit| hit.dense.unwrap().score).collect();
    let between = f32::midpoint(cosines[0], cosines[1]);
    let near = ask(between).await;
    assert_eq!(texts(&near), ["tides turn twice a day"]);
    assert_eq!((near.candidates.len(), dropped(&near, Dropped::BelowThreshold)), (2, 1));
    assert!(ask(1.0).await.hits.is_empty());
}

/// Beyond the depth of the dense ranking the cosine is worked out from the stored vector.
async fn a_threshold_holds_for_what_only_words_found(store: TestStore) {
    let collection = store.collection().await;
    let many: Vec<String> = (0..120).map(|number| format!("tide table {number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    collection.replace_document(document("many.md", &many)).await.unwrap();
    let mut far = document("far.md", &["tide"]);
    far.chunks[0].embedding = far.chunks[0].embedding.iter().map(|number| -number).collect();
    collection.replace_document(far).await.unwrap();
    let has_far = |result: &SearchResult| texts(result).contains(&"tide");
    let without = select(&collection, "tide", 50, Selection::default()).await;
    assert!(has_far(&without), "its word finds it");
    assert!(without.hits.iter().find(|hit| hit.chunk.text == "tide").unwrap().dense.is_none());
    let selection = Selection { score_threshold: Some(0.0), mmr: None };
    let with = select(&collection, "tide", 50, selection).await;
    assert!(!has_far(&with) && with.hits.len() == 50);
}

async fn diversity_brings_another_subject_forward(store: TestStore) {
    let collection = store.collection().await;
    let text = ["harbour lights burn red", "harbour lights burn red tonight", "the harbour master keeps bees"];
    for (number, text) in text.iter().enumerate() {
        collection.replace_document(document(&format!("{number}.md"), &[text])).await.unwrap();
    }
    let first_two = async |mmr| {
        let result = select(&collection, "harbour lights burn red", 2, Selection { score_threshold: None, mmr }).await;
        texts(&result).join(" | ")
    };
    assert_eq!(first_two(None).await, format!("{} | {}", text[0], text[1]));
    assert_eq!(first_two(Some(0.0)).await, first_two(None).await);
    assert_eq!(first_two(Some(0.8)).await, format!("{} | {}", text[0], text[2]));
}

async fn documents_are_found_by_the_time_they_were_ingested(store: TestStore) {
    let collection = store.collection().await;
    collection.replace_document(document("old.md", &["ships of old"])).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let between = Timestamp::now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    collection.replace_document(document("new.md", &["ships of today"])).await.unwrap();
    let found = async |filter: Filter| {
        let result = search_by(&collection, "ships", SearchMode::Hybrid, &filter, 5).await;
        texts(&result).join(" | ")
    };
    assert_eq!(found(Filter { ingested_after: Some(between), ..Filter::default() }).await, "ships of today");
    assert_eq!(found(Filter { ingested_before: Some(between), ..Filter::default() }).await, "ships of old");
    let nothing = Filter { ingested_after: Some(between), ingested_before: Some(between), ..Filter::default() };
    assert_eq!(found(nothing).await, "");
    assert_eq!(search(&collection, "ships").await.hits.len(), 2);
}
