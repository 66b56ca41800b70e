//! Sealing and opening: the only place where the cipher is used.
//!
//! 1. [`open`] is the only maker of an [`Opened`]: whoever holds one knows that its record is
//!    authentic and plausible. It does not say that the session still counts.
//! 2. [`seal`] takes only what was [`Checked`] against the revocation list.
//! 3. The key id in the token picks one key. There is no trial of others.
//! 4. When a session was last used stands in a cookie of its own, which [`activity`] makes and reads.

pub(crate) mod activity;
mod binding;
mod cipher;
mod names;
mod open;
mod sealing;

pub(crate) use binding::Binding;
pub(crate) use open::{Opened, Refused, open};
pub(crate) use sealing::{Checked, SealError, seal};

use std::time::Duration;

use crate::error::Rejected;
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
    /// The same, because this browser replaced the cookie or gave it up at `since`: for the time `held` it
    /// holds or awaits a successor under the same name.
    Replaced { since: UnixMillis, held: Duration },
    /// Authentic, but older than the list that would have to vouch for it, which was born then.
    Unvouched(UnixMillis),
    /// Authentic, from a time that has not come: alive where the clock is right.
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

    /// Authentic, and from a time that has not come by this node's clock. The clock may be what is
    /// wrong, so the browser keeps it.
    pub(crate) fn ahead() -> Self {
        Self {
            reason: Rejected::Implausible,
            standing: Standing::Ahead,
        }
    }

    /// Whether finding out took a run of the cipher.
    pub(crate) fn cost_a_cipher_run(&self) -> bool {
        self.is_authentic() || matches!(self.reason, Rejected::NotAuthentic | Rejected::Implausible)
    }

    /// Whether the cookie is some session of ours: its tag verified, or its key was revoked and nobody can
    /// tell any more.
    pub(crate) fn is_authentic(&self) -> bool {
        !matches!(self.standing, Standing::Worthless | Standing::Unread(_))
    }
}
