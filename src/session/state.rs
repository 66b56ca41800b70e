//! One request's session, behind the handle.
//!
//! Every rule about what may be written when is here, in [`State::writable`] and the few methods
//! that change something. No code of the application runs in here: it would run under a lock.

use std::mem;
use std::sync::Arc;

use crate::error::RandomError;
use crate::id::{KeyId, Serial, SessionId};
use crate::lifetime::{Class, SKEW};
use crate::revoke::check::{Freshness, Live};
use crate::revoke::revoker::Attempt;
use crate::revoke::{Published, Raised, Revocation, SessionEntry};
use crate::session::error::{LogoutError, NotWritable, SessionInsertError};
use crate::session::service::Service;
use crate::time::UnixMillis;
use crate::wire::entries::Entries;
use crate::wire::record::{KeyTrail, Record};

/// What has happened to the session in this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SessionStatus {
    /// Entries were written: the cookie is sealed anew.
    Changed,
    /// The session was ended: its cookie is removed. Later writes are ignored, only a login starts anew.
    Purged,
    /// The session was renewed or logged in: older cookies die.
    Renewed,
    /// Nothing happened: the browser keeps its cookie.
    #[default]
    Unchanged,
}

/// What the request's cookies amounted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// No session.
    Nothing,
    /// No session, and a cookie that must not be overwritten.
    Held(Hold),
    /// A session.
    Cookie { key: KeyId, freshness: Freshness },
}

/// Why a cookie is kept although it is no session here. Of several the larger counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hold {
    /// Its session ended so recently that the browser may hold a successor.
    JustEnded,
    /// Another node may understand it, so a logout here does not end it.
    Foreign,
}

/// What a response has to do for the session. A record in it was last used now.
#[derive(Debug)]
pub(crate) enum Change {
    /// Nothing: the browser keeps what it has.
    Keep,
    /// Seal it again, although nothing was written.
    Refresh(Arc<Record>),
    /// Seal what was written.
    Write(Arc<Record>),
    /// Seal a session that began with a login in this request.
    Login(Arc<Record>),
    /// Seal it under a new serial, which ends its older cookies.
    Renew(Arc<Record>),
    /// Remove the cookie.
    Destroy,
}

/// A session whose response is ready.
pub(crate) struct Closing {
    pub(crate) change: Change,
    /// The key that the request's cookie was sealed with.
    pub(crate) key: Option<KeyId>,
    pub(crate) looked: bool,
    pub(crate) refused: Option<NotWritable>,
    pub(crate) attempts: Vec<Attempt<Published>>,
}

pub(crate) struct State {
    pub(crate) record: Option<Arc<Record>>,
    /// An authentic session that does not count on this node.
    remains: Option<Arc<Record>>,
    /// Whether a browser holds a cookie with the record's id.
    pub(crate) issued: bool,
    pub(crate) origin: Origin,
    pub(crate) status: SessionStatus,
    /// Whether the handler looked at the session, so that the response depends on it.
    pub(crate) looked: bool,
    pub(crate) committed: bool,
    /// A write that was refused by a method which can not say so.
    pub(crate) refused: Option<NotWritable>,
    /// Revocations that were started and not waited for.
    pub(crate) attempts: Vec<Attempt<Published>>,
}

impl State {
    pub(crate) fn new(origin: Origin, record: Option<Arc<Record>>) -> Self {
        Self {
            issued: record.is_some(),
            record,
            origin,
            status: SessionStatus::Unchanged,
            looked: false,
            committed: false,
            refused: None,
            attempts: Vec::new(),
            remains: None,
        }
    }

    /// No session, and perhaps what is left of one.
    pub(crate) fn without_session(origin: Origin, remains: Option<Arc<Record>>) -> Self {
        Self {
            remains,
            ..Self::new(origin, None)
        }
    }

    pub(crate) fn from_live(live: Live) -> Self {
        let freshness = live.freshness();
        let opened = live.into_opened();
        let key = opened.key();
        let origin = Origin::Cookie { key, freshness };
        Self::new(origin, Some(opened.into_record()))
    }

    /// Whether anything but a login or a logout may set a cookie.
    pub(crate) fn writable(&self) -> Result<(), NotWritable> {
        if self.committed {
            return Err(NotWritable::AlreadyCommitted);
        }
        match self.origin {
            // A login in this request has made a session of its own.
            _ if self.record.is_some() && !self.issued => Ok(()),
            Origin::Held(_) => Err(NotWritable::CookieHeld),
            Origin::Cookie {
                freshness: Freshness::Superseded,
                ..
            } => Err(NotWritable::Superseded),
            Origin::Cookie { .. } | Origin::Nothing => Ok(()),
        }
    }

