//! The README's session: ask a folder of documents, follow up, restart, and be remembered.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::test_app::TestApp;

fn sample_corpus() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/data")
}

#[tokio::test]
async fn the_readme_session() {
    let readme = include_str!("../../README.md");
    let is_printed = |text: &str| assert!(readme.contains(text), "the README does not have {text}");
    let is_said = |answer: &Value| is_printed(&format!("\nBot: {}\n", answer["response"].as_str().unwrap()));
    let mut app = TestApp::builder().ingest(sample_corpus()).start().await;

    let first = app.ask("user_123", "What is machine learning?").await;
    let first_sentence = first["response"].as_str().unwrap().split_inclusive("[1]").next().unwrap();
    is_printed(&format!("\"response\": \"{first_sentence} …\""));
    let (source, citation) = (&first["source_documents"][0], &first["citations"][0]);
    for name in ["n", "title", "source", "heading", "start", "end", "cited"] {
        is_printed(&format!("\"{name}\": {}", source[name]));
    }
    for name in ["n", "verified"] {
        is_printed(&format!("\"{name}\": {}", citation[name]));
    }
    for name in ["sentence", "quote"] {
        is_printed(&format!("\"{name}\": [{}, {}]", citation[name][0], citation[name][1]));
    }
    is_printed(&format!(
        "\"chunk_id\": \"{}…\"",
        citation["chunk_id"].as_str().unwrap().split_inclusive('-').next().unwrap()
    ));
    assert_eq!(first["conversation_length"], 2);
    assert_eq!(first["session_persisted"], true);
    assert_eq!(first["backend"], "Embedded");
    assert_eq!(first["answered_by"], "extractive");
    assert_eq!(first["history"], json!({"used": 0, "dropped": 0}));

    let second = app.ask("user_123", "and how does it differ from deep learning?").await;
    is_said(&second);
    assert!(second["standalone_question"].as_str().unwrap().to_lowercase().contains("machine learning"), "{second}");
    assert_eq!(second["conversation_length"], 4);
    assert_eq!(second["history"]["used"], 2);

    let third = app.ask("user_123", "Which treaty ended the Thirty Years War?").await;
    assert_eq!(third["abstained"], true, "{third}");
    is_said(&third);

    app.restart().await;
    let fourth = app.ask("user_123", "and who needs labelled data for it?").await;
    assert_eq!(fourth["conversation_length"], 8, "the conversation outlived the server");
    assert_eq!(fourth["history"]["used"], 5);
}

#[tokio::test]
async fn a_response_has_every_field_of_the_contract() {
    let app = TestApp::builder()
        .document("ml.md", "# Learning\n\nMachine learning is programs that learn from data. Birds sing.\n")
        .start()
        .await;
    let answer = app.post("/chat", json!({"message": "What is machine learning?"})).await;
    assert_eq!(answer.status, StatusCode::OK);
    let fields: Vec<&str> = answer.body.as_object().unwrap().keys().map(String::as_str).collect();
    for field in [
        "response",
        "source_documents",
        "user_id",
        "conversation_length",
        "session_persisted",
        "backend",
        "turn_id",
        "answered_by",
        "abstained",
        "standalone_question",
        "citations",
        "history",
        "usage",
        "timings_ms",
    ] {
        assert!(fields.contains(&field), "{field} is missing in {}", answer.body);
    }
    let source = &answer.body["source_documents"][0];
    for field in
        ["n", "id", "document_id", "title", "source", "page", "heading", "start", "end", "text", "score", "cited"]
    {
        assert!(source.get(field).is_some(), "{field} is missing in {source}");
    }
    for step in ["session", "embed", "search", "llm", "save"] {
        assert!(answer.body["timings_ms"][step].is_f64(), "{step} is missing in {}", answer.body["timings_ms"]);
    }
    let made_up = answer.body["user_id"].as_str().unwrap();
    assert_eq!(uuid::Uuid::parse_str(made_up).unwrap().get_version_num(), 4);
    assert_eq!(app.ask(made_up, "and what sings?").await["conversation_length"], 4);
}

