//! The bad days of a model endpoint: which error each becomes, how often it is tried again, and that nothing hangs.

use std::time::Duration;

use footnote::llm::{Error, Event, Finish, InvalidOptions, OpenAiChat, OpenAiChatOptions, Retries, Timeouts};
use footnote_knowledge::secret::Secret;
use futures::StreamExt;
use serde_json::json;
use tokio::time::Instant;

use crate::model_server::{ModelServer, Reply};
use crate::support::{answerer, ask, begin, client, far, options, question, read};

#[tokio::test]
async fn a_refused_key_is_rejected_at_once() {
    let server = ModelServer::start();
    server.then(Reply::refuse(401)).then(Reply::refuse(403));
    for requests in 1..=2 {
        assert!(matches!(ask(&client(&server)).await, Err(Error::Rejected(_))));
        assert_eq!(server.requests().len(), requests);
    }
}

#[tokio::test]
async fn an_unknown_model_a_strange_request_and_a_redirect_are_rejected() {
    let server = ModelServer::start();
    for status in [400, 404, 422, 307] {
        server.then(Reply::refuse(status));
        let error = ask(&client(&server)).await.unwrap_err();
        assert!(matches!(error, Error::Rejected(_)), "{status}: {error:?}");
    }
}

#[tokio::test]
async fn a_failing_endpoint_is_tried_again() {
    let server = ModelServer::start();
    server.then(Reply::refuse(500)).then(Reply::refuse(503)).then(Reply::answer("Back."));
    assert_eq!(ask(&client(&server)).await.unwrap().0.concat(), "Back.");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn retries_end() {
    let server = ModelServer::start();
    server.always(|| Reply::refuse(500));
    assert!(matches!(ask(&client(&server)).await, Err(Error::Unavailable(_))));
    assert_eq!(server.requests().len(), 4, "one attempt and three retries");
}

#[tokio::test]
async fn a_rate_limit_without_a_delay_is_tried_again() {
    let server = ModelServer::start();
    server.then(Reply::refuse(429)).then(Reply::answer("Now."));
    assert_eq!(ask(&client(&server)).await.unwrap().0.concat(), "Now.");
}

#[tokio::test]
async fn the_delay_that_a_rate_limit_asks_for_is_kept() {
    let server = ModelServer::start();
    server.then(limited("0.2")).then(Reply::answer("Now."));
    let asked = Instant::now();
    ask(&client(&server)).await.unwrap();
    assert!(asked.elapsed() >= Duration::from_millis(200), "the backoff alone would be 1 to 2 ms");
}

#[tokio::test]
async fn a_delay_beyond_the_deadline_is_not_waited_for() {
    let server = ModelServer::start();
    server.always(|| limited("3600"));
    let error = ask(&client(&server)).await.unwrap_err();
    assert!(matches!(error, Error::RateLimited { retry_after: Some(delay), .. } if delay == Duration::from_secs(3600)));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_delay_of_ages_breaks_nothing() {
    let server = ModelServer::start();
    for ages in ["1e19", "inf"] {
        server.then(limited(ages));
        assert!(matches!(ask(&client(&server)).await, Err(Error::RateLimited { .. })), "{ages}");
    }
}

#[tokio::test]
async fn a_used_up_quota_is_not_tried_again() {
    let server = ModelServer::start();
    server.always(|| Reply::Refuse { status: 429, code: "insufficient_quota", retry_after: None });
    assert!(matches!(ask(&client(&server)).await, Err(Error::Rejected(_))));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_unavailable() {
    let server = ModelServer::start();
    let client = client(&server);
    drop(server);
    assert!(matches!(ask(&client).await, Err(Error::Unavailable(_))));
    assert!(matches!(client.check().await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn garbage_is_an_invalid_response_and_not_tried_again() {
    let server = ModelServer::start();
    let garbage: [&[u8]; 5] = [
        b"<html>It works!</html>",
        b"data: {\"choices\": [{\"del\n\n",
        b"data: {\"hello\": \"world\"}\n\ndata: [DONE]\n\n",
        b"data: \xff\xfe\xff\n\n",
        b"",
    ];
    for (made, bytes) in garbage.into_iter().enumerate() {
        server.then(Reply::Raw(bytes.to_vec()));
        let error = ask(&client(&server)).await.unwrap_err();
        assert!(matches!(error, Error::InvalidResponse(_)), "{:?}: {error:?}", String::from_utf8_lossy(bytes));
        assert_eq!(server.requests().len(), made + 1);
    }
}

#[tokio::test]
async fn an_empty_answer_is_an_error_that_tells_why_it_is_empty() {
    let server = ModelServer::start();
    server.then(Reply::answer(""));
    assert!(matches!(ask(&client(&server)).await, Err(Error::Empty(Finish::Complete))));
    server.then(Reply::events([json!({"choices": [{"delta": {}, "finish_reason": "content_filter"}]})]));
    assert!(matches!(ask(&client(&server)).await, Err(Error::Empty(Finish::Filtered))));
}

#[tokio::test]
async fn a_prompt_that_is_too_long_is_told_from_other_refusals() {
    let server = ModelServer::start();
    server.then(Reply::Refuse { status: 400, code: "context_length_exceeded", retry_after: None });
    assert!(matches!(ask(&client(&server)).await, Err(Error::TooLong(_))));
    server.then(Reply::events([json!({"error": {"message": "the context size is exceeded", "code": 400}})]));
    assert!(matches!(ask(&client(&server)).await, Err(Error::TooLong(_))));
    server.then(Reply::refuse(413));
    assert!(matches!(ask(&client(&server)).await, Err(Error::TooLong(_))));
    assert_eq!(server.requests().len(), 3, "it would be too long the next time");
}

#[tokio::test]
async fn a_refusal_whose_body_never_ends_is_judged_by_its_status() {
    let server = ModelServer::start();
    server.then(Reply::RefuseAndStall { status: 401 });
    assert!(matches!(ask(&client(&server)).await, Err(Error::Rejected(_))));
    server.then(Reply::RefuseAndStall { status: 500 }).then(Reply::answer("Back."));
    assert_eq!(ask(&client(&server)).await.unwrap().0.concat(), "Back.");
}

#[tokio::test]
async fn no_error_quotes_what_was_sent_or_received() {
    let server = ModelServer::start();
    let replies = [
        Reply::RefuseWith { status: 422, body: r#"{"detail": [{"msg": "no", "input": "PROMPT"}]}"# },
        Reply::RefuseWith {
            status: 400,
            body: r#"{"error": {"message": "PROMPT", "type": "PROMPT", "code": "PROMPT"}}"#,
        },
        Reply::events([json!({"choices": [{"delta": {"content": "Machine learning"}, "finish_reason": 7}]})]),
        Reply::events([json!({"choices": "Machine learning"})]),
        Reply::events([json!({"error": {"message": "Machine learning", "code": 400}})]),
        Reply::Raw(b"data: Machine learning\n\n".to_vec()),
    ];
    for reply in replies {
        server.then(reply);
        let error = ask(&client(&server)).await.unwrap_err();
        let debug = format!("{error:?}");
        let told = format!("{debug} {:#}", anyhow::Error::new(error));
        assert!(!told.to_lowercase().contains("machine"), "{told}");
    }
}

#[tokio::test]
async fn an_answer_that_the_endpoint_gave_up_is_no_answer() {
    let server = ModelServer::start();
    let word = || json!({"choices": [{"delta": {"content": "You must never "}, "finish_reason": ""}]});
    let ending = |reason: &str| json!({"choices": [{"delta": {}, "finish_reason": reason}]});
    server.then(Reply::events([word()]));
    assert!(matches!(ask(&client(&server)).await, Err(Error::Interrupted(_))), "no reason at all");
    for reason in ["abort", "error", "cancelled"] {
        server.then(Reply::events([word(), ending(reason)]));
        assert!(matches!(ask(&client(&server)).await, Err(Error::Interrupted(_))), "{reason}");
    }
    server.then(Reply::events([ending("abort")])).then(Reply::answer("Back."));
    assert_eq!(ask(&client(&server)).await.unwrap().0.concat(), "Back.", "before its first word it is tried again");
}

#[tokio::test]
async fn garbage_behind_the_first_word_is_an_error_and_not_tried_again() {
    let server = ModelServer::start();
    let word = r#"data: {"choices": [{"delta": {"content": "Programs "}}]}"#;
    server.then(Reply::Raw(format!("{word}\n\ndata: {{broken\n\n").into_bytes()));
    assert!(matches!(ask(&client(&server)).await, Err(Error::InvalidResponse(_))));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn half_a_stream_is_an_error_and_not_tried_again() {
    let server = ModelServer::start();
    let half = || "Programs learn ".to_owned();
    for reply in [Reply::CutAfter(half()), Reply::EndAfter(half())] {
        let made = server.requests().len();
        server.then(reply);
        let mut answer = begin(&client(&server)).await.unwrap();
        assert_eq!(answer.next().await.unwrap().unwrap(), Event::Delta("Programs ".to_owned()));
        assert!(matches!(read(answer).await, Err(Error::Interrupted(_))));
        assert_eq!(server.requests().len(), made + 1, "no retry after the first token");
    }
}

#[tokio::test]
async fn a_stream_cut_before_its_first_word_is_tried_again() {
    let server = ModelServer::start();
    server.then(Reply::CutAfter(String::new())).then(Reply::answer("Whole."));
    assert_eq!(ask(&client(&server)).await.unwrap().0.concat(), "Whole.");
}

#[tokio::test]
async fn an_error_inside_the_stream_is_one() {
    let server = ModelServer::start();
    let word = json!({"choices": [{"delta": {"content": "Programs "}}]});
    server.then(Reply::events([word, json!({"error": {"message": "out of memory", "code": 500}})]));
    assert!(matches!(ask(&client(&server)).await, Err(Error::Interrupted(_))));
}

#[tokio::test]
async fn an_error_inside_the_stream_is_judged_by_its_code_while_nothing_was_said() {
    let server = ModelServer::start();
    let failure = |code: u16| Reply::events([json!({"error": {"message": "no", "code": code}})]);
    server.then(failure(401));
    assert!(matches!(ask(&client(&server)).await, Err(Error::Rejected(_))));
    assert_eq!(server.requests().len(), 1);
    server.then(failure(503)).then(failure(429)).then(Reply::answer("Back."));
    assert_eq!(ask(&client(&server)).await.unwrap().0.concat(), "Back.");
}

#[tokio::test]
async fn a_stalled_model_is_a_timeout_at_the_deadline() {
    let server = ModelServer::start();
    server.always(|| Reply::Stall);
    let soon = Instant::now() + Duration::from_millis(50);
    let result = client(&server).answer(question("Still there?"), soon).await;
    assert!(matches!(result.err(), Some(Error::Timeout { .. })));
    assert!(server.requests().len() <= 1, "there is no time for a second try");
}

#[tokio::test]
async fn a_model_that_falls_silent_is_a_timeout() {
    let server = ModelServer::start();
    server.always(|| Reply::StallAfter("Programs learn".to_owned()));
    let timeouts = Timeouts { between_tokens: Duration::from_millis(50), ..Timeouts::default() };
    let answer = begin(&answerer(OpenAiChatOptions { timeouts, ..options(&server) })).await.unwrap();
    assert!(matches!(read(answer).await, Err(Error::Timeout { .. })));
}

#[tokio::test]
async fn the_deadline_ends_an_answer_that_is_still_being_written() {
    let server = ModelServer::start();
    server.always(|| Reply::StallAfter("Programs learn".to_owned()));
    let soon = Instant::now() + Duration::from_secs(1);
    let client = client(&server);
    let answer = async { read(client.answer(question("Still there?"), soon).await?).await };
    assert!(matches!(answer.await, Err(Error::Timeout { .. })));
}

#[tokio::test]
async fn an_answer_without_its_token_counts_is_still_an_answer() {
    let server = ModelServer::start();
    let finished = r#"{"choices": [{"delta": {"content": "Yes."}, "finish_reason": "stop"}]}"#;
    server.then(Reply::Raw(format!("data: {finished}\n\ndata: {{broken").into_bytes()));
    assert_eq!(ask(&client(&server)).await.unwrap().0.concat(), "Yes.");
}

#[tokio::test]
async fn a_check_tells_a_good_key_from_a_bad_address() {
    let server = ModelServer::start();
    client(&server).check().await.unwrap();
    let elsewhere = OpenAiChatOptions { base_url: "http://127.0.0.1:9/v1".to_owned(), ..options(&server) };
    assert!(matches!(answerer(elsewhere).check().await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn an_endpoint_that_will_not_list_its_models_is_reached_all_the_same() {
    let server = ModelServer::start();
    for status in [403, 404, 405, 429, 501] {
        server.list_models_with(status);
        client(&server).check().await.unwrap();
    }
    server.list_models_with(401);
    assert!(matches!(client(&server).check().await, Err(Error::Rejected(_))));
    server.list_models_with(503);
    assert!(matches!(client(&server).check().await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn an_endpoint_that_answered_lately_is_not_checked_again() {
    let server = ModelServer::start();
    let client = client(&server);
    ask(&client).await.unwrap();
    client.check().await.unwrap();
    assert_eq!(server.models_listed(), 0);
    server.then(Reply::refuse(401));
    ask(&client).await.unwrap_err();
    client.check().await.unwrap();
    client.check().await.unwrap();
    assert_eq!(server.models_listed(), 1, "asked after the failure, and then remembered");
}

#[test]
fn options_that_cannot_work_are_refused_when_the_server_starts() {
    let server = ModelServer::start();
    for base_url in ["localhost:11434", "ftp://host/v1", "", "http://host/v1?x=1"] {
        let made = OpenAiChat::new(OpenAiChatOptions { base_url: base_url.to_owned(), ..options(&server) });
        assert!(matches!(made, Err(InvalidOptions::BaseUrl(_))), "{base_url}");
    }
    let key = Some(Secret::new("sk-\n"));
    assert!(matches!(
        OpenAiChat::new(OpenAiChatOptions { api_key: key, ..options(&server) }),
        Err(InvalidOptions::ApiKey)
    ));
    let model = String::new();
    assert!(matches!(OpenAiChat::new(OpenAiChatOptions { model, ..options(&server) }), Err(InvalidOptions::NoModel)));
}

#[tokio::test]
async fn no_retry_is_made_that_cannot_end_before_the_deadline() {
    let server = ModelServer::start();
    server.always(|| Reply::refuse(500));
    let an_hour = Duration::from_secs(3600);
    let retries = Retries { limit: 3, first_delay: an_hour, longest_delay: an_hour };
    let result = answerer(OpenAiChatOptions { retries, ..options(&server) }).answer(question("Now?"), far()).await;
    assert!(matches!(result.err(), Some(Error::Unavailable(_))), "the failure itself, not a timeout");
    assert_eq!(server.requests().len(), 1);
}

fn limited(retry_after: &'static str) -> Reply {
    Reply::Refuse { status: 429, code: "rate_limit_exceeded", retry_after: Some(retry_after) }
}
