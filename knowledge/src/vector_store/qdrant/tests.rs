//! What only shows in the server's own settings.

use uuid::Uuid;

use super::*;

#[tokio::test]
async fn indexing_is_deferred_until_it_is_resumed_by_whomever() {
    let Some(url) = std::env::var("QDRANT_URL").ok().filter(|url| !url.is_empty()) else {
        eprintln!("skipped: QDRANT_URL is not set");
        return;
    };
    let store = QdrantStore::connect(&url, None).unwrap();
    let collection = format!("test-{}", Uuid::new_v4().simple());
    let schema = CollectionSchema { dimension: 4, filtered: [].into(), beside_others: [].into() };
    store.ensure_collection(&collection, &schema).await.unwrap();
    let threshold = async || {
        let info = store.info(&collection).await.unwrap();
        info.config.unwrap().optimizer_config.unwrap().indexing_threshold.unwrap()
    };
    let normal = threshold().await;
    assert!(normal > 0);
    store.resume_indexing(&collection).await.unwrap();
    assert_eq!(threshold().await, normal);
    store.defer_indexing(&collection).await.unwrap();
    assert_eq!(threshold().await, 0, "never");
    // Killed here; another process comes.
    QdrantStore::connect(&url, None).unwrap().resume_indexing(&collection).await.unwrap();
    assert_eq!(threshold().await, normal);
    store.delete_collection(&collection).await.unwrap();
}