#[tokio::test]
async fn offsets_of_sources_and_citations_are_code_points() {
    let text = "# Größe 🌍\n\nDie Größe 🌍 ist ein Maß. Machine learning is 学习 from data. The end is near.\n";
    let app = TestApp::builder().document("unicode.md", text).start().await;
    let answer = app.ask("someone", "What is machine learning?").await;
    let citation = &answer["citations"][0];
    let source =
        answer["source_documents"].as_array().unwrap().iter().find(|source| source["n"] == citation["n"]).unwrap();
    assert_eq!(source["cited"], true);
    assert_eq!(source["id"], citation["chunk_id"]);
    assert_eq!(
        code_points(source["text"].as_str().unwrap(), &citation["quote"]),
        "Machine learning is 学习 from data."
    );
    assert!(
        code_points(answer["response"].as_str().unwrap(), &citation["sentence"])
            .starts_with("Machine learning is 学习")
    );
    assert_eq!(citation["verified"], true);
    assert_eq!(source["text"], code_points(text, &json!([source["start"], source["end"]])));
}

fn code_points(text: &str, span: &Value) -> String {
    let (start, end) = (span[0].as_u64().unwrap() as usize, span[1].as_u64().unwrap() as usize);
    text.chars().skip(start).take(end - start).collect()
}

#[tokio::test]
async fn what_is_not_in_the_documents_is_said_to_be_missing() {
    let app = TestApp::builder()
        .document("bread.md", "# Bread\n\nKnead the dough for ten minutes. Bake it hot.\n")
        .start()
        .await;
    let answer = app.ask("someone", "Which treaty ended the Thirty Years' War?").await;
    assert_eq!(answer["abstained"], true, "{answer}");
    assert_eq!(answer["citations"], json!([]));
    assert_eq!(answer["conversation_length"], 2, "an honest answer is a turn like any other");
}

#[tokio::test]
async fn without_history_a_follow_up_stands_alone_and_is_saved() {
    let app = TestApp::builder()
        .document("ml.md", "# Learning\n\nMachine learning is programs that learn from data.\n")
        .start()
        .await;
    app.ask("someone", "What is machine learning?").await;
    let body = json!({"user_id": "someone", "message": "and why is it useful?", "use_history": false});
    let answer = app.post("/chat", body).await.body;
    assert_eq!(answer["standalone_question"], "and why is it useful?");
    assert_eq!(answer["history"], json!({"used": 0, "dropped": 2}));
    assert_eq!(answer["conversation_length"], 4);
}

#[tokio::test]
async fn only_the_last_messages_go_into_the_context() {
    let app = TestApp::builder().option("--history-messages", 3).start().await;
    for turn in 1..=3 {
        app.ask("someone", &format!("question {turn}")).await;
    }
    let answer = app.ask("someone", "question 4").await;
    assert_eq!(answer["history"], json!({"used": 3, "dropped": 3}));
}

#[tokio::test]
async fn session_id_is_another_name_of_user_id() {
    let app = TestApp::builder().start().await;
    let answer = app.post("/chat", json!({"session_id": "same", "message": "hello there"})).await;
    assert_eq!(answer.body["user_id"], "same");
    assert_eq!(app.ask("same", "hello again").await["conversation_length"], 4);
}

#[tokio::test]
async fn in_memory_sessions_are_never_called_persisted() {
    let app = TestApp::builder().option("--sessions", "memory").start().await;
    let answer = app.ask("someone", "hello there").await;
    assert_eq!((&answer["session_persisted"], &answer["backend"]), (&json!(false), &json!("Memory")));
    assert_eq!(app.ask("someone", "hello again").await["conversation_length"], 4);
}

#[tokio::test]
async fn top_k_and_filter_choose_the_sources() {
    let mut builder = TestApp::builder();
    for number in 1..=6 {
        builder = builder
            .document(&format!("{number}.md"), format!("# Note {number}\n\nA note on rivers, number {number}.\n"));
    }
    let app = builder.start().await;
    let ask = async |extra: Value| {
        let mut body = json!({"message": "rivers"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        app.post("/chat", body).await.body["source_documents"].as_array().unwrap().clone()
    };
    assert_eq!(ask(json!({})).await.len(), 4);
    assert_eq!(ask(json!({"top_k": 6})).await.len(), 6);
    let only = ask(json!({"filter": {"sources": ["library/3.md"]}})).await;
    assert_eq!(only.iter().map(|source| &source["source"]).collect::<Vec<_>>(), ["library/3.md"]);
    assert_eq!(ask(json!({"filter": {"tags": ["absent"]}})).await, Vec::<Value>::new());
}
