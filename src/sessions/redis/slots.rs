//! The key space of a cluster, as far as an outage of a part of it matters.
//!
//! Each master of a cluster has a few long ranges of the 16,384 slots. When one master is away, the sessions of the
//! others must not suffer: outages are noted per sixteenth of the slots. A sixteenth that two masters share counts as
//! away when one of them is, which costs flags and waiting, and no turn. A Redis without slots is away as a whole.

use std::collections::BTreeMap;

const SLOTS: u16 = 16_384;

/// One sixteenth of the slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SlotRange(u8);

impl SlotRange {
    const COUNT: u8 = 16;

    pub(super) fn of(key: &str) -> Self {
        let sixteenth = slot(key) / (SLOTS / u16::from(Self::COUNT));
        Self(u8::try_from(sixteenth).unwrap_or(0))
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// A key of this range to be written for a test.
    pub(super) fn check_key(self) -> String {
        let mut number = 0;
        loop {
            let key = check_key(&number.to_string());
            if Self::of(&key) == self {
                return key;
            }
            number += 1;
        }
    }
}

/// The ranges that do not answer, each with a key that is written to find out whether it does again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Away(BTreeMap<SlotRange, String>);

impl Away {
    pub(super) fn everything() -> Self {
        Self(SlotRange::all().map(|range| (range, range.check_key())).collect())
    }

    /// The range of `key`. It is back when the slot of `key` is, though another slot of it may answer before.
    pub(super) fn range_of(key: &str) -> Self {
        Self(BTreeMap::from([(SlotRange::of(key), check_key(hashed(key)))]))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        !self.0.is_empty() && self.0.contains_key(&SlotRange::of(key))
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_everything(&self) -> bool {
        self.0.len() == usize::from(SlotRange::COUNT)
    }

    pub(super) fn add(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Those of `self` that `others` has not.
    pub(super) fn without(&self, others: &Self) -> Self {
        let left = self.0.iter().filter(|(range, _)| !others.0.contains_key(range));
        Self(left.map(|(range, key)| (*range, key.clone())).collect())
    }

    /// One by one, each with its key.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (Self, &str)> {
        self.0.iter().map(|(range, key)| (Self(BTreeMap::from([(*range, key.clone())])), key.as_str()))
    }
}

/// In the slot of `tag`.
fn check_key(tag: &str) -> String {
    format!("sessions:check:{{{tag}}}")
}

fn slot(key: &str) -> u16 {
    crc16::State::<crc16::XMODEM>::calculate(hashed(key).as_bytes()) % SLOTS
}

/// The first hash tag, where there is one (Redis Cluster specification, "Hash tags").
fn hashed(key: &str) -> &str {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    tag.filter(|tag| !tag.is_empty()).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `CLUSTER KEYSLOT` says.
    #[test]
    fn slots_are_those_of_redis() {
        assert_eq!(slot("123456789"), 12_739);
        assert_eq!(slot("session:{default:a}:messages"), slot("default:a"));
        assert_ne!(slot("{}a"), slot("{}b"), "an empty tag is none");
    }

    #[test]
    fn every_range_has_a_key() {
        for range in SlotRange::all() {
            assert_eq!(SlotRange::of(&range.check_key()), range);
        }
        assert!(Away::everything().is_everything());
    }

    #[test]
    fn a_range_is_checked_in_the_slot_that_failed() {
        let key = "session:{default:a}:messages";
        let away = Away::range_of(key);
        let (_, check_key) = away.ranges().next().unwrap();
        assert_eq!((check_key, slot(check_key)), ("sessions:check:{default:a}", slot(key)));
    }

    #[test]
    fn ranges_go_away_and_come_back() {
        let [one, other] = ["a", "b"].map(Away::range_of);
        let mut away = one.clone();
        assert!(away.has("{a}") && !away.has("b") && !away.is_nothing());
        away.add(other.clone());
        assert!(away.has("a") && away.has("b") && !away.is_everything());
        assert_eq!(away.without(&one), other);
        assert!(away.without(&away).is_nothing());
    }
}