    pub(crate) fn note(&mut self, status: SessionStatus) {
        // Purged is final, and Renewed outranks Changed.
        self.status = match (self.status, status) {
            (SessionStatus::Purged, _) => SessionStatus::Purged,
            (SessionStatus::Renewed, _) => SessionStatus::Renewed,
            (_, status) => status,
        };
    }

    pub(crate) fn entries(&self) -> Option<&Entries> {
        self.record.as_ref().map(|record| &record.entries)
    }

    /// Sets one entry. On an error everything is as before.
    pub(crate) fn insert(
        &mut self,
        service: &Service,
        key: &str,
        value: &[u8],
    ) -> Result<(), SessionInsertError> {
        if self.status == SessionStatus::Purged {
            return Ok(());
        }
        self.writable()?;
        let mut began = None;
        let record = match &mut self.record {
            Some(record) => record,
            None => began.insert(visitor(service)?),
        };
        let changed = Arc::make_mut(record);
        let after = changed.entries.with(key, value);
        let before = mem::replace(&mut changed.entries, after);
        if let Err(too_large) = service.room.admit(changed.encoded_len()) {
            changed.entries = before;
            return Err(too_large.into());
        }
        if began.is_some() {
            self.record = began;
        }
        self.note(SessionStatus::Changed);
        Ok(())
    }

    /// Changes the entries in a way that can not fail but for the whole session's state.
    pub(crate) fn change<T: Default>(&mut self, change: impl FnOnce(&mut Entries) -> T) -> T {
        if self.status == SessionStatus::Purged {
            return T::default();
        }
        if let Err(refused) = self.writable() {
            self.refuse(refused);
            return T::default();
        }
        let Some(record) = &mut self.record else {
            return T::default();
        };
        let outcome = change(&mut Arc::make_mut(record).entries);
        self.note(SessionStatus::Changed);
        outcome
    }

