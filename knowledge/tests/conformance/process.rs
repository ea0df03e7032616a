//! Tests that run in a process of their own, so that they can be killed or given an environment.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) const FOLDER: &str = "FOOTNOTE_TEST_FOLDER";

/// What the processes say; the test harness's own lines are left out.
const OURS: [&str; 7] = ["begin ", "acknowledged ", "sweeping", "swept", "refused: ", "opened", "reached"];

pub(crate) struct Process {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

/// Runs one of the tests that are `#[ignore = "started by …"]`.
pub(crate) fn start(test: &str, folder: &Path, environment: &[(&str, &OsStr)]) -> Process {
    start_with(&mut Command::new(std::env::current_exe().unwrap()), test, folder, environment)
}

/// `program` is what runs this test binary, which is its last argument so far.
pub(crate) fn start_with(program: &mut Command, test: &str, folder: &Path, environment: &[(&str, &OsStr)]) -> Process {
    let mut child = program
        .args([test, "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (said, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
    Process { child, lines }
}

impl Process {
    /// What it says about what it does, as it says it.
    pub(crate) fn lines(&mut self) -> impl Iterator<Item = String> {
        let line = || self.lines.recv_timeout(Duration::from_secs(60)).expect("the child went silent");
        std::iter::repeat_with(line).filter(|line| is_ours(line))
    }

    pub(crate) fn has_said(&self, word: &str) -> bool {
        self.lines.try_iter().any(|line| line == word)
    }

    /// SIGKILL. Returns what it had said beyond what was read.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.iter().filter(|line| is_ours(line)).collect()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self) -> Vec<String> {
        self.child.wait().unwrap();
        self.lines.iter().filter(|line| is_ours(line)).collect()
    }
}

fn is_ours(line: &str) -> bool {
    OURS.iter().any(|start| line.starts_with(start))
}
