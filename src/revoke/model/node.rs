//! A node of the model: what `Shared` and `Replica` hold, and what they do with an answer.

use std::time::Duration;

use super::config::Config;
use super::held::{Held, sort};
use super::store::Store;
use crate::clock::UnixMillis;
use crate::revoke::lattice::Revocation;
use crate::revoke::mending::{Comparison, Lacking, Mending, place};
use crate::revoke::store::{News, Position, Raised, SnapshotEnd};
use crate::revoke::vigil::Moment;
use crate::revoke::witness::{Birth, Trust, Vouch, Witness};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) held: Held,
    pub(super) position: Position,
    pub(super) witness: Witness,
    /// When the list was last known to be complete.
    pub(super) complete: Moment,
    /// When the store was last heard of.
    pub(super) heard: Moment,
    pub(super) lacking: Vec<Revocation>,
    pub(super) vouch: Option<Vouch>,
    /// What the store did not take.
    pub(super) kept: Vec<Revocation>,
    /// The raise that is outstanding.
    pub(super) raise: Option<u8>,
    /// Which server it is connected to: how often one had taken another's place.
    pub(super) server: u8,
    /// Something may have been missed: a snapshot comes next.
    pub(super) gap: bool,
    /// The store itself said so, not just a broken connection.
    pub(super) warned: bool,
    /// What the store has answered and has not come yet.
    pub(super) coming: Option<Coming>,
    pub(super) connected: bool,
}

/// An answer on its way, and when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Coming {
    pub(super) began: Moment,
    pub(super) answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    Everything(Box<(Held, Position)>),
    News {
        revocations: Vec<Revocation>,
        born: Option<UnixMillis>,
        position: Position,
        complete: bool,
    },
}

impl From<News> for Answer {
    fn from(news: News) -> Self {
        Self::News {
            revocations: news.revocations,
            born: news.born,
            position: news.position,
            complete: news.complete,
        }
    }
}

/// Where and when something happens on a node.
#[derive(Clone, Copy)]
pub(super) struct Here<'a> {
    pub(super) config: &'a Config,
    pub(super) now: Moment,
}

impl Here<'_> {
    fn trust(&self) -> Trust {
        if self.config.mechanisms.honest_witness {
            self.config.trust
        } else {
            // Whatever it missed, and for however long.
            Trust {
                max_staleness: Duration::MAX,
                max_outage: Duration::MAX,
            }
        }
    }
}

impl Node {
    /// As `Replica::start` does.
    pub(super) fn start(store: &Store, server: u8, here: Here<'_>) -> Self {
        let mut held = store.held.clone();
        held.marked = false;
        Self {
            held,
            position: store.position(),
            witness: Witness::new(store.epoch, UnixMillis::EPOCH, here.now),
            complete: here.now,
            heard: here.now,
            lacking: Vec::new(),
            vouch: None,
            kept: Vec::new(),
            raise: None,
            server,
            gap: false,
            warned: false,
            coming: None,
            connected: true,
        }
    }

    /// What the node owes the store, as the code that pays it keeps it.
    fn mending<T>(&mut self, work: impl FnOnce(&Mending) -> T) -> T {
        let mending = Mending::default();
        let lacking = std::mem::take(&mut self.lacking).into_iter();
        let lacking = lacking.map(|each| (place(&each).expect("no visitor's"), each));
        mending.begin(false, lacking.collect(), self.vouch);
        mending.settled();
        let outcome = work(&mending);
        self.lacking = mending.batch();
        // Its word is held back until the store has everything.
        mending.told(&self.lacking);
        self.vouch = mending.owed();
        sort(&mut self.lacking);
        outcome
    }

    /// What to give back next, and what to vouch for after it.
    pub(super) fn owes(&mut self) -> (Vec<Revocation>, Option<Vouch>) {
        self.mending(|mending| {
            let mut batch = mending.batch();
            sort(&mut batch);
            (batch, mending.owed())
        })
    }

    pub(super) fn told(&mut self, revocations: &[Revocation]) {
        self.mending(|mending| mending.told(revocations));
    }

