//! The remote embedder against a scripted server: what it sends, what it accepts, and bad days.

use std::time::Duration;

use clap::Parser;
use footnote_knowledge::embedding::{Embedder, Error, OpenAiEmbedder, OpenAiOptions};
use footnote_knowledge::options::EmbeddingOptions;
use footnote_knowledge::secret::Secret;

use crate::scripted_endpoint::{Reply, ScriptedEndpoint, meaning};

/// The dimension is given, so the first request is the test's own.
fn options(endpoint: &ScriptedEndpoint) -> OpenAiOptions {
    OpenAiOptions { dimension: Some(3), ..OpenAiOptions::new(&endpoint.base_url, None, "scripted") }
}

async fn connect(options: OpenAiOptions) -> Embedder {
    Embedder::OpenAi(OpenAiEmbedder::connect(options).await.unwrap())
}

async fn error_of_query(replies: impl IntoIterator<Item = Reply>) -> (Error, ScriptedEndpoint) {
    let endpoint = ScriptedEndpoint::start(replies).await;
    let error = connect(options(&endpoint)).await.embed_query("hello").await.unwrap_err();
    (error, endpoint)
}

fn assert_points_to(vector: &[f32], text: &str) {
    let expected = meaning(text);
    let length = expected.iter().map(|value| value * value).sum::<f32>().sqrt();
    let close = vector.iter().zip(expected).all(|(found, expected)| (found - expected / length).abs() < 1e-5);
    assert!(close && vector.len() == 3, "{vector:?} is not the direction of {expected:?}, {text:?}");
}

#[tokio::test]
async fn the_dimension_is_learned_from_the_endpoint() {
    let endpoint = ScriptedEndpoint::start([]).await;
    let embedder = connect(OpenAiOptions { dimension: None, ..options(&endpoint) }).await;
    assert_eq!(embedder.dimension(), 3);
    assert_eq!((embedder.identity().model.as_str(), embedder.identity().dimension), ("scripted", 3));
}

#[tokio::test]
async fn a_model_is_sent_no_more_than_it_takes() {
    let endpoint = ScriptedEndpoint::start([]).await;
    for (model, tokens) in [("text-embedding-3-small", 8191), ("nomic-embed-text", 512)] {
        assert_eq!(OpenAiOptions::new(&endpoint.base_url, None, model).max_tokens, tokens);
    }
    let arguments = ["test", "--embedder", "openai", "--openai-base-url", &endpoint.base_url];
    let own = ["--embedding-model", "all-minilm", "--embedding-max-tokens", "256"];
    let options = Options::parse_from(arguments.into_iter().chain(own));
    let embedder = Embedder::open(&options.embedding, &options.openai).await.unwrap();
    assert_eq!(embedder.max_tokens(), 256);
    embedder.embed_query(&"every word of it ".repeat(100)).await.unwrap();
    let requests = endpoint.requests();
    assert_eq!(requests.iter().flat_map(|request| request.texts()).count(), 3, "the dimension, and two windows");
    assert!(Options::try_parse_from(arguments.into_iter().chain(["--embedding-max-tokens", "0"])).is_err());
}

/// As the two programs have them.
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    embedding: EmbeddingOptions,
    #[command(flatten)]
    openai: footnote_knowledge::options::OpenAiOptions,
}

#[tokio::test]
async fn texts_go_in_batches_and_come_back_in_order() {
    let endpoint = ScriptedEndpoint::start([]).await;
    let embedder = connect(OpenAiOptions { texts_per_request: 4, ..options(&endpoint) }).await;
    let texts: Vec<String> = (0..10).map(|number| "see ".repeat(number)).collect();
    let vectors = embedder.embed_documents(texts.clone()).await.unwrap();
    assert_eq!(vectors.len(), 10);
    // The empty text is sent as one space.
    assert_points_to(&vectors[0], " ");
    for (text, vector) in texts.iter().zip(&vectors).skip(1) {
        assert_points_to(vector, text);
    }

    let requests = endpoint.requests();
    let mut sizes: Vec<usize> = requests.iter().map(|request| request.texts().len()).collect();
    sizes.sort();
    assert_eq!(sizes, [2, 4, 4]);
    assert!(requests.iter().all(|request| request.body["encoding_format"] == "float"));
    assert!(requests.iter().all(|request| request.body["model"] == "scripted"));
}

