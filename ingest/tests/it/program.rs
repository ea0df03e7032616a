//! The `ingest` program: what it prints and how it ends.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::endpoint::{Endpoint, Reply};
use crate::files::Folder;

/// `ingest` with its data in `data`, and none of the environment of whoever runs the tests.
pub(crate) fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = in_folder(data, arguments);
    command.env("FOOTNOTE_DATA_DIR", data.join("state"));
    command
}

/// `ingest` in a folder, its data where it puts them by itself.
fn in_folder(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ingest"));
    command.args(arguments).env_clear().current_dir(folder);
    command
}

pub(crate) fn run(data: &Path, arguments: &[&str]) -> Output {
    command(data, arguments).output().unwrap()
}

pub(crate) fn run_in_folder(folder: &Path, arguments: &[&str]) -> Output {
    in_folder(folder, arguments).output().unwrap()
}

pub(crate) fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

struct Place {
    data: tempfile::TempDir,
    folder: Folder,
}

impl Place {
    fn new(folder: Folder) -> Self {
        Self { data: tempfile::tempdir().unwrap(), folder }
    }

    fn ingest(&self, arguments: &[&str]) -> Output {
        let folder = self.folder.path().to_str().unwrap();
        run(self.data.path(), &[&[folder], arguments].concat())
    }
}

fn good_folder() -> Folder {
    Folder::new().with("bread.md", "# Bread\n\nFlour, water, salt.\n").with("yeast.txt", "Yeast is a fungus.")
}

#[test]
fn an_address_or_a_folder_that_is_none_is_wrong_use() {
    let place = Place::new(good_folder());
    let refused = |output: &Output, said: &str| {
        assert!(status(output) == 2 && stderr(output).contains(said), "{output:?}");
    };
    refused(&place.ingest(&["--server", "nonsense"]), "http://HOST:PORT");
    let data = place.data.path();
    refused(&run(data, &["copy", "--from", ".", "--to", "nonsense"]), "http://HOST:PORT");
    refused(&run(data, &["copy", "--from", "missing", "--to", "http://127.0.0.1:9"]), "no such folder");
}

#[test]
fn a_folder_without_faults_ends_with_0_and_a_summary() {
    let place = Place::new(good_folder().with("photo.png", b"\x89PNG\r\n\x1a\n\0"));
    let output = place.ingest(&[]);
    assert_eq!(status(&output), 0, "{output:?}");
    let summary = stdout(&output);
    assert!(
        summary.starts_with("3 files: 2 added, 0 updated, 0 unchanged, 0 removed, 1 skipped, 0 failed\n2 chunks in "),
        "{summary}"
    );
    assert!(summary.contains(" chunks/s\n"), "{summary}");
    assert!(summary.contains("  skipped docs/photo.png: not a format"), "{summary}");
    let lines = stderr(&output);
    assert!(lines.contains("added docs/bread.md (1 chunk)\n"), "{lines}");

    let again = place.ingest(&[]);
    assert_eq!(status(&again), 0);
    assert!(
        stdout(&again)
            .starts_with("3 files: 0 added, 0 updated, 2 unchanged, 0 removed, 1 skipped, 0 failed\n0 chunks in ")
    );
}

#[test]
fn a_file_that_failed_ends_with_1_and_is_named() {
    let place = Place::new(good_folder().with("noise.txt", [0_u8; 64]));
    let output = place.ingest(&[]);
    assert_eq!(status(&output), 1);
    assert!(stdout(&output).contains("  failed docs/noise.txt: binary data, not text; check what it is"), "{output:?}");
    assert!(stdout(&output).contains("2 added"));
}

#[test]
fn a_path_that_leads_nowhere_ends_with_1_and_is_named() {
    let place = Place::new(good_folder());
    let output = place.ingest(&["not-there"]);
    assert_eq!(status(&output), 1, "{output:?}");
    let said = stdout(&output);
    assert!(said.contains("  failed not-there: there is no such file or folder; check the path"), "{said}");
    assert!(said.contains("2 added"), "{said}");
}

#[test]
fn wrong_use_ends_with_2_and_leaves_nothing_behind() {
    let place = Place::new(good_folder());
    let folder = place.folder.path().to_str().unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&[], "<PATH>"),
        (&["not-there"], "not-there"),
        (&[folder, "--no-such-option"], "--no-such-option"),
        (&[folder, "--root-name", "a/b"], "root name"),
    ];
    for (arguments, named) in cases {
        let output = run(place.data.path(), arguments);
        assert_eq!(status(&output), 2, "{arguments:?}: {output:?}");
        assert!(stderr(&output).contains(named), "{arguments:?}: {output:?}");
        assert!(!place.data.path().join("state").exists());
    }
    let output = place.ingest(&["--collection", "no/name"]);
    assert_eq!(status(&output), 2, "{output:?}");
}

#[test]
fn a_store_that_is_not_there_ends_with_3() {
    let place = Place::new(good_folder());
    // Nobody listens on the port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = place.ingest(&["--qdrant-url", &format!("http://127.0.0.1:{port}")]);
    assert_eq!(status(&output), 3, "{output:?}");
    let lines = stderr(&output);
    assert!(lines.contains(&format!("passages are stored at 127.0.0.1:{port}\n")), "{lines}");
    assert!(lines.contains("error: "), "{lines}");
}

