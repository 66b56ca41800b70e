//! One request's session, behind the handle.
//!
//! Every rule about what may be written when is here. What the session is at any time is one of the
//! variants of [`Presence`]; no two fields have to agree. No code of the application runs in here: it would run
//! under a lock.
//!
//! A cookie that is no session is no obstacle: a handler may begin a new one over it. But for these, over which
//! only a login sets a cookie, and [`State::start_over`] where a page has to store something before:
//!
//! 1. The browser replaced the cookie, or gave it up, a moment ago. It holds or awaits a successor.
//! 2. The cookie may be a session elsewhere, or later.
//! 3. The request began with a live session that ended meanwhile. Nothing but a login gets over that, unless the
//!    request itself logged out.

use std::mem;
use std::sync::Arc;

use crate::error::Rejected;
use crate::ids::{KeyId, Serial};
use crate::record::{Entries, Record};
use crate::revoke::revoker::Attempt;
use crate::revoke::{Published, Raised};
use crate::session::begin;
use crate::session::error::{LogoutError, NotWritable, SessionInsertError};
use crate::session::refusal::Obstacle;
use crate::session::service::Service;
use crate::session::validity::{Freshness, Live};
use crate::time::UnixMillis;

/// What has happened to the session in this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SessionStatus {
    /// Entries were written: the cookie is sealed anew.
    Changed,
    /// The session was ended: its cookie is removed. After [`purge`](crate::Session::purge) later writes are
    /// ignored; after a logout they begin a new session, as a login does in both cases.
    Purged,
    /// The session was renewed or logged in: older cookies die.
    Renewed,
    /// Nothing happened: the browser keeps its cookie.
    #[default]
    Unchanged,
}

/// What the session is.
enum Presence {
    /// There is none.
    Absent {
        /// Why none may begin but by a login.
        obstacle: Option<Obstacle>,
        /// Whether the handler asked for one in spite of that.
        is_overridden: bool,
        /// An authentic one that does not count.
        dead: Option<Dead>,
    },
    /// The one that the request came with.
    Presented { held: Held, edit: Edit },
    /// One that no browser holds a live cookie of yet.
    Begun { record: Arc<Record>, cause: Cause },
    /// The application ended it, or ended none.
    Ended(Ending),
}

/// A live session of the browser's.
struct Held {
    record: Arc<Record>,
    /// The key that sealed it; none of a session that moved in from another library, which has no cookie of ours yet.
    key: Option<KeyId>,
    freshness: Freshness,
    last_use: UnixMillis,
    /// Which of the cookies that are read carried it.
    scope: usize,
}

/// An authentic session that does not count here. A logout ends it, for other nodes may not know yet, and a
/// login tells that it has a successor.
#[derive(Debug)]
pub(crate) struct Dead {
    pub(crate) record: Arc<Record>,
    /// The key that it was opened with; none of a session that moved in.
    pub(crate) key: Option<KeyId>,
    pub(crate) reason: Rejected,
}

/// What a request did to the session that it came with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edit {
    Clean,
    Changed,
    Renewed,
}

/// How a session came to be that no browser holds a live cookie of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// A write without a session.
    Write,
    /// A login.
    Login,
    /// All others of its user were ended, and with them its cookie, which this key had sealed, if it was one of ours.
    OthersEnded(Option<KeyId>),
}

/// What a response has to do for the session.
#[derive(Debug)]
pub(crate) enum Change {
    /// Nothing: the browser keeps what it has.
    Keep,
    /// Nothing was written, but the session was used, which the browser gets to know.
    Seen(Seen),
    /// Seal what was written.
    Write(Arc<Record>),
    /// Seal a session of another library that was only looked at.
    MoveIn(Arc<Record>),
    /// Seal it under a new serial, which ends its older cookies.
    Renew(Arc<Record>),
    /// Remove the cookie.
    Destroy,
}

/// A session that was looked at by the newest of its cookies.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) record: Arc<Record>,
    pub(crate) key: KeyId,
    pub(crate) scope: usize,
}

