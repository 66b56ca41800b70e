//! Entries, and who asks for them.

use std::time::Duration;

use sealed_session::revoke::{Revocation, SessionEntry, SubjectEntry};
use sealed_session::testing::RevocationList;
use sealed_session::{
    revoke::{Generation, Serial, SessionId, SubjectKey},
    time::UnixMillis,
};

/// When all entries were made.
pub const NOW: UnixMillis = UnixMillis::from_secs(1_795_248_000);
/// When what ends at [`NOW`] has ended.
pub const AFTER: UnixMillis = UnixMillis::new(1_795_248_000_001);
/// When they expire, unless something else is said.
pub const UNTIL: UnixMillis = UnixMillis::from_secs(1_795_248_000 + 24 * 3600);

/// A number that looks random, another one for every number: splitmix64.
pub fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Sixteen bytes that look random.
fn bytes(number: u64) -> [u8; 16] {
    let halves = u128::from(mixed(2 * number)) << 64 | u128::from(mixed(2 * number + 1));
    halves.to_be_bytes()
}

pub fn id(number: u64) -> SessionId {
    SessionId::from_bytes(bytes(number))
}

/// A session that was logged out.
pub fn session(number: u64, until: UnixMillis) -> Revocation {
    Revocation::Session {
        id: id(number),
        entry: SessionEntry {
            serial: Serial::ENDED,
            from: NOW,
            until,
        },
    }
}

/// A subject that was logged out everywhere.
pub fn subject(number: u64, until: UnixMillis) -> Revocation {
    Revocation::Subject {
        key: SubjectKey::from_bytes(bytes(number)),
        entry: SubjectEntry::new(Generation::new(NOW.as_millis()), until),
    }
}

/// What a list is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Kind {
    Sessions,
    Subjects,
    /// Both in turn.
    Halves,
}

impl Kind {
    pub fn entry(self, number: u64) -> Revocation {
        match self {
            Self::Sessions => session(number, UNTIL),
            Self::Subjects => subject(number, UNTIL),
            Self::Halves if number.is_multiple_of(2) => session(number, UNTIL),
            Self::Halves => subject(number, UNTIL),
        }
    }

    /// How many of these the list has an entry of.
    pub fn count(self, list: &RevocationList, keys: &[[u8; 16]]) -> usize {
        let mut found = 0;
        match self {
            Self::Subjects => {
                for key in keys {
                    let generation = list.subject(&SubjectKey::from_bytes(*key));
                    found += usize::from(generation > Generation::NONE);
                }
            }
            Self::Sessions | Self::Halves => {
                for key in keys {
                    let entry = list.session(&SessionId::from_bytes(*key));
                    found += usize::from(entry.is_some());
                }
            }
        }
        found
    }
}

/// How many look-ups are timed at once.
pub const LOOK_UPS: usize = 2_000_000;

/// Keys that a list of so many entries holds, in random order.
pub fn held(entries: u64, seed: u64) -> Vec<[u8; 16]> {
    let numbers = (0..LOOK_UPS as u64).map(|nth| mixed(nth ^ seed << 40) % entries.max(1));
    numbers.map(bytes).collect()
}

/// Keys that no list holds.
pub fn unknown(seed: u64) -> Vec<[u8; 16]> {
    let numbers = (0..LOOK_UPS as u64).map(|nth| (1 << 40) + (seed << 32) + nth);
    numbers.map(bytes).collect()
}

/// Per look-up.
pub fn each(took: Duration, count: usize) -> f64 {
    took.as_secs_f64() * 1e9 / count as f64
}