    pub(crate) fn renew(&mut self) {
        if self.status == SessionStatus::Purged {
            return;
        }
        match self.writable() {
            Ok(()) => self.note(SessionStatus::Renewed),
            Err(refused) => self.refuse(refused),
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

    /// Ends the session: this node refuses it from now on, the store is being told.
    ///
    /// A cookie that only another node may understand can not be ended here.
    pub(crate) fn end(
        &mut self,
        service: &Service,
    ) -> Result<Option<Attempt<Published>>, LogoutError> {
        if self.origin == Origin::Held(Hold::Foreign) && self.record.is_none() {
            return Err(NotWritable::CookieHeld.into());
        }
        let issued = self.record.clone().filter(|_| self.issued);
        // Also one that is ended here already: other nodes may not know, and a logout that is
        // acknowledged holds everywhere.
        let record = issued.or_else(|| self.remains.clone());
        // Of a session that ended meanwhile there is no cookie to remove: the browser may have its
        // successor's. Telling the store is harmless, and ends one that was only renewed.
        self.still_counts(service);
        let attempt = record.map(|record| {
            let revocation = ended(&record, service.now(), record.login.is_none());
            service.revoker.revoke(revocation).there
        });
        self.forget();
        Ok(attempt)
    }

    /// Says what the response has to do. From here on nothing can be written.
    pub(crate) fn close(&mut self, service: &Service, now: UnixMillis) -> Closing {
        let change = match self.refused {
            Some(_) => Change::Keep,
            None => self.outcome(service, now),
        };
        let key = match self.origin {
            Origin::Cookie { key, .. } => Some(key),
            _ => None,
        };
        self.committed = true;
        // What is sent now can be ended by a handler that is still streaming its body.
        self.issued |= !matches!(change, Change::Keep);
        Closing {
            change,
            key,
            looked: self.looked,
            refused: self.refused,
            attempts: mem::take(&mut self.attempts),
        }
    }

    fn outcome(&mut self, service: &Service, now: UnixMillis) -> Change {
        let Some(record) = &self.record else {
            return match (self.status, self.origin) {
                // What was held before must not be removed now either.
                (SessionStatus::Purged, Origin::Cookie { .. } | Origin::Nothing) => Change::Destroy,
                _ => Change::Keep,
            };
        };
        let change = match self.status {
            SessionStatus::Purged => return Change::Keep,
            SessionStatus::Renewed if self.issued => Change::Renew,
            SessionStatus::Renewed | SessionStatus::Changed
                if record.login.is_some() && !self.issued =>
            {
                Change::Login
            }
            SessionStatus::Renewed | SessionStatus::Changed if self.issued => Change::Write,
            // A new session that ended up empty is not worth a cookie.
            SessionStatus::Renewed | SessionStatus::Changed if record.entries.is_empty() => {
                return Change::Keep;
            }
            SessionStatus::Renewed | SessionStatus::Changed => Change::Write,
            SessionStatus::Unchanged if self.is_due(record, service, now) => Change::Refresh,
            SessionStatus::Unchanged => return Change::Keep,
        };
        self.record.as_mut().map_or(Change::Keep, |record| {
            // It is in use until here, however long its request took. Set in place: mostly it is sealed so, and
            // needs not be copied.
            Arc::make_mut(record).refreshed = now;
            change(Arc::clone(record))
        })
    }

    /// Whether an unchanged session is sealed again: its idle limit has to move, or its key is not the
    /// one that seals now.
    fn is_due(&self, record: &Record, service: &Service, now: UnixMillis) -> bool {
        let Origin::Cookie {
            key,
            freshness: Freshness::Newest,
        } = self.origin
        else {
            return false;
        };
        let old = now >= record.refreshed + service.lifetimes.refresh_after();
        old || service
            .keys
            .load()
            .sealing(now)
            .is_some_and(|sealing| sealing.id() != key)
    }

    /// Nothing is left of the session but the removal of its cookie. What was refused before does not
    /// matter any more.
    pub(crate) fn forget(&mut self) {
        self.record = None;
        self.issued = false;
        self.status = SessionStatus::Purged;
        self.refused = None;
    }

    /// Whether there is a session and it still counts. One that was ended while its request ran has no
    /// say any more: it is dropped here, and the browser keeps what it may have received since.
    pub(crate) fn still_counts(&mut self, service: &Service) -> bool {
        let counts = match &self.record {
            Some(record) => !self.issued || service.rules(service.now()).counts(record),
            None => false,
        };
        if !counts {
            self.drop_dead();
        }
        counts
    }

    /// A renewal was sent: the browser's cookie carries this serial now.
    pub(crate) fn renewed(&mut self, serial: Serial) {
        if let Some(record) = &mut self.record {
            Arc::make_mut(record).serial = serial;
        }
    }

    /// Drops a session that turned out to be ended. What is left of it can still be ended elsewhere.
    pub(crate) fn drop_dead(&mut self) {
        if let Some(record) = self.record.take() {
            if self.issued {
                self.remains = Some(record);
            }
            self.issued = false;
            self.origin = Origin::Held(Hold::JustEnded);
        }
    }

    /// Moves the session to the generation that has just ended all others of its subject, if it was
    /// not itself ended before: by an earlier raise, or otherwise.
    pub(crate) fn outlive(&mut self, raised: &Raised, service: &Service) -> bool {
        let outlives = self.record.as_mut().is_some_and(|record| {
            let rules = service.rules(service.now());
            // About a session from before it the store knows of no earlier raise; nor does a copy that has
            // not been given back what it lacks.
            let lags = service.revoker.vigil().just_met(&*service.clock);
            let vouched = rules.vouches(raised.born, record) && !lags;
            let Some(login) = &mut Arc::make_mut(record).login else {
                return false;
            };
            let was_alive = vouched && login.generation >= raised.previous;
            login.generation = raised.generation;
            was_alive && rules.counts(record)
        });
        if outlives {
            // The raise has ended every cookie that a browser holds, this one's too.
            self.issued = false;
            self.note(SessionStatus::Changed);
        } else {
            self.drop_dead();
        }
        outlives
    }
}

/// The revocation that ends a session. `visitor` puts it into the list of fixed capacity.
pub(crate) fn ended(record: &Record, now: UnixMillis, visitor: bool) -> Revocation {
    revocation(record, Serial::ENDED, now, visitor)
}

/// The revocation that makes `serial` the newest cookie of its session, from `from` on alone.
pub(crate) fn superseded(record: &Record, serial: Serial, from: UnixMillis) -> Revocation {
    revocation(record, serial, from, record.login.is_none())
}

fn revocation(record: &Record, serial: Serial, from: UnixMillis, visitor: bool) -> Revocation {
    let until = record.expires + SKEW;
    let entry = SessionEntry {
        serial,
        from,
        until,
    };
    let id = record.id;
    if visitor {
        Revocation::Visitor { id, entry }
    } else {
        Revocation::Session { id, entry }
    }
}

/// The session of someone who never logged in.
fn visitor(service: &Service) -> Result<Arc<Record>, RandomError> {
    let now = service.now();
    let list = service.revoker.list();
    let created = service.beginning(now, list.born());
    Ok(Arc::new(Record {
        id: SessionId::random(&*service.random)?,
        serial: Serial::FIRST,
        login: None,
        everyone: list.everyone(),
        created,
        refreshed: now,
        expires: created + service.lifetimes.standard.absolute,
        class: Class::Standard,
        keys: KeyTrail::default(),
        entries: Entries::default(),
    }))
}