/// A session whose response is ready.
pub(crate) struct Closing {
    pub(crate) change: Change,
    /// The key that the record to be sealed was opened with.
    pub(crate) key: Option<KeyId>,
    pub(crate) looked: bool,
    pub(crate) refused: Option<NotWritable>,
    pub(crate) attempts: Vec<Attempt<Published>>,
}

pub(crate) struct State {
    presence: Presence,
    /// What else the request carried that is authentic: a logout ends it too, and so does a login.
    others: Vec<Arc<Record>>,
    /// Why there is no session, where the request carried a cookie for one.
    rejected: Option<Rejected>,
    /// Whether a renewal was asked for. Of a session that is new anyway it changes the status alone.
    renewed: bool,
    /// Whether the handler looked at the session, so that the response depends on it.
    looked: bool,
    committed: bool,
    /// A write that was refused by a method which cannot say so.
    refused: Option<NotWritable>,
    /// Revocations that were started and not waited for.
    attempts: Vec<Attempt<Published>>,
}

/// # Making one
impl State {
    /// No session, and why.
    pub(crate) fn absent(
        obstacle: Option<Obstacle>,
        dead: Option<Dead>,
        others: Vec<Arc<Record>>,
        rejected: Option<Rejected>,
    ) -> Self {
        Self {
            presence: Presence::Absent {
                obstacle,
                is_overridden: false,
                dead,
            },
            others,
            rejected,
            renewed: false,
            looked: false,
            committed: false,
            refused: None,
            attempts: Vec::new(),
        }
    }

    pub(crate) fn live(live: Live, scope: usize, others: Vec<Arc<Record>>) -> Self {
        let (freshness, last_use) = (live.freshness(), live.last_use());
        let opened = live.into_opened();
        let held = Held {
            key: Some(opened.key()),
            record: opened.into_record(),
            freshness,
            last_use,
            scope,
        };
        let edit = Edit::Clean;
        Self {
            presence: Presence::Presented { held, edit },
            ..Self::absent(None, None, others, None)
        }
    }

    /// A session that another library kept, used just now. Whoever looks at it gets a cookie of ours.
    #[cfg(feature = "migrate-actix-session")]
    pub(crate) fn moved_in(
        record: Arc<Record>,
        freshness: Freshness,
        last_use: UnixMillis,
    ) -> Self {
        let held = Held {
            record,
            key: None,
            freshness,
            last_use,
            scope: 0,
        };
        let edit = Edit::Clean;
        Self {
            presence: Presence::Presented { held, edit },
            ..Self::absent(None, None, Vec::new(), None)
        }
    }
}

/// # Looking
impl State {
    pub(crate) fn look(&mut self) {
        self.looked = true;
    }

    pub(crate) fn record(&self) -> Option<&Arc<Record>> {
        match &self.presence {
            Presence::Presented { held, .. } => Some(&held.record),
            Presence::Begun { record, .. } => Some(record),
            Presence::Absent { .. } | Presence::Ended(_) => None,
        }
    }

    /// Whether the request carried nothing that is, was or may be a session.
    #[cfg(feature = "migrate-actix-session")]
    pub(crate) fn is_vacant(&self) -> bool {
        // Under a key that is known to be dead there was one.
        let was_one = matches!(
            self.rejected,
            Some(Rejected::RevokedKey | Rejected::RetiredKey(_))
        );
        let vacant = matches!(
            &self.presence,
            Presence::Absent {
                obstacle: None,
                dead: None,
                ..
            }
        );
        vacant && !was_one
    }

    /// Adds what the request carries besides, so that it ends with the rest.
    #[cfg(feature = "migrate-actix-session")]
    pub(crate) fn carries(&mut self, record: Arc<Record>) {
        let own = match &self.presence {
            Presence::Absent { dead, .. } => dead.as_ref().map(|dead| &dead.record),
            _ => self.record(),
        };
        if own.is_none_or(|own| own.id != record.id) {
            self.others.push(record);
        }
    }

