//! A real `footnote serve` process on a free port. Included by test binaries with `#[path]`.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const FOOTNOTE: &str = env!("CARGO_BIN_EXE_footnote");

/// `footnote` with nothing of the tests' environment but the path.
pub(crate) fn footnote(folder: &Path) -> Command {
    let mut command = Command::new(FOOTNOTE);
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(folder);
    command
}

/// A serving process in a folder; killed when dropped. What it logs is in `server.log` there, and shown if a test fails.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    pub(crate) url: String,
    process: Child,
    log: PathBuf,
}

impl ServerProcess {
    /// Returns once it says where it listens.
    pub(crate) fn start(folder: &Path, arguments: &[String]) -> Self {
        let log = folder.join("server.log");
        let log_file = File::options().create(true).append(true).open(&log).expect("the folder is ours");
        let mut process = footnote(folder)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(log_file)
            .spawn()
            .expect("it was built for this test");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let Some(Ok(first)) = lines.next() else {
            panic!("it does not start: {}", last_lines(&log));
        };
        let url = first.split_whitespace().last().expect("it says where it listens").to_owned();
        // Whatever else it prints must not meet a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { url, process, log }
    }

    /// SIGKILL: it gets no chance to do anything.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the end of the log of {}:\n{}", self.url, last_lines(&self.log));
        }
    }
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
