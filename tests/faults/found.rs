//! What is in Redis after all, and what the servers show of it.

use serde_json::Value;

use crate::conversations::session_id;
use crate::redis_server::RedisServer;
use crate::stage::{Server, Stage, eventually};

/// A whole turn as it was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FoundTurn {
    pub(crate) question: String,
    pub(crate) turn_id: String,
}

/// Waits until no turn waits for Redis any more, on no server.
pub(crate) async fn everything_is_replayed(stage: &Stage) {
    for server in &stage.servers {
        eventually("every turn that waited is saved", async || {
            let ready: Value = server.get("/readyz").await.json().await.unwrap();
            ready["sessions"]["ok"] == true && ready["sessions"]["waiting"]["turns"] == 0
        })
        .await;
    }
}

/// The turns of a session in Redis, or what is wrong with them.
pub(crate) fn in_redis(redis: &RedisServer, session: usize) -> Result<Vec<FoundTurn>, String> {
    let key = format!("session:{{default:{}}}", session_id(session));
    // One line per message: JSON has no line breaks within it.
    let list = redis.command(&["LRANGE", &format!("{key}:messages"), "0", "-1"]);
    let messages: Vec<Value> = list.lines().filter(|line| !line.is_empty()).map(json).collect();
    let seq = redis.command(&["HGET", &key, "seq"]);
    if seq != messages.len().to_string() && !(seq.is_empty() && messages.is_empty()) {
        return Err(format!("{} messages are there, {seq} were counted", messages.len()));
    }
    turns(&messages)
}

/// The turns of a session as a server shows them, or what is wrong with them.
pub(crate) async fn shown_by(server: &Server, session: usize) -> Result<Vec<FoundTurn>, String> {
    let path = format!("/sessions/{}", session_id(session));
    let mut response = server.get(&path).await;
    // On a busy machine, a call to Redis may miss its deadline still.
    eventually("the session can be read", async || {
        if response.status() == reqwest::StatusCode::SERVICE_UNAVAILABLE {
            response = server.get(&path).await;
        }
        response.status() != reqwest::StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    if response.status() == reqwest::StatusCode::NOT_FOUND {
        return Ok(Vec::new());
    }
    let body: Value = response.json().await.unwrap();
    if (&body["session_persisted"], &body["backend"]) != (&Value::Bool(true), &Value::from("Redis")) {
        return Err(format!("flags: {} {}, code: {}", body["session_persisted"], body["backend"], body["code"]));
    }
    turns(body["messages"].as_array().unwrap())
}

pub(crate) fn sessions_in_redis(redis: &RedisServer) -> usize {
    redis.command(&["KEYS", "session:*:messages"]).lines().filter(|line| !line.is_empty()).count()
}

/// A question and its answer side by side, from the first message to the last.
fn turns(messages: &[Value]) -> Result<Vec<FoundTurn>, String> {
    let pairs = messages.chunks(2).map(|pair| match pair {
        [question, answer]
            if question["role"] == "user"
                && answer["role"] == "assistant"
                && question["turn_id"] == answer["turn_id"] =>
        {
            let text = |field: &Value| field.as_str().unwrap().to_owned();
            Ok(FoundTurn { question: text(&question["content"]), turn_id: text(&question["turn_id"]) })
        }
        torn => Err(format!("a turn that is not whole: {torn:?}")),
    });
    pairs.collect()
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}
