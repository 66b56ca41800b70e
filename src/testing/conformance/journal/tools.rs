//! What the checks are written with.

use std::sync::Arc;
use std::time::Duration;

use super::harness::JournalHarness;
use crate::error::StoreError;
use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::random::SystemRandom;
use crate::revoke::node::Node;
use crate::revoke::policy::Trust;
use crate::revoke::store::NodeStart;
use crate::revoke::worker::Worker;
use crate::revoke::{
    Announcement, Journal, Published, Revocation, SessionEntry, Store, SubjectEntry,
};
use crate::store::Local;
use crate::testing::ManualClock;
use crate::testing::conformance::report::{Checked, Stop, require};
use crate::time::{Clock, UnixMillis};

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
    match journal.is_durable() {
        true => Ok(journal),
        false => Err(Stop::skipped("it keeps nothing, and says so")),
    }
}

/// Opens the last new journal again, which was closed.
pub(super) fn open(h: &dyn JournalHarness) -> Checked<Box<dyn Journal>> {
    let opened = h.open();
    let opened = opened.ok_or_else(|| Stop::skipped("it cannot be opened again"))?;
    opened.map_err(|error| Stop::failed(format!("not opened again: {error}")))
}

pub(super) fn load(journal: &mut dyn Journal) -> Checked<Vec<u8>> {
    let mut all = Vec::new();
    journal.load(&mut |piece| all.extend(piece))?;
    Ok(all)
}

/// A store on a journal, and a node of it.
pub(super) struct Open {
    pub(super) store: Store,
    pub(super) node: Node,
}

impl Open {
    pub(super) async fn new(journal: Box<dyn Journal>, clock: &ManualClock) -> Checked<Self> {
        Ok(Self::announcing(journal, clock, announcement()).await?)
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
        let node = store.start(start).await?;
        Ok(Self { store, node })
    }

    /// Closes it, and opens it again.
    pub(super) async fn again(self, h: &dyn JournalHarness, clock: &ManualClock) -> Checked<Self> {
        drop(self);
        Self::new(open(h)?, clock).await
    }

    pub(super) async fn publish(&self, revocation: Revocation) -> Result<Published, StoreError> {
        self.node.revoke(revocation).there.await
    }

    /// All that it holds, in an order of its own.
    pub(super) async fn all(&self) -> Checked<Vec<String>> {
        let contents = self.store.contents().await?;
        Ok(sorted(contents.revocations))
    }

    pub(super) async fn complete_since(&self) -> Checked<UnixMillis> {
        Ok(self.store.contents().await?.complete_since)
    }
}

/// Fails the check unless the store holds these, and nothing else.
pub(super) async fn require_all(open: &Open, want: &[Revocation], when: &str) -> Checked {
    let (held, want) = (open.all().await?, sorted(want.to_vec()));
    let difference = || {
        let lost: Vec<_> = want
            .iter()
            .filter(|it| !held.contains(it))
            .take(3)
            .collect();
        let extra: Vec<_> = held
            .iter()
            .filter(|it| !want.contains(it))
            .take(3)
            .collect();
        format!("{when}, {lost:?} is missing and {extra:?} too much")
    };
    require(held == want, difference)
}

pub(super) fn sorted(revocations: Vec<Revocation>) -> Vec<String> {
    let mut all: Vec<_> = revocations.iter().map(|it| format!("{it:?}")).collect();
    all.sort();
    all
}

pub(super) fn announcement() -> Announcement {
    Announcement::new(DAY, 1000, MINUTE)
}

pub(super) fn session(n: u64, until: UnixMillis) -> Revocation {
    Revocation::Session {
        id: id(n),
        entry: ended(until),
    }
}

pub(super) fn anonymous(n: u64, created: UnixMillis, until: UnixMillis) -> Revocation {
    Revocation::AnonymousSession {
        id: id(n),
        created,
        entry: ended(until),
    }
}

/// One of each kind, of which none has expired.
pub(super) fn one_of_each(clock: &ManualClock) -> Vec<Revocation> {
    let now = clock.now();
    let generation = Generation::new(now.as_millis());
    let renewed = SessionEntry {
        serial: Serial::new(7),
        from: now + MINUTE,
        until: now + HOUR,
    };
    vec![
        session(1, now + DAY),
        Revocation::Session {
            id: id(2),
            entry: renewed,
        },
        anonymous(3, now, now + DAY),
        Revocation::Subject {
            key: subject(4),
            entry: SubjectEntry {
                generation,
                until: now + 2 * DAY,
            },
        },
        Revocation::Everyone { generation },
        Revocation::Anonymous {
            since: now.minus(MINUTE),
        },
    ]
}

fn ended(until: UnixMillis) -> SessionEntry {
    SessionEntry {
        serial: Serial::ENDED,
        from: UnixMillis::EPOCH,
        until,
    }
}

pub(super) fn id(n: u64) -> SessionId {
    SessionId::from_bytes(spread(n))
}

pub(super) fn subject(n: u64) -> SubjectKey {
    SubjectKey::from_bytes(spread(n))
}

/// Sixteen bytes that differ for every number, as if they were random.
fn spread(n: u64) -> [u8; 16] {
    let n = u128::from(n).wrapping_add(1);
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        .to_be_bytes()
}
