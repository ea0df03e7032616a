//! A collection built anew with another embedder, and what becomes of the old one.

use footnote_knowledge::collection::{Collection, Error, Filter, Rebuild};
use footnote_knowledge::embedding::EmbeddingIdentity;
use jiff::{SignedDuration, Timestamp};

use crate::fixture::{TestStore, document, identity, on_every_store, search, texts};

on_every_store!(
    what_it_replaced_is_dropped_by_a_sweep_in_time,
    the_way_back_is_not_swept_away,
    what_was_left_behind_twice_is_dropped_all_the_same,
    an_attempt_that_never_switched_leaves_the_old_one_alone,
);

fn other() -> EmbeddingIdentity {
    EmbeddingIdentity { model: "other".to_owned(), ..identity() }
}

async fn begin(store: &TestStore, identity: &EmbeddingIdentity) -> Rebuild {
    Rebuild::begin(store.store.clone(), &store.name, identity).await.unwrap().unwrap()
}

/// Half a minute and so many minutes from now.
fn in_minutes(minutes: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(30) + SignedDuration::from_mins(minutes)
}

async fn stored(store: &TestStore) -> String {
    store.store.resolve_alias(&store.name).await.unwrap().unwrap()
}

async fn what_it_replaced_is_dropped_by_a_sweep_in_time(store: TestStore) {
    let old = store.collection().await;
    old.replace_document(document("a.txt", &["rye bread"])).await.unwrap();
    let old_stored = stored(&store).await;
    let rebuild = begin(&store, &other()).await;
    rebuild.new.replace_document(document("a.txt", &["rye bread"])).await.unwrap();
    assert!(!rebuild.is_in_place().await.unwrap());
    rebuild.switch().await.unwrap();
    assert!(rebuild.is_in_place().await.unwrap());
    // Killed here; another process comes.
    let new = Collection::open(store.store.clone(), &store.name, &other()).await.unwrap();
    new.sweep_at(in_minutes(59)).await.unwrap();
    assert!(store.store.collection_exists(&old_stored).await.unwrap(), "it may still be copied from");
    rebuild.finish().await.unwrap();
    new.sweep_at(in_minutes(0)).await.unwrap();
    assert!(store.store.collection_exists(&old_stored).await.unwrap(), "a server may still be reading it");
    new.sweep_what_is_due_at(in_minutes(1)).await.unwrap();
    assert!(!store.store.collection_exists(&old_stored).await.unwrap());
    assert_eq!(texts(&search(&new, "bread").await), ["rye bread"]);
    assert_eq!(texts(&search(&rebuild.replacement(), "bread").await), ["rye bread"]);
}

async fn the_way_back_is_not_swept_away(store: TestStore) {
    store.collection().await.replace_document(document("a.txt", &["rye bread"])).await.unwrap();
    let there = begin(&store, &other()).await;
    there.switch().await.unwrap();
    let back = begin(&store, &identity()).await;
    there.replacement().sweep_at(in_minutes(5)).await.unwrap();
    assert_eq!(back.new.documents(&Filter::default(), None, 10).await.unwrap().items.len(), 1);
    back.switch().await.unwrap();
    back.drop_old().await.unwrap();
    assert_eq!(texts(&search(&store.collection().await, "bread").await), ["rye bread"]);
}

async fn what_was_left_behind_twice_is_dropped_all_the_same(store: TestStore) {
    store.collection().await.replace_document(document("a.txt", &["rye bread"])).await.unwrap();
    let first = stored(&store).await;
    begin(&store, &other()).await.switch().await.unwrap();
    let second = stored(&store).await;
    let third = EmbeddingIdentity { model: "third".to_owned(), ..identity() };
    let rebuild = begin(&store, &third).await;
    rebuild.switch().await.unwrap();
    rebuild.replacement().sweep_at(in_minutes(61)).await.unwrap();
    for gone in [first, second] {
        assert!(!store.store.collection_exists(&gone).await.unwrap(), "{gone}");
    }
}

async fn an_attempt_that_never_switched_leaves_the_old_one_alone(store: TestStore) {
    let old = store.collection().await;
    old.replace_document(document("a.txt", &["rye bread"])).await.unwrap();
    let rebuild = begin(&store, &other()).await;
    rebuild.new.sweep_at(in_minutes(5)).await.unwrap();
    old.sweep_at(in_minutes(5)).await.unwrap();
    assert_eq!(texts(&search(&old, "bread").await), ["rye bread"]);
    let foreign = Collection::open(store.store.clone(), &store.name, &other()).await;
    assert!(matches!(foreign, Err(Error::FingerprintMismatch { .. })), "{foreign:?}");
    // For the place to be cleared up.
    store.store.delete_collection(&rebuild_stored(&store).await).await.unwrap();
}

/// What the other embedder's collection is called.
async fn rebuild_stored(store: &TestStore) -> String {
    let rebuild = begin(store, &other()).await;
    rebuild.switch().await.unwrap();
    stored(store).await
}
