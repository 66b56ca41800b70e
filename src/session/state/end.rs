//! Ending the session.

use std::mem;

use super::{Absence, Ending, Presence, RequestState};
use crate::error::Rejected;
use crate::revoke::Published;
use crate::revoke::node::Attempt;
use crate::session::error::{LogoutError, NotWritable};
use crate::session::refusal::Obstacle;
use crate::session::service::Service;

impl RequestState {
    /// Ends the session: this node refuses it from now on, and the store is being told.
    ///
    /// A cookie that only another node may understand cannot be ended here.
    pub(crate) fn end(
        &mut self,
        service: &Service,
        by: Ending,
    ) -> Result<Vec<Attempt<Published>>, LogoutError> {
        // One that ended meanwhile has no cookie to remove: the browser may have its successor's. Telling
        // the store is harmless, and ends one that was only renewed.
        self.still_counts(service);
        let (record, obstacle) = match &self.presence {
            Presence::Present(held) if held.is_presented() => (Some(&held.record), None),
            Presence::Absent(Absence { obstacle, dead, .. }) => match (obstacle, dead) {
                (_, Some(dead)) if dead.reason == Rejected::Succeeded => {
                    return Err(LogoutError::Succeeded);
                }
                (Some(Obstacle::Unread | Obstacle::Untried), _) => {
                    return Err(LogoutError::MayLiveElsewhere);
                }
                (obstacle, dead) => (dead.as_ref().map(|dead| &dead.record), *obstacle),
            },
            Presence::Present(_) | Presence::Ended(_) => (None, None),
        };
        let others = mem::take(&mut self.others);
        let ended = record.into_iter().chain(&others);
        let attempts = ended.map(|record| service.end(record)).collect();
        self.presence = match obstacle {
            // The cookie stays, but what comes after this logout is its own affair.
            Some(Obstacle::Replaced) => Presence::absent(obstacle, None),
            Some(Obstacle::EndedMeanwhile) => Presence::absent(None, None),
            _ => Presence::Ended(by),
        };
        self.refused = None;
        Ok(attempts)
    }

    /// Ends the other sessions that the request carried; the response waits for it.
    pub(crate) fn end_others(&mut self, service: &Service) {
        let others = mem::take(&mut self.others);
        let attempts = others.iter().map(|record| service.end(record));
        self.attempts.extend(attempts);
    }

    /// Nothing is left of the session but the removal of its cookie. What was refused before does not
    /// matter any more.
    pub(crate) fn forget(&mut self) {
        self.presence = Presence::Ended(Ending::Logout);
        self.refused = None;
    }

    /// A login over the session had made another one, which this node did not know: its cookie must not be
    /// removed.
    pub(crate) fn was_succeeded(&mut self) {
        self.presence = Presence::absent(Some(Obstacle::Replaced), None);
        self.rejected = Some(Rejected::Succeeded);
    }

    /// `purge`, which cannot say that it failed.
    pub(crate) fn purge(&mut self, service: &Service) {
        match self.end(service, Ending::Purge) {
            Ok(attempts) => self.attempts.extend(attempts),
            Err(LogoutError::Succeeded) => self.refuse(NotWritable::Replaced),
            Err(_) => self.refuse(NotWritable::MayLiveElsewhere),
        }
    }
}
