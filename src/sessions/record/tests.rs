use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::sessions::message::Turn;
use crate::sessions::session::SeenState;

fn turn_at(milliseconds: i64) -> Turn {
    let at = Timestamp::from_millisecond(milliseconds).unwrap();
    Turn::new(at, "question".into(), at, "answer".into(), Vec::new())
}

fn append(number: u64, seen: Seen, asked_at: i64) -> Append {
    Append::new(Uuid::nil(), number, seen, turn_at(asked_at))
}

fn extended(decision: Decision) -> Record {
    match decision {
        Decision::Extend(record) => record,
        Decision::Done(appended) => panic!("nothing was appended: {appended:?}"),
    }
}

fn first_turn() -> Record {
    extended(decide(None, None, &append(1, Seen::NOTHING, 1000), 10))
}

#[test]
fn whole_turns_are_trimmed() {
    let mut record = first_turn();
    for number in 2..=7 {
        record = extended(decide(Some(&record), None, &append(number, Seen::NOTHING, 1000), 5));
        assert_eq!((record.seq - record.trimmed) % 2, 0);
        assert!(record.seq - record.trimmed <= 5);
    }
    assert_eq!((record.seq, record.trimmed), (14, 10));
}

#[test]
fn a_number_is_appended_once() {
    let record = first_turn();
    let again = decide(Some(&record), None, &append(1, Seen::NOTHING, 1000), 10);
    assert_eq!(again, Decision::Done(Appended::Repeated { seq: 2 }));
}

#[test]
fn the_last_activity_never_goes_back_and_the_first_time_stays() {
    let record = extended(decide(None, None, &append(1, Seen::NOTHING, 5000), 10));
    let record = extended(decide(Some(&record), None, &append(2, Seen::NOTHING, 4000), 10));
    assert_eq!((record.created_at, record.last_activity), (5000, 5000));
}

#[test]
fn a_turn_begun_before_the_deletion_is_dropped() {
    let old = first_turn();
    let tombstone = Some(Tombstone { epoch: old.epoch, deleted_at: 2000 });
    let saw_old = Seen(Some(SeenState { epoch: Some(old.epoch), deleted: None }));
    let deleted = Decision::Done(Appended::Deleted);
    assert_eq!(decide(None, tombstone, &append(2, saw_old, 1500), 10), deleted);

    // Also if the session was made again since, and if the turn had found no session at all.
    let new = extended(decide(None, tombstone, &append(3, Seen::absent(Some(old.epoch)), 3000), 10));
    assert_eq!(decide(Some(&new), tombstone, &append(4, saw_old, 1500), 10), deleted);
    assert_eq!(decide(None, tombstone, &append(5, Seen::absent(None), 1500), 10), deleted);

    let saw_new = Seen(Some(SeenState { epoch: Some(new.epoch), deleted: None }));
    assert_eq!(extended(decide(Some(&new), tombstone, &append(6, saw_new, 1500), 10)).seq, 4);
}

#[test]
fn a_turn_that_saw_nothing_is_judged_by_its_time() {
    let tombstone = Some(Tombstone { epoch: Uuid::new_v4(), deleted_at: 2000 });
    assert_eq!(decide(None, tombstone, &append(1, Seen::NOTHING, 1999), 10), Decision::Done(Appended::Deleted));
    assert_eq!(extended(decide(None, tombstone, &append(1, Seen::NOTHING, 2001), 10)).seq, 2);
}

/// The test cases of RFC 7396, appendix A, that have an object on both sides.
#[test]
fn metadata_merges_as_rfc_7396_says() {
    let cases = [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
        (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
        (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
    ];
    for (target, patch, expected) in cases {
        let (Value::Object(mut target), Value::Object(patch)) = (target, patch) else { panic!("not objects") };
        merge_metadata(&mut target, patch).unwrap();
        assert_eq!(Value::Object(target), expected);
    }
}

#[test]
fn metadata_is_bounded() {
    let Value::Object(patch) = json!({"note": "x".repeat(METADATA_LIMIT)}) else { panic!("not an object") };
    assert!(matches!(merge_metadata(&mut Map::new(), patch), Err(Error::InvalidMetadata(_))));
}
