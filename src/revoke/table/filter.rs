//! A Bloom filter with one hash: tells in one look that a key was never entered. Most requests' sessions
//! were never ended.
//!
//! A bit stands for all keys that share some of their bytes, and is set for good when one of them is
//! entered. So the filter can be wrong in one direction only: once many were entered it knows less and
//! less, and the table is asked, as it would be without.

use std::hash::{Hash, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Takes a key whose bytes are random, or a hash's, so that any of them will do. The first eight are its hash.
#[derive(Debug, Default)]
pub(in crate::revoke) struct IdHasher([u8; 16]);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.try_into().unwrap_or_default();
    }

    fn finish(&self) -> u64 {
        let [hash @ .., _, _, _, _, _, _, _, _] = self.0;
        u64::from_le_bytes(hash)
    }
}

/// Four kilobytes, which are made and cleared at once: word by word a filter takes milliseconds where nothing is
/// optimised.
type Page = [AtomicU64; 512];

pub(super) struct Filter {
    /// Made with the first key.
    pages: OnceLock<Box<[Page]>>,
    count: usize,
}

impl Filter {
    /// Of so many `pages` of four kilobytes, a power of two.
    pub(super) fn new(pages: usize) -> Self {
        Self {
            pages: OnceLock::new(),
            count: pages,
        }
    }

    /// From here on [`Self::may_hold`] says so.
    pub(super) fn enter(&self, key: &impl Hash) {
        let pages = self.pages.get_or_init(|| {
            let pages = 0..self.count;
            pages.map(|_| [const { AtomicU64::new(0) }; 512]).collect()
        });
        let (word, bit) = place(pages.as_flattened(), key);
        if let Some(word) = word {
            word.fetch_or(bit, Ordering::Release);
        }
    }

    /// `false`: the key was never entered.
    #[inline]
    pub(super) fn may_hold(&self, key: &impl Hash) -> bool {
        let Some(pages) = self.pages.get() else {
            return false;
        };
        match place(pages.as_flattened(), key) {
            (Some(word), bit) => word.load(Ordering::Acquire) & bit != 0,
            (None, _) => true,
        }
    }
}

/// The word of a key, and its bit in it. By the bytes that the table does not hash by, so that the two are
/// wrong about different keys. Without a secret: who makes names whose keys share a bit gains only that the
/// table is asked.
#[inline]
fn place<'w>(words: &'w [AtomicU64], key: &impl Hash) -> (Option<&'w AtomicU64>, u64) {
    let mut bytes = IdHasher::default();
    key.hash(&mut bytes);
    let [.., a, b, c, d, e] = bytes.0;
    let word = u32::from_le_bytes([a, b, c, d]) as usize & (words.len() - 1);
    (words.get(word), 1 << (e & 63))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionId;
    use std::hash::DefaultHasher;

    fn id(number: u64) -> SessionId {
        let half = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(number);
            hasher.write_u64(salt);
            u128::from(hasher.finish())
        };
        SessionId::from_bytes((half(0) << 64 | half(1)).to_be_bytes())
    }

    #[test]
    fn what_was_entered_passes_and_most_else_does_not() {
        let filter = Filter::new(8);
        assert!((0..100).all(|number| !filter.may_hold(&id(number))));
        for number in 0..10_000 {
            filter.enter(&id(number));
        }
        assert!((0..10_000).all(|number| filter.may_hold(&id(number))));
        // A bit in 26 is set.
        let others = (10_000..20_000).filter(|number| filter.may_hold(&id(*number)));
        let passed = others.count();
        assert!((200..600).contains(&passed), "{passed}");
    }
}