    fn record_mut(&mut self) -> Option<&mut Record> {
        let record = match &mut self.presence {
            Presence::Presented { held, .. } => &mut held.record,
            Presence::Begun { record, .. } => record,
            Presence::Absent { .. } | Presence::Ended(_) => return None,
        };
        // Mostly nobody else holds it, and it is not copied.
        Some(Arc::make_mut(record))
    }

    pub(crate) fn entries(&self) -> Option<&Entries> {
        self.record().map(|record| &record.entries)
    }

    /// Whether this node cannot tell what the browser holds, and another one may.
    pub(crate) fn may_live_elsewhere(&self) -> bool {
        let obstacle = match &self.presence {
            Presence::Absent { obstacle, .. } => *obstacle,
            _ => None,
        };
        matches!(
            obstacle,
            Some(Obstacle::Unread | Obstacle::Untried | Obstacle::Later)
        )
    }

    pub(crate) fn rejected(&self) -> Option<Rejected> {
        self.rejected
    }

    pub(crate) fn status(&self) -> SessionStatus {
        match &self.presence {
            Presence::Ended(_) => SessionStatus::Purged,
            _ if self.renewed => SessionStatus::Renewed,
            Presence::Absent { .. } => SessionStatus::Unchanged,
            Presence::Presented { edit, .. } => match edit {
                Edit::Clean => SessionStatus::Unchanged,
                Edit::Changed => SessionStatus::Changed,
                Edit::Renewed => SessionStatus::Renewed,
            },
            Presence::Begun { cause, .. } => match cause {
                Cause::Login => SessionStatus::Renewed,
                Cause::Write | Cause::OthersEnded(_) => SessionStatus::Changed,
            },
        }
    }

    /// Whether anything but a login or a logout may set a cookie.
    pub(crate) fn writable(&self) -> Result<(), NotWritable> {
        if self.committed {
            return Err(NotWritable::AlreadyCommitted);
        }
        match &self.presence {
            Presence::Absent {
                obstacle: Some(obstacle),
                is_overridden: false,
                ..
            } => Err((*obstacle).into()),
            Presence::Presented { held, .. } if held.freshness == Freshness::Superseded => {
                Err(NotWritable::Superseded)
            }
            _ => Ok(()),
        }
    }

    /// Whether there is a session and it still counts. One that was ended while its request ran has no
    /// say any more: it is dropped here, and the browser keeps what it may have received since.
    pub(crate) fn still_counts(&mut self, service: &Service) -> bool {
        match &self.presence {
            Presence::Presented { held, .. } => {
                let rules = service.rules(service.now());
                let checked = match rules.check(&held.record, held.last_use) {
                    Ok(()) if service.distrusts(&held.record, held.key) => {
                        Err(Rejected::RevokedKey)
                    }
                    checked => checked,
                };
                match checked {
                    Ok(()) => true,
                    Err(reason) => {
                        self.drop_dead(reason);
                        false
                    }
                }
            }
            Presence::Begun { .. } => true,
            Presence::Absent { .. } | Presence::Ended(_) => false,
        }
    }

    /// Drops a session that turned out to be ended. What is left of it can still be ended elsewhere.
    fn drop_dead(&mut self, reason: Rejected) {
        let dead = match &self.presence {
            Presence::Presented { held, .. } => Some(Dead {
                record: Arc::clone(&held.record),
                key: held.key,
                reason,
            }),
            Presence::Begun { .. } => None,
            Presence::Absent { .. } | Presence::Ended(_) => return,
        };
        self.presence = Presence::Absent {
            obstacle: Some(Obstacle::EndedMeanwhile),
            is_overridden: false,
            dead,
        };
        self.rejected = Some(reason);
    }
}

