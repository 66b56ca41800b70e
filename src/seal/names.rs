//! Whether a session carries the key of its own subject.
//!
//! 1. The list knows subjects by a hash of their names, and a session carries that from the login on.
//! 2. An attacker with the sealing key could store a foreign subject key in the session; ending the subject
//!    would miss it. So the key is compared with the name whenever a token is opened.
//! 3. Pairs that fit are remembered. Hashing the name each time, the read of a small session takes 36 % more
//!    instructions, where the processor has none for SHA-256.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ids::SubjectKey;

/// How many subjects are remembered at a time: 128 KiB.
const PLACES: usize = 1 << 14;

/// The subjects of one application.
pub(crate) struct Names {
    pub(crate) audience: String,
    /// A hash of each pair that fits. Nobody outside can compute or guess it: it is std's, keyed with a secret
    /// of this process. Two subjects that share a place take turns.
    fitting: Box<[AtomicU64]>,
    secret: RandomState,
}

impl Names {
    pub(crate) fn new(audience: &str) -> Self {
        Self {
            audience: audience.to_owned(),
            fitting: std::iter::repeat_with(AtomicU64::default)
                .take(PLACES)
                .collect(),
            secret: RandomState::new(),
        }
    }

    /// The key by which the list knows `subject`.
    pub(crate) fn key(&self, subject: &str) -> SubjectKey {
        SubjectKey::new(&self.audience, subject)
    }

    /// Whether `key` is the subject's.
    pub(crate) fn fit(&self, subject: &str, key: &SubjectKey) -> bool {
        let mut hasher = self.secret.build_hasher();
        hasher.write(key.as_bytes());
        hasher.write(subject.as_bytes());
        // Zero is an empty place.
        let pair = hasher.finish() | 1;
        let place = self.place(key);
        if place.is_some_and(|place| place.load(Ordering::Relaxed) == pair) {
            return true;
        }
        let fits = *key == self.key(subject);
        if fits && let Some(place) = place {
            place.store(pair, Ordering::Relaxed);
        }
        fits
    }

    /// The place of `key`. Keys that fit are spread evenly, and others leave nothing behind.
    fn place(&self, key: &SubjectKey) -> Option<&AtomicU64> {
        let [low, high, ..] = *key.as_bytes();
        let number = usize::from(u16::from_le_bytes([low, high]));
        self.fitting.get(number % PLACES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_subjects_own_key_fits_however_often_it_is_asked() {
        let names = Names::new("shop");
        let (alice, bob) = (names.key("alice"), names.key("bob"));
        for _ in 0..3 {
            assert!(names.fit("alice", &alice));
            assert!(names.fit("bob", &bob));
            assert!(!names.fit("alice", &bob));
            assert!(!names.fit("bob", &alice));
            assert!(!names.fit("alic", &alice));
            assert!(!names.fit("alice", &Names::new("shop2").key("alice")));
            // In the same place.
            let mut other = *alice.as_bytes();
            *other.last_mut().unwrap() ^= 1;
            assert!(!names.fit("alice", &SubjectKey::from_bytes(other)));
        }
    }

    #[test]
    fn subjects_of_one_place_take_turns() {
        let names = Names::new("shop");
        let same_place = |one: &SubjectKey, other: &SubjectKey| {
            let place = |key| names.place(key).map(std::ptr::from_ref);
            place(one) == place(other)
        };
        let first = names.key("0");
        let mut others = (1..).map(|number: u32| number.to_string());
        let other = others
            .find(|name| same_place(&names.key(name), &first))
            .unwrap();
        let second = names.key(&other);
        for _ in 0..2 {
            assert!(names.fit("0", &first));
            assert!(names.fit(&other, &second));
            assert!(!names.fit("0", &second));
        }
    }
}
