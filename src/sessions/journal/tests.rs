use jiff::Timestamp;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::sessions::message::Turn;
use crate::sessions::session::Seen;

fn append(writer: Uuid, number: u64) -> Append {
    let now = Timestamp::now();
    let turn = Turn::new(now, format!("question {number}"), now, "answer".into(), Vec::new());
    Append { waiting_since: Some(now), ..Append::new(writer, number, Seen::NOTHING, turn) }
}

fn key() -> SessionKey {
    SessionKey::in_tenant("tenant", "user 1").unwrap()
}

fn numbers(turns: &[LeftTurn]) -> Vec<u64> {
    turns.iter().map(|turn| turn.append.number).collect()
}

#[tokio::test]
async fn what_was_written_and_not_removed_waits_for_the_next_process() {
    let folder = TempDir::new().unwrap();
    let writer = Uuid::new_v4();
    let (journal, turns) = Journal::open(folder.path()).unwrap();
    assert!(turns.is_empty());
    let mut positions = Vec::new();
    for number in 1..=3 {
        positions.push(journal.write(&key(), &append(writer, number)).await.unwrap());
    }
    journal.remove(positions[0]);
    journal.close().await;
    drop(journal);

    let (journal, turns) = Journal::open(folder.path()).unwrap();
    assert_eq!(numbers(&turns), [2, 3]);
    let second = &turns[0];
    assert_eq!((second.key.clone(), second.append.writer), (key(), writer));
    assert_eq!(second.append.user.content, "question 2");
    let next = journal.write(&key(), &append(writer, 4)).await.unwrap();
    assert!(next > turns[1].position, "positions only grow");
}

#[tokio::test]
async fn processes_side_by_side_have_files_of_their_own_and_a_later_one_takes_over() {
    let folder = TempDir::new().unwrap();
    let [one, other] = [Uuid::new_v4(), Uuid::new_v4()];
    let (first, _) = Journal::open(folder.path()).unwrap();
    let (second, turns) = Journal::open(folder.path()).unwrap();
    assert!(turns.is_empty());
    for number in 1..=2 {
        first.write(&key(), &append(one, number)).await.unwrap();
        second.write(&key(), &append(other, number)).await.unwrap();
    }
    // Only what nobody uses is taken over.
    second.close().await;
    drop(second);
    let (third, turns) = Journal::open(folder.path()).unwrap();
    assert_eq!(
        turns.iter().map(|turn| (turn.append.writer, turn.append.number)).collect::<Vec<_>>(),
        [(other, 1), (other, 2)]
    );
    third.close().await;
    first.close().await;
    drop((first, third));

    let (_journal, turns) = Journal::open(folder.path()).unwrap();
    let of = |writer| {
        turns.iter().filter(|turn| turn.append.writer == writer).map(|turn| turn.append.number).collect::<Vec<_>>()
    };
    assert_eq!((of(one), of(other)), (vec![1, 2], vec![1, 2]));
}

#[tokio::test]
async fn a_turn_that_is_there_twice_is_given_once() {
    let folder = TempDir::new().unwrap();
    let writer = Uuid::new_v4();
    let (journal, _) = Journal::open(folder.path()).unwrap();
    for number in [1, 2, 1, 2] {
        journal.write(&key(), &append(writer, number)).await.unwrap();
    }
    journal.close().await;
    drop(journal);
    assert_eq!(numbers(&Journal::open(folder.path()).unwrap().1), [1, 2]);
}

#[test]
fn a_damaged_file_is_reported_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("journal-0.redb");
    fs::write(&path, b"not a journal".repeat(1000)).unwrap();
    let error = Journal::open(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), b"not a journal".repeat(1000));
}
