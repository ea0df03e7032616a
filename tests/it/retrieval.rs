//! Retrieval over the sample corpus, and `POST /search`.

use serde_json::{Value, json};

use crate::test_app::TestApp;

/// Each sample question finds, among the passages an answer is made from, the one that holds its answer.
#[tokio::test]
async fn the_sample_questions_find_their_passages() {
    let app = TestApp::builder().ingest(concat!(env!("CARGO_MANIFEST_DIR"), "/data")).start().await;
    let questions = include_str!("../fixtures/sample_questions.jsonl").lines();
    let mut missed = Vec::new();
    let mut asked = 0;
    for line in questions.filter(|line| !line.trim().is_empty()) {
        let question: Value = serde_json::from_str(line).unwrap();
        let found = app.post("/search", json!({"query": question["question"]})).await.body;
        let results = found["results"].as_array().unwrap();
        let answer = one_line(question["answer"].as_str().unwrap());
        let holds = |hit: &Value| {
            hit["source"] == question["source"] && one_line(hit["text"].as_str().unwrap()).contains(&answer)
        };
        if !results.iter().any(holds) {
            missed.push(question["question"].clone());
        }
        asked += 1;
    }
    assert!(asked >= 25);
    // A question or two may fall between two chunks; more would be a defect of retrieval.
    assert!(missed.len() <= asked / 12, "{} of {asked} missed: {missed:#?}", missed.len());
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_search_explains_itself() {
    let app = TestApp::builder()
        .document("bread.md", "# Bread\n\nKnead the dough for ten minutes.\n")
        .document("tea.md", "# Tea\n\nTea steeps for four minutes.\n")
        .start()
        .await;
    let plain = app.post("/search", json!({"query": "how long does tea steep", "top_k": 1})).await.body;
    assert_eq!(plain["results"].as_array().unwrap().len(), 1);
    assert_eq!(plain["results"][0]["source"], "library/tea.md");
    assert!(plain.get("explain").is_none());

    let body = json!({"query": "how long does tea steep", "top_k": 1, "explain": true});
    let explained = app.post("/search", body).await.body;
    let candidates = explained["explain"].as_array().unwrap();
    assert_eq!(candidates.len(), 2);
    assert_eq!(candidates[0]["chunk_id"], explained["results"][0]["id"]);
    for ranking in ["dense", "bm25", "fused"] {
        assert_eq!(candidates[0][ranking]["rank"], 1, "{ranking} in {}", candidates[0]);
        assert!(candidates[0][ranking]["score"].is_number());
    }
    assert!(candidates[0]["dropped"].is_null());
    assert!(candidates[1]["dropped"].is_string(), "{}", candidates[1]);

    for mode in ["dense", "bm25", "hybrid"] {
        let found = app.post("/search", json!({"query": "tea", "mode": mode})).await.body;
        assert_eq!(found["results"][0]["source"], "library/tea.md", "{mode}");
    }
}