#[tokio::test]
async fn a_request_holds_a_bounded_number_of_tokens() {
    let endpoint = ScriptedEndpoint::start([]).await;
    let embedder = connect(OpenAiOptions { tokens_per_request: 30, ..options(&endpoint) }).await;
    embedder.embed_documents(vec!["word ".repeat(12); 5]).await.unwrap();
    assert!(endpoint.requests().iter().all(|request| request.texts().len() <= 2));
}

#[tokio::test]
async fn a_text_that_is_too_long_is_sent_in_windows() {
    let endpoint = ScriptedEndpoint::start([]).await;
    let embedder = connect(OpenAiOptions { max_tokens: 10, ..options(&endpoint) }).await;
    let text = "every word of it ".repeat(20);
    let vector = embedder.embed_query(&text).await.unwrap();
    let requests = endpoint.requests();
    let windows: Vec<&str> = requests.iter().flat_map(|request| request.texts()).collect();
    assert_eq!(windows.len(), 8);
    assert_eq!(windows.concat(), text);
    let length: f32 = vector.iter().map(|value| value * value).sum();
    assert!((length - 1.0).abs() < 1e-5);
}

#[tokio::test]
async fn the_key_is_sent_if_there_is_one() {
    let endpoint = ScriptedEndpoint::start([]).await;
    let key = Some(Secret::new("key-of-the-test"));
    connect(OpenAiOptions { api_key: key, ..options(&endpoint) }).await.embed_query("hello").await.unwrap();
    connect(options(&endpoint)).await.embed_query("hello").await.unwrap();
    let keys: Vec<_> = endpoint.requests().into_iter().map(|request| request.authorization).collect();
    assert_eq!(keys, [Some("Bearer key-of-the-test".to_owned()), None]);
}

#[tokio::test]
async fn a_key_that_fits_no_header_is_refused() {
    let endpoint = ScriptedEndpoint::start([]).await;
    let key = Some(Secret::new("two\nlines"));
    let error = OpenAiEmbedder::connect(OpenAiOptions { api_key: key, ..options(&endpoint) }).await.err().unwrap();
    assert!(matches!(error, Error::Rejected { .. }), "{error:?}");
}

#[tokio::test]
async fn a_wrong_key_is_not_tried_again() {
    let body = r#"{"error": {"message": "Incorrect API key provided", "type": "invalid_request_error"}}"#;
    let (error, endpoint) = error_of_query([Reply::Status(401, None, body)]).await;
    let Error::Rejected { source } = error else { panic!("{error:?}") };
    assert_eq!(source.to_string(), "status 401: the key is not accepted, type invalid_request_error");
    assert_eq!(endpoint.requests().len(), 1);
}

