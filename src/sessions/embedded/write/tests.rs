use jiff::Timestamp;
use redb::{ReadableDatabase, ReadableTableMetadata};
use uuid::Uuid;

use super::*;
use crate::sessions::database_file::DatabaseFile;
use crate::sessions::embedded::tables;
use crate::sessions::message::Turn;
use crate::sessions::session::Seen;

const TTL: Duration = Duration::from_secs(60);

fn change<T>(file: &DatabaseFile, now: i64, change: impl FnOnce(&mut Tables<'_>) -> T) -> T {
    let transaction = file.database().unwrap().begin_write().unwrap();
    let changed = change(&mut Tables::open(&transaction, Some(TTL), now).unwrap());
    transaction.commit().unwrap();
    changed
}

fn append(file: &DatabaseFile, id: &str, now: i64) -> Appended {
    let at = Timestamp::from_millisecond(now).unwrap();
    let turn = Turn::new(at, "question".into(), at, "answer".into(), Vec::new());
    let append = Append::new(Uuid::new_v4(), 1, Seen::NOTHING, turn);
    change(file, now, |tables| tables.append(&SessionKey::new(id).unwrap(), &append, 1000).unwrap())
}

/// Entries of sessions, messages, listing, expiries and tombstones.
fn entries(file: &DatabaseFile) -> [u64; 5] {
    let snapshot = file.database().unwrap().begin_read().unwrap();
    [
        snapshot.open_table(SESSIONS).unwrap().len().unwrap(),
        snapshot.open_table(MESSAGES).unwrap().len().unwrap(),
        snapshot.open_table(BY_ACTIVITY).unwrap().len().unwrap(),
        snapshot.open_table(BY_EXPIRY).unwrap().len().unwrap(),
        snapshot.open_table(TOMBSTONES).unwrap().len().unwrap(),
    ]
}

#[test]
fn sweeping_removes_all_of_an_expired_session_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = DatabaseFile::open(folder.path().join("sessions.redb"), tables::create).unwrap();
    append(&file, "old", 1_000);
    append(&file, "young", 50_000);
    assert_eq!(entries(&file), [2, 4, 2, 2, 0]);
    assert_eq!(change(&file, 60_999, |tables| tables.sweep(10).unwrap()), 0);
    assert_eq!(change(&file, 61_000, |tables| tables.sweep(10).unwrap()), 1);
    assert_eq!(entries(&file), [1, 2, 1, 1, 0]);
}

#[test]
fn a_session_begun_anew_after_its_end_takes_nothing_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = DatabaseFile::open(folder.path().join("sessions.redb"), tables::create).unwrap();
    append(&file, "same", 1_000);
    append(&file, "same", 2_000);
    assert_eq!(entries(&file), [1, 4, 1, 1, 0]);
    assert!(matches!(append(&file, "same", 70_000), Appended::Saved { seq: 2, .. }));
    assert_eq!(entries(&file), [1, 2, 1, 1, 0]);
}

#[test]
fn a_tombstone_goes_when_its_life_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = DatabaseFile::open(folder.path().join("sessions.redb"), tables::create).unwrap();
    append(&file, "deleted", 1_000);
    assert!(change(&file, 2_000, |tables| tables.delete(&SessionKey::new("deleted").unwrap()).unwrap()));
    assert_eq!(entries(&file), [0, 0, 0, 0, 1]);
    let life = TOMBSTONE_LIFE.as_millis() as i64;
    assert_eq!(change(&file, 2_000 + life, |tables| tables.sweep(10).unwrap()), 0);
    assert_eq!(change(&file, 2_001 + life, |tables| tables.sweep(10).unwrap()), 1);
    assert_eq!(entries(&file), [0; 5]);
}
