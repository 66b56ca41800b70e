//! How generations are handed out: the rule of every store.
//!
//! Always above what is stored, what the caller knows, and the store's time.

use crate::ids::{Generation, RaiseId};
use crate::random::{self, Random, RandomError};
use crate::time::UnixMillis;

impl Generation {
    /// The generation that follows this one and `known`, at the time `now`: the rule that every store
    /// uses. `None` at the top of the range.
    pub fn next(self, known: Self, now: UnixMillis) -> Option<Self> {
        let above = self.max(known).get().checked_add(1)?;
        Some(Self::new(above.max(now.as_millis())))
    }
}

impl RaiseId {
    /// A fresh id.
    ///
    /// # Errors
    /// When the generator cannot deliver.
    pub fn random(random: &dyn Random) -> Result<Self, RandomError> {
        random::bytes(random).map(Self::from_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_above_all_it_follows() {
        let now = UnixMillis::new(1000);
        let next = |stored, known| Generation::new(stored).next(Generation::new(known), now);
        assert_eq!(next(0, 0), Some(Generation::new(1000)));
        assert_eq!(next(2000, 0), Some(Generation::new(2001)));
        assert_eq!(next(0, 2000), Some(Generation::new(2001)));
        assert_eq!(next(u64::MAX, 0), None);
    }
}
