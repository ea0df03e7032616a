//! Answers that arrive, in the shapes that different servers give them.

use footnote::llm::abstention::NOT_IN_THE_DOCUMENTS;
use footnote::llm::{Completion, Event, Finish, OpenAiChatOptions, Usage};
use footnote_knowledge::secret::Secret;
use futures::StreamExt;
use serde_json::json;

use crate::model_server::{ModelServer, Reply};
use crate::support::{answerer, ask, begin, client, options};

#[tokio::test]
async fn an_answer_streams_word_by_word_with_usage() {
    let server = ModelServer::start();
    server.then(Reply::answer("Programs learn from examples. [1]"));
    let (pieces, completion) = ask(&client(&server)).await.unwrap();
    assert_eq!(pieces, ["Programs ", "learn ", "from ", "examples. ", "[1]"]);
    let usage = Usage { prompt_tokens: 7, completion_tokens: 5 };
    assert_eq!(completion, Completion { usage, abstained: false, support: None, finish: Finish::Complete });
}

#[tokio::test]
async fn a_word_is_passed_on_before_the_next_one_is_written() {
    let server = ModelServer::start();
    let (words, reply) = Reply::live();
    server.then(reply);
    words.send("first".to_owned()).unwrap();
    let mut answer = begin(&client(&server)).await.unwrap();
    assert_eq!(answer.next().await.unwrap().unwrap(), Event::Delta("first".to_owned()));
    words.send(" second".to_owned()).unwrap();
    assert_eq!(answer.next().await.unwrap().unwrap(), Event::Delta(" second".to_owned()));
    drop(words);
    assert!(matches!(answer.next().await, Some(Ok(Event::Done(_)))));
}

#[tokio::test]
async fn dropping_the_answer_ends_the_request_to_the_model() {
    let server = ModelServer::start();
    server.then(Reply::StallAfter("Programs learn".to_owned()));
    let mut answer = begin(&client(&server)).await.unwrap();
    assert!(matches!(answer.next().await, Some(Ok(Event::Delta(_)))));
    drop(answer);
    server.abandoned().await;
}

#[tokio::test]
async fn the_request_names_model_and_key_and_asks_for_a_stream_with_usage() {
    let server = ModelServer::start();
    ask(&answerer(OpenAiChatOptions { api_key: Some(Secret::new("sk-test")), ..options(&server) })).await.unwrap();
    let request = server.last_request();
    assert_eq!(request.authorization.as_deref(), Some("Bearer sk-test"));
    assert_eq!(request.body["model"], "scripted");
    assert_eq!(request.body["stream"], true);
    assert_eq!(request.body["stream_options"]["include_usage"], true);
}

#[tokio::test]
async fn without_a_key_no_authorization_is_sent() {
    let server = ModelServer::start();
    ask(&client(&server)).await.unwrap();
    assert_eq!(server.last_request().authorization, None);
}

#[tokio::test]
async fn a_base_url_may_end_with_a_slash() {
    let server = ModelServer::start();
    let base_url = format!("{}/", server.base_url());
    ask(&answerer(OpenAiChatOptions { base_url, ..options(&server) })).await.unwrap();
}

#[tokio::test]
async fn usage_may_be_missing_null_or_sent_with_every_chunk() {
    let server = ModelServer::start();
    let cases = [
        (json!({"choices": [{"delta": {"content": "Yes."}, "finish_reason": "stop"}]}), Usage::default()),
        (
            json!({"choices": [{"delta": {"content": "Yes."}, "finish_reason": "stop"}], "usage": null}),
            Usage::default(),
        ),
        (
            json!({"choices": [{"delta": {"content": "Yes."}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 11, "completion_tokens": 2, "prompt_tokens_details": null}}),
            Usage { prompt_tokens: 11, completion_tokens: 2 },
        ),
    ];
    for (event, usage) in cases {
        server.then(Reply::events([event]));
        assert_eq!(ask(&client(&server)).await.unwrap().1.usage, usage);
    }
}

#[tokio::test]
async fn chunks_may_have_unknown_fields_thoughts_and_reasons() {
    let server = ModelServer::start();
    server.then(Reply::events([
        json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"role": "assistant", "content": null, "reasoning_content": "Hm."}}]}),
        json!({"choices": [{"delta": {"content": [{"type": "thinking"}]}}]}),
        json!({"choices": [{"delta": {"content": "Yes. [1]"}, "logprobs": null, "token_ids": [4], "stop_reason": 2}], "new": {}}),
        json!({"choices": [{"delta": {}, "finish_reason": "eos_token"}], "timings": {"predicted_ms": 3.5}}),
    ]));
    let (pieces, completion) = ask(&client(&server)).await.unwrap();
    assert_eq!(pieces, ["Yes. [1]"]);
    assert_eq!(completion.finish, Finish::Complete);
}

#[tokio::test]
async fn an_answer_at_its_token_limit_says_so() {
    let server = ModelServer::start();
    server.then(Reply::events([json!({"choices": [{"delta": {"content": "Programs"}, "finish_reason": "length"}]})]));
    assert_eq!(ask(&client(&server)).await.unwrap().1.finish, Finish::TokenLimit);
}

#[tokio::test]
async fn the_agreed_sentence_is_reported_as_an_abstention() {
    let server = ModelServer::start();
    server.then(Reply::answer(NOT_IN_THE_DOCUMENTS)).then(Reply::answer("Programs learn. [1]"));
    assert!(ask(&client(&server)).await.unwrap().1.abstained);
    assert!(!ask(&client(&server)).await.unwrap().1.abstained);
}

#[tokio::test]
async fn text_outside_ascii_survives_however_the_network_splits_it() {
    let server = ModelServer::start();
    let (words, reply) = Reply::live();
    server.then(reply);
    for character in "机器学习 🙂é".chars() {
        words.send(character.to_string()).unwrap();
    }
    drop(words);
    assert_eq!(ask(&client(&server)).await.unwrap().0.concat(), "机器学习 🙂é");
}

#[tokio::test]
async fn connections_are_reused() {
    let server = ModelServer::start();
    let client = client(&server);
    for _ in 0..5 {
        ask(&client).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}
