//! What a login makes of what was before it.
//!
//! 1. The session from before is ended, and every other one whose cookie the request carried.
//! 2. Its entries are taken over if they are the same user's, or nobody's, and fit beside the login.
//! 3. What is taken over has passed through the keys of that session, and so has the new one then: entries, and the roles,
//!    groups and class of a repeated login. Whoever had one of the keys may have made them up.

use std::sync::Arc;

use crate::ids::{KeyId, Serial, SessionId};
use crate::record::{KeyTrail, Record};
use crate::revoke::Published;
use crate::revoke::node::Attempt;
use crate::session::before_login::{self, AnonymousEntries};
use crate::session::error::{LoginError, NotWritable, SessionInsertError};
use crate::session::observer::{LogoutScope, PendingLogout};
use crate::session::service::{Service, revocation};
use crate::session::state::RequestState;

/// A login that only has to be installed.
pub(super) struct Begun {
    pub(super) record: Arc<Record>,
    /// The ends of what the request carried.
    pub(super) endings: Vec<PredecessorEnd>,
    /// The session that counted until now, if a browser holds it.
    pub(super) live: Option<Arc<Record>>,
    pub(super) dropped: bool,
}

/// The end of a session from before the login.
pub(super) struct PredecessorEnd {
    pub(super) attempt: Attempt<Published>,
    /// Whether it counted until now: without its end there is no login.
    pub(super) counted: bool,
    /// Tells the observer, if nothing else does.
    pub(super) logout: Option<PendingLogout<'static>>,
}

/// Completes the new session and ends the old one, if a browser holds it. On an error everything is as before.
pub(super) fn prepare(
    record: Record,
    again: Option<SessionId>,
    state: &mut RequestState,
    service: &Service,
) -> Result<Begun, LoginError> {
    let before = state.before_login(service)?;
    let held = before.held;
    if again.is_some_and(|again| held.is_none_or(|held| held.id != again)) {
        return Err(LoginError::NotAuthenticated);
    }
    let is_own = |held: &Arc<Record>| held.subject_key() == record.subject_key();
    if before.is_cross_site && !held.is_none_or(is_own) {
        // Else a forged login form replaces a live session by a stranger's.
        return Err(NotWritable::CrossSite.into());
    }
    let record = match again {
        Some(_) => Record {
            keys: (before.predecessor.and_then(trail)).ok_or(LoginError::NotAuthenticated)?,
            ..record
        },
        None => record,
    };
    let (record, dropped) = inherit(record, before.predecessor, service)?;
    let now = service.now();
    let mut endings = Vec::new();
    let mut end = |old: &Record, serial, counted, logout| {
        let revocation = revocation(old, serial, now);
        if revocation.until() > now {
            service.unlist_record(old);
            endings.push(PredecessorEnd {
                attempt: service.node.revoke(revocation).there,
                counted,
                logout,
            });
        }
    };
    if let Some(old) = before.live {
        end(old, Serial::SUCCEEDED, true, None);
    }
    for old in &before.dead {
        // Somebody may have it still, such as the browser that it was copied from.
        let counts = service.rules(now).check_open(old, None, now).is_ok();
        let logout = counts.then(|| service.observer.logout_by(old, LogoutScope::This));
        // First, so that a second login, which finds it succeeded, does not take it for a double click.
        if old.login.is_none() {
            end(old, Serial::ENDED, false, None);
        }
        end(old, Serial::SUCCEEDED, false, logout);
    }
    Ok(Begun {
        record: Arc::new(record),
        endings,
        live: before.live.cloned(),
        dropped,
    })
}

/// The keys that what is taken over from a session has passed through. `None` if they are more than a trail can name.
fn trail((old, opened_with): (&Arc<Record>, Option<KeyId>)) -> Option<KeyTrail> {
    let mut keys = old.keys.clone();
    let fits = opened_with.is_none_or(|key| keys.add(key));
    fits.then_some(keys)
}

/// Gives the new session the entries of the old one, and its key trail, if that was the same user's or anonymous.
/// Tells whether they were dropped, because they did not fit.
fn inherit(
    record: Record,
    predecessor: Option<(&Arc<Record>, Option<KeyId>)>,
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
