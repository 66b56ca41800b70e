//! A cookie that is no session: why, and what is known of it.
//!
//! 1. The reason is for logs and for the handler. Writing over the cookie, and removing it, is decided by its
//!    [`Standing`] alone.
//! 2. A [`Standing`] holds for one cookie everywhere and always.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Rejected;
use crate::ids::KeyId;
use crate::record::Record;
use crate::time::UnixMillis;
use crate::wire::envelope::Minutes;

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

    /// Perhaps a session to a node that knows another key or a newer format.
    pub(super) fn unread(reason: Rejected, sealed_at: Minutes) -> Self {
        Self {
            reason,
            standing: Standing::Unread(sealed_at),
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
