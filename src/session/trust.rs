//! Whether this node can judge a session at all. Where it cannot, it answers 503 and the browser keeps its cookie.
//!
//! A session cannot be judged, or written, where
//!
//! 1. the list is older than `max_staleness`: it may lack what others revoked;
//! 2. the list may lack what the store has lost, the store has not settled, and the session began before this node
//!    met that server;
//! 3. the session is older than the list, and the store has not settled: another node may still attest that the
//!    list is complete since an earlier time;
//! 4. the clock stands before the time at which the list last forgot something, which may still be needed.
//!
//! Reasons 1 and 2 do not count where the application accepts sessions under a stale list ([`WhenStale`]).

use crate::revoke::WhenStale;
use crate::seal::Refusal;
use crate::session::refusal::Obstacle;
use crate::session::service::Service;
use crate::time::UnixMillis;

impl Service {
    /// Whether nobody can say here whether a session counts that began at `began`.
    #[inline]
    pub(crate) fn cannot_judge(
        &self,
        began: UnixMillis,
        is_older_than_list: bool,
        now: UnixMillis,
    ) -> bool {
        let trust = &self.policy.trust;
        self.node.list().has_forgotten(now)
            || (is_older_than_list && self.node.is_settling())
            || (self.policy.when_stale == WhenStale::Reject
                && !self.node.can_judge(began, trust.max_staleness))
    }

    /// Why nothing but a login may begin a session over a refused cookie on this node.
    pub(crate) fn obstacle(&self, refusal: &Refusal, now: UnixMillis) -> Option<Obstacle> {
        refusal.obstacle(self.node.is_shared(), self.policy.trust.max_outage, now)
    }
}
