//! Ending the session, and outliving the end of all others.

use std::mem;

use super::{Absence, Edit, Ending, Presence, RequestState};
use crate::error::Rejected;
use crate::revoke::node::Attempt;
use crate::revoke::policy::OlderSessions;
use crate::revoke::{Published, Raised};
use crate::session::error::{LogoutError, NotWritable};
use crate::session::refusal::Obstacle;
use crate::session::service::Service;
use crate::time::UnixMillis;

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

    /// Whether the session could stand alone: by its newest cookie, and sealed once more.
    pub(crate) fn may_outlive(&self, service: &Service) -> Result<(), LogoutError> {
        self.writable()?;
        // A server that this node has just met, or that has lost data, need not know that the session was ended. A
        // session whose login was after the meeting was not. Nobody knows of one that moved in.
        if let Some(record) = self.record()
            && let Some(login) = &record.login
        {
            let created = match service.policy.older_sessions {
                OlderSessions::Accept => UnixMillis::MAX,
                OlderSessions::Reject => record.created,
            };
            if !service.node.store_can_judge(created, login.at) {
                return Err(LogoutError::Settling);
            }
        }
        let rules = service.rules(service.now());
        if let Presence::Present(held) = &self.presence
            && held.is_presented()
        {
            // A renewal elsewhere would leave nobody: its cookie ends with the raise, and this one by it.
            if let Err(refusal) = rules.clear(&held.record) {
                return Err(match refusal.reason {
                    Rejected::Superseded => NotWritable::Superseded.into(),
                    _ => LogoutError::NotAuthenticated,
                });
            }
            if let Some(key) = held.key {
                let room = rules.room_to_seal(&held.record, key);
                room.map_err(LogoutError::CannotSeal)?;
            }
        }
        Ok(())
    }

    /// Moves the session to the generation that has just ended all others of its subject, if it was
    /// not itself ended before: by an earlier raise, or otherwise.
    pub(crate) fn outlive(&mut self, raised: &Raised, service: &Service) -> bool {
        let rules = service.rules(service.now());
        let Some(record) = self.record_mut() else {
            return false;
        };
        // The store cannot tell whether an earlier raise ended a session from before that.
        let covered = rules.covers(raised.state.complete_since, record);
        let Some(login) = &mut record.login else {
            return false;
        };
        let was_alive = covered && login.generation >= raised.previous;
        login.generation = raised.generation;
        let verdict = rules.check(record, service.now());
        match (was_alive, verdict) {
            (true, Ok(())) => {
                // The raise has ended every cookie that a browser holds, this one's too.
                if let Presence::Present(held) = &mut self.presence
                    && held.is_presented()
                {
                    held.edit = Edit::OthersEnded;
                }
                true
            }
            (_, verdict) => {
                self.drop_dead(verdict.err().unwrap_or(Rejected::SubjectEnded));
                false
            }
        }
    }
}
