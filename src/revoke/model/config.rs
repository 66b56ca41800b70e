//! How large a run is, what can happen in it, and which mechanisms hold.

use std::sync::LazyLock;
use std::time::Duration;

use crate::clock::UnixMillis;
use crate::id::{SessionId, SubjectKey};
use crate::lifetime::{Lifetimes, Limits};
use crate::revoke::list::List;
use crate::revoke::store::Target;
use crate::revoke::vigil::Moment;
use crate::revoke::witness::Trust;
use crate::session::validity::Rules;

pub(super) const SUBJECT: &str = "alice";
/// Hers. Hashing it in every step would take a seventh of a run.
pub(super) static SUBJECT_KEY: LazyLock<SubjectKey> =
    LazyLock::new(|| SubjectKey::new("model", SUBJECT));
/// The time at tick zero.
pub(super) const START: UnixMillis = UnixMillis::from_secs(1_800_000_000);

/// One run of the checker.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) nodes: u8,
    /// The last tick.
    pub(super) ticks: u8,
    pub(super) tick: Duration,
    /// How long a session lives.
    pub(super) life: Duration,
    pub(super) trust: Trust,
    /// By how many milliseconds each node's clock is ahead of the store's.
    pub(super) ahead: [i64; 3],
    /// By how much the clock of a store that takes over is behind the one before.
    pub(super) slower: Duration,
    /// Whether `logout_all` is everyone's.
    pub(super) everyone: bool,
    /// Whether what takes the store's place, a copy or an empty one, answers behind the same connections.
    pub(super) hidden: bool,
    /// Whether the properties hold without what they rest on. They do not: see the tests.
    pub(super) strict: bool,
    /// What has to be reached.
    pub(super) reaches: &'static [&'static str],
    /// The only property to look at, if it is not all.
    pub(super) only: Option<&'static str>,
    pub(super) bounds: Bounds,
    pub(super) mechanisms: Mechanisms,
}

/// How often each thing can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Bounds {
    pub(super) logins: u8,
    pub(super) renewals: u8,
    pub(super) logouts: u8,
    pub(super) raises: u8,
    /// Requests or replies that are lost, or requests that come after their sender gave up.
    pub(super) strays: u8,
    /// News and snapshots that come late.
    pub(super) late: u8,
    /// News of which a part is read first.
    pub(super) parts: u8,
    /// Snapshots that are taken although nothing seems to be missed.
    pub(super) resyncs: u8,
    /// The store loses all its data.
    pub(super) losses: u8,
    /// The lagging copy catches up.
    pub(super) copies: u8,
    /// The lagging copy takes the store's place.
    pub(super) failovers: u8,
    pub(super) restarts: u8,
    pub(super) partitions: u8,
    pub(super) sweeps: u8,
}

/// What the protocol rests on. Each can be broken, to see that the properties notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mechanisms {
    /// Nodes give back what the store lacks.
    pub(super) giving_back: bool,
    /// A list does not vouch for sessions from before its birth.
    pub(super) birth: bool,
    /// A follower of another history of the same length is told so.
    pub(super) gaps: bool,
    /// After a broken connection everything is loaded anew.
    pub(super) reconnects: bool,
    /// Entries come first, vouching last.
    pub(super) vouching_last: bool,
    /// A node that was stale does not vouch.
    pub(super) honest_witness: bool,
    /// While a raise is outstanding its target is marked.
    pub(super) marks: bool,
    /// What the store did not take is told again.
    pub(super) telling_again: bool,
    /// A repeat of a raise is recognised.
    pub(super) raise_ids: bool,
    /// Generations are at least the store's time.
    pub(super) clock: bool,
    /// Snapshots are joined, not assigned.
    pub(super) joining: bool,
    /// A node that was whole vouches.
    pub(super) vouching: bool,
    /// A logout is above every renewal.
    pub(super) logout_last: bool,
}

impl Default for Mechanisms {
    fn default() -> Self {
        Self {
            giving_back: true,
            birth: true,
            gaps: true,
            reconnects: true,
            vouching_last: true,
            honest_witness: true,
            marks: true,
            telling_again: true,
            raise_ids: true,
            clock: true,
            joining: true,
            vouching: true,
            logout_last: true,
        }
    }
}

impl Config {
    pub(super) fn lifetimes(&self) -> Lifetimes {
        let limits = Limits {
            idle: self.life,
            absolute: self.life,
        };
        Lifetimes {
            standard: limits,
            remembered: limits,
            renew_grace: self.tick,
            ..Lifetimes::default()
        }
    }

    pub(super) fn target(&self) -> Target {
        if self.everyone {
            Target::Everyone
        } else {
            Target::Subject(*SUBJECT_KEY)
        }
    }

    /// The store's time when this many have lost its place.
    pub(super) fn store_time(&self, now: u8, lives: u8) -> UnixMillis {
        (START + self.tick * now.into()).minus(self.slower * lives.into())
    }

    /// A node's time.
    pub(super) fn moment(&self, now: u8, node: u8) -> Moment {
        let wall = START + self.tick * now.into();
        let ahead = self.ahead[usize::from(node)];
        let by = Duration::from_millis(ahead.unsigned_abs());
        Moment {
            wall: if ahead < 0 { wall.minus(by) } else { wall + by },
            monotonic: self.tick * now.into(),
        }
    }

    pub(super) fn rules<'a>(
        &self,
        list: &'a List,
        lifetimes: &'a Lifetimes,
        now: UnixMillis,
    ) -> Rules<'a> {
        Rules {
            room: crate::wire::chunks::CookieRoom {
                overhead: 0,
                max_bytes: crate::wire::chunks::MAX_COOKIE,
                max_chunks: 1,
            },
            sealing: None,
            list,
            lifetimes,
            everyone_before: None,
            accept_older: !self.mechanisms.birth,
            now,
        }
    }
}

pub(super) fn session_id(session: u8) -> SessionId {
    SessionId::from_bytes([session + 1; 16])
}
