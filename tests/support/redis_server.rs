//! A real `redis-server` of its own, in a temporary folder, gone when the test ends.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
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
        self.begin_restart();
        wait_until("redis-server answers", || self.answers());
    }

    /// As [`RedisServer::restart`], and does not wait.
    pub(crate) fn begin_restart(&mut self) {
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
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder().join("redis.sock")
    }

    /// Where it keeps its files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it as `SIGKILL` does. Nothing happens if it does not run.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the child is ours");
            child.wait().expect("the child is ours");
        }
    }

    pub(crate) fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// It goes on listening and says nothing, until [`RedisServer::resume`].
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// The value of a field of `INFO`.
    pub(crate) fn info(&self, field: &str) -> String {
        let info = self.command(&["INFO"]);
        let value = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.unwrap_or_else(|| panic!("INFO has {field}")).trim().to_owned()
    }

    /// Waits until a replica of this master has all that was written so far. `WAIT` would not do: it speaks of what its own
    /// connection has written.
    pub(crate) fn wait_until_copied_to(&self, replica: &Self) {
        let offset = |server: &Self, field: &str| server.info(field).parse::<u64>().expect("it is a number");
        let written = offset(self, "master_repl_offset");
        wait_until("the replica has everything", || offset(replica, "slave_repl_offset") >= written);
    }

    /// Runs a command by `redis-cli` and returns what it prints.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        self.try_command(arguments).unwrap_or_else(|error| panic!("redis-cli: {error}"))
    }

    /// As [`RedisServer::command`], of a server that may close the connection.
    pub(crate) fn try_command(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.cli().args(arguments).output().expect("redis-cli is installed");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
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

/// Asks again and again until it holds.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "did not happen in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Free now, and given to nobody else in this process: a server that was killed finds it free when it is restarted. Below
/// the ports that the kernel gives to connections and to who asks for any, which are those from 32768 on. Each process
/// begins elsewhere, since several may run at a time.
pub(crate) fn free_port() -> u16 {
    const LOWEST: u32 = 10_000;
    const COUNT: u32 = 32_768 - LOWEST;
    static TRIED: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(499);
    let mut ports = (0..COUNT).map(|_| {
        let number = begin.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed));
        u16::try_from(LOWEST + number % COUNT).expect("it is below 32768")
    });
    ports.find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok()).expect("a port is free")
}
