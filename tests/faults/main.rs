//! The fault suite: conversations go on over HTTP with two real server processes on one real Redis while something
//! breaks. At the end, every turn is where its answer said it would be, once, whole, in its session and in order.
//!
//! `cargo test --test faults` runs it with few conversations; `cargo test --test faults -- --ignored` with 50 sessions of
//! 20 turns. Each test prints what became of its turns.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

#[path = "../support/chaos_proxy.rs"]
mod chaos_proxy;
mod conversations;
mod found;
mod ledger;
mod network;
mod redis;
#[path = "../support/redis_server.rs"]
mod redis_server;
#[path = "../support/server_process.rs"]
mod server_process;
mod servers;
mod stage;

/// Every fault in both sizes.
#[macro_export]
macro_rules! faults {
    ($($fault:ident)*) => {
        mod small { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $fault() {
                super::$fault($crate::conversations::SMALL).await;
            }
        )* }
        mod full { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            #[ignore = "takes a minute; run it with -- --ignored"]
            async fn $fault() {
                super::$fault($crate::conversations::FULL).await;
            }
        )* }
    };
}
