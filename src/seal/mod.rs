//! Sealing and opening: the only place where the cipher is used.
//!
//! 1. [`open`] is the only maker of an [`Opened`]: whoever holds one knows that its record is
//!    authentic and plausible. It does not say that the session still counts.
//! 2. [`seal`] takes only what was [`Checked`] against the revocation list.
//! 3. The key id in the token picks one key. There is no trial of others.

mod binding;
mod cipher;
mod names;
mod open;
mod sealing;

pub(crate) use binding::Binding;
pub(crate) use open::{Opened, open};
pub(crate) use sealing::{Checked, SealError, seal};

use crate::error::Rejected;
use crate::time::UnixMillis;
use crate::wire::envelope::Minutes;

/// A cookie that is no session: why, and what that says about removing it from the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Rejected,
    pub(crate) standing: Standing,
}

/// What is known of a refused cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody's session, for all that can be told.
    Worthless,
    /// Perhaps a session to a node that knows a newer key or format; sealed at this minute.
    Foreign(Minutes),
    /// Authentic, and dead since this time.
    Dead(UnixMillis),
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

    pub(crate) fn foreign(reason: Rejected, sealed_at: Minutes) -> Self {
        Self {
            reason,
            standing: Standing::Foreign(sealed_at),
        }
    }

    pub(crate) fn dead(reason: Rejected, since: UnixMillis) -> Self {
        Self {
            reason,
            standing: Standing::Dead(since),
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
        matches!(
            self.standing,
            Standing::Dead(_) | Standing::Unvouched(_) | Standing::Ahead
        )
    }
}
