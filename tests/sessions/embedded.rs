//! The session file: it survives SIGKILL, belongs to one process, and is never overwritten.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use footnote::sessions::{Error, SessionOptions, Sessions, StoreChoice};
use tempfile::TempDir;

use crate::place::{Place, assert_turns_are_whole, contents, eventually, key, read, say};

async fn open(folder: &Path) -> Result<Sessions, Error> {
    Sessions::open(SessionOptions::new(StoreChoice::Embedded { data_dir: folder.to_owned() })).await
}

#[tokio::test]
async fn sessions_survive_a_restart() {
    let place = Place::embedded();
    let sessions = place.open().await;
    say(&sessions, &key("a"), "one").await;
    sessions.shutdown().await;
    drop(sessions);
    let sessions = place.open().await;
    assert_eq!(contents(&sessions.load(&key("a")).await.messages), ["one", "one!"]);
    assert_eq!(say(&sessions, &key("a"), "two").await.conversation_length, 4);
}

const FOLDER: &str = "FOOTNOTE_TEST_SESSIONS_OF_CHILD";

/// Not a test of its own: what the next one starts and kills. Prints every turn once it is acknowledged.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs as a child process"]
async fn child() {
    let folder = std::env::var_os(FOLDER).expect("the parent sets it");
    let sessions = open(Path::new(&folder)).await.unwrap();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let sessions = sessions.clone();
            tokio::spawn(async move {
                let key = key(&format!("session {writer}"));
                loop {
                    let saved = say(&sessions, &key, "turn").await;
                    if !saved.persisted {
                        break;
                    }
                    println!("ack {writer} {}", saved.conversation_length);
                }
            })
        })
        .collect();
    let (ended, ..) = futures::future::select_all(writers).await;
    panic!("a writer ended: {:?}", ended.err());
}

#[tokio::test]
async fn an_acknowledged_turn_survives_sigkill() {
    let folder = TempDir::new().unwrap();
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["embedded::child", "--exact", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut acknowledged = [0_u64; 4];
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut note = |line: String| {
            if let Some((writer, length)) = line.strip_prefix("ack ").and_then(|ack| ack.split_once(' ')) {
                let writer: usize = writer.parse().unwrap();
                acknowledged[writer] = acknowledged[writer].max(length.parse().unwrap());
            }
        };
        for _ in 0..100 {
            note(lines.next().expect("the child goes on").unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died; the last line may be cut off.
        lines.map_while(Result::ok).filter(|line| line.split(' ').count() == 3).for_each(note);

        let sessions = open(folder.path()).await.unwrap();
        for (writer, acknowledged) in acknowledged.into_iter().enumerate() {
            let session = read(&sessions, &key(&format!("session {writer}"))).await;
            assert!(session.length >= acknowledged, "{} of {acknowledged}", session.length);
            assert_eq!(session.messages.len() as u64, session.length.min(1000));
            assert_turns_are_whole(&session);
        }
        sessions.shutdown().await;
    }
}

/// Not a test of its own: what the next one starts with little room. Goes on when it is given more.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs as a child process"]
async fn child_without_room() {
    let folder = std::env::var_os(FOLDER).expect("the parent sets it");
    let sessions = open(Path::new(&folder)).await.unwrap();
    let key = key("large");
    let mut turns = 0;
    while say(&sessions, &key, &"x".repeat(50_000)).await.persisted {
        turns += 1;
        assert!(turns < 1000, "there is room for everything");
    }
    assert_eq!(sessions.pending_turns(), 1);
    assert_eq!(sessions.load(&key).await.length, 2 * turns + 2);
    println!("full");
    eventually("the turn that waited is saved", async || sessions.pending_turns() == 0).await;
    assert!(say(&sessions, &key, "there is room").await.persisted);
    sessions.shutdown().await;
    println!("saved {}", turns + 2);
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let folder = TempDir::new().unwrap();
    // Files up to a mebibyte, and an error instead of a signal for what goes beyond.
    let mut child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -S -f 2048; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["embedded::child_without_room", "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.ends_with("full")), "the child goes on until there is no room");
    let more = Command::new("prlimit").args(["--pid", &child.id().to_string(), "--fsize=unlimited:unlimited"]).status();
    assert!(more.expect("prlimit is installed").success());
    let turns = lines.find_map(|line| line.strip_prefix("saved ").map(|turns| turns.parse::<u64>().unwrap()));
    assert!(child.wait().unwrap().success());
    let session = read(&open(folder.path()).await.unwrap(), &key("large")).await;
    assert_eq!(Some(session.length), turns.map(|turns| 2 * turns));
    assert_turns_are_whole(&session);
}

#[tokio::test]
async fn a_second_process_is_told_so() {
    let folder = TempDir::new().unwrap();
    let first = open(folder.path()).await.unwrap();
    let error = open(folder.path()).await.unwrap_err();
    assert!(matches!(error, Error::Locked(_)), "{error:?}");
    assert!(error.to_string().contains("--data-dir"), "{error}");
    assert!(say(&first, &key("a"), "one").await.persisted);
}

#[tokio::test]
async fn a_damaged_file_is_reported_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let sessions = open(folder.path()).await.unwrap();
    for number in 0..50 {
        say(&sessions, &key(&format!("user {number}")), &"text ".repeat(200)).await;
    }
    sessions.shutdown().await;
    drop(sessions);
    let file = folder.path().join("sessions.redb");
    let good = fs::read(&file).unwrap();

    let half = good[..good.len() / 2].to_vec();
    let no_header = [vec![0; 4096], good[4096..].to_vec()].concat();
    let mut flipped = good.clone();
    for byte in flipped.iter_mut().skip(8192).step_by(512) {
        *byte ^= 0x55;
    }
    let damages = [
        ("text", b"not a database at all".repeat(1000)),
        ("half", half),
        ("no header", no_header),
        ("flipped", flipped),
    ];
    for (what, damaged) in damages {
        fs::write(&file, &damaged).unwrap();
        let error = open(folder.path()).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{what}: {error:?}");
        assert!(error.to_string().contains("restore it from a backup"), "{error}");
        assert!(fs::read(&file).unwrap() == damaged, "{what}: the file was changed");
    }

    fs::write(&file, &good).unwrap();
    assert_eq!(read(&open(folder.path()).await.unwrap(), &key("user 7")).await.length, 2);
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let error = open(&folder.path().join("file/below")).await.unwrap_err();
    assert!(matches!(&error, Error::CannotOpen { path, .. } if path.ends_with("below/sessions.redb")), "{error:?}");
}