/// # Writing
impl State {
    /// Sets one entry. On an error everything is as before.
    pub(crate) fn insert(
        &mut self,
        service: &Service,
        key: &str,
        value: &[u8],
    ) -> Result<(), SessionInsertError> {
        if self.is_purged() {
            return Ok(());
        }
        self.writable()?;
        let mut began = match self.record() {
            Some(_) => None,
            None => Some(begin::anonymous(service)?),
        };
        let record = match &mut began {
            Some(record) => Some(Arc::make_mut(record)),
            None => self.record_mut(),
        };
        if let Some(record) = record {
            let after = record.entries.with(key, value);
            let before = mem::replace(&mut record.entries, after);
            if let Err(too_large) = service.room.admit(record.longest_len()) {
                record.entries = before;
                return Err(too_large.into());
            }
        }
        if let Some(record) = began {
            self.begin(record);
        }
        self.note(Edit::Changed);
        Ok(())
    }

    /// Begins a session by a write. A login or a logout still ends what the browser holds.
    fn begin(&mut self, record: Arc<Record>) {
        let cause = Cause::Write;
        let before = mem::replace(&mut self.presence, Presence::Begun { record, cause });
        if let Presence::Absent {
            dead: Some(dead), ..
        } = before
            && dead.reason != Rejected::Succeeded
        {
            self.others.push(dead.record);
        }
    }

    /// Changes the entries in a way that cannot fail but for the whole session's state.
    pub(crate) fn change<T: Default>(&mut self, change: impl FnOnce(&mut Entries) -> T) -> T {
        if self.is_purged() {
            return T::default();
        }
        if let Err(refused) = self.writable() {
            self.refuse(refused);
            return T::default();
        }
        let Some(record) = self.record_mut() else {
            return T::default();
        };
        let outcome = change(&mut record.entries);
        self.note(Edit::Changed);
        outcome
    }

    pub(crate) fn renew(&mut self) {
        if self.is_purged() {
            return;
        }
        match self.writable() {
            Ok(()) => {
                self.renewed = true;
                self.note(Edit::Renewed);
            }
            Err(refused) => self.refuse(refused),
        }
    }

    /// Lets a session begin over a cookie that may have a successor, or may be one elsewhere. Over one
    /// that ended while the request ran it does not.
    pub(crate) fn start_over(&mut self) -> Result<(), NotWritable> {
        if self.committed {
            return Err(NotWritable::AlreadyCommitted);
        }
        match &mut self.presence {
            Presence::Absent {
                obstacle,
                is_overridden,
                ..
            } => match obstacle {
                Some(Obstacle::EndedMeanwhile) => Err(NotWritable::EndedMeanwhile),
                _ => {
                    *is_overridden = true;
                    Ok(())
                }
            },
            _ => self.writable(),
        }
    }

    fn is_purged(&self) -> bool {
        matches!(self.presence, Presence::Ended(Ending::Purge))
    }

    /// A renewal outranks a change.
    fn note(&mut self, new: Edit) {
        if let Presence::Presented { edit, .. } = &mut self.presence
            && *edit != Edit::Renewed
        {
            *edit = new;
        }
    }

    fn refuse(&mut self, refused: NotWritable) {
        if refused == NotWritable::AlreadyCommitted {
            tracing::warn!(
                "a session was written after its response had been sent; the write is lost"
            );
        }
        self.refused.get_or_insert(refused);
    }
}