/// An endpoint that takes a few texts and then refuses the key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_stops_half_way_ends_with_3_and_says_what_was_done() {
    let refuses_later = |number: usize, _: &str| if number < 5 { Reply::Vectors } else { Reply::Status(401) };
    let folder = (0..60).fold(Folder::new(), |folder, number| folder.with(&format!("{number}.txt"), "Text."));
    for json in [false, true] {
        let endpoint = Endpoint::start(refuses_later).await;
        let data = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let openai = ["--embedder", "openai", "--openai-base-url", endpoint.base_url()];
        let form: &[&str] = if json { &["--json"] } else { &[] };
        let arguments = [&[path], openai.as_slice(), form].concat();
        let output = run(data.path(), &arguments);
        assert_eq!(status(&output), 3, "{output:?}");
        let error = stderr(&output);
        let error = error.lines().last().unwrap();
        assert!(error.starts_with("error: docs/") && error.contains("401"), "{error}");
        assert_eq!(error.matches("refuses the request").count(), 1, "said twice: {error}");
        let last = stdout(&output);
        if json {
            let last: serde_json::Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
            assert_eq!((&last["event"], &last["failed"]), (&"stopped".into(), &serde_json::json!([])));
            assert!(last["reason"].as_str().unwrap().contains("401"), "{last}");
        } else {
            assert!(last.starts_with("stopped before the end: what was written stays"), "{last}");
            assert!(last.contains(", 0 failed\n"), "{last}");
        }
    }
}

#[test]
fn a_data_folder_that_cannot_be_made_ends_with_3() {
    let place = Place::new(good_folder());
    std::fs::write(place.data.path().join("state"), "a file in its place").unwrap();
    let output = place.ingest(&[]);
    assert_eq!(status(&output), 3, "{output:?}");
    assert!(stderr(&output).contains("state"), "{output:?}");
}

#[test]
fn a_reader_of_standard_error_that_goes_away_stops_nothing() {
    let place = Place::new(good_folder().with("photo.png", b"\x89PNG\r\n\x1a\n\0"));
    let mut run = command(place.data.path(), &[place.folder.path().to_str().unwrap()]);
    let mut run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(run.stderr.take());
    let output = run.wait_with_output().unwrap();
    assert_eq!(status(&output), 0, "{output:?}");
    assert!(stdout(&output).contains("2 added"), "{output:?}");
}

/// `script` gives the program a terminal.
#[test]
fn on_a_terminal_there_is_a_bar_and_failures_stand_above_it() {
    let place = Place::new(good_folder().with("noise.txt", [0_u8; 64]));
    let path = place.folder.path().to_str().unwrap();
    let program = format!("{} {path}", env!("CARGO_BIN_EXE_ingest"));
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &program, "/dev/null"])
        .env_clear()
        .env("TERM", "xterm")
        .env("PATH", "/usr/bin:/bin")
        .env("FOOTNOTE_DATA_DIR", place.data.path().join("state"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(status(&output), 1, "{output:?}");
    let screen = stdout(&output);
    assert!(screen.contains("/3 files"), "no bar: {screen:?}");
    assert!(screen.contains("failed docs/noise.txt: binary data"), "{screen:?}");
    assert!(!screen.contains("added docs/"), "a line for each file beside the bar: {screen:?}");
}

#[test]
fn json_lines_tell_the_same() {
    let place = Place::new(good_folder().with("empty.txt", ""));
    let output = place.ingest(&["--json", "--tag", "kitchen"]);
    assert_eq!(status(&output), 0, "{output:?}");
    assert_eq!(stderr(&output), "");
    let lines: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let done = lines.iter().find(|line| line["source"] == "docs/bread.md" && line["event"] == "file_done").unwrap();
    assert_eq!((&done["outcome"], &done["chunks"]), (&"added".into(), &1.into()));
    let finished = lines.last().unwrap();
    assert_eq!(finished["event"], "finished");
    assert_eq!((&finished["files"], &finished["added"]), (&3.into(), &2.into()));
    assert_eq!(finished["skipped"][0]["source"], "docs/empty.txt");
}

#[test]
fn quiet_says_nothing_but_failures() {
    let place = Place::new(good_folder().with("noise.txt", [0_u8; 64]).with("empty.txt", ""));
    let output = place.ingest(&["--quiet"]);
    assert_eq!(stdout(&output), "");
    let lines = stderr(&output);
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(lines.starts_with("failed docs/noise.txt: "), "{lines}");
}

#[test]
fn a_file_name_cannot_command_the_terminal() {
    let place = Place::new(Folder::new().with("\u{1b}[2Jwiped.txt", "Text."));
    let output = place.ingest(&[]);
    assert!(!stderr(&output).contains('\u{1b}'), "{output:?}");
    assert!(stderr(&output).contains("[2Jwiped.txt"));
}

#[test]
fn a_dry_run_leaves_nothing_behind() {
    let place = Place::new(good_folder());
    let output = place.ingest(&["--dry-run"]);
    assert_eq!(status(&output), 0, "{output:?}");
    assert!(stdout(&output).contains("2 files: 2 added"), "{output:?}");
    assert!(!place.data.path().join("state").exists());
}

#[test]
fn limits_of_a_file_can_be_set() {
    let place = Place::new(good_folder().with("large.txt", "Rye bread. ".repeat(100_000)));
    let output = place.ingest(&["--max-file-size", "1"]);
    assert_eq!(status(&output), 1, "{output:?}");
    assert!(stdout(&output).contains("larger than 1 MiB, the most for plain text"), "{output:?}");
    assert_eq!(status(&place.ingest(&["--max-file-seconds", "0"])), 2);
    // More than is usual for source code.
    let code = Place::new(Folder::new().with("large.rs", "// Rye bread is dark.\n".repeat(250_000)));
    let refused = code.ingest(&["--dry-run"]);
    assert!(stdout(&refused).contains("--max-file-size"), "{refused:?}");
    assert_eq!(status(&code.ingest(&["--dry-run", "--max-file-size", "8"])), 0);
}
