//! A real Redis behind sentinels on loopback: a master, a replica and three sentinels.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::redis_server::{RedisServer, free_port, wait_until};

/// The name under which the sentinels know the master.
pub(crate) const MASTER: &str = "main";

#[derive(Debug)]
pub(crate) struct RedisSentinels {
    /// As they were at the start.
    pub(crate) master: RedisServer,
    pub(crate) replica: RedisServer,
    sentinels: Vec<Sentinel>,
}

#[derive(Debug)]
struct Sentinel {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl RedisSentinels {
    /// A master that is silent is left alone, until [`RedisSentinels::replace_after`].
    pub(crate) fn start() -> Self {
        let at_once = ["--repl-diskless-sync-delay", "0"];
        let master = RedisServer::start_with(&at_once);
        let port = master.port().to_string();
        let replica = RedisServer::start_with(&[&at_once[..], &["--replicaof", "127.0.0.1", &port]].concat());
        wait_until("the replica is in step", || replica.info("master_link_status") == "up");
        let sentinels = (0..3).map(|_| Sentinel::start(&master)).collect();
        Self { master, replica, sentinels }
    }

    /// The sentinels know each other and the replica, as a failover needs.
    pub(crate) fn wait_until_acquainted(&self) {
        for sentinel in &self.sentinels {
            wait_until("the sentinels know each other and the replica", || {
                let master = sentinel.command(&["SENTINEL", "MASTER", MASTER]);
                let lines: Vec<_> = master.lines().collect();
                let field = |name: &str| {
                    let at = lines.iter().position(|line| *line == name);
                    at.and_then(|at| lines.get(at + 1)).copied()
                };
                field("num-other-sentinels") == Some("2") && field("num-slaves") == Some("1")
            });
        }
    }

    /// From now on, a master that is silent for so long is replaced.
    pub(crate) fn replace_after(&self, silence: Duration) {
        let silence = silence.as_millis().to_string();
        for sentinel in &self.sentinels {
            let answer = sentinel.command(&["SENTINEL", "SET", MASTER, "down-after-milliseconds", &silence]);
            assert_eq!(answer, "OK");
        }
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> = self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
        format!("redis+sentinel://{}/{MASTER}", hosts.join(","))
    }

    /// Asks one sentinel.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        self.sentinels[0].command(arguments)
    }

    /// The first one listens and says nothing from now on.
    pub(crate) fn pause_a_sentinel(&self) {
        let id = self.sentinels[0].child.id().to_string();
        assert!(Command::new("kill").args(["-STOP", &id]).status().expect("kill is installed").success());
    }

    pub(crate) fn flush(&self) {
        self.master.command(&["FLUSHALL"]);
    }
}

impl Sentinel {
    fn start(master: &RedisServer) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let (port, master) = (free_port(), master.port());
        let settings = format!(
            "bind 127.0.0.1\nport {port}\nsentinel monitor {MASTER} 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds {MASTER} 600000\nsentinel failover-timeout {MASTER} 5000\n"
        );
        let file = folder.path().join("sentinel.conf");
        std::fs::write(&file, settings).expect("the folder is ours");
        let child = Command::new("redis-server")
            .arg(&file)
            .arg("--sentinel")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let sentinel = Self { child, port, _folder: folder };
        wait_until("a sentinel answers", || sentinel.command(&["PING"]) == "PONG");
        sentinel
    }

    fn command(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(arguments).output();
        String::from_utf8_lossy(&output.expect("redis-cli is installed").stdout).trim_end().to_owned()
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        // The child is ours and is not waited for elsewhere.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
