//! Which keys a session passed through.

use crate::ids::KeyId;

/// The keys that a session was opened with before others sealed it: four bytes each.
///
/// When one of them turns out to have leaked, the session may have been forged with it, and is dead
/// although an honest key sealed it since.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct KeyTrail(pub(super) Vec<[u8; 4]>);

impl KeyTrail {
    /// How many keys a session can pass through. One that would need more ends: forgetting the oldest
    /// would let a forged session outlive its key's revocation.
    pub(crate) const CAPACITY: usize = 16;

    /// Adds a key; `false` when there is no room.
    #[must_use]
    pub(crate) fn add(&mut self, key: KeyId) -> bool {
        let prefix = key.prefix();
        if self.0.contains(&prefix) {
            return true;
        }
        if self.0.len() >= Self::CAPACITY {
            return false;
        }
        self.0.push(prefix);
        true
    }

    /// By how many bytes [`add`](Self::add) would make the record longer; `None` when there is no room.
    pub(crate) fn room_for(&self, key: KeyId) -> Option<usize> {
        let prefix = key.prefix();
        match self.0.contains(&prefix) {
            true => Some(0),
            false => (self.0.len() < Self::CAPACITY).then_some(prefix.len()),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = [u8; 4]> + '_ {
        self.0.iter().copied()
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        // Most sessions have passed through none.
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let (keys, partial) = bytes.as_chunks();
        let fits = partial.is_empty() && keys.len() <= Self::CAPACITY;
        let mut before = keys.iter().enumerate();
        let distinct = before.all(|(count, key)| !keys.iter().take(count).any(|it| it == key));
        (fits && distinct).then(|| Self(keys.to_vec()))
    }
}
