//! Holding a list against all that a store holds.

use std::collections::{BTreeMap, HashSet};

use crate::revoke::list::List;
use crate::revoke::{Matter, Revocation};
use crate::time::SKEW;
use crate::time::UnixMillis;

/// What a list holds and the store does not.
pub(super) type Lacking = BTreeMap<Matter, Revocation>;

/// A comparison, while the store's state comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Whether anonymous sessions are compared: once for each store, so that nobody with HTTP alone can have more
    /// and more restored.
    with_anonymous: bool,
    /// Where the store says all that the list does. `None` for a list that is loaded for the first time.
    agreed: Option<HashSet<Matter>>,
}

impl Comparison {
    /// Of a list that was loaded before. What it takes meanwhile counts too: the store that was told of that may
    /// be lost before everything has come.
    pub(super) fn new(with_anonymous: bool) -> Self {
        Self {
            with_anonymous,
            agreed: Some(HashSet::new()),
        }
    }

    /// Of a list that has nothing which could be lacking.
    pub(super) fn first() -> Self {
        Self {
            with_anonymous: false,
            agreed: None,
        }
    }

    #[cfg(test)]
    pub(super) fn digest(&self, state: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        let agreed = self.agreed.iter().flatten();
        let agreed: std::collections::BTreeSet<_> = agreed.collect();
        (self.with_anonymous, self.agreed.is_some(), agreed).hash(state);
    }

    fn compares(&self, matter: Matter) -> bool {
        self.with_anonymous || !matter.is_anonymous()
    }

    /// The store holds `revocation`, which was just joined into `list`.
    pub(super) fn holds(&mut self, revocation: &Revocation, list: &List) {
        let matter = revocation.matter();
        let compares = self.compares(matter);
        let Some(agreed) = &mut self.agreed else {
            return;
        };
        if compares
            && list
                .find(matter)
                .is_none_or(|ours| revocation.covers(&ours))
        {
            agreed.insert(matter);
        }
    }

    /// What the list holds and the store does not.
    pub(super) fn lacking(self, list: &List, now: UnixMillis) -> Lacking {
        let mut lacking = Lacking::new();
        let Some(agreed) = &self.agreed else {
            return lacking;
        };
        // By its clock the store may have forgotten already what is about to end.
        let soon = now + SKEW;
        list.for_each(|ours| {
            let matter = ours.matter();
            if ours.until() > soon && self.compares(matter) && !agreed.contains(&matter) {
                lacking.insert(matter, ours);
            }
        });
        lacking
    }
}
