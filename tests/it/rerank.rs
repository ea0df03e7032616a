//! A reranker puts the passages into its order; without its answer the order of the search stands, and the response
//! says so.

use serde_json::{Value, json};

use crate::rerank_server::{Manner, RerankServer};
use crate::test_app::{TestApp, TestAppBuilder};

const QUESTION: &str = "which lamp burns whale oil";

async fn app_with(reranker: &RerankServer) -> TestApp {
    builder_with(reranker, 10_000).start().await
}

fn builder_with(reranker: &RerankServer, timeout_ms: u64) -> TestAppBuilder {
    TestApp::builder()
        .document("whale.md", "# Lamp\n\nThis lamp burns whale oil.\n")
        .document("fish.md", "# Lamp\n\nThis lamp burns fish oil.\n")
        .document("bees.md", "# Bees\n\nBees make wax for candles.\n")
        .option("--rerank-url", reranker.url())
        .option("--rerank-timeout", timeout_ms)
        .option("--rerank-api-key", "rr-secret")
        .option("--rerank-model", "cross")
}

fn order(found: &Value) -> Vec<&str> {
    found.as_array().unwrap().iter().map(|source| source["source"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn passages_are_in_the_order_of_a_reranker_of_either_kind() {
    for manner in [Manner::Jina, Manner::Tei] {
        let reranker = RerankServer::start(manner);
        let app = app_with(&reranker).await;
        let found = app.post("/search", json!({"query": QUESTION, "top_k": 2, "explain": true})).await.body;
        assert_eq!(order(&found["results"]), ["library/bees.md", "library/fish.md"], "{manner:?}");
        assert_eq!((&found["reranked"], &found["results"][0]["n"]), (&json!(true), &json!(1)));
        let dropped = found["explain"].as_array().unwrap().iter().filter(|it| it["dropped"] == "below_limit").count();
        assert_eq!(dropped, 1);

        let body = json!({"message": QUESTION, "top_k": 1, "explain": true});
        let answer = app.post("/chat", body).await.body;
        assert_eq!(order(&answer["source_documents"]), ["library/bees.md"]);
        assert_eq!(answer["reranked"], true);
        assert!(answer["timings_ms"]["rerank"].as_f64().unwrap() > 0.0);
        let candidates = answer["explain"]["candidates"].as_array().unwrap();
        assert_eq!(candidates.iter().filter(|it| it["reranked"].is_object()).count(), 3);
        let first = candidates.iter().find(|it| it["reranked"]["rank"] == 1).unwrap();
        assert_eq!(first["chunk_id"], answer["source_documents"][0]["id"]);

        let request = reranker.requests().pop().unwrap();
        let body = request.body;
        assert_eq!(request.authorization.as_deref(), Some("Bearer rr-secret"));
        assert_eq!(body["query"], QUESTION);
        let passages = body[if manner == Manner::Tei { "texts" } else { "documents" }].as_array().unwrap().clone();
        assert!(passages.iter().any(|passage| passage.as_str().unwrap().contains("This lamp burns whale oil.")));
        if manner == Manner::Jina {
            assert_eq!(body["model"], "cross");
        }
        let asked = reranker.requests().len();
        assert_eq!(asked, if manner == Manner::Tei { 3 } else { 2 }, "the wrong shape is tried once");
    }
}

#[tokio::test]
async fn without_its_answer_the_order_of_the_search_stands_and_it_is_left_alone_for_a_while() {
    for manner in [Manner::Stalls, Manner::Fails, Manner::LeavesOut] {
        let reranker = RerankServer::start(manner);
        let timeout_ms = if manner == Manner::Stalls { 2000 } else { 10_000 };
        let app = builder_with(&reranker, timeout_ms).start().await;
        for _ in 0..2 {
            let answer = app.post("/chat", json!({"message": QUESTION, "top_k": 2})).await.body;
            assert_eq!(order(&answer["source_documents"]), ["library/whale.md", "library/fish.md"], "{manner:?}");
            assert_eq!((&answer["reranked"], &answer["session_persisted"]), (&json!(false), &json!(true)));
        }
        assert_eq!(reranker.requests().len(), 1, "{manner:?}");
    }
}

#[tokio::test]
async fn a_reranker_that_is_not_there_costs_nobody_an_answer() {
    let reranker = RerankServer::start(Manner::Jina);
    let app = app_with(&reranker).await;
    drop(reranker);
    let answer = app.post("/chat", json!({"message": QUESTION})).await.body;
    assert_eq!((&answer["reranked"], &answer["abstained"]), (&json!(false), &json!(false)), "{answer}");
}

#[tokio::test]
async fn who_asks_for_passages_that_differ_is_not_reranked() {
    let reranker = RerankServer::start(Manner::Jina);
    let app = app_with(&reranker).await;
    let found = app.post("/search", json!({"query": QUESTION, "mmr": 0.3})).await.body;
    assert_eq!((order(&found["results"])[0], &found["reranked"]), ("library/whale.md", &json!(false)));
    assert!(reranker.requests().is_empty());
}

/// A passage with the words of the question, and one that answers it.
async fn bakery(arguments: &[(&str, &str)]) -> TestApp {
    let mill = "# Bread\n\nThe bread of the old mill was sold hot, and its oven must be painted in spring.\n";
    let loaf = "# Baking\n\nThe loaf bakes for 25 minutes at 240 degrees in the oven.\n";
    let builder = TestApp::builder()
        .document("mill.md", mill)
        .document("loaf.md", loaf)
        .document("bees.md", "# Bees\n\nBees make wax for candles.\n");
    arguments.iter().fold(builder, |builder, (name, value)| builder.option(name, value)).start().await
}

const HOW_HOT: &str = "How hot must the oven be for the bread?";

#[tokio::test]
async fn the_built_in_reranker_puts_what_answers_before_what_has_the_words() {
    let search = json!({"query": HOW_HOT, "top_k": 3, "explain": true});
    let app = bakery(&[("--reranker", "none")]).await;
    let found = app.post("/search", search.clone()).await.body;
    assert_eq!(order(&found["results"]), ["library/mill.md", "library/loaf.md", "library/bees.md"]);
    assert_eq!((found.get("reranked"), &found["explain"][0]["reranked"]), (None, &Value::Null));

    let app = bakery(&[]).await;
    let found = app.post("/search", search).await.body;
    assert_eq!(order(&found["results"]), ["library/loaf.md", "library/mill.md", "library/bees.md"], "{found}");
    assert_eq!(found["reranked"], true);
    let ranks: Vec<_> = found["explain"].as_array().unwrap().iter().map(|it| &it["reranked"]["rank"]).collect();
    assert_eq!(ranks, [2, 1, 3]);
    let answer = app.post("/chat", json!({"message": HOW_HOT, "top_k": 1})).await.body;
    assert_eq!(order(&answer["source_documents"]), ["library/loaf.md"]);
}

#[tokio::test]
async fn what_a_reranker_is_not_shown_follows_as_the_search_found_it() {
    let search = json!({"query": HOW_HOT, "top_k": 3, "explain": true});
    let app = bakery(&[("--rerank-candidates", "1")]).await;
    let found = app.post("/search", search).await.body;
    assert_eq!(order(&found["results"]), ["library/mill.md", "library/loaf.md", "library/bees.md"]);
    let reranked = found["explain"].as_array().unwrap().iter().filter(|it| !it["reranked"].is_null()).count();
    assert_eq!(reranked, 1);
}

#[tokio::test]
async fn a_reranker_is_asked_a_question_that_stands_alone() {
    let reranker = RerankServer::start(Manner::Jina);
    let app = app_with(&reranker).await;
    app.post("/chat", json!({"user_id": "ann", "message": "What is a lamp?"})).await;
    app.post("/chat", json!({"user_id": "ann", "message": "What does it burn?"})).await;
    assert_eq!(reranker.requests().pop().unwrap().body["query"], "What does a lamp burn?");
}

#[tokio::test]
async fn readiness_tells_of_a_reranker() {
    let reranker = RerankServer::start(Manner::Fails);
    let app = app_with(&reranker).await;
    assert_eq!(app.get("/readyz").await.body["reranker"], json!({"kind": "endpoint", "ok": true}));
    app.post("/chat", json!({"message": QUESTION})).await;
    let ready = app.get("/readyz").await;
    assert_eq!((ready.status.as_u16(), &ready.body["reranker"]["ok"]), (200, &json!(false)));
    let app = TestApp::builder().option("--reranker", "none").start().await;
    assert_eq!(app.get("/readyz").await.body["reranker"], Value::Null);
}
