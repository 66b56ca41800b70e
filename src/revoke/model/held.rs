//! A list as a value, to be compared and hashed. What is done with it is done by [`List`].

use crate::clock::UnixMillis;
use crate::id::Generation;
use crate::revoke::lattice::Revocation;
use crate::revoke::list::List;
use crate::revoke::store::{Published, Target};

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Held {
    /// By place.
    pub(super) entries: Vec<Revocation>,
    pub(super) born: UnixMillis,
    pub(super) marked: bool,
}

impl Held {
    pub(super) fn list(&self, target: Target) -> List {
        let list = List::small();
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
            Target::Subject(key) => list.subject(&key).marked,
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

    /// As a store does, which has no [`List`]: by the lattice alone.
    pub(super) fn merge(&mut self, told: &Revocation) -> Published {
        let place = place(told);
        let Some(held) = self
            .entries
            .iter_mut()
            .find(|held| self::place(held) == place)
        else {
            self.entries.push(*told);
            sort(&mut self.entries);
            return Published::Fresh;
        };
        let joined = join(*held, *told);
        let fresh = rank(&joined) > rank(held);
        *held = joined;
        if fresh {
            Published::Fresh
        } else {
            Published::Known
        }
    }

    /// Whether it says all that `told` does.
    pub(super) fn says(&self, told: &Revocation) -> bool {
        let mut held = self.entries.iter();
        let held = held.find(|held| place(held) == place(told));
        held.is_some_and(|held| join(*held, *told) == *held)
    }

    pub(super) fn generation(&self) -> Generation {
        let mut entries = self.entries.iter();
        let held = entries.find_map(|entry| match entry {
            Revocation::Subject { entry, .. } => Some(entry.generation),
            Revocation::Everyone { generation } => Some(*generation),
            _ => None,
        });
        held.unwrap_or(Generation::NONE)
    }
}

fn join(held: Revocation, told: Revocation) -> Revocation {
    match (held, told) {
        (Revocation::Session { id, entry }, Revocation::Session { entry: told, .. }) => {
            let entry = entry.join(told);
            Revocation::Session { id, entry }
        }
        (Revocation::Subject { key, entry }, Revocation::Subject { entry: told, .. }) => {
            let entry = entry.join(told);
            Revocation::Subject { key, entry }
        }
        (Revocation::Everyone { generation }, Revocation::Everyone { generation: told }) => {
            let generation = generation.max(told);
            Revocation::Everyone { generation }
        }
        _ => unreachable!("they are of one place, and no visitor's"),
    }
}

/// By which of two revocations of one place is news.
fn rank(revocation: &Revocation) -> u64 {
    match revocation {
        Revocation::Session { entry, .. } | Revocation::Visitor { entry, .. } => {
            entry.serial.get().into()
        }
        Revocation::Subject { entry, .. } => entry.generation.get(),
        Revocation::Everyone { generation } => generation.get(),
    }
}

fn place(revocation: &Revocation) -> (u8, [u8; 16]) {
    match revocation {
        Revocation::Session { id, .. } | Revocation::Visitor { id, .. } => (0, *id.as_bytes()),
        Revocation::Subject { key, .. } => (1, *key.as_bytes()),
        Revocation::Everyone { .. } => (2, [0; 16]),
    }
}

/// By place, so that equal sets are equal values.
pub(super) fn sort(entries: &mut [Revocation]) {
    entries.sort_by_key(place);
}
