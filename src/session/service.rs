//! The rules that all sessions of one cookie share, without the cookie: how one begins, is judged and is ended, and for
//! how long its end is kept.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::client::{ClientBinding, ClientRules};
use crate::csrf::CsrfRules;
use crate::error::StoreError;
use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::keys::KeyRing;
use crate::random::{self, Random, RandomError};
use crate::record::{Entries, KeyTrail, LoginFacts, Record};
use crate::revoke::node::{Attempt, Node};
use crate::revoke::policy::{OlderSessions, Policies};
use crate::revoke::{Published, Revocation, SessionEntry};
use crate::seal::Binding;
use crate::session::before_login::{self, AnonymousEntries, LoginSettings};
use crate::session::devices::Devices;
use crate::session::observer::{LogoutScope, Observed, PendingLogout};
use crate::session::validity::Rules;
use crate::time::{Class, Clock, Lifetimes, SKEW, UnixMillis};
use crate::wire::chunks::{CookieRoom, TooLarge};

pub(crate) struct Service {
    pub(crate) node: Node,
    pub(crate) keys: ArcSwap<KeyRing>,
    pub(crate) binding: Binding,
    pub(crate) csrf: CsrfRules,
    pub(crate) client: ClientRules,
    pub(crate) room: CookieRoom,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) policy: Policies,
    pub(crate) login: LoginSettings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) observer: Observed,
    /// The index of sessions, where it is turned on.
    pub(crate) devices: Option<Devices>,
}

impl Service {
    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// The rules by which a session is judged at the time `now`.
    pub(crate) fn rules(&self, now: UnixMillis) -> Rules<'_> {
        Rules {
            list: self.node.list(),
            lifetimes: &self.lifetimes,
            ring: self.keys.load(),
            accept_older: self.policy.older_sessions == OlderSessions::Accept,
            room: self.room,
            client: None,
            now,
        }
    }

    /// The key by which the list knows `subject`.
    pub(crate) fn subject_key(&self, subject: &str) -> SubjectKey {
        self.binding.names.key(subject)
    }

    /// The key by which the list knows a group.
    pub(crate) fn group_key(&self, kind: &str, name: &str) -> SubjectKey {
        SubjectKey::group(&self.binding.names.audience, kind, name)
    }

    /// When a session that is made at `now` began: after everything whose sessions do not count. This node knows of
    /// both when it makes one, so the session did begin after them, whatever the clocks say.
    pub(crate) fn beginning(&self, now: UnixMillis, complete_since: UnixMillis) -> UnixMillis {
        let ordered = self.keys.load().everyone_before().unwrap_or_default();
        now.max(complete_since.max(ordered) + Duration::from_millis(1))
    }
}

/// # Beginning and ending sessions
impl Service {
    /// A session without entries that begins at `created`.
    pub(crate) fn begin(
        &self,
        id: SessionId,
        login: Option<LoginFacts>,
        class: Class,
        everyone: Generation,
        created: UnixMillis,
    ) -> Record {
        Record {
            id,
            serial: Serial::FIRST,
            login,
            everyone,
            created,
            refreshed: self.now(),
            expires: created + self.lifetimes.of(class).absolute,
            class,
            keys: KeyTrail::default(),
            entries: Entries::default(),
        }
    }

    /// The session of someone who has not logged in.
    pub(super) fn begin_anonymous(&self) -> Result<Arc<Record>, RandomError> {
        let list = self.node.list();
        // Also after those that are refused because their entries were dropped.
        let since = list.complete_since().max(list.anonymous().since());
        let created = self.beginning(self.now(), since);
        let id = self.fresh_id()?;
        let record = self.begin(id, None, Class::Standard, list.everyone(), created);
        Ok(Arc::new(record))
    }

    /// The session's entries with one more, if it then still fits into its cookies.
    pub(crate) fn with_entry(
        &self,
        record: &Record,
        key: &str,
        value: &[u8],
    ) -> Result<Entries, TooLarge> {
        let entries = before_login::unmarked(record.entries.with(key, value), key);
        let room_for_login = self.room_for_login(record.login.as_ref(), &entries);
        self.room
            .admit(record.longest_len_with(&entries) + room_for_login)?;
        Ok(entries)
    }

    /// What the next login will add besides itself. It is kept free, or that could not take over the entries of a session
    /// that is full.
    fn room_for_login(&self, login: Option<&LoginFacts>, entries: &Entries) -> usize {
        let marks = match self.login.anonymous_entries {
            AnonymousEntries::Keep if login.is_none() => before_login::room_for_marks(entries),
            AnonymousEntries::Keep | AnonymousEntries::Drop => 0,
        };
        let is_bound = login.is_some_and(|login| login.fingerprint.is_some());
        let will_be = self.client.binding != ClientBinding::Off && !is_bound;
        marks + if will_be { size_of::<[u8; 16]>() } else { 0 }
    }

    /// The id of a session that begins.
    pub(crate) fn fresh_id(&self) -> Result<SessionId, RandomError> {
        random::bytes(&*self.random).map(SessionId::from_bytes)
    }

    /// Ends a session on this node. The attempt tells the store.
    pub(super) fn end(&self, record: &Record) -> EndingSession {
        self.unlist_record(record);
        let logout = self.observer.logout_by(record, LogoutScope::This);
        self.ending(revocation(record, Serial::ENDED, self.now()), Some(logout))
    }

    /// The same by a revocation that is given; its row is left to the caller. `logout` tells the observer, if nothing else
    /// does.
    pub(crate) fn ending(
        &self,
        revocation: Revocation,
        logout: Option<PendingLogout<'static>>,
    ) -> EndingSession {
        let attempt = self.node.revoke(revocation).there;
        EndingSession { logout, attempt }
    }

    /// The end of a session of which nothing is known but that it began before now, on whichever node: that one's clock
    /// may be ahead of this one's by the skew.
    pub(crate) fn end_by_id(&self, id: SessionId) -> Revocation {
        // Its browser did not give it up, so awaits no successor.
        let entry = SessionEntry::ended(self.node.list().until(self.now() + SKEW));
        Revocation::Session { id, entry }
    }

    /// Waits until the store has the end of a session, and tells the observer.
    pub(crate) async fn finish(&self, ending: EndingSession) -> Result<Published, StoreError> {
        let result = ending.attempt.await;
        if let Some(logout) = ending.logout {
            logout.tell_end(&result);
        }
        result
    }
}

/// A session that this node refuses from now on.
#[must_use = "the handler has to learn whether other nodes know"]
pub(crate) struct EndingSession {
    logout: Option<PendingLogout<'static>>,
    /// Tells the store.
    attempt: Attempt<Published>,
}

/// The revocation after which only cookies from `serial` on count. Until `from` the one before still reads.
///
/// For an anonymous session it goes to the list of limited capacity. But [`Serial::SUCCEEDED`] goes to the main list:
/// the end by a login is kept for its whole time.
pub(crate) fn revocation(record: &Record, serial: Serial, from: UnixMillis) -> Revocation {
    let id = record.id;
    let entry = SessionEntry::new(serial, from, record.expires + SKEW);
    if record.login.is_none() && serial != Serial::SUCCEEDED {
        let created = record.created;
        Revocation::AnonymousSession { id, created, entry }
    } else {
        Revocation::Session { id, entry }
    }
}
