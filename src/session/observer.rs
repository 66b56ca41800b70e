//! Telling an application what happens to its sessions, for an audit log.
//!
//! 1. The observer is told when something stands and not before: a login when the handler gets its `Ok`, a logout when
//!    the store has it, or the attempt to tell it has failed or is waited for no more.
//! 2. It is called outside of all locks, in the task of the request. So it may use sessions itself, and its time is the
//!    request's.
//! 3. It cannot fail a request. A panic in it is caught, and logged once.
//! 4. It is told what this node does. Nothing is made for it where there is none.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Rejected, StoreError};
use crate::ids::SessionId;
use crate::record::Record;
use crate::revoke::Published;

/// Is told of logins, logouts and refused cookies: for an audit log (OWASP ASVS 5.0, 16.3.1 and 16.3.3). Set by
/// [`SessionsBuilder::observer`](crate::SessionsBuilder::observer).
///
/// It is called in the task of a request, which waits for it: hand what takes time over to a channel. No lock is held.
/// A panic in it is caught and logged once; the request goes on.
///
/// A closure is one:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), sealed_session::ConfigError> {
/// use sealed_session::session::SessionEvent;
/// use sealed_session::store::Memory;
/// use sealed_session::{KeyRing, Sessions};
///
/// let (audit, lines) = std::sync::mpsc::channel();
/// let sessions = Sessions::builder("shop/test")
///     .keys(KeyRing::generate()?)
///     .store(Memory::new())
///     .observer(move |event: &SessionEvent<'_>| {
///         // Where nobody listens any more there is nobody to tell.
///         let _ = audit.send(format!("{event:?}"));
///     })
///     .start()
///     .await?;
/// sessions.end_subject("alice").await?;
/// assert!(lines.recv().unwrap().contains("alice"));
/// # Ok(()) }
/// ```
pub trait SessionObserver: Send + Sync + 'static {
    /// Something has happened.
    fn observe(&self, event: &SessionEvent<'_>);
}

impl<F: Fn(&SessionEvent<'_>) + Send + Sync + 'static> SessionObserver for F {
    fn observe(&self, event: &SessionEvent<'_>) {
        self(event);
    }
}

/// What happened to a session. Each node tells what it did itself: what another node, or the command line, ended shows
/// here when the session's cookie is refused. A request that carries no cookie of ours and does nothing to a session
/// makes no event.
///
/// A login that fails makes none, such as one that is refused as
/// [`TooManySessions`](crate::session::LoginError::TooManySessions); but the ends of sessions that it had ended by then are told.
///
/// The subject is the application's name for the user, in full; `None` of a session that nobody logged in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEvent<'e> {
    /// Somebody logged in, or did so again: the login stands. Its cookie goes out with the response.
    #[non_exhaustive]
    LoggedIn {
        /// The new session.
        session: SessionId,
        /// Who.
        subject: &'e str,
        /// The session of the same browser that it took the place of, if that counted until then. An event of its own
        /// came before.
        replaced: Option<SessionId>,
    },
    /// A login over the session made another one, and ended it.
    #[non_exhaustive]
    Replaced {
        /// The session that ended.
        session: SessionId,
        /// Whose it was.
        subject: Option<&'e str>,
        /// The session in its place.
        by: SessionId,
    },
    /// Sessions were ended. Of a single session that had been ended before nothing is told, where that is known; that
    /// several were ended is told each time. A login that fails after it ended the session before it is told as the
    /// logout of that one.
    #[non_exhaustive]
    LoggedOut {
        /// The session that was ended, or whose request ended others.
        session: Option<SessionId>,
        /// Whose they were, where that is known.
        subject: Option<&'e str>,
        /// Which were ended.
        scope: LogoutScope<'e>,
        /// Whether the application did it from outside of the session, by a method of [`Sessions`](crate::Sessions).
        by_application: bool,
        /// Whether other nodes know.
        outcome: LogoutOutcome<'e>,
    },
    /// A cookie of ours was refused: its request has no session, or another one. Told with each request that carries the
    /// cookie, which anyone can send: an audit log that is written to a disk needs a limit.
    #[non_exhaustive]
    Rejected {
        /// Why.
        reason: Rejected,
        /// The session, where the cookie is authentic.
        session: Option<SessionId>,
        /// Whose it was, where the cookie is authentic.
        subject: Option<&'e str>,
    },
    /// A session was renewed: its older cookies die. If another node turns out to have been first, its cookie goes out, and
    /// this one's does not.
    #[non_exhaustive]
    Renewed {
        /// The session.
        session: SessionId,
        /// Whose it is.
        subject: Option<&'e str>,
    },
}

