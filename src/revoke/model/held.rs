//! A list as a value, to be compared and hashed. What is done with it is done by [`List`].

use crate::id::Generation;
use crate::revoke::lattice::Revocation;
use crate::revoke::list::List;
use crate::revoke::store::{Published, Target};
use crate::time::UnixMillis;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Held {
    /// By place.
    pub(super) entries: Vec<Revocation>,
    pub(super) born: UnixMillis,
    pub(super) marked: bool,
}

impl Held {
    pub(super) fn list(&self, target: Target) -> List {
        let list = List::default();
        for entry in &self.entries {
            list.join(entry);
        }
        list.set_born(self.born);
        if self.marked {
            list.mark(target);
        }
        list
    }

    pub(super) fn of(list: &List, target: Target) -> Self {
        let mut entries = Vec::new();
        list.for_each(|entry| entries.push(entry));
        sort(&mut entries);
        let marked = match target {
            Target::Subject(key) => list.subject(|| key).marked,
            Target::Everyone => list.everyone_marked(),
        };
        Self {
            entries,
            born: list.born(),
            marked,
        }
    }

    /// Does something with the list.
    pub(super) fn with<T>(&mut self, target: Target, work: impl FnOnce(&List) -> T) -> T {
        let list = self.list(target);
        let outcome = work(&list);
        *self = Self::of(&list, target);
        outcome
    }

    pub(super) fn join(&mut self, revocation: &Revocation, target: Target) -> Published {
        self.with(target, |list| list.join(revocation))
    }

    pub(super) fn generation(&self, target: Target) -> Generation {
        self.list(target).generation(target)
    }
}

/// By place, so that equal sets are equal values.
pub(super) fn sort(entries: &mut [Revocation]) {
    entries.sort_by_key(|entry| match entry {
        Revocation::Session { id, .. } | Revocation::Visitor { id, .. } => (0, *id.as_bytes()),
        Revocation::Subject { key, .. } => (1, *key.as_bytes()),
        Revocation::Everyone { .. } => (2, [0; 16]),
    });
}