    pub(super) fn vouched(&mut self, vouch: Vouch) {
        self.mending(|mending| mending.vouched(vouch));
    }

    /// As `Replica::step` does at a gap.
    pub(super) fn missed(&mut self, epoch: u64, here: Here<'_>) {
        if here.config.mechanisms.honest_witness {
            self.witness.missed(epoch, here.now);
        }
        self.gap = true;
        self.warned = true;
    }

    /// Takes what the store answered. Says whether the node sets out to vouch.
    pub(super) fn take(&mut self, coming: Coming, here: Here<'_>) -> bool {
        match coming.answer {
            Answer::News {
                revocations,
                born,
                position,
                complete,
            } => {
                self.take_news(&revocations, born, here);
                self.position = position;
                if complete {
                    self.complete = coming.began;
                }
                let staleness = here.now.since(self.complete);
                self.witness.heard(here.now, staleness, here.trust());
                self.heard = here.now;
                false
            }
            Answer::Everything(all) => self.take_all(&all.0, all.1, coming.began, here),
        }
    }

    /// As `Replica::take` does.
    fn take_news(&mut self, revocations: &[Revocation], born: Option<UnixMillis>, here: Here<'_>) {
        if revocations.is_empty() && born.is_none() {
            return;
        }
        self.held.with(here.config.target(), |list| {
            for revocation in revocations {
                list.join(revocation);
            }
            if let Some(born) = born {
                list.set_born(born);
            }
        });
        self.told(revocations);
        if let Some(born) = born {
            self.mending(Mending::told_of_birth);
            self.witness.told_of_birth(born, here.now);
        }
    }

    /// As `Replica::resnapshot` does.
    fn take_all(&mut self, all: &Held, position: Position, began: Moment, here: Here<'_>) -> bool {
        if !here.config.mechanisms.joining {
            self.held.entries.clear();
        }
        let witness = &mut self.witness;
        let (lacking, vouch) = self.held.with(here.config.target(), |list| {
            let mut comparison = Comparison::with(list);
            for revocation in &all.entries {
                list.join(revocation);
                comparison.holds(revocation, list);
            }
            let end = SnapshotEnd {
                position,
                born: all.born,
                floor: UnixMillis::EPOCH,
                longest: Duration::ZERO,
                settling: Duration::ZERO,
            };
            let birth = witness.took_snapshot(&end, list.born(), began, here.trust());
            let vouch = match birth {
                Birth::Vouch(vouch) if here.config.mechanisms.vouching => Some(vouch),
                Birth::Vouch(_) | Birth::Accept(_) => {
                    list.set_born(all.born);
                    None
                }
            };
            (comparison.lacking(list, here.now.wall), vouch)
        });
        let lacking = if here.config.mechanisms.giving_back {
            lacking
        } else {
            Lacking::new()
        };
        self.vouch = None;
        self.lacking = Vec::new();
        let mending = Mending::default();
        mending.begin(false, lacking, vouch);
        self.lacking = mending.batch();
        sort(&mut self.lacking);
        self.vouch = vouch;
        self.position = position;
        self.complete = began;
        self.heard = began;
        self.gap = false;
        self.warned = false;
        vouch.is_some()
    }

    /// As `Shared::keep` does.
    pub(super) fn keep(&mut self, revocation: Revocation, here: Here<'_>) {
        if !here.config.mechanisms.telling_again {
            return;
        }
        let mut kept = Held {
            entries: std::mem::take(&mut self.kept),
            ..Held::default()
        };
        kept.merge(&revocation);
        self.kept = kept.entries;
    }

    /// As `Shared::taken` does.
    pub(super) fn taken(&mut self, revocation: &Revocation) {
        self.kept.retain(|kept| kept != revocation);
    }

    /// As `Shared::raise` does when it is answered.
    pub(super) fn raised(&mut self, number: u8, raised: &Raised, here: Here<'_>) {
        let target = here.config.target();
        let newest = self.raise == Some(number);
        self.held.with(target, |list| {
            list.join(&target.at(raised.generation, raised.until));
            if newest {
                list.unmark(target);
            }
        });
        if newest {
            self.raise = None;
        }
    }
}
