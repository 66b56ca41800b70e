//! How generations are handed out: the rule of every store.
//!
//! 1. Always above: what is stored, what the caller knows, and the store's time.
//! 2. A repeat of one of the last few raises is told what that one came to. So a retry after a lost
//!    reply ends no login that came in between, also if others raised meanwhile.

use crate::clock::UnixMillis;
use crate::error::StoreError;
use crate::id::{Generation, RaiseId};
use crate::random::{self, Random, RandomError};
use crate::revoke::store::{Raise, Raised};

/// How many raises of one target are remembered. A retry comes within seconds, so as many would have
/// to come in between.
pub(crate) const REMEMBERED: usize = 4;

/// The generation of one target, and what its last raises were, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Counter {
    pub(crate) generation: Generation,
    pub(crate) recent: [Option<PastRaise>; REMEMBERED],
}

/// What a repeat of a raise is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PastRaise {
    pub(crate) id: RaiseId,
    pub(crate) generation: Generation,
    pub(crate) previous: Generation,
}

impl PastRaise {
    pub(crate) fn raised(self, until: UnixMillis, born: UnixMillis) -> Raised {
        Raised {
            generation: self.generation,
            previous: self.previous,
            until,
            born,
        }
    }
}

impl Counter {
    /// What `raise` came to, and the counter after it: the same one if it is a repeat.
    pub(crate) fn raise(
        self,
        raise: &Raise,
        now: UnixMillis,
    ) -> Result<(PastRaise, Self), StoreError> {
        let mut recent = self.recent.iter().flatten();
        if let Some(past) = recent.find(|past| past.id == raise.id) {
            return Ok((*past, self));
        }
        let previous = self.generation.max(raise.known);
        let generation = previous
            .next(Generation::NONE, now)
            .ok_or(StoreError::Exhausted)?;
        let newest = PastRaise {
            id: raise.id,
            generation,
            previous,
        };
        let [first, second, third, _] = self.recent;
        let raised = Self {
            generation,
            recent: [Some(newest), first, second, third],
        };
        Ok((newest, raised))
    }

    /// The counter after a generation became known that another store handed out.
    pub(crate) fn join(self, generation: Generation) -> Self {
        let generation = self.generation.max(generation);
        Self { generation, ..self }
    }
}

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
