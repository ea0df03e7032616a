//! A real `redis-server` of its own, in a temporary folder, gone when the test ends.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Listens on a free port of 127.0.0.1 and on a unix socket. Every write is on disk before it is answered, so that what
/// was acknowledged survives [`RedisServer::kill`].
#[derive(Debug)]
pub(crate) struct RedisServer {
    child: Option<Child>,
    port: u16,
    folder: TempDir,
    arguments: Vec<String>,
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// `arguments` are more of redis-server's own, such as `["--requirepass", "secret"]`.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let mut server = Self::stopped(arguments);
        server.restart();
        server
    }

    /// Has a port, where nothing listens until [`RedisServer::restart`].
    pub(crate) fn stopped(arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        Self { child: None, port: free_port(), folder, arguments: arguments.iter().map(|&a| a.to_owned()).collect() }
    }

    /// Starts it (again) on the same port, with the data of before. Waits until it answers.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .arg("--unixsocket")
            .arg(self.socket())
            .args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"])
            .arg("--dir")
            .arg(self.folder.path())
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.answers() {
            assert!(Instant::now() < deadline, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Ends it as `SIGKILL` does. Nothing happens if it does not run.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the child is ours");
            child.wait().expect("the child is ours");
        }
    }

    /// It goes on listening and says nothing, until [`RedisServer::resume`].
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// Runs a command by `redis-cli` and returns what it prints.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        let output = self.cli().args(arguments).output().expect("redis-cli is installed");
        assert!(output.status.success(), "redis-cli: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn answers(&self) -> bool {
        let output = self.cli().arg("PING").output().expect("redis-cli is installed");
        // A server with a password says NOAUTH, which is an answer too.
        output.stdout.starts_with(b"PONG") || output.stdout.starts_with(b"NOAUTH")
    }

    fn cli(&self) -> Command {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "--no-auth-warning"]);
        command
    }

    fn signal(&self, name: &str) {
        let id = self.child.as_ref().expect("the server runs").id();
        let status = Command::new("kill").args([format!("-{name}"), id.to_string()]).status();
        assert!(status.expect("kill is installed").success());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Free now. Another process may take it before it is used, which is as good as it gets for a port that is kept over a
/// restart.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("it is bound").port()
}
