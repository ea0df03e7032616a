//! Answers that arrive, in the shapes that different servers give them.

use std::time::Duration;

use footnote::llm::abstention::NOT_IN_THE_DOCUMENTS;
use footnote::llm::{Completion, Event, Finish, OpenAiChatOptions, Timeouts, Usage};
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
async fn a_user_and_a_password_in_the_base_url_are_sent_when_there_is_no_key() {
    let server = ModelServer::start();
    let base_url = server.base_url().replace("http://", "http://user:pw@");
    let client = answerer(OpenAiChatOptions { base_url, ..options(&server) });
    ask(&client).await.unwrap();
    assert_eq!(server.last_request().authorization.as_deref(), Some("Basic dXNlcjpwdw=="));
}

#[tokio::test]
async fn a_proxy_is_used_when_it_is_named() {
    let proxy = ModelServer::start();
    let named = Some(Secret::new(proxy.base_url().replace("/v1", "")));
    let base_url = "http://model.invalid/v1".to_owned();
    ask(&answerer(OpenAiChatOptions { base_url, proxy: named, ..options(&proxy) })).await.unwrap();
    assert_eq!(proxy.requests().len(), 1);
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
async fn an_answer_that_is_cut_says_so() {
    let server = ModelServer::start();
    for (reason, finish) in [("length", Finish::TokenLimit), ("content_filter", Finish::Filtered)] {
        server.then(Reply::events([json!({"choices": [{"delta": {"content": "Programs"}, "finish_reason": reason}]})]));
        assert_eq!(ask(&client(&server)).await.unwrap().1.finish, finish);
    }
}

#[tokio::test]
async fn a_reason_to_finish_may_stand_empty_in_every_chunk_but_the_last() {
    let server = ModelServer::start();
    let chunk = |text: &str, reason: &str| json!({"choices": [{"delta": {"content": text}, "finish_reason": reason}]});
    server.then(Reply::events([chunk("Programs ", ""), chunk("learn.", "null"), chunk("", "length")]));
    let (pieces, completion) = ask(&client(&server)).await.unwrap();
    assert_eq!((pieces.concat().as_str(), completion.finish), ("Programs learn.", Finish::TokenLimit));
}

#[tokio::test]
async fn a_first_word_is_waited_for_as_long_as_the_answer_may_take() {
    let server = ModelServer::start();
    let (words, reply) = Reply::live();
    server.then(reply);
    let timeouts = Timeouts { between_tokens: Duration::ZERO, ..Timeouts::default() };
    let client = answerer(OpenAiChatOptions { timeouts, ..options(&server) });
    let begun = tokio::spawn(async move { begin(&client).await });
    server.received(1).await;
    words.send("At last.".to_owned()).unwrap();
    let mut answer = begun.await.unwrap().unwrap();
    assert_eq!(answer.next().await.unwrap().unwrap(), Event::Delta("At last.".to_owned()));
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
    let chunk = r#"{"choices": [{"delta": {"content": "机器学习 🙂é"}, "finish_reason": "stop"}]}"#;
    server.then(Reply::Raw(format!("data: {chunk}\n\ndata: [DONE]\n\n").into_bytes()));
    assert_eq!(ask(&client(&server)).await.unwrap().0.concat(), "机器学习 🙂é");
}

#[tokio::test]
async fn a_byte_order_mark_is_no_part_of_the_answer() {
    let server = ModelServer::start();
    let chunk = r#"{"choices": [{"delta": {"content": "Yes."}, "finish_reason": "stop"}]}"#;
    server.then(Reply::Raw(format!("\u{feff}data: {chunk}\n\ndata: [DONE]\n\n").into_bytes()));
    assert_eq!(ask(&client(&server)).await.unwrap().0.concat(), "Yes.");
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

/// A connection is used again only once its response has ended, which a server may write after `[DONE]`.
#[tokio::test]
async fn a_connection_is_reused_when_its_response_ends_after_its_last_event() {
    let server = ModelServer::start();
    server.always(|| Reply::EndLate("Hello. [1]".to_owned()));
    let client = client(&server);
    for asked in 1.. {
        ask(&client).await.unwrap();
        if server.connections() < asked {
            break;
        }
        assert!(asked < 20, "each of {asked} questions had a connection of its own");
        // As a reader of the answer takes.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
