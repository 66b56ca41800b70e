//! Whether something may be written over a cookie that is no session. An [`Obstacle`] follows from its [`Standing`] on
//! one node at one time. Of several cookies the largest counts.

use std::time::Duration;

use crate::error::Rejected;
use crate::seal::{Refusal, Standing};
use crate::time::{SKEW, UnixMillis};

/// How far apart nodes may learn of a new key or release.
const DISTRIBUTION: Duration = Duration::from_secs(3600);

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
