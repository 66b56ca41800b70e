//! Forgetting what has expired.
//!
//! 1. The store first: where it does not believe its clock, nothing is forgotten here either.
//! 2. Where its clock and this node's disagree, neither forgets: one is wrong, and it may be the one that forgets.
//! 3. A node whose clock was set back behind its last sweep begins anew.

use std::time::Duration;

use crate::error::StoreError;
use crate::observe;
use crate::replicate::core::event::{Call, Reply, Ticket};
use crate::replicate::core::state::Core;
use crate::time::SKEW;

/// How often expired entries are looked for.
pub(super) const SWEEP: Duration = Duration::from_secs(60);

impl Core {
    pub(super) fn sweep(&mut self, ticket: Option<Ticket>) {
        let now = self.now.wall;
        if self.list.has_forgotten(now) {
            self.list.begin_anew(now);
        }
        if self.clocks_agree {
            return self.call(Call::Sweep(ticket));
        }
        let skew = SKEW.as_secs();
        let problem = format!(
            "this node's and the store's are more than {skew} s apart, and nothing is forgotten"
        );
        self.swept(ticket, Err(StoreError::Clock(problem)));
    }

    pub(super) fn swept(&mut self, ticket: Option<Ticket>, swept: Result<usize, StoreError>) {
        match swept {
            Ok(0) => observe::count(observe::EXPIRED, self.list.sweep(self.now.wall)),
            Ok(_) => return self.call(Call::Sweep(ticket)),
            Err(ref error) if ticket.is_none() => {
                tracing::warn!(%error, "the revocation store cannot be swept");
            }
            Err(_) => (),
        }
        if let Some(ticket) = ticket {
            self.reply(ticket, swept.map(|_| Reply::Done));
        }
    }
}