#[tokio::test]
async fn no_failure_tells_what_was_sent() {
    let quoting = [
        Reply::Status(422, None, r#"{"detail": [{"msg": "too strange", "input": "a secret diagnosis"}]}"#),
        Reply::Status(400, None, r#"{"error": {"message": "cannot embed: a secret diagnosis"}}"#),
        Reply::Status(200, None, r#"{"data": "a secret diagnosis"}"#),
    ];
    for reply in quoting {
        let (error, _endpoint) = error_of_query([reply]).await;
        let told = format!("{error} {error:?}");
        assert!(!told.contains("diagnosis"), "{told}");
    }
}

#[tokio::test]
async fn a_busy_endpoint_is_asked_again() {
    let busy = || Reply::Status(429, Some("0"), r#"{"error": {"message": "slow down"}}"#);
    let endpoint = ScriptedEndpoint::start([busy(), busy()]).await;
    let vector = connect(options(&endpoint)).await.embed_query("hello").await.unwrap();
    assert_points_to(&vector, "hello");
    assert_eq!(endpoint.requests().len(), 3);
}

#[tokio::test]
async fn an_endpoint_that_asks_for_a_long_pause_is_given_up_on() {
    let (error, endpoint) = error_of_query([Reply::Status(429, Some("3600"), "later")]).await;
    let Error::RateLimited { retry_after, .. } = error else { panic!("{error:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(3600)));
    assert_eq!(endpoint.requests().len(), 1);
}

#[tokio::test]
async fn an_empty_account_is_not_waited_for() {
    let body = r#"{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}"#;
    let (error, endpoint) = error_of_query([Reply::Status(429, Some("0"), body)]).await;
    assert!(matches!(error, Error::Rejected { .. }), "{error:?}");
    assert_eq!(endpoint.requests().len(), 1);
}

#[tokio::test]
async fn a_fault_of_the_endpoint_is_waited_out() {
    let fault = || Reply::Status(500, Some("0"), "<html>Internal Server Error</html>");
    let endpoint = ScriptedEndpoint::start([fault()]).await;
    connect(options(&endpoint)).await.embed_query("hello").await.unwrap();
    assert_eq!(endpoint.requests().len(), 2);

    let (error, endpoint) = error_of_query((0..20).map(|_| fault())).await;
    let Error::Unavailable { source, .. } = error else { panic!("{error:?}") };
    assert!(source.to_string().contains("500"), "{source}");
    assert_eq!(endpoint.requests().len(), 6);
}

#[tokio::test]
async fn answers_that_are_no_vectors_are_refused() {
    for reply in [Reply::OneTooFew, Reply::Status(200, None, "not json"), Reply::Status(200, None, "{}")] {
        let (error, endpoint) = error_of_query([reply]).await;
        assert!(matches!(error, Error::InvalidResponse(_)), "{error:?}");
        assert_eq!(endpoint.requests().len(), 1);
    }
    let endpoint = ScriptedEndpoint::start([]).await;
    let other = connect(OpenAiOptions { dimension: Some(1536), ..options(&endpoint) }).await;
    let error = other.embed_query("hello").await.unwrap_err();
    assert!(matches!(error, Error::InvalidResponse(_)), "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (error, _endpoint) = error_of_query([Reply::Status(307, None, "elsewhere")]).await;
    assert!(matches!(error, Error::Rejected { .. }), "{error:?}");
}

#[tokio::test]
async fn silence_ends_with_the_deadline() {
    let deadline = Duration::from_millis(100);
    let endpoint = ScriptedEndpoint::start([Reply::Silence]).await;
    let hurried = OpenAiOptions { request_deadline: deadline, retries: 0, ..options(&endpoint) };
    let error = connect(hurried).await.embed_documents(vec!["hello".to_owned()]).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { after } if after == deadline), "{error:?}");

    let endpoint = ScriptedEndpoint::start([Reply::Silence]).await;
    let hurried = OpenAiOptions { query_deadline: deadline, ..options(&endpoint) };
    let error = connect(hurried).await.embed_query("hello").await.unwrap_err();
    assert!(matches!(error, Error::Timeout { after } if after == deadline), "{error:?}");
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let endpoint = ScriptedEndpoint::start([]).await;
    let options = OpenAiOptions { dimension: None, retries: 0, ..options(&endpoint) };
    drop(endpoint);
    let error = OpenAiEmbedder::connect(options).await.err().unwrap();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn readiness_asks_an_endpoint_that_was_not_heard_of_lately() {
    let unwell = Reply::Status(503, None, "starting");
    let endpoint = ScriptedEndpoint::start([unwell]).await;
    let embedder = connect(options(&endpoint)).await;
    assert!(matches!(embedder.check().await.unwrap_err(), Error::Unavailable { .. }));
    embedder.check().await.unwrap();
    embedder.check().await.unwrap();
    assert_eq!(endpoint.requests().len(), 2);
}
