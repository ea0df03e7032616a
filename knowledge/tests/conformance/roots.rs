//! Which folder a root name belongs to.

use footnote_knowledge::collection::Filter;

use crate::fixture::{TestStore, document, on_every_store, search};

on_every_store!(a_root_name_remembers_its_folder_beside_the_documents);

async fn a_root_name_remembers_its_folder_beside_the_documents(mut store: TestStore) {
    let collection = store.collection().await;
    assert_eq!(collection.root_folder("docs").await.unwrap(), None);
    collection.set_root_folder("docs", "/home/one/docs").await.unwrap();
    collection.set_root_folder("notes", "/home/one/notes").await.unwrap();
    collection.set_root_folder("docs", "/home/other/docs").await.unwrap();
    collection.replace_document(document("docs/a.md", &["other docs"])).await.unwrap();
    drop(collection);
    store.reopen().await;

    let collection = store.collection().await;
    assert_eq!(collection.root_folder("docs").await.unwrap().as_deref(), Some("/home/other/docs"));
    assert_eq!(collection.root_folder("notes").await.unwrap().as_deref(), Some("/home/one/notes"));
    assert_eq!(collection.document_count().await.unwrap(), 1);
    assert_eq!(collection.documents(&Filter::default(), None, 10).await.unwrap().items.len(), 1);
    assert_eq!(search(&collection, "docs").await.hits.len(), 1);
    collection.sweep().await.unwrap();
    assert!(collection.root_folder("docs").await.unwrap().is_some());
}
