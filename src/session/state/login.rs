//! Which of the request's sessions a login takes over and ends, and putting the new one in place.

use std::sync::Arc;

use super::{Absence, Edit, HeldSession, RequestState};
use crate::error::Rejected;
use crate::ids::{KeyId, SessionId, SubjectKey};
use crate::record::Record;
use crate::session::error::NotWritable;
use crate::session::service::Service;

/// What a login finds.
pub(crate) struct Before<'s> {
    /// The session whose entries it may take over, and the key that it was opened with.
    pub(crate) predecessor: Option<(&'s Arc<Record>, Option<KeyId>)>,
    /// The session that the handlers hold, if it counts.
    pub(crate) held: Option<&'s Arc<Record>>,
    /// The same, if a browser has a cookie of it.
    pub(crate) live: Option<&'s Arc<Record>>,
    /// The other sessions that the request carried. None is the one that the handlers saw, but they may count.
    pub(crate) dead: Vec<Arc<Record>>,
    /// Whether another site sent the request.
    pub(crate) is_cross_site: bool,
}

impl RequestState {
    /// The sessions of this subject that a login ends.
    pub(crate) fn carried_of(&self, subject: SubjectKey) -> Vec<SessionId> {
        let dead = self.dead().map(|dead| &dead.record);
        let carried = self.record().into_iter().chain(dead).chain(&self.others);
        let own = carried.filter(|record| record.subject_key() == Some(subject));
        own.map(|record| record.id).collect()
    }

    /// The sessions from before a login. One that was ended while this request ran hands its entries on only to the
    /// second of two logins at once.
    pub(crate) fn before_login(&mut self, service: &Service) -> Result<Before<'_>, NotWritable> {
        if self.committed {
            return Err(NotWritable::AlreadyCommitted);
        }
        self.still_counts(service);
        let (mut held, mut live) = (None, None);
        let mut dead = self.others.clone();
        let predecessor = match &self.presence {
            Ok(present) => {
                held = Some(&present.record);
                live = held.filter(|_| present.is_presented());
                held
            }
            Err(Absence {
                dead: Some(old), ..
            }) => {
                let succeeded = old.reason == Rejected::Succeeded;
                // Where another login was first there is nothing to add.
                if !succeeded {
                    dead.push(Arc::clone(&old.record));
                }
                let rules = service.rules(service.now());
                (succeeded && rules.is_double_click(&old.record)).then_some(&old.record)
            }
            Err(_) => None,
        };
        Ok(Before {
            predecessor: predecessor.map(|record| (record, self.key())),
            held,
            live,
            dead,
            is_cross_site: self.is_cross_site,
        })
    }

    /// Puts the new session in the place of the old one.
    pub(crate) fn install(&mut self, record: Arc<Record>) -> Result<(), NotWritable> {
        if self.committed {
            return Err(NotWritable::AlreadyCommitted);
        }
        let is_anothers =
            |old: &Record| old.login.is_some() && old.subject_key() != record.subject_key();
        if self.record().is_none_or(|old| is_anothers(old)) {
            self.shown.clear();
        }
        self.presence = Ok(HeldSession::new(record, Edit::Replaced));
        // They have ended with the login, and what was refused to the old session does not concern the new one.
        self.others.clear();
        self.refused = None;
        self.rejected = None;
        Ok(())
    }
}
