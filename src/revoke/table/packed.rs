//! An entry in 10 bytes instead of 24, for a list can hold millions.
//!
//! Nothing is rounded. What does not fit is not packed, which packing finds out by unpacking: an ordinary
//! entry fits, one with times that no clock of today tells may not, and one that spares a session does not.

use crate::ids::{Generation, Serial};
use crate::revoke::revocation::{SessionEntry, SubjectEntry};
use crate::time::UnixMillis;

/// An entry as numbers, whatever it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::revoke) struct Fields {
    serial: u32,
    /// A time in milliseconds, as a rule before `until`.
    since: u64,
    pub(super) until: u64,
}

/// What can be held of a key.
pub(in crate::revoke) trait TableEntry: Copy + Eq {
    /// `None` of what numbers do not tell.
    fn fields(self) -> Option<Fields>;
    fn from_fields(fields: Fields) -> Self;
    /// What both say.
    fn join(self, other: Self) -> Self;
    /// Whether it is news to who holds `other`.
    fn exceeds(self, other: Self) -> bool;
}

impl TableEntry for SessionEntry {
    fn fields(self) -> Option<Fields> {
        Some(Fields {
            serial: self.serial.get(),
            since: self.from.as_millis(),
            until: self.until.as_millis(),
        })
    }

    fn from_fields(fields: Fields) -> Self {
        Self {
            serial: Serial::new(fields.serial),
            from: UnixMillis::new(fields.since),
            until: UnixMillis::new(fields.until),
        }
    }

    fn join(self, other: Self) -> Self {
        self.join(other)
    }

    fn exceeds(self, other: Self) -> bool {
        self.serial > other.serial
    }
}

/// A generation is the time at which it was handed out.
impl TableEntry for SubjectEntry {
    fn fields(self) -> Option<Fields> {
        let fields = Fields {
            serial: 0,
            since: self.generation.get(),
            until: self.until.as_millis(),
        };
        self.spared.is_none().then_some(fields)
    }

    fn from_fields(fields: Fields) -> Self {
        Self::new(Generation::new(fields.since), UnixMillis::new(fields.until))
    }

    fn join(self, other: Self) -> Self {
        self.join(other)
    }

    fn exceeds(self, other: Self) -> bool {
        self.generation > other.generation
    }
}

/// From the lowest bit: `until`, from 2020 to 2089.
const UNTIL: u32 = 41;
const BASE: u64 = 1_577_836_800_000;
/// How long before that `since` is: up to 795 days, and no session may live longer than 400.
const BEFORE: u32 = 36;
/// The serial; its two largest values stand for [`Serial::SUCCEEDED`] and [`Serial::ENDED`].
const SERIAL: u32 = 3;
const SUCCEEDED: u32 = (1 << SERIAL) - 1;
const ENDED: u32 = SUCCEEDED - 1;

/// [`Fields`] that fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packed([u8; 10]);

impl Packed {
    /// Stands for an entry that does not fit. What would be packed so counts as one.
    pub(super) const ELSEWHERE: Self = Self::of(0, 0, 0);

    /// `None` for what does not fit.
    pub(super) fn new(fields: Fields) -> Option<Self> {
        let serial = match Serial::new(fields.serial) {
            Serial::SUCCEEDED => SUCCEEDED,
            Serial::ENDED => ENDED,
            other => other.get(),
        };
        let before = fields.until.checked_sub(fields.since)?;
        let packed = Self::of(fields.until.checked_sub(BASE)?, before, serial);
        // A field that is too long has changed another one, or was cut.
        (packed != Self::ELSEWHERE && packed.unpack() == fields).then_some(packed)
    }

    const fn of(until: u64, before: u64, serial: u32) -> Self {
        let bits = until as u128 | (before as u128) << UNTIL | (serial as u128) << (UNTIL + BEFORE);
        let [a, b, c, d, e, f, g, h, i, j, ..] = bits.to_le_bytes();
        Self([a, b, c, d, e, f, g, h, i, j])
    }

    pub(super) fn unpack(self) -> Fields {
        let until = BASE + self.field(0, UNTIL);
        let before = self.field(UNTIL, BEFORE);
        let serial = match self.field(UNTIL + BEFORE, SERIAL) as u32 {
            SUCCEEDED => Serial::SUCCEEDED.get(),
            ENDED => Serial::ENDED.get(),
            other => other,
        };
        Fields {
            serial,
            since: until.saturating_sub(before),
            until,
        }
    }

    fn field(self, first: u32, length: u32) -> u64 {
        let [a, b, c, d, e, f, g, h, i, j] = self.0;
        let bits = u128::from_le_bytes([a, b, c, d, e, f, g, h, i, j, 0, 0, 0, 0, 0, 0]);
        (bits >> first) as u64 & ((1 << length) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_800_000_000_000;
    const DAY: u64 = 24 * 3_600_000;

    fn fields(serial: Serial, since: u64, until: u64) -> Fields {
        Fields {
            serial: serial.get(),
            since,
            until,
        }
    }

    #[test]
    fn the_entries_that_there_are_fit() {
        let ended = fields(Serial::ENDED, NOW, NOW + 30 * DAY);
        let longest = fields(Serial::ENDED, NOW, NOW + 401 * DAY);
        let succeeded = fields(Serial::SUCCEEDED, NOW, NOW + 30 * DAY);
        let renewed = fields(Serial::new(5), NOW + 10_000, NOW + DAY);
        let subject = fields(Serial::FIRST, NOW, NOW + 30 * DAY);
        for fields in [ended, longest, succeeded, renewed, subject] {
            assert_eq!(Packed::new(fields).unwrap().unpack(), fields);
        }
    }

    #[test]
    fn no_entry_packs_to_the_sentinel() {
        assert_eq!(Packed::new(Packed::ELSEWHERE.unpack()), None);
    }

    #[test]
    fn what_is_a_bit_too_long_does_not() {
        let until = BASE + (1 << UNTIL) - 1;
        let before = (1 << BEFORE) - 1;
        for (fits, serial, before, until) in [
            (true, 5, before, until),
            (false, 6, before, until),
            (false, 7, before, until),
            (false, 8, before, until),
            (false, Serial::LAST.get(), before, until),
            (false, 5, before + 1, until),
            (false, 5, before, until + 1),
            (true, 1, 0, BASE),
            (false, 1, 0, BASE - 1),
        ] {
            let fields = fields(Serial::new(serial), until - before, until);
            assert_eq!(Packed::new(fields).is_some(), fits, "{fields:?}");
        }
        assert_eq!(Packed::new(fields(Serial::ENDED, NOW + 1, NOW)), None);
        assert_eq!(Packed::new(fields(Serial::ENDED, 0, u64::MAX)), None);
        assert_eq!(Packed::new(fields(Serial::ENDED, u64::MAX, u64::MAX)), None);
    }

    /// Numbers of every length, and around each power of two.
    fn number() -> impl Strategy<Value = u64> {
        let near = (0..64u32, -2..=2i64);
        let near = near.prop_map(|(bits, off)| (1u64 << bits).wrapping_add_signed(off));
        prop_oneof![near, any::<u64>()]
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(
            serial in number(), since in number(), until in number(),
        ) {
            for fields in [
                Fields { serial: serial as u32, since, until },
                Fields { serial: serial as u32, since: until.saturating_sub(since), until },
                Fields { serial: serial as u32 % 9, since: NOW, until: NOW.saturating_add(since) },
            ] {
                if let Some(packed) = Packed::new(fields) {
                    prop_assert_ne!(packed, Packed::ELSEWHERE);
                    prop_assert_eq!(packed.unpack(), fields);
                }
            }
        }
    }
}
