//! Holding a list against all that a store holds.

use std::collections::{BTreeMap, HashSet};

use crate::revoke::list::List;
use crate::revoke::{EntryKey, Revocation};
use crate::time::{SKEW, UnixMillis};

/// What a list holds and the store does not.
pub(super) type Lacking = BTreeMap<EntryKey, Revocation>;

/// A comparison, while the store's state comes in.
///
/// What the list takes meanwhile counts too: the store that was told of that may be lost before everything has
/// come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Whether anonymous sessions are compared: once for each store, so that nobody with HTTP alone can have more
    /// and more restored.
    with_anonymous: bool,
    /// Where the store says all that the list does.
    agreed: HashSet<EntryKey>,
}

impl Comparison {
    pub(super) fn new(with_anonymous: bool) -> Self {
        Self {
            with_anonymous,
            agreed: HashSet::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn digest(&self, state: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        let agreed: std::collections::BTreeSet<_> = self.agreed.iter().collect();
        (self.with_anonymous, agreed).hash(state);
    }

    fn compares(&self, key: EntryKey) -> bool {
        self.with_anonymous || !key.is_anonymous()
    }

    /// The store holds `revocations`, which were just joined into `list`.
    pub(super) fn holds(&mut self, revocations: &[Revocation], list: &List) {
        for revocation in revocations {
            let key = revocation.key();
            if self.compares(key) && list.is_covered_by(revocation) {
                self.agreed.insert(key);
            }
        }
    }

    /// What the list holds and the store does not.
    pub(super) fn lacking(&self, list: &List, now: UnixMillis) -> Lacking {
        let mut lacking = Lacking::new();
        // By its clock the store may have forgotten already what is about to end.
        let soon = now + SKEW;
        list.for_each(|ours| {
            let key = ours.key();
            if ours.until() > soon && self.compares(key) && !self.agreed.contains(&key) {
                lacking.insert(key, ours);
            }
        });
        lacking
    }
}