/// Which sessions a logout ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutScope<'e> {
    /// This one.
    This,
    /// All of the subject's.
    All,
    /// All of the subject's but this one.
    Others,
    /// All of a group.
    Group {
        /// The kind of the group.
        kind: &'e str,
        /// Its name.
        name: &'e str,
    },
    /// Everyone's.
    Everyone,
    /// One that was not used for the longest time: a login beyond
    /// [`DeviceSettings::max_sessions`](crate::settings::DeviceSettings::max_sessions) took its place. Told before the
    /// [`LoggedIn`](SessionEvent::LoggedIn) of `by`, which does not come if that login fails after all. Without its label: whoever
    /// wants to tell it lists the user's sessions before the login.
    Evicted {
        /// The session that logged in.
        by: SessionId,
    },
}

/// Whether other nodes know of a logout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutOutcome<'e> {
    /// The store has it.
    Stored,
    /// This node refuses the sessions, and tells the store again. Others may not know yet.
    HereOnly(&'e StoreError),
    /// Its request was dropped while it waited for the store, by its client or a timeout. This node refuses the
    /// sessions, and goes on telling the store.
    Unknown,
}

/// The observer, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Observed(Option<Arc<Observing>>);

struct Observing {
    observer: Box<dyn SessionObserver>,
    has_panicked: AtomicBool,
}

impl Observed {
    pub(crate) fn by(observer: impl SessionObserver) -> Self {
        Self(Some(Arc::new(Observing {
            observer: Box::new(observer),
            has_panicked: AtomicBool::new(false),
        })))
    }

    /// Tells of an event. Not to be called under a lock.
    pub(crate) fn tell(&self, event: SessionEvent<'_>) {
        let Some(it) = &self.0 else {
            return;
        };
        // Whatever it left half done is its own: nothing of ours is lent to it.
        let told = catch_unwind(AssertUnwindSafe(|| it.observer.observe(&event)));
        if told.is_err() && !it.has_panicked.swap(true, Ordering::Relaxed) {
            tracing::error!("the session observer panicked; further panics of it are not reported");
        }
    }

    /// A logout that begins.
    pub(crate) fn logout<'e>(
        &self,
        session: Option<SessionId>,
        subject: Option<&str>,
        scope: LogoutScope<'e>,
    ) -> PendingLogout<'e> {
        PendingLogout {
            observer: self.clone(),
            session,
            // Copied where somebody is told.
            subject: subject.filter(|_| self.0.is_some()).map(str::to_owned),
            scope,
            by_application: false,
        }
    }

    /// The same, asked for by the request of this session.
    pub(crate) fn logout_by<'e>(
        &self,
        record: &Record,
        scope: LogoutScope<'e>,
    ) -> PendingLogout<'e> {
        self.logout(Some(record.id), record.subject(), scope)
    }

    /// Tells of a cookie that was refused, and of its session if it is authentic.
    pub(crate) fn tell_refusal(&self, reason: Rejected, record: Option<&Record>) {
        self.tell(SessionEvent::Rejected {
            reason,
            session: record.map(|record| record.id),
            subject: record.and_then(Record::subject),
        });
    }
}

/// A logout whose outcome is not known yet. It is told when that is, and also when nobody waits for it any more: who
/// hangs up does not stay out of an audit log.
#[must_use = "the observer is told when it is dropped"]
pub(crate) struct PendingLogout<'e> {
    observer: Observed,
    session: Option<SessionId>,
    subject: Option<String>,
    scope: LogoutScope<'e>,
    by_application: bool,
}

impl PendingLogout<'_> {
    pub(crate) fn by_application(mut self) -> Self {
        self.by_application = true;
        self
    }

    pub(crate) fn tell<T>(mut self, result: &Result<T, StoreError>) {
        self.tell_outcome(match result {
            Ok(_) => LogoutOutcome::Stored,
            Err(error) => LogoutOutcome::HereOnly(error),
        });
    }

    /// Tells of the end of a single session, unless it had been ended before.
    pub(crate) fn tell_end(self, result: &Result<Published, StoreError>) {
        match result {
            Ok(Published::Fresh) | Err(_) => self.tell(result),
            Ok(Published::Known | Published::Succeeded | Published::Ended) => self.call_off(),
        }
    }

    /// It is none after all.
    pub(crate) fn call_off(mut self) {
        self.observer = Observed::default();
    }

    /// Once: then nobody is left to tell.
    fn tell_outcome(&mut self, outcome: LogoutOutcome<'_>) {
        let observer = std::mem::take(&mut self.observer);
        observer.tell(SessionEvent::LoggedOut {
            session: self.session,
            subject: self.subject.as_deref(),
            scope: self.scope,
            by_application: self.by_application,
            outcome,
        });
    }
}

impl Drop for PendingLogout<'_> {
    fn drop(&mut self) {
        self.tell_outcome(LogoutOutcome::Unknown);
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observed").field(&self.0.is_some()).finish()
    }
}
