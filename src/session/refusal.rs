//! A cookie that is no session: the reason, and whether something may be written over it.
//!
//! 1. The reason is for logs and for the handler. Writing over the cookie, and removing it, is decided by its
//!    [`Standing`] alone.
//! 2. A [`Standing`] holds for one cookie everywhere and always. An [`Obstacle`] follows from it on one node at one
//!    time. Of several cookies the largest counts.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Rejected;
use crate::ids::KeyId;
use crate::record::Record;
use crate::seal::NotOpened;
use crate::time::{SKEW, UnixMillis};
use crate::wire::envelope::Minutes;

/// How far apart nodes may learn of a new key or release.
const DISTRIBUTION: Duration = Duration::from_secs(3600);

/// A cookie that is no session: why, and what that says about writing over it or removing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Rejected,
    pub(crate) standing: Standing,
}

/// What is known of a refused cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Cannot be a session, here or elsewhere, now or later.
    Worthless,
    /// Perhaps a session to a node that knows another key or a newer format; sealed at this minute.
    Unread(Minutes),
    /// Authentic, and dead for good.
    Dead,
    /// Authentic, and dead because this browser replaced the cookie or gave it up at `since`. For the time `held` the
    /// browser holds or awaits a successor under the same name.
    Replaced { since: UnixMillis, held: Duration },
    /// Authentic, but from before this time, since which the list is complete: it cannot tell whether the session
    /// was ended.
    OlderThanList(UnixMillis),
    /// Authentic, from a time that has not come: a session where the clock is right.
    Ahead,
}

impl Refusal {
    pub(crate) fn worthless(reason: Rejected) -> Self {
        Self {
            reason,
            standing: Standing::Worthless,
        }
    }

    pub(crate) fn dead(reason: Rejected) -> Self {
        Self {
            reason,
            standing: Standing::Dead,
        }
    }

    /// Authentic, and from a time that has not come by this node's clock. The clock may be wrong, so the browser
    /// keeps the cookie.
    pub(crate) fn ahead() -> Self {
        Self {
            reason: Rejected::Implausible,
            standing: Standing::Ahead,
        }
    }

    /// Whether it is dead for good.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.standing, Standing::Dead | Standing::Replaced { .. })
    }

    /// Whether it counts towards the candidates that may be opened.
    pub(crate) fn cost_a_cipher_run(&self) -> bool {
        self.is_authentic() || matches!(self.reason, Rejected::NotAuthentic | Rejected::Implausible)
    }

    /// Whether the cookie is a session of ours, dead or alive: its tag verified, or its key was revoked and nobody can
    /// tell any more.
    pub(crate) fn is_authentic(&self) -> bool {
        !matches!(self.standing, Standing::Worthless | Standing::Unread(_))
    }
}

/// Why a token is no session, and the record of one that is authentic, with its key: it can still be ended.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    pub(crate) record: Option<(Arc<Record>, KeyId)>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let record = None;
        Self { refusal, record }
    }
}

impl From<NotOpened> for Refused {
    fn from(not_opened: NotOpened) -> Self {
        let (refusal, record) = match not_opened {
            NotOpened::Worthless(reason) => (Refusal::worthless(reason), None),
            NotOpened::Unread(reason, sealed_at) => {
                let standing = Standing::Unread(sealed_at);
                (Refusal { reason, standing }, None)
            }
            NotOpened::RevokedKey => (Refusal::dead(Rejected::RevokedKey), None),
            NotOpened::Ahead(record, key) => (Refusal::ahead(), Some((record, key))),
        };
        Self { refusal, record }
    }
}

/// Why nothing but a login begins a session over a cookie that is none. Of several the larger counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Obstacle {
    /// Authentic, and perhaps a session later: ahead of the clock, or older than the list so far. The least: a
    /// logout over it removes what the browser holds, which must not be a successor.
    Later,
    /// The browser holds or awaits a successor.
    Replaced,
    /// There were more candidates than are tried.
    Untried,
    /// Perhaps a session to a node that knows a newer key or format.
    Unread,
    /// The session ended while the request ran.
    EndedMeanwhile,
}

impl Refusal {
    /// Why nothing but a login may begin a session over a refused cookie.
    ///
    /// In a fleet other nodes may know more: of keys, and for `max_outage` after a list was begun of what was before.
    pub(crate) fn obstacle(
        &self,
        is_fleet: bool,
        max_outage: Duration,
        now: UnixMillis,
    ) -> Option<Obstacle> {
        let (obstacle, holds) = match self.standing {
            Standing::Replaced { since, held } => (Obstacle::Replaced, now < since + held),
            Standing::Ahead => (Obstacle::Later, true),
            Standing::OlderThanList(since) => {
                (Obstacle::Later, is_fleet && now < since + max_outage)
            }
            Standing::Unread(sealed_at) => {
                let newer = matches!(self.reason, Rejected::Version(_));
                let recent = sealed_at.is_within(DISTRIBUTION, now, SKEW);
                (Obstacle::Unread, (is_fleet || newer) && recent)
            }
            Standing::Dead | Standing::Worthless => return None,
        };
        holds.then_some(obstacle)
    }
}
