//! The store of the model: state, sequence and stream, and the lagging copy that can take its place.

use super::config::Config;
use super::held::Held;
use crate::clock::UnixMillis;
use crate::id::{Generation, RaiseId};
use crate::lifetime::SKEW;
use crate::revoke::counter::Counter;
use crate::revoke::lattice::Revocation;
use crate::revoke::store::{Followed, News, Position, Published, Raise, Raised, Target};
use crate::revoke::witness::Vouch;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Store {
    pub(super) epoch: u64,
    pub(super) held: Held,
    pub(super) counter: Counter,
    /// What was published, each under a name that no other publication has.
    stream: Vec<(u64, Told)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Told {
    Revoked(Revocation),
    Born(UnixMillis),
}

impl Store {
    pub(super) fn new(epoch: u64, born: UnixMillis) -> Self {
        let held = Held {
            born,
            ..Held::default()
        };
        Self {
            epoch,
            held,
            counter: Counter::default(),
            stream: Vec::new(),
        }
    }

    pub(super) fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            sequence: self.stream.len() as u64,
            mark: self.stream.last().map_or(0, |(name, _)| *name),
        }
    }

    fn tell(&mut self, told: Told, names: &mut u64) {
        *names += 1;
        self.stream.push((*names, told));
    }

    pub(super) fn publish(&mut self, revocation: &Revocation, names: &mut u64) -> Published {
        let says = self.held.says(revocation);
        let published = self.held.merge(revocation);
        if !says {
            self.tell(Told::Revoked(*revocation), names);
        }
        self.counter = self.counter.join(self.held.generation());
        published
    }

    pub(super) fn raise(
        &mut self,
        id: RaiseId,
        known: Generation,
        now: UnixMillis,
        config: &Config,
        names: &mut u64,
    ) -> Raised {
        let target = config.target();
        let raise = Raise {
            target,
            id,
            known,
            until: UnixMillis::EPOCH,
        };
        let time = if config.mechanisms.clock {
            now
        } else {
            UnixMillis::EPOCH
        };
        let (past, counter) = self.counter.raise(&raise, time).expect("far from the top");
        let stored = self.held.entries.iter().find_map(|entry| match entry {
            Revocation::Subject { entry, .. } => Some(entry.until),
            _ => None,
        });
        if counter == self.counter {
            return past.raised(stored.unwrap_or(UnixMillis::MAX), self.held.born);
        }
        self.counter = counter;
        let until = match target {
            Target::Subject(_) => now + config.life + SKEW,
            Target::Everyone => UnixMillis::MAX,
        };
        let raised = past.raised(stored.unwrap_or_default().max(until), self.held.born);
        self.publish(&target.at(raised.generation, raised.until), names);
        raised
    }

    pub(super) fn vouch(&mut self, vouch: Vouch, names: &mut u64) -> bool {
        let counts = vouch.epoch == self.epoch && vouch.born < self.held.born;
        if counts {
            self.held.born = vouch.born;
            self.tell(Told::Born(vouch.born), names);
        }
        counts
    }

    /// What was published after `position`, at most `limit`.
    pub(super) fn follow(&self, position: Position, limit: usize, config: &Config) -> Followed {
        let gap = Followed::Gap { epoch: self.epoch };
        if position.epoch != self.epoch {
            return gap;
        }
        let seen = position.sequence as usize;
        let last = seen.checked_sub(1).map(|last| self.stream.get(last));
        let is_ours = match last {
            None => true,
            Some(last) => last.is_some_and(|(name, _)| *name == position.mark),
        };
        if config.mechanisms.gaps && !is_ours {
            return gap;
        }
        let end = self.stream.len().min(seen.saturating_add(limit)).max(seen);
        let news = self.stream.get(seen..end).unwrap_or_default();
        let mark = match news.last() {
            Some((name, _)) => *name,
            None => position.mark,
        };
        Followed::News(News {
            revocations: news
                .iter()
                .filter_map(|(_, told)| match told {
                    Told::Revoked(revocation) => Some(*revocation),
                    Told::Born(_) => None,
                })
                .collect(),
            born: news.iter().rev().find_map(|(_, told)| match told {
                Told::Born(born) => Some(*born),
                Told::Revoked(_) => None,
            }),
            position: Position {
                sequence: end as u64,
                mark,
                ..position
            },
            complete: end >= self.stream.len(),
            settling: None,
        })
    }

    /// Forgets what has expired; says whether there was anything.
    pub(super) fn sweep(&mut self, now: UnixMillis) -> bool {
        let before = self.held.entries.len();
        self.held.entries.retain(|entry| entry.until() >= now);
        if self.held.generation() == Generation::NONE {
            self.counter = Counter::default();
        }
        self.held.entries.len() < before
    }
}