/// # Logging in
impl State {
    /// What a login is to know of what was here before. A session that was ended while this request ran
    /// hands nothing on, but to the second of two logins at once.
    pub(crate) fn before_login(&mut self, service: &Service) -> Result<Before<'_>, NotWritable> {
        if self.committed {
            return Err(NotWritable::AlreadyCommitted);
        }
        self.still_counts(service);
        let others = self.others.clone();
        Ok(match &self.presence {
            Presence::Presented { held, .. } => Before {
                heir: Some((&held.record, held.key)),
                live: Some(&held.record),
                dead: others,
            },
            Presence::Begun { record, cause } => Before {
                heir: Some((
                    record,
                    match cause {
                        Cause::OthersEnded(key) => *key,
                        Cause::Write | Cause::Login => None,
                    },
                )),
                live: None,
                dead: others,
            },
            Presence::Absent {
                dead: Some(dead), ..
            } => {
                let succeeded = dead.reason == Rejected::Succeeded;
                let rules = service.rules(service.now());
                let inherits = succeeded && rules.is_double_click(&dead.record);
                Before {
                    heir: inherits.then_some((&dead.record, dead.key)),
                    live: None,
                    // Where another login was first there is nothing to add.
                    dead: match succeeded {
                        true => others,
                        false => others
                            .into_iter()
                            .chain([Arc::clone(&dead.record)])
                            .collect(),
                    },
                }
            }
            Presence::Absent { dead: None, .. } | Presence::Ended(_) => Before {
                heir: None,
                live: None,
                dead: others,
            },
        })
    }

    /// Puts the new session in the place of the old one.
    pub(crate) fn install(&mut self, record: Arc<Record>) -> Result<(), NotWritable> {
        if self.committed {
            return Err(NotWritable::AlreadyCommitted);
        }
        let cause = Cause::Login;
        self.presence = Presence::Begun { record, cause };
        // They have ended with the login, and what was refused to the old session does not concern the new one.
        self.others.clear();
        self.refused = None;
        self.rejected = None;
        Ok(())
    }
}

/// What a login finds.
pub(crate) struct Before<'s> {
    /// The session whose entries it may take over, and the key that it was opened with.
    pub(crate) heir: Option<(&'s Arc<Record>, Option<KeyId>)>,
    /// The session that counted until now.
    pub(crate) live: Option<&'s Arc<Record>>,
    /// What else the request carried. None of it is the session that the browser shows, but it may count.
    pub(crate) dead: Vec<Arc<Record>>,
}

