//! What a login makes of what was before it.
//!
//! 1. The session from before is ended, and every other one whose cookie the request carried.
//! 2. Its entries are taken over if they are the same user's, or nobody's, and fit beside the login.
//! 3. What is taken over has passed through the keys of that session, and so has the new one then: entries, and the roles,
//!    groups and class of a repeated login. Whoever had one of the keys may have made them up.

use std::sync::Arc;

use super::{Dead, Edit, HeldSession, RequestState};
use crate::error::Rejected;
use crate::ids::{KeyId, Serial, SessionId, SubjectKey};
use crate::record::{KeyTrail, Record};
use crate::session::before_login::{self, AnonymousEntries};
use crate::session::error::{LoginError, NotWritable, SessionInsertError};
use crate::session::observer::LogoutScope;
use crate::session::service::{EndingSession, Service, revocation};

/// A login that only has to be installed.
pub(crate) struct Begun {
    pub(crate) record: Arc<Record>,
    pub(crate) endings: Vec<PredecessorEnd>,
    /// The session that counted until now, if a browser holds it.
    pub(crate) live: Option<Arc<Record>>,
    pub(crate) dropped: bool,
}

/// The end of a session that a login ends.
pub(crate) struct PredecessorEnd {
    pub(crate) ending: EndingSession,
    /// Whether it counted until now: without its end there is no login.
    pub(crate) counted: bool,
}

/// The session whose entries a login may take over, and the key that it was opened with.
type Predecessor<'s> = (&'s Arc<Record>, Option<KeyId>);

impl RequestState {
    /// The sessions of this subject that a login ends.
    pub(crate) fn carried_of(&self, subject: SubjectKey) -> Vec<SessionId> {
        let dead = self.dead().map(|dead| &dead.record);
        let carried = self.record().into_iter().chain(dead).chain(&self.others);
        let own = carried.filter(|record| record.subject_key() == Some(subject));
        own.map(|record| record.id).collect()
    }

    /// Completes the new session and ends the old one, if a browser holds it. On an error everything is as before.
    pub(crate) fn begin_login(
        &mut self,
        record: Record,
        again: Option<SessionId>,
        service: &Service,
    ) -> Result<Begun, LoginError> {
        if self.committed {
            return Err(NotWritable::AlreadyCommitted.into());
        }
        self.still_counts(service);
        let held = self.record();
        if again.is_some_and(|again| held.is_none_or(|held| held.id != again)) {
            return Err(LoginError::NotAuthenticated);
        }
        let is_own = |held: &Arc<Record>| held.subject_key() == record.subject_key();
        if self.is_cross_site && !held.is_none_or(is_own) {
            // Else a forged login form replaces a live session by a stranger's.
            return Err(NotWritable::CrossSite.into());
        }
        let predecessor = self.predecessor(service);
        let record = match again {
            Some(_) => Record {
                keys: (predecessor.and_then(trail)).ok_or(LoginError::NotAuthenticated)?,
                ..record
            },
            None => record,
        };
        let (record, dropped) = inherit(record, predecessor, service)?;
        Ok(Begun {
            record: Arc::new(record),
            endings: self.end_predecessors(service),
            live: self.presented().cloned(),
            dropped,
        })
    }

    /// A session that was ended while this request ran hands its entries on only to the second of two logins at once.
    fn predecessor(&self, service: &Service) -> Option<Predecessor<'_>> {
        let first_login = || {
            let dead = self.dead().filter(|dead| has_succeeded(dead))?;
            let rules = service.rules(service.now());
            rules.is_double_click(&dead.record).then_some(&dead.record)
        };
        let record = self.record().or_else(first_login)?;
        Some((record, self.key()))
    }

    /// Ends what the request carried: the session that the handlers hold, and others, which they did not see, but which may
    /// count.
    fn end_predecessors(&self, service: &Service) -> Vec<PredecessorEnd> {
        let now = service.now();
        let mut endings = Vec::new();
        let mut end = |old: &Record, serial, counted, logout| {
            let revocation = revocation(old, serial, now);
            if revocation.until() > now {
                service.unlist_record(old);
                let ending = service.ending(revocation, logout);
                endings.push(PredecessorEnd { ending, counted });
            }
        };
        if let Some(old) = self.presented() {
            end(old, Serial::SUCCEEDED, true, None);
        }
        // Where another login was first there is nothing to add.
        let dead = self.dead().filter(|dead| !has_succeeded(dead));
        for old in self.others.iter().chain(dead.map(|dead| &dead.record)) {
            // Somebody may have it still, such as the browser that it was copied from.
            // For the audit log alone, so its own key does not matter.
            let counts = service.rules(now).check_open(old, None, now).is_ok();
            let logout = counts.then(|| service.observer.logout_by(old, LogoutScope::This));
            // First, so that a second login, which finds it succeeded, does not take it for a double click.
            if old.login.is_none() {
                end(old, Serial::ENDED, false, None);
            }
            end(old, Serial::SUCCEEDED, false, logout);
        }
        endings
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

/// Whether a login over the session was first.
fn has_succeeded(dead: &Dead) -> bool {
    dead.reason == Rejected::Succeeded
}

/// The keys that what is taken over from a session has passed through. `None` if they are more than a trail can name.
fn trail((old, opened_with): Predecessor<'_>) -> Option<KeyTrail> {
    let mut keys = old.keys.clone();
    let fits = opened_with.is_none_or(|key| keys.add(key));
    fits.then_some(keys)
}

/// Gives the new session the entries of the old one, and its key trail, if that was the same user's or anonymous.
/// Tells whether they were dropped, because they did not fit.
fn inherit(
    record: Record,
    predecessor: Option<Predecessor<'_>>,
    service: &Service,
) -> Result<(Record, bool), SessionInsertError> {
    let predecessor = predecessor.filter(|(old, _)| {
        let same = match &old.login {
            None => service.login.anonymous_entries == AnonymousEntries::Keep,
            Some(_) => old.subject() == record.subject(),
        };
        same && !old.entries.is_empty()
    });
    if let Some((old, opened_with)) = predecessor
        && let Some(keys) = trail((old, opened_with))
        && let Some(entries) = before_login::inherited(old, &record.entries)
    {
        let with_entries = Record {
            entries,
            keys,
            ..record.clone()
        };
        if service.room.admit(with_entries.longest_len()).is_ok() {
            return Ok((with_entries, false));
        }
    }
    service.room.admit(record.longest_len())?;
    Ok((record, predecessor.is_some()))
}
