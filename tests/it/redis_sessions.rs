//! Sessions in Redis, seen from outside: shared between servers, and truthful on a bad day.

use reqwest::StatusCode;
use serde_json::json;

use crate::certificates::Certificates;
use crate::redis_cluster::RedisCluster;
use crate::redis_server::{RedisServer, free_port};
use crate::test_app::{TestApp, TestAppBuilder};

fn app_on(redis: &RedisServer) -> TestAppBuilder {
    TestApp::builder().option("--redis-url", redis.url()).option("--redis-timeout", 2000)
}

#[tokio::test]
async fn any_server_continues_any_conversation() {
    let redis = RedisServer::start();
    let (here, there) = (app_on(&redis).start().await, app_on(&redis).start().await);
    for turn in 0..6 {
        let app = if turn % 2 == 0 { &here } else { &there };
        let answer = app.ask("traveller", &format!("question {turn}")).await;
        assert_eq!(answer["conversation_length"], (turn + 1) * 2);
        assert_eq!((&answer["backend"], &answer["session_persisted"]), (&json!("Redis"), &json!(true)));
    }
    let (seen_here, seen_there) =
        (here.get("/sessions/traveller").await.body, there.get("/sessions/traveller").await.body);
    assert_eq!(seen_here["messages"], seen_there["messages"]);
    assert_eq!(seen_here["messages"].as_array().unwrap().len(), 12);
}

#[tokio::test]
async fn a_cluster_is_reached_by_tls_with_a_ca_of_one_s_own() {
    let (certificates, port) = (Certificates::for_host("127.0.0.1"), free_port());
    let mut arguments = certificates.arguments(port);
    arguments.extend(["--tls-cluster", "yes"].map(str::to_owned));
    let _cluster = RedisCluster::start_with(1, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let app = TestApp::builder()
        .option("--redis-url", format!("rediss+cluster://127.0.0.1:{port}"))
        .option("--redis-ca", certificates.ca().display())
        .option("--redis-timeout", 2000);
    let app = app.start().await;
    for turn in 1..=2 {
        let answer = app.ask("someone", "hello").await;
        assert_eq!((&answer["conversation_length"], &answer["backend"]), (&json!(turn * 2), &json!("Redis")));
    }
    assert_eq!(app.get("/sessions").await.body["sessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_restarted_server_remembers() {
    let redis = RedisServer::start();
    let mut app = app_on(&redis).start().await;
    app.ask("someone", "hello there").await;
    app.restart().await;
    let answer = app.ask("someone", "hello again").await;
    assert_eq!((&answer["conversation_length"], &answer["history"]["used"]), (&json!(4), &json!(2)));
}

#[tokio::test]
async fn an_outage_is_answered_and_flagged_and_nothing_is_lost() {
    let mut redis = RedisServer::start();
    let app = app_on(&redis).start().await;
    app.ask("someone", "before").await;
    redis.kill();

    let during = app.ask("someone", "during").await;
    assert_eq!((&during["session_persisted"], &during["backend"]), (&json!(false), &json!("Memory")));
    assert_eq!((&during["conversation_length"], &during["history"]["used"]), (&json!(4), &json!(2)));
    let stranger = app.ask("stranger", "hello").await;
    assert_eq!(stranger["history"]["unavailable"], true, "an unreadable session is unknown, not empty: {stranger}");
    for (path, method) in [("/sessions/someone", "GET"), ("/sessions/someone", "DELETE"), ("/sessions", "GET")] {
        let answer = crate::test_app::answer(app.request(method, path)).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (StatusCode::SERVICE_UNAVAILABLE, &json!("session_store_unavailable"))
        );
    }
    let ready = app.get("/readyz").await;
    assert_eq!((ready.status, &ready.body["status"]), (StatusCode::OK, &json!("degraded")));

    redis.restart();
    app.wait_until("the turns are saved", async |app| {
        let session = app.get("/sessions/someone").await;
        session.body["session_persisted"] == true
            && session.body["messages"]
                .as_array()
                .is_some_and(|all| all.iter().any(|message| message["content"] == "during"))
    })
    .await;
    let after = app.ask("someone", "after").await;
    assert_eq!((&after["session_persisted"], &after["backend"]), (&json!(true), &json!("Redis")));
}

#[tokio::test]
async fn redis_may_come_later_than_the_server() {
    let mut redis = RedisServer::start();
    redis.kill();
    let app = app_on(&redis).start().await;
    assert_eq!(app.ask("early", "hello").await["session_persisted"], false);
    redis.restart();
    app.wait_until("Redis is found", async |app| app.ask("late", "hello").await["session_persisted"] == true).await;
}

#[tokio::test]
async fn a_redis_that_hangs_costs_one_deadline_and_not_the_answer() {
    let redis = RedisServer::start();
    let app = app_on(&redis).start().await;
    app.ask("someone", "before").await;
    redis.pause();
    let during = app.ask("someone", "during").await;
    assert_eq!((&during["session_persisted"], &during["backend"]), (&json!(false), &json!("Memory")));
    redis.resume();
    app.wait_until("the turn is saved", async |app| {
        app.get("/sessions/someone").await.body["session_persisted"] == true
    })
    .await;
    let messages = app.get("/sessions/someone").await.body["messages"].as_array().unwrap().len();
    assert_eq!(messages, 4, "saved once, although the first attempt may have been executed after its deadline");
}
