//! The key space of a cluster, as far as an outage of a part of it matters.
//!
//! Each master of a cluster has a few long ranges of the 16,384 slots. When one master is away, the sessions of the
//! others must not suffer: outages are noted per sixteenth of the slots. A sixteenth that two masters share counts as
//! away when one of them is, which costs flags and waiting, and no turn. A Redis without slots is away as a whole.

use std::fmt;

const SLOTS: u16 = 16_384;

/// One sixteenth of the slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlotRange(u8);

impl SlotRange {
    const COUNT: u8 = 16;

    pub(super) fn of(key: &str) -> Self {
        let sixteenth = slot(key) / (SLOTS / u16::from(Self::COUNT));
        Self(u8::try_from(sixteenth).unwrap_or(0))
    }

    /// A key of this range, to be written for a test.
    pub(super) fn check_key(self) -> String {
        let mut number = 0;
        loop {
            let key = format!("sessions:check:{{{number}}}");
            if Self::of(&key) == self {
                return key;
            }
            number += 1;
        }
    }
}

/// A set of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SlotRanges(u16);

impl SlotRanges {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self(u16::MAX);

    pub(super) fn only(range: SlotRange) -> Self {
        Self(1 << range.0)
    }

    pub(super) fn contains(self, range: SlotRange) -> bool {
        self.0 & Self::only(range).0 != 0
    }

    pub(super) fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(super) fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = SlotRange> {
        (0..SlotRange::COUNT).map(SlotRange).filter(move |range| self.contains(*range))
    }
}

impl fmt::Debug for SlotRanges {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter().map(|range| range.0)).finish()
    }
}

/// The first hash tag counts, where there is one (Redis Cluster specification, "Hash tags").
fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    crc16::State::<crc16::XMODEM>::calculate(hashed.as_bytes()) % SLOTS
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
        for range in SlotRanges::ALL.iter() {
            assert_eq!(SlotRange::of(&range.check_key()), range);
        }
        assert_eq!(SlotRanges::ALL.iter().count(), 16);
    }

    #[test]
    fn sets() {
        let [one, other] = [SlotRange(0), SlotRange(15)].map(SlotRanges::only);
        let both = one.with(other);
        assert!(both.contains(SlotRange(0)) && both.contains(SlotRange(15)) && !both.contains(SlotRange(7)));
        assert_eq!(both.without(one), other);
        assert_eq!(SlotRanges::NONE.iter().count(), 0);
    }
}