/// # Ending
impl State {
    /// Ends the session: this node refuses it from now on, the store is being told.
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
        let (record, keep) = match &self.presence {
            Presence::Presented { held, .. } => (Some(&held.record), None),
            Presence::Absent { obstacle, dead, .. } => {
                let dead = dead.as_ref();
                if dead.is_some_and(|dead| dead.reason == Rejected::Succeeded) {
                    return Err(LogoutError::Succeeded);
                }
                match obstacle {
                    Some(Obstacle::Unread | Obstacle::Untried) => {
                        return Err(LogoutError::MayLiveElsewhere);
                    }
                    Some(Obstacle::Replaced | Obstacle::EndedMeanwhile) => {
                        (dead.map(|dead| &dead.record), *obstacle)
                    }
                    Some(Obstacle::Later) | None => (dead.map(|dead| &dead.record), None),
                }
            }
            Presence::Begun { .. } | Presence::Ended(_) => (None, None),
        };
        let others = mem::take(&mut self.others);
        let attempts = record.into_iter().chain(&others).map(|record| {
            let revocation = begin::ended(record, service.now());
            service.revoker.revoke(revocation).there
        });
        let attempts = attempts.collect();
        self.presence = match keep {
            // The cookie stays, but what comes after this logout is its own affair.
            Some(obstacle) => Presence::Absent {
                obstacle: (obstacle == Obstacle::Replaced).then_some(obstacle),
                is_overridden: false,
                dead: None,
            },
            None => Presence::Ended(by),
        };
        self.refused = None;
        Ok(attempts)
    }

    /// Ends what else the request carried; the response waits for it.
    pub(crate) fn end_others(&mut self, service: &Service) {
        for record in mem::take(&mut self.others) {
            let revocation = begin::ended(&record, service.now());
            self.attempts.push(service.revoker.revoke(revocation).there);
        }
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
        self.presence = Presence::Absent {
            obstacle: Some(Obstacle::Replaced),
            is_overridden: false,
            dead: None,
        };
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
        // A server that this node has just met, or that has lost data, need not know that the session was
        // ended. One whose login was after the meeting was not. Of one that moved in nobody knows.
        let met = service.revoker.vigil().may_lag(&*service.clock);
        let login = self.record().and_then(|record| record.login.as_ref());
        if let (Some(met), Some(login)) = (met, login)
            && login.at <= met
        {
            return Err(LogoutError::Settling);
        }
        let rules = service.rules(service.now());
        if let Presence::Presented { held, .. } = &self.presence {
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
        // About a session from before it the store knows of no earlier raise.
        let vouched = rules.vouches(raised.born, record);
        let Some(login) = &mut record.login else {
            return false;
        };
        let was_alive = vouched && login.generation >= raised.previous;
        login.generation = raised.generation;
        let verdict = rules.check(record, service.now());
        match (was_alive, verdict) {
            (true, Ok(())) => {
                // The raise has ended every cookie that a browser holds, this one's too.
                if let Presence::Presented { held, .. } = &self.presence {
                    let cause = Cause::OthersEnded(held.key);
                    let record = Arc::clone(&held.record);
                    self.presence = Presence::Begun { record, cause };
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

/// How a session is ended by its own request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Later writes begin another one.
    Logout,
    /// Later writes are ignored, as actix-session does.
    Purge,
}

/// # The response
impl State {
    /// Says what the response has to do. From here on nothing can be written.
    ///
    /// `is_due` tells of a session that was only looked at, and when it was last used, whether the browser gets
    /// to know that it was used again.
    pub(crate) fn close(
        &mut self,
        service: &Service,
        is_due: impl FnOnce(&Record, UnixMillis) -> bool,
    ) -> Closing {
        let change = match self.refused {
            Some(_) => Change::Keep,
            None => self.outcome(is_due),
        };
        let key = match &self.presence {
            Presence::Presented { held, .. } => held.key,
            Presence::Begun {
                cause: Cause::OthersEnded(key),
                ..
            } => *key,
            _ => None,
        };
        self.committed = true;
        self.sent(&change, service);
        Closing {
            change,
            key,
            looked: self.looked,
            refused: self.refused,
            attempts: mem::take(&mut self.attempts),
        }
    }

    fn outcome(&self, is_due: impl FnOnce(&Record, UnixMillis) -> bool) -> Change {
        match &self.presence {
            Presence::Absent { .. } => Change::Keep,
            Presence::Presented { held, edit } => match edit {
                Edit::Clean if self.looked && held.freshness == Freshness::Newest => {
                    match held.key {
                        None => Change::MoveIn(Arc::clone(&held.record)),
                        Some(key) if is_due(&held.record, held.last_use) => Change::Seen(Seen {
                            record: Arc::clone(&held.record),
                            key,
                            scope: held.scope,
                        }),
                        Some(_) => Change::Keep,
                    }
                }
                Edit::Clean => Change::Keep,
                Edit::Changed => Change::Write(Arc::clone(&held.record)),
                Edit::Renewed => Change::Renew(Arc::clone(&held.record)),
            },
            Presence::Begun { record, cause } => match cause {
                // A new session that ended up empty is not worth a cookie.
                Cause::Write if record.entries.is_empty() => Change::Keep,
                Cause::Write | Cause::Login | Cause::OthersEnded(_) => {
                    Change::Write(Arc::clone(record))
                }
            },
            Presence::Ended(_) => Change::Destroy,
        }
    }

    /// What is sent now can be ended by a handler that is still streaming its body.
    fn sent(&mut self, change: &Change, service: &Service) {
        if let Presence::Begun { record, .. } = &self.presence
            && matches!(change, Change::Write(_))
            && let Some(key) = service.keys.load().sealing(service.now())
        {
            let held = Held {
                key: Some(key.id()),
                record: Arc::clone(record),
                freshness: Freshness::Newest,
                last_use: service.now(),
                scope: 0,
            };
            let edit = Edit::Clean;
            self.presence = Presence::Presented { held, edit };
        }
    }

    /// A renewal was sent: the browser's cookie carries this serial now.
    pub(crate) fn sent_renewal(&mut self, serial: Serial) {
        if let Some(record) = self.record_mut() {
            record.serial = serial;
        }
    }
}
