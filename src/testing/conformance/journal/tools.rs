//! Helpers of the checks: stores on a journal, and entries to publish.

use std::sync::Arc;
use std::time::Duration;

use super::harness::JournalHarness;
use crate::error::StoreError;
use crate::ids::{Generation, Serial};
use crate::random::SystemRandom;
use crate::revoke::node::Node;
use crate::revoke::policy::Trust;
use crate::revoke::sample::{anonymous, id, session, subject};
use crate::revoke::store::NodeStart;
use crate::revoke::worker::Worker;
use crate::revoke::{
    Announcement, Journal, Published, Revocation, SessionEntry, Store, SubjectEntry, Target,
};
use crate::store::Local;
use crate::testing::ManualClock;
use crate::testing::conformance::report::{Checked, Stop, able, equal, require, same};
use crate::time::{Clock, UnixMillis};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn fresh(h: &dyn JournalHarness) -> Checked<Box<dyn Journal>> {
    let failed = |error| Stop::failed(format!("no journal: {error}"));
    h.fresh().map_err(failed)
}

/// A new journal that keeps something.
pub(super) fn durable(h: &dyn JournalHarness) -> Checked<Box<dyn Journal>> {
    let journal = fresh(h)?;
    able(journal.is_durable(), "it keeps nothing, and says so")?;
    Ok(journal)
}

/// Opens the last new journal again, which was closed.
pub(super) fn open(h: &dyn JournalHarness) -> Checked<Box<dyn Journal>> {
    let opened = h.open();
    let opened = opened.ok_or_else(|| Stop::skipped("it cannot be opened again"))?;
    opened.map_err(|error| Stop::failed(format!("not opened again: {error}")))
}

/// As [`open`], after a store on it was dropped. A task of its node may hold it for a moment longer.
pub(super) async fn open_again(h: &dyn JournalHarness) -> Checked<Box<dyn Journal>> {
    for _ in 0..100 {
        if !matches!(h.open(), Some(Err(_))) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    open(h)
}

/// Lets appends fail from now on.
pub(super) fn fail_appends(h: &dyn JournalHarness) -> Checked {
    able(h.fail_appends(true), "its appends cannot be made to fail")
}

pub(super) fn load(journal: &mut dyn Journal) -> Checked<Vec<u8>> {
    let mut all = Vec::new();
    journal.load(&mut |piece| all.extend(piece))?;
    Ok(all)
}

/// A store on a journal, and a node of it.
pub(super) struct TestedStore {
    pub(super) store: Store,
    pub(super) node: Node,
}

impl TestedStore {
    /// A store on a new journal that keeps something.
    pub(super) async fn new(h: &dyn JournalHarness, clock: &ManualClock) -> Checked<Self> {
        Ok(Self::announcing(durable(h)?, clock, announcement()).await?)
    }

    pub(super) async fn announcing(
        journal: Box<dyn Journal>,
        clock: &ManualClock,
        announcement: Announcement,
    ) -> Result<Self, StoreError> {
        let store = Store::of(Local::new(journal));
        let start = NodeStart {
            worker: Arc::new(Worker::start()?),
            clock: Arc::new(clock.clone()),
            random: Arc::new(SystemRandom),
            announcement,
            trust: Trust {
                max_staleness: MINUTE,
                max_outage: MINUTE,
            },
        };
        let node = store.kind.start(start).await?;
        Ok(Self { store, node })
    }

    /// Closes it, and opens it again.
    pub(super) async fn again(self, h: &dyn JournalHarness, clock: &ManualClock) -> Checked<Self> {
        drop(self);
        Self::reopened(h, clock).await
    }

    /// Opens a store that was closed.
    pub(super) async fn reopened(h: &dyn JournalHarness, clock: &ManualClock) -> Checked<Self> {
        let journal = open_again(h).await?;
        Ok(Self::announcing(journal, clock, announcement()).await?)
    }

    pub(super) async fn publish(&self, revocation: Revocation) -> Result<Published, StoreError> {
        self.node.revoke(revocation).there.await
    }

    pub(super) async fn raise(&self, target: Target) -> Result<Generation, StoreError> {
        self.node.raise(target, Generation::NONE, None).await?;
        Ok(self.node.list().generation(target))
    }

    /// Fails the check unless the store holds these, and nothing else.
    pub(super) async fn holds(&self, want: &[Revocation], when: &str) -> Checked {
        let held = self.store.contents().await?.revocations;
        same(when, &held, want)
    }

    /// Fails the check unless the list knows of sessions since then.
    pub(super) async fn begins(&self, since: UnixMillis, when: &str) -> Checked {
        let held = self.store.contents().await?.complete_since;
        equal(&format!("{when}, the begin of the list"), held, since)
    }
}

/// Fails the check unless the journal, which was closed, refuses to open by this clock.
pub(super) async fn refuses_clock(h: &dyn JournalHarness, clock: &ManualClock) -> Checked {
    let opened = TestedStore::announcing(open_again(h).await?, clock, announcement()).await;
    let is_refused = matches!(opened, Err(StoreError::Clock(_)));
    require(is_refused, || format!("it opens at {}", clock.now()))
}

pub(super) fn announcement() -> Announcement {
    Announcement::new(DAY, 1000, MINUTE)
}

pub(super) fn renewed(n: u64, from: UnixMillis, until: UnixMillis) -> Revocation {
    let entry = SessionEntry::new(Serial::new(7), from, until);
    Revocation::Session { id: id(n), entry }
}

pub(super) fn raised(n: u64, generation: Generation, until: UnixMillis) -> Revocation {
    Revocation::Subject {
        key: subject(n),
        entry: SubjectEntry::new(generation, until),
    }
}

/// One of each kind, of which none has expired.
pub(super) fn one_of_each(clock: &ManualClock) -> Vec<Revocation> {
    let now = clock.now();
    let generation = Generation::new(now.as_millis());
    vec![
        session(1, now + DAY),
        renewed(2, now + MINUTE, now + HOUR),
        anonymous(3, now, now + DAY),
        raised(4, generation, now + 2 * DAY),
        Revocation::Everyone { generation },
        Revocation::Anonymous {
            since: now.minus(MINUTE),
        },
    ]
}
