//! `/documents`: what was ingested, and taking it out again.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::test_app::TestApp;

/// Two sections, each long enough to be a chunk of its own.
fn bread() -> String {
    let (kneading, baking) = ("Knead the dough for ten minutes. ".repeat(20), "Bake it at 230 degrees. ".repeat(20));
    format!("# Bread\n\n## Kneading\n\n{kneading}\n\n## Baking\n\n{baking}\n")
}

#[tokio::test]
async fn documents_are_listed_and_read() {
    let app = TestApp::builder()
        .document("bread.md", bread())
        .document("tea.txt", "Tea steeps for four minutes.")
        .start()
        .await;
    let page = app.get("/documents").await.body;
    let documents = page["documents"].as_array().unwrap();
    assert_eq!(documents.len(), 2);
    let bread = documents.iter().find(|document| document["source"] == "library/bread.md").unwrap();
    assert_eq!(bread["title"], "Bread");
    for field in ["id", "content_hash", "version", "tags", "chunk_count", "ingested_at"] {
        assert!(bread.get(field).is_some(), "{field} is missing in {bread}");
    }
    let one = app.get(&format!("/documents/{}", bread["id"].as_str().unwrap())).await.body;
    assert_eq!(&one, bread);

    let first = app.get("/documents?limit=1").await.body;
    let next = app.get(&format!("/documents?limit=1&cursor={}", first["next_cursor"].as_str().unwrap())).await.body;
    assert_ne!(first["documents"][0]["id"], next["documents"][0]["id"]);
    assert!(next["next_cursor"].is_null());
    let only = app.get("/documents?source=library/tea.txt").await.body;
    assert_eq!(only["documents"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn chunks_cover_the_text_without_gaps() {
    let app = TestApp::builder().document("bread.md", bread()).start().await;
    let id = id_of(&app, "library/bread.md").await;
    let chunks = app.get(&format!("/documents/{id}/chunks")).await.body["chunks"].as_array().unwrap().clone();
    let text: String = chunks.iter().map(|chunk| chunk["text"].as_str().unwrap()).collect();
    assert_eq!(text, bread());
    let mut end = 0;
    for chunk in &chunks {
        assert_eq!(chunk["start"], end);
        end = chunk["end"].as_u64().unwrap();
    }
    assert!(chunks.len() >= 2, "{chunks:?}");
    assert_eq!(chunks[0]["heading"], "Kneading", "the title is told apart from the headings");
    assert_eq!(chunks.last().unwrap()["heading"], "Baking");
}

#[tokio::test]
async fn a_deleted_document_is_found_no_more() {
    let app = TestApp::builder()
        .document("bread.md", bread())
        .document("tea.txt", "Tea steeps for four minutes.")
        .start()
        .await;
    let id = id_of(&app, "library/bread.md").await;
    let deleted = app.delete(&format!("/documents/{id}")).await;
    assert_eq!((deleted.status, &deleted.body["deleted"]), (StatusCode::OK, &json!(true)));
    assert_eq!(app.get(&format!("/documents/{id}")).await.status, StatusCode::NOT_FOUND);
    let found = app.post("/search", json!({"query": "knead the dough"})).await.body;
    let sources: Vec<&Value> = found["results"].as_array().unwrap().iter().map(|hit| &hit["source"]).collect();
    assert_eq!(sources, ["library/tea.txt"]);
}

async fn id_of(app: &TestApp, source: &str) -> String {
    let page = app.get(&format!("/documents?source={source}")).await.body;
    page["documents"][0]["id"].as_str().unwrap().to_owned()
}
