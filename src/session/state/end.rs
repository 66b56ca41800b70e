//! What an end makes of the state: which cookies cannot be ended here, the others of the request, `logout_others`.

use std::mem;
use std::sync::Arc;

use super::{Absence, Edit, Ending, RequestState};
use crate::error::Rejected;
use crate::ids::Generation;
use crate::revoke::node::Attempt;
use crate::revoke::{Published, Target};
use crate::session::error::{LogoutError, NotWritable};
use crate::session::refusal::Obstacle;
use crate::session::service::{EndingSession, Service, revocation};

impl RequestState {
    /// Ends the session: this node refuses it from now on, and the store is being told.
    ///
    /// A cookie that only another node may understand cannot be ended here.
    pub(crate) fn end(
        &mut self,
        service: &Service,
        by: Ending,
    ) -> Result<Vec<EndingSession>, LogoutError> {
        // One that ended meanwhile has no cookie to remove: the browser may have its successor's. Telling
        // the store is harmless, and ends one that was only renewed.
        self.still_counts(service);
        let (dead, obstacle) = (self.dead(), self.obstacle());
        if dead.is_some_and(|dead| dead.reason == Rejected::Succeeded) {
            return Err(LogoutError::Succeeded);
        }
        if let Some(Obstacle::Unread | Obstacle::Untried) = obstacle {
            return Err(LogoutError::MayLiveElsewhere);
        }
        let dead = dead.map(|dead| &dead.record);
        let record = self.presented().or(dead).cloned();
        let ended = record.into_iter().chain(mem::take(&mut self.others));
        let endings = ended.map(|record| service.end(&record)).collect();
        self.presence = Err(match obstacle {
            // The cookie stays, but what comes after this logout is its own affair.
            Some(Obstacle::Replaced) => Absence::new(obstacle, None),
            Some(Obstacle::EndedMeanwhile) => Absence::default(),
            _ => {
                self.logged_out = true;
                Absence::ended(by)
            }
        });
        self.refused = None;
        Ok(endings)
    }

    /// Ends the other sessions that the request carried; the response waits for it.
    pub(crate) fn end_others(&mut self, service: &Service) {
        let others = mem::take(&mut self.others);
        let endings = others.iter().map(|record| service.end(record));
        self.endings.extend(endings);
    }

    /// Nothing is left of the session but the removal of its cookie. What was refused before does not
    /// matter any more.
    pub(crate) fn forget(&mut self) {
        self.presence = Err(Absence::ended(Ending::Logout));
        self.refused = None;
    }

    /// The same, for whoever asked for it.
    pub(crate) fn forget_logged_out(&mut self) {
        self.forget();
        self.logged_out = true;
    }

    /// A login over the session had made another one, which this node did not know: its cookie must not be
    /// removed.
    pub(crate) fn was_succeeded(&mut self) {
        self.presence = Err(Absence::new(Some(Obstacle::Replaced), None));
        self.rejected = Some(Rejected::Succeeded);
        self.logged_out = false;
    }

    /// `purge`, which cannot say that it failed.
    pub(crate) fn purge(&mut self, service: &Service) {
        match self.end(service, Ending::Purge) {
            Ok(endings) => self.endings.extend(endings),
            Err(LogoutError::Succeeded) => self.refuse(NotWritable::Replaced),
            Err(_) => self.refuse(NotWritable::MayLiveElsewhere),
        }
    }

    /// Ends all other cookies of the user: those of other sessions by a raise that spares this one, and those of this one
    /// by a serial that no renewal of theirs reaches. Both hold on this node at once; the session has to be sealed.
    pub(crate) fn end_all_others(
        &mut self,
        service: &Service,
        target: Target,
        seen: Generation,
    ) -> Result<(Option<Attempt<Published>>, Attempt<()>), LogoutError> {
        self.writable()?;
        let Ok(held) = &mut self.presence else {
            return Err(LogoutError::NotAuthenticated);
        };
        let id = held.record.id;
        let mut replacing = None;
        if held.is_presented() {
            let now = service.now();
            // Another request may have renewed it meanwhile: the browser gets that one's cookie.
            if let Err(refusal) = service.rules(now).clear(&held.record, held.key) {
                return Err(match refusal.reason {
                    Rejected::Superseded => NotWritable::Superseded.into(),
                    _ => LogoutError::NotAuthenticated,
                });
            }
            let serial = held.record.serial.leap();
            let serial = serial.ok_or(LogoutError::TooManyRenewals)?;
            let revoking = service.node.revoke(revocation(&held.record, serial, now));
            if revoking.here != Published::Fresh {
                return Err(NotWritable::Superseded.into());
            }
            Arc::make_mut(&mut held.record).serial = serial;
            held.edit = Edit::Replaced;
            replacing = Some(revoking.there);
        }
        Ok((replacing, service.node.raise(target, seen, Some(id))))
    }

    /// Whether the session is still alive once the store has ended the others. `is_first`: no other request had replaced
    /// its cookie, or ended it.
    pub(crate) fn lives_on(&mut self, service: &Service, is_first: bool) -> bool {
        let Some(record) = self.record() else {
            return false;
        };
        let now = service.now();
        let checked = match is_first {
            true => service.rules(now).check(record, self.key(), now),
            false => Err(Rejected::Superseded),
        };
        if let Err(reason) = checked {
            self.drop_dead(reason);
        }
        checked.is_ok()
    }
}
