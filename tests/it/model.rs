//! A remote model: what it is sent, and what clients see when it fails.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::model_server::{ModelServer, Reply};
use crate::test_app::{TestApp, TestAppBuilder};

async fn app_with(model: &ModelServer) -> TestApp {
    builder_with(model).start().await
}

fn builder_with(model: &ModelServer) -> TestAppBuilder {
    TestApp::builder()
        .document("ml.md", "# Learning\n\nMachine learning is programs that learn from data.\n")
        .option("--openai-base-url", model.base_url())
        .option("--openai-api-key", "sk-secret")
        .option("--chat-model", "scripted")
}

#[tokio::test]
async fn the_model_gets_sources_conversation_and_question() {
    let model = ModelServer::start();
    let app = app_with(&model).await;
    app.ask("someone", "What is machine learning?").await;
    let answer = app.ask("someone", "Who uses it?").await;
    assert_eq!(answer["answered_by"], "scripted");
    assert!(answer["usage"]["prompt_tokens"].as_u64().unwrap() > 0);

    let request = model.last_request();
    assert_eq!(request.authorization.as_deref(), Some("Bearer sk-secret"));
    assert_eq!(request.body["model"], "scripted");
    let prompt = request.message("user");
    assert!(prompt.contains("Machine learning is programs that learn from data."), "{prompt}");
    assert!(prompt.contains("Previous conversation:\nYou: What is machine learning?\nBot: Hello."), "{prompt}");
    assert!(prompt.contains("Who uses it?"), "{prompt}");
}

