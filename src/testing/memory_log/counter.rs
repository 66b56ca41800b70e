//! How generations are handed out: the rule of every shared log.
//!
//! 1. Always above: what is stored, what the caller knows, and the log's time.
//! 2. A repeat of one of the last few raises is told that one's result. So a retry after a lost
//!    reply ends no login that came in between, also if others raised meanwhile.

use crate::error::StoreError;
use crate::ids::{Generation, RaiseId};
use crate::revoke::Raise;
use crate::time::UnixMillis;

/// How many raises of one target are remembered. A retry comes within seconds, so as many would have
/// to come in between.
const REMEMBERED: usize = 4;

/// The generation of one target, and what its last raises were, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Counter {
    pub(super) generation: Generation,
    recent: [Option<PastRaise>; REMEMBERED],
}

/// What a repeat of a raise is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PastRaise {
    id: RaiseId,
    pub(super) generation: Generation,
    pub(super) previous: Generation,
}

impl Counter {
    /// The result of the raise that `raise` repeats.
    pub(super) fn repeated(&self, raise: &Raise) -> Option<PastRaise> {
        let mut recent = self.recent.iter().flatten();
        recent.find(|past| past.id == raise.id).copied()
    }

    /// What `raise` comes to, and the counter after it.
    pub(super) fn raise(
        self,
        raise: &Raise,
        now: UnixMillis,
    ) -> Result<(PastRaise, Self), StoreError> {
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

    /// The counter after a generation became known that was handed out elsewhere.
    pub(super) fn join(self, generation: Generation) -> Self {
        let generation = self.generation.max(generation);
        Self { generation, ..self }
    }
}
