//! Why an OpenAI-compatible endpoint refused a request, in our words and its error codes.
//!
//! Its own words are read and left behind: servers quote what they were sent when they refuse it, and a refusal ends up
//! in the log, where no text of a conversation or a document may be.

use std::fmt;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

/// Of a body, what is enough to find the reason.
const ENOUGH_BYTES: usize = 16 << 10;

/// For the body; the status is known before, and says most.
const PATIENCE: Duration = Duration::from_secs(1);

/// An endpoint that asks for a longer pause is asked again tomorrow: this keeps times calculable.
const LONGEST_PAUSE_SECONDS: f64 = 86_400.0;

/// A request that was understood and not fulfilled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Reason,
    /// How long the endpoint asks to be left alone.
    pub retry_after: Option<Duration>,
    status: Option<u16>,
    /// `type`, `code` and `param` of the error, as far as they are given and are names.
    names: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Key,
    /// No such model, or no such route at this base URL.
    NotFound,
    /// The account is empty, and stays so however long one waits.
    QuotaUsedUp,
    /// The prompt is longer than the model's context.
    TooLong,
    RateLimited,
    /// The endpoint failed by itself.
    Failing,
    Other,
}

impl Refusal {
    pub async fn read(mut response: Response) -> Self {
        let status = response.status().as_u16();
        let retry_after = pause(response.headers());
        let mut body = Vec::new();
        let reading = async {
            while body.len() < ENOUGH_BYTES
                && let Ok(Some(bytes)) = response.chunk().await
            {
                body.extend_from_slice(&bytes);
            }
        };
        // A body that stalls or breaks off does not change what the status says.
        let _ = tokio::time::timeout(PATIENCE, reading).await;
        let error = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Self::new(Some(status), retry_after, &error, &String::from_utf8_lossy(&body))
    }

    /// The `error` that is sent in a stream when the model fails after the response has begun.
    pub fn of_event(error: &Value) -> Self {
        let code = &error["code"];
        let number = code.as_u64().or_else(|| code.as_str()?.parse().ok());
        let status = number.and_then(|number| u16::try_from(number).ok()).filter(|status| (400..600).contains(status));
        Self::new(status, None, error, &error.to_string())
    }

    fn new(status: Option<u16>, retry_after: Option<Duration>, error: &Value, text: &str) -> Self {
        let names = names(error);
        let reason = reason(status, &names, &text.to_lowercase());
        Self { reason, retry_after, status, names }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(formatter, "status {status}: {}", self.reason)?,
            None => write!(formatter, "{}", self.reason)?,
        }
        for (field, name) in &self.names {
            write!(formatter, ", {field} {name}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Key => "the key is not accepted",
            Self::NotFound => "there is no such model, or nothing at this address",
            Self::QuotaUsedUp => "the account is used up",
            Self::TooLong => "the text is longer than the model can read",
            Self::RateLimited => "too many requests",
            Self::Failing => "the endpoint fails",
            Self::Other => "the request is refused",
        })
    }
}

/// Each server has its own sentence for it; these are parts of those of OpenAI, vLLM, SGLang, llama.cpp, LM Studio,
/// Mistral, Anthropic, Gemini and Groq, in lower case.
const SIGNS_OF_TOO_LONG: [&str; 9] = [
    "context_length",
    "context length",
    "context size",
    "context window",
    "exceed_context",
    "prompt is too long",
    "input is too long",
    "input token count",
    "too large for model",
];

fn reason(status: Option<u16>, names: &[(&'static str, String)], lower_text: &str) -> Reason {
    let named = |known: &[&str]| names.iter().any(|(_, name)| known.contains(&name.as_str()));
    match status {
        _ if named(&["insufficient_quota"]) => Reason::QuotaUsedUp,
        Some(401 | 403) => Reason::Key,
        Some(402) => Reason::QuotaUsedUp,
        Some(413) => Reason::TooLong,
        Some(429) => Reason::RateLimited,
        _ if SIGNS_OF_TOO_LONG.iter().any(|sign| lower_text.contains(sign)) => Reason::TooLong,
        Some(404) => Reason::NotFound,
        Some(408 | 425 | 500..=599) => Reason::Failing,
        Some(_) => Reason::Other,
        None if named(&["rate_limit_exceeded", "rate_limit_error"]) => Reason::RateLimited,
        None if named(&["invalid_api_key", "authentication_error"]) => Reason::Key,
        None if named(&["model_not_found"]) => Reason::NotFound,
        None => Reason::Failing,
    }
}

/// Of `{"error": {…}}`, of the bare object, or of nothing.
fn names(error: &Value) -> Vec<(&'static str, String)> {
    const LONGEST_NAME: usize = 64;
    let error = error.get("error").filter(|inner| inner.is_object()).unwrap_or(error);
    let is_name = |text: &str| {
        (1..=LONGEST_NAME).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte))
    };
    let named = |field: &'static str| {
        let name = match &error[field] {
            Value::String(name) => name.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        is_name(&name).then_some((field, name))
    };
    ["type", "code", "param"].into_iter().filter_map(named).collect()
}