#[tokio::test]
async fn each_failure_of_the_model_has_its_status_and_saves_nothing() {
    let model = ModelServer::start();
    let app = app_with(&model).await;
    type Case = (fn() -> Reply, StatusCode, &'static str);
    let cases: [Case; 9] = [
        (|| Reply::refuse(401), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::refuse(404), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::refuse(500), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::refuse(429), StatusCode::TOO_MANY_REQUESTS, "model_rate_limited"),
        (|| Reply::Raw(b"data: {\"this is\": no completion\n\n".to_vec()), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::Raw(b"<html>It works!</html>".to_vec()), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::CutAfter("Half an".to_owned()), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::events([said("You must", "abort")]), StatusCode::BAD_GATEWAY, "model_error"),
        (|| Reply::events([said("", "content_filter")]), StatusCode::BAD_GATEWAY, "model_error"),
    ];
    for (reply, status, code) in cases {
        model.always(reply);
        let answer = app.post("/chat", json!({"user_id": "someone", "message": "What is machine learning?"})).await;
        assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{}", answer.body);
        let text = answer.body.to_string();
        assert!(!text.contains("sk-secret") && !text.contains("127.0.0.1"), "no cause reaches the client: {text}");
    }
    assert_eq!(app.get("/sessions/someone").await.status, StatusCode::NOT_FOUND);
    model.always(|| Reply::answer("Back again [1]."));
    assert_eq!(app.ask("someone", "What is machine learning?").await["conversation_length"], 2);
}

#[tokio::test]
async fn a_model_that_never_answers_is_waited_for_as_long_as_it_may_take() {
    let model = ModelServer::start();
    model.then(Reply::Stall);
    // Nothing else may be asked of so short a time: a retry alone may wait longer.
    let app = builder_with(&model).option("--model-timeout", 1).start().await;
    let answer = app.post("/chat", json!({"user_id": "someone", "message": "What is machine learning?"})).await;
    assert_eq!((answer.status, &answer.body["code"]), (StatusCode::GATEWAY_TIMEOUT, &json!("model_timeout")));
    assert_eq!(app.get("/sessions/someone").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_failed_turn_leaves_its_conversation_as_it_was() {
    let model = ModelServer::start();
    let app = app_with(&model).await;
    app.ask("someone", "What is machine learning?").await;
    let before = app.get("/sessions/someone").await.body["messages"].clone();
    model.then(Reply::CutAfter("Half an".to_owned())).then(Reply::refuse(401));
    for _ in 0..2 {
        let body = json!({"user_id": "someone", "message": "Who uses machine learning?"});
        assert_eq!(app.post("/chat", body).await.status, StatusCode::BAD_GATEWAY);
        assert_eq!(app.get("/sessions/someone").await.body["messages"], before);
    }
    assert_eq!(app.ask("someone", "Who uses machine learning?").await["conversation_length"], 4);
}

#[tokio::test]
async fn a_rate_limit_passes_on_how_long_to_wait() {
    let model = ModelServer::start();
    let app = app_with(&model).await;
    let pauses = [(Some("1800"), "1800"), (Some("999.2"), "1000"), (None, "5")];
    for (asked, told) in pauses {
        model.always(move || Reply::Refuse { status: 429, code: "slow_down", retry_after: asked });
        let answer = app.post("/chat", json!({"message": "What is machine learning?"})).await;
        assert_eq!(answer.body["code"], "model_rate_limited");
        assert_eq!(answer.headers["retry-after"], told, "the model asks for {asked:?}");
        // A stream has no header for it any more.
        let events = app.ask_streaming("someone", "What is machine learning?").await;
        let (_, problem) = events.last().unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(&format!("in {told} s")), "{problem}");
    }
}

#[tokio::test]
async fn a_prompt_that_is_too_long_for_the_model_is_said_to_be_so() {
    let model = ModelServer::start();
    model.then(Reply::Refuse { status: 400, code: "context_length_exceeded", retry_after: None });
    let app = app_with(&model).await;
    let answer = app.post("/chat", json!({"message": "What is machine learning?"})).await;
    assert_eq!((answer.status, &answer.body["code"]), (StatusCode::BAD_GATEWAY, &json!("model_error")));
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("`\"use_history\": false`") && detail.contains("`top_k`"), "{detail}");
}

#[tokio::test]
async fn a_message_that_fills_the_prompt_alone_is_the_senders_to_shorten() {
    let model = ModelServer::start();
    let app =
        TestApp::builder().option("--openai-base-url", model.base_url()).option("--context-tokens", 1600).start().await;
    let answer = app.post("/chat", json!({"message": "机器学习是什么？".repeat(400)})).await;
    assert_eq!((answer.status, &answer.body["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("message")));
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("1600") && detail.contains("--context-tokens"), "{detail}");
    assert!(model.requests().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_cut_says_why_it_ends() {
    let model = ModelServer::start();
    let app = app_with(&model).await;
    for reason in ["length", "content_filter"] {
        model.then(Reply::events([said("Programs that", reason)]));
        let answer = app.ask("someone", "What is machine learning?").await;
        assert_eq!((&answer["response"], &answer["finish_reason"]), (&json!("Programs that"), &json!(reason)));
    }
    model.then(Reply::events([said("Programs that", "length")]));
    let events = app.ask_streaming("someone", "What is machine learning?").await;
    assert_eq!(events.last().unwrap().1["finish_reason"], "length");
    assert_eq!(app.ask("someone", "What is machine learning?").await["finish_reason"], "stop");
}

#[tokio::test]
async fn a_moment_of_trouble_is_bridged() {
    let model = ModelServer::start();
    model.then(Reply::refuse(503)).then(Reply::Refuse { status: 429, code: "slow_down", retry_after: Some("0") });
    model.then(Reply::answer("Here [1]."));
    let app = app_with(&model).await;
    assert_eq!(app.ask("someone", "What is machine learning?").await["response"], "Here [1].");
    assert_eq!(model.requests().len(), 3);
}

#[tokio::test]
async fn a_marker_without_a_source_is_no_citation() {
    let model = ModelServer::start();
    model.then(Reply::answer("Machine learning is programs that learn from data [1]. It is old [9]."));
    let app = app_with(&model).await;
    let answer = app.ask("someone", "What is machine learning?").await;
    let cited: Vec<&Value> = answer["citations"].as_array().unwrap().iter().map(|citation| &citation["n"]).collect();
    assert_eq!(cited, [&json!(1)]);
    assert_eq!(answer["citations"][0]["verified"], true);
}

#[tokio::test]
async fn a_key_alone_sends_nothing_anywhere() {
    let app = TestApp::builder().option("--openai-api-key", "sk-secret").start().await;
    let answer = app.ask("someone", "hello there").await;
    assert_eq!((&answer["answered_by"], &answer["finish_reason"]), (&json!("extractive"), &json!("stop")));
}

#[tokio::test]
async fn prompts_of_ones_own_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let (prompt, system) = (folder.path().join("prompt.txt"), folder.path().join("system.txt"));
    std::fs::write(&prompt, "OURS\n{{sources}}\n{{history}}\n{{question}}").unwrap();
    std::fs::write(&system, "Answer in rhymes.\n").unwrap();
    let model = ModelServer::start();
    let app = TestApp::builder()
        .option("--openai-base-url", model.base_url())
        .option("--prompt", prompt.display())
        .option("--system-prompt", system.display())
        .start()
        .await;
    app.ask("someone", "What is {{history}}?").await;
    let request = model.last_request();
    let prompt = request.message("user");
    assert!(prompt.starts_with("OURS") && prompt.contains("What is {{history}}?"), "{prompt}");
    assert_eq!(request.message("system"), "Answer in rhymes.");
}

/// One chunk with a piece of an answer and a reason to finish.
fn said(text: &str, finish_reason: &str) -> Value {
    json!({"choices": [{"delta": {"content": text}, "finish_reason": finish_reason}]})
}

#[tokio::test]
async fn a_marker_of_no_source_reaches_nobody_even_when_it_comes_in_pieces() {
    let model = ModelServer::start();
    let app = app_with(&model).await;
    for _ in 0..2 {
        let (words, reply) = Reply::live();
        model.then(reply);
        for word in ["Machine learning is programs that learn from data [", "1", "] [", "7", "]. Nobody knows why", "."]
        {
            words.send(word.to_owned()).unwrap();
        }
    }
    let expected = "Machine learning is programs that learn from data [1]. Nobody knows why.";
    let answer = app.ask("someone", "What is machine learning?").await;
    assert_eq!(answer["response"], expected);
    assert_eq!(answer["removed_markers"], 1);
    assert_eq!(answer["citations"].as_array().unwrap().len(), 1);
    assert_eq!(answer["citations"][0]["verified"], true);
    let uncited = &answer["uncited"];
    assert_eq!(*uncited, json!([[expected.find("Nobody").unwrap(), expected.len()]]));

    let heard = app.ask_streaming("someone", "What is machine learning?").await;
    let deltas = heard.iter().filter(|(event, _)| event == "delta");
    let text: String = deltas.map(|(_, data)| data["text"].as_str().unwrap()).collect();
    assert_eq!(text, expected, "what is streamed is what is saved");
}

#[tokio::test]
async fn an_explained_answer_shows_the_prompt_and_the_search() {
    let model = ModelServer::start();
    let app = app_with(&model).await;
    let body = json!({"user_id": "someone", "message": "What is machine learning?", "explain": true});
    let explain = &app.post("/chat", body).await.body["explain"];
    assert_eq!(explain["prompt"]["user"], model.last_request().message("user"));
    assert_eq!(explain["searched_for"], "What is machine learning?");
    assert_eq!((&explain["depends"], &explain["messages_in_context"]), (&json!(false), &json!(0)));
    assert_eq!(explain["candidates"][0]["fused"]["rank"], 1);

    let body = json!({"user_id": "someone", "message": "How does it work?", "explain": true});
    let explain = &app.post("/chat", body).await.body["explain"];
    assert_eq!(explain["reasons"][0], "a pronoun stands for something said before");
    assert_eq!(explain["messages_in_context"], 2);
    let plain = app.ask("someone", "What is machine learning?").await;
    assert!(plain.get("explain").is_none(), "only for whoever asks");
}

#[tokio::test]
async fn a_small_context_holds_the_best_passages_and_the_newest_messages() {
    let model = ModelServer::start();
    model.always(|| Reply::answer(&format!("{} [1].", "Word ".repeat(150).trim())));
    let mut builder = TestApp::builder();
    for number in 1..=8 {
        let rules = (1..=12).map(|rule| format!("Lamp {number} burns oil of grade {rule} in the winter months."));
        builder = builder.document(&format!("lamp-{number}.md"), rules.collect::<Vec<_>>().join(" "));
    }
    let app = builder
        .option("--openai-base-url", model.base_url())
        .option("--context-tokens", 1600)
        .option("--history-messages", 20)
        .start()
        .await;
    for _ in 0..4 {
        app.ask("someone", "Which oil does lamp 3 burn?").await;
    }
    let body = json!({"user_id": "someone", "message": "Which oil does lamp 5 burn?", "top_k": 8});
    let answer = app.post("/chat", body).await.body;

    let context = &answer["context"];
    assert_eq!(context["limit_tokens"], 1600);
    let dropped = context["sources_dropped"].as_u64().unwrap();
    let sources = answer["source_documents"].as_array().unwrap();
    assert!(dropped > 0 && sources.len() as u64 + dropped == 8, "{context}");
    assert_eq!(sources[0]["source"], "library/lamp-5.md");
    let (used, not_used) =
        (answer["history"]["used"].as_u64().unwrap(), answer["history"]["dropped"].as_u64().unwrap());
    assert_eq!((used + not_used, context["messages_dropped"].as_u64().unwrap()), (8, not_used));
    assert!(not_used > 0, "{answer}");

    let request = model.last_request();
    let prompt = request.message("user");
    assert!(prompt.contains("Lamp 5 burns") && prompt.ends_with("Question: Which oil does lamp 5 burn?"));
    let sent: usize = prompt.split("~~~~\n").skip(1).step_by(2).map(str::len).sum();
    let of_conversation = prompt.split("Previous conversation:").nth(1).map_or(0, str::len);
    assert!(sent > of_conversation, "{sent} bytes of sources, {of_conversation} of conversation");
    assert_eq!(app.ask("another", "Which oil does lamp 5 burn?").await["context"]["sources_dropped"], 0);
}

#[tokio::test]
async fn the_sentence_of_abstention_is_in_the_language_of_the_question() {
    let model = ModelServer::start();
    let german = "Die Dokumente enthalten keine Antwort auf diese Frage.";
    model.always(move || Reply::answer(german));
    let app = app_with(&model).await;
    let answer = app.ask("someone", "Welche Farbe hat der Himmel über der Stadt am frühen Morgen?").await;
    assert!(model.last_request().message("system").contains(german));
    assert_eq!((&answer["response"], &answer["abstained"]), (&json!(german), &json!(true)));
    app.ask("someone", "What colour is the sky?").await;
    let request = model.last_request();
    let system = request.message("system");
    assert!(system.contains("The documents do not contain an answer to this question.") && !system.contains(german));
}

#[tokio::test]
async fn where_documents_are_not_enough_answers_may_come_from_elsewhere_if_allowed() {
    let model = ModelServer::start();
    let with = |app: TestAppBuilder| {
        app.document("ml.md", "# Learning\n\nMachine learning is programs that learn from data.\n")
            .option("--answer-only-from-documents", "false")
    };
    let app = with(TestApp::builder().option("--openai-base-url", model.base_url())).start().await;
    model.always(|| Reply::answer("The documents do not tell. Paris is the capital of France."));
    let answer = app.ask("someone", "What is the capital of France?").await;
    assert!(model.last_request().message("system").contains("answer from what you know"));
    assert_eq!((&answer["abstained"], answer["uncited"].as_array().unwrap().len()), (&json!(false), 2), "{answer}");

    let extractive = with(TestApp::builder()).start().await;
    let answer = extractive.ask("someone", "What is the capital of France?").await;
    assert_eq!(answer["abstained"], false, "{answer}");
    assert!(answer["response"].as_str().unwrap().contains("[1]"), "{answer}");
}

#[tokio::test]
async fn the_model_rewrites_a_message_that_depends_on_the_conversation_and_no_other() {
    let model = ModelServer::start();
    let app = app_with(&model).await;
    app.ask("someone", "What is machine learning?").await;
    assert_eq!(model.requests().len(), 1, "the first message has nothing to depend on");
    app.ask("someone", "What is a transformer in machine learning?").await;
    assert_eq!(model.requests().len(), 2, "nor does one that stands alone");

    model.then(Reply::answer("\"Which programs learn from data?\""));
    let body = json!({"user_id": "someone", "message": "and which ones do that?", "explain": true});
    let answer = app.post("/chat", body).await.body;
    assert_eq!(model.requests().len(), 4);
    let asked = model.requests()[2].clone();
    let conversation = asked.message("user");
    assert!(conversation.contains("You: What is machine learning?\nBot: Hello."), "{conversation}");
    assert!(conversation.contains("Last message: and which ones do that?"), "{conversation}");
    assert_eq!(answer["standalone_question"], "Which programs learn from data?");
    assert_eq!(answer["explain"]["searched_for"], "Which programs learn from data?");
    assert!(answer["timings_ms"]["condense"].as_f64().unwrap() > 0.0);
    // Five words of the question, two of the answer.
    assert_eq!(answer["usage"], json!({"prompt_tokens": 2 * 7, "completion_tokens": 5 + 2}), "both requests count");
    let last = model.last_request();
    assert!(last.message("user").ends_with("Question: and which ones do that?"), "it is answered as it was asked");
}

#[tokio::test]
async fn where_the_model_does_not_rewrite_in_time_the_rules_do() {
    let model = ModelServer::start();
    let app = TestApp::builder()
        .document("ml.md", "# Learning\n\nMachine learning is programs that learn from data.\n")
        .option("--openai-base-url", model.base_url())
        .option("--condense-timeout", 3000)
        .start()
        .await;
    let long = "word ".repeat(300);
    let useless: [fn(&str) -> Reply; 4] = [
        |_| Reply::Stall,
        |_| Reply::refuse(500),
        |long| Reply::answer(long),
        |_| Reply::CutAfter("Who uses".to_owned()),
    ];
    for (number, reply) in useless.iter().enumerate() {
        let user = format!("user-{number}");
        app.ask(&user, "What is machine learning?").await;
        model.then(reply(&long));
        let answer = app.ask(&user, "Who uses it?").await;
        assert_eq!(answer["standalone_question"], "Who uses machine learning?");
        assert_eq!((&answer["response"], &answer["session_persisted"]), (&json!("Hello. [1]"), &json!(true)));
    }

    let never =
        TestApp::builder().option("--openai-base-url", model.base_url()).option("--condense-timeout", 0).start().await;
    never.ask("someone", "What is machine learning?").await;
    let before = model.requests().len();
    never.ask("someone", "Who uses it?").await;
    assert_eq!(model.requests().len(), before + 1);
}
