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

#[tokio::test]
async fn a_threshold_and_diversity_choose_among_what_was_found() {
    let app = TestApp::builder()
        .document("tea.md", "# Tea\n\nTea steeps for four minutes.\n")
        .document("copy.md", "# Tea\n\nTea steeps for four minutes.\n")
        .document("bread.md", "# Bread\n\nKnead the dough for ten minutes.\n")
        .start()
        .await;
    let sources = async |extra: Value| {
        let mut body = json!({"query": "how long does tea steep", "explain": true});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let found = app.post("/search", body).await.body;
        let dropped: Vec<_> = found["explain"].as_array().unwrap().iter().map(|it| it["dropped"].clone()).collect();
        (found["results"].as_array().unwrap().len(), dropped)
    };
    let (all, dropped) = sources(json!({})).await;
    assert_eq!(all, 2, "the copy says nothing new");
    assert!(dropped.contains(&json!("repeats")));
    let (near, dropped) = sources(json!({"score_threshold": 0.5})).await;
    assert_eq!(near, 1);
    assert!(dropped.contains(&json!("below_threshold")));
    assert_eq!(sources(json!({"score_threshold": 0.99})).await.0, 0);
    assert_eq!(sources(json!({"mmr": 0.5})).await.0, 2);
    let future = json!({"filter": {"ingested_after": "2999-01-01T00:00:00Z"}});
    assert_eq!(sources(future).await.0, 0);

    let nothing = app.post("/chat", json!({"message": "How long does tea steep?", "score_threshold": 0.99})).await.body;
    assert_eq!((&nothing["abstained"], &nothing["source_documents"]), (&json!(true), &json!([])));
}

/// What was cut in pieces for the model to embed comes back whole.
#[tokio::test]
async fn neighbouring_chunks_are_one_source_with_the_text_of_their_place() {
    let paragraph = |topic: &str| {
        let sentences = (1..=14).map(|number| format!("Rule {number} on {topic} asks the keeper to note the hour."));
        sentences.collect::<Vec<_>>().join(" ")
    };
    let text = format!("# Keeping\n\n{}\n\n{}\n", paragraph("lamps"), paragraph("fog horns"));
    let app = TestApp::builder().document("keeping.md", &text).start().await;
    let chunks = app.get("/documents").await.body["documents"][0]["chunk_count"].as_u64().unwrap();
    assert!(chunks > 1, "the document is of one chunk");
    let found = app.post("/search", json!({"query": "what does the keeper note", "top_k": 10})).await.body;
    let results = found["results"].as_array().unwrap();
    assert_eq!(results.len(), 1, "{found}");
    let (start, end) = (results[0]["start"].as_u64().unwrap() as usize, results[0]["end"].as_u64().unwrap() as usize);
    let in_place: String = text.chars().skip(start).take(end - start).collect();
    assert_eq!(results[0]["text"], in_place);
}