/// `Retry-After` in seconds; the form with a date is left to the backoff, clocks differ too much for it.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(LONGEST_PAUSE_SECONDS)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(status: u16, body: &str) -> Refusal {
        Refusal::new(Some(status), None, &serde_json::from_str(body).unwrap_or(Value::Null), body)
    }

    #[test]
    fn a_refusal_is_told_in_our_words_and_the_names_of_the_endpoint() {
        let openai =
            r#"{"error": {"message": "Wrong key sk-12", "type": "invalid_request_error", "code": "invalid_api_key"}}"#;
        assert_eq!(
            refused(401, openai).to_string(),
            "status 401: the key is not accepted, type invalid_request_error, code invalid_api_key"
        );
        assert_eq!(refused(502, "<html>Bad Gateway</html>").to_string(), "status 502: the endpoint fails");
        let flat = r#"{"object": "error", "message": "no", "type": "BadRequestError", "param": null, "code": 400}"#;
        assert_eq!(
            refused(400, flat).to_string(),
            "status 400: the request is refused, type BadRequestError, code 400"
        );
    }

    #[test]
    fn no_text_of_the_request_is_told() {
        let quoting = [
            r#"{"error": {"message": "input: My diagnosis", "type": "My diagnosis", "code": "My diagnosis"}}"#,
            r#"{"detail": [{"loc": ["body", "messages"], "msg": "too strange", "input": "My diagnosis"}]}"#,
            r#"{"error": "My diagnosis"}"#,
            "My diagnosis",
        ];
        for body in quoting {
            let told = format!("{} {:?}", refused(422, body), refused(422, body));
            assert!(!told.contains("diagnosis"), "{told}");
        }
    }

    #[test]
    fn a_prompt_that_is_too_long_is_recognised_in_the_words_of_many_servers() {
        let bodies = [
            r#"{"error": {"message": "This model's maximum context length is 8192 tokens.", "code": "context_length_exceeded"}}"#,
            r#"{"object": "error", "message": "The input (9000 tokens) is longer than the model's context length (8192 tokens).", "code": 400}"#,
            r#"{"error": {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"}}"#,
            r#"{"error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"}}"#,
            r#"{"error": {"message": "The input token count (40000) exceeds the maximum number of tokens allowed (32768)."}}"#,
        ];
        for body in bodies {
            assert_eq!(refused(400, body).reason, Reason::TooLong, "{body}");
        }
        assert_eq!(refused(413, "").reason, Reason::TooLong);
        assert_eq!(refused(400, r#"{"error": {"message": "unknown field"}}"#).reason, Reason::Other);
    }

    #[test]
    fn an_error_inside_a_stream_is_judged_by_its_code() {
        let cases = [
            (json!({"code": 500, "message": "out of memory"}), Reason::Failing),
            (json!({"code": 401, "message": "no"}), Reason::Key),
            (json!({"code": "429", "message": "no"}), Reason::RateLimited),
            (json!({"code": "rate_limit_exceeded"}), Reason::RateLimited),
            (json!({"type": "insufficient_quota", "code": 429}), Reason::QuotaUsedUp),
            (json!({"message": "the context length of 4096 tokens is exceeded"}), Reason::TooLong),
            (json!("overloaded"), Reason::Failing),
        ];
        for (error, reason) in cases {
            assert_eq!(Refusal::of_event(&error).reason, reason, "{error}");
        }
    }

    #[test]
    fn a_pause_is_bounded_and_never_negative() {
        let asked = |text: &str| pause(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        assert_eq!(asked("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(asked("1e19"), Some(Duration::from_secs(86_400)));
        assert_eq!(asked("inf"), Some(Duration::from_secs(86_400)));
        for no_pause in ["-1", "NaN", "Fri, 07 Nov 2036 23:59:59 GMT"] {
            assert_eq!(asked(no_pause), None, "{no_pause}");
        }
    }
}
