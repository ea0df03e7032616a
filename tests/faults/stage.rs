//! Two servers on one Redis, each with a network of its own between it and Redis.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::watch;

use crate::chaos_proxy::{ChaosProxy, Network};
use crate::redis_server::RedisServer;
use crate::server_process;

/// For everything that must happen some time; longer than it takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) redis: RedisServer,
    pub(crate) servers: [Server; 2],
}

/// A server and what outlives its process. Apart from its Redis it has the options that a user would leave it with: no
/// model, and no documents, so that a turn is answered at once.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) network: ChaosProxy,
    process: Option<server_process::Server>,
    folder: TempDir,
    /// Where it is, while it is.
    url: watch::Sender<Option<String>>,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// `arguments` are redis-server's.
    pub(crate) async fn open_with(arguments: &[&str]) -> Self {
        let redis = RedisServer::start_with(arguments);
        let servers = [Server::start(&redis).await, Server::start(&redis).await];
        Self { redis, servers }
    }

    pub(crate) fn set_networks(&self, network: Network) {
        self.servers.iter().for_each(|server| server.network.set(network));
    }
}

impl Server {
    async fn start(redis: &RedisServer) -> Self {
        let network = ChaosProxy::start(redis.port()).await;
        let folder = TempDir::new().expect("a temporary folder");
        let mut server = Self { network, process: None, folder, url: watch::Sender::new(None) };
        server.restart();
        server
    }

    /// Starts it (again) on the data of before, on another port.
    pub(crate) fn restart(&mut self) {
        let redis_url = format!("redis://127.0.0.1:{}", self.network.port());
        let arguments = ["--data-dir", "data", "--redis-url", &redis_url];
        let process = server_process::Server::start(self.folder.path(), &arguments);
        self.url.send_replace(Some(process.url.clone()));
        self.process = Some(process);
    }

    /// By SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process = None;
        self.url.send_replace(None);
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.url.subscribe()
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        let url = self.url.borrow().clone().expect("the server runs");
        reqwest::get(format!("{url}{path}")).await.expect("the server answers")
    }

    /// A value of `/metrics`; 0 if nothing was counted yet.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.text().await.unwrap();
        let values =
            text.lines().filter_map(|line| line.strip_prefix(name)).filter(|rest| rest.starts_with([' ', '{']));
        values.filter_map(|rest| rest.rsplit(' ').next()).map(|value| value.parse::<f64>().unwrap()).sum()
    }
}

/// Asks again and again until it holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < DEADLINE, "did not happen in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
