//! Logging in: a new session, and the end of the one before.
//!
//! In this order: the generations are read and a place is reserved, what was before is ended, the new session takes its
//! place, and its row is written.

use std::collections::BTreeSet;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;

use crate::client::{ClientDevice, ClientFingerprint, device};
use crate::ids::{SessionId, SubjectKey};
use crate::observe;
use crate::record::{
    Group, LONGEST_ROLE, LONGEST_SUBJECT, LoginFacts, MOST_GROUPS, MOST_ROLES, Record,
};
use crate::session::devices::Place;
use crate::session::error::{ConfirmError, LoginError, SessionInsertError};
use crate::session::observer::{LogoutScope, PendingLogout, SessionEvent};
use crate::session::service::Service;
use crate::session::state::PredecessorEnd;
use crate::session::{Session, value};
use crate::time::Class;

/// A login that happens when it is awaited; made by [`Session::authenticate`].
#[must_use = "nobody is logged in until this is awaited"]
pub struct Login {
    session: Session,
    subject: String,
    class: Class,
    /// The session that has to be alive still, if this is the same user's login once more.
    again: Option<SessionId>,
    roles: Vec<String>,
    groups: Vec<SubjectKey>,
    /// What the session is called in a list of devices, if not by its browser.
    label: Option<String>,
    /// Why there can be no login.
    refused: Option<LoginError>,
    /// Or why one of them is none.
    entries: Result<Vec<(String, Vec<u8>)>, SessionInsertError>,
}

/// # Beginning
impl Session {
    /// Logs `subject` in, when awaited: a new session with a new id. It keeps the entries of the same subject's session, or
    /// of an anonymous one, which it [marks](Self::is_from_before_login) or, by a setting, drops, and none of another's.
    /// The session from before is ended, so a cookie that someone else planted or copied is dead. A login that
    /// [comes back by a form](crate::operations#logins-that-come-back-by-a-form) of another site finds none.
    ///
    /// The subject is the application's name for the user, 1 to 255 bytes, which does not change: what
    /// [`logout_all`](Self::logout_all) ends is found by it. Check the password first.
    ///
    /// Once this returns `Ok` the login stands, also if the handler returns an error afterwards: what
    /// may still fail, such as a transaction, comes before it, or is followed by a
    /// [`logout`](Self::logout).
    ///
    /// # Errors
    /// See [`LoginError`]; nobody is logged in then.
    pub fn authenticate(&self, subject: impl Into<String>) -> Login {
        Login {
            session: self.clone(),
            subject: subject.into(),
            class: Class::Standard,
            again: None,
            roles: Vec::new(),
            groups: Vec::new(),
            label: None,
            refused: None,
            entries: Ok(Vec::new()),
        }
    }

    /// Logs the user in again who is logged in, when awaited, with the same roles, groups and lifetime class: for
    /// someone who has just shown once more who they are. A new session like that of any login: it has another
    /// id and a new absolute end, the cookie from before is dead at once, also for requests that run beside, and [`authenticated_within`](Self::authenticated_within) counts from now.
    ///
    /// Asks the store whether the session still counts, as [`confirm`](Self::confirm) does.
    ///
    /// # Errors
    /// [`LoginError::NotAuthenticated`] without a login, where the session was ended meanwhile, or where it has passed through
    /// as many keys as a session can name; else as [`authenticate`](Self::authenticate).
    pub fn reauthenticate(&self) -> Login {
        let current = self.record(|record| Some((record.id, record.class, record.login.clone()?)));
        let Some((id, class, login)) = current.flatten() else {
            return Login {
                refused: Some(LoginError::NotAuthenticated),
                ..self.authenticate(String::new())
            };
        };
        Login {
            class,
            again: Some(id),
            roles: login.roles,
            groups: login.groups.iter().map(|group| group.key).collect(),
            ..self.authenticate(login.subject)
        }
    }

    /// As [`authenticate`](Self::authenticate), with entries that the new session starts with. [`Login::entry`] adds
    /// entries of other types.
    pub fn authenticate_with<K: Into<String>, V: Serialize>(
        &self,
        subject: impl Into<String>,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Login {
        entries
            .into_iter()
            .fold(self.authenticate(subject), |login, (key, value)| {
                login.entry(key, value)
            })
    }
}

impl Login {
    /// Whether the session outlives the browser ("keep me logged in"). Default: it does not.
    pub fn remember(mut self, remember: bool) -> Self {
        self.class = match remember {
            true => Class::Remembered,
            false => Class::Standard,
        };
        self
    }

    /// What the user may do, for [`Session::has_role`]: up to 32 names of 1 to 64 bytes each, sealed in the cookie. Added
    /// to those given before, and with [`Session::reauthenticate`] to those of the session. A session keeps them for as
    /// long as it lives; to take one away end the user's sessions
    /// ([`Sessions::end_subject`](crate::Sessions::end_subject)).
    pub fn roles<R: Into<String>>(mut self, roles: impl IntoIterator<Item = R>) -> Self {
        self.roles.extend(roles.into_iter().map(Into::into));
        self
    }

    /// A group that the session belongs to: the one called `name` among those of a kind, such as `("org", "acme")`.
    /// [`Sessions::end_group`](crate::Sessions::end_group) ends all sessions of a group, whoever's they are. Up to 8,
    /// with kinds and names of 1 to 255 bytes; the cookie holds 24 bytes for each, and not its name.
    pub fn group(mut self, kind: impl Into<String>, name: impl Into<String>) -> Self {
        let (kind, name) = (kind.into(), name.into());
        match is_name(&kind) && is_name(&name) {
            true => self
                .groups
                .push(self.session.service().group_key(&kind, &name)),
            false => self.refused = self.refused.or(Some(LoginError::InvalidGroups)),
        }
        self
    }

    /// What the session is called in a list of its user's devices ([`Session::list_sessions`]), such as `"Kiosk 7"`. Default:
    /// what its browser says of itself, `"Firefox on Linux"`, with the client's address where
    /// [`DeviceSettings::address`](crate::settings::DeviceSettings::address) says so. To a label that is given here no address
    /// is added. Cut off after 95 bytes; control characters, and those that turn the direction of text, are dropped. Sealed
    /// before it is stored.
    ///
    /// It lives in the index alone, not in the cookie. A session whose row was lost comes back to the list with its next use,
    /// called by what the browser of that request says. [`Session::reauthenticate`] keeps the label.
    pub fn label(mut self, label: impl AsRef<str>) -> Self {
        self.label = device::label(label.as_ref());
        self
    }

    /// An entry that the new session starts with, over one of the same name from before.
    pub fn entry<T: Serialize>(mut self, key: impl Into<String>, entry: T) -> Self {
        let key = key.into();
        self.entries = self.entries.and_then(|mut entries| {
            let value = value::encoded(&key, &entry)?;
            entries.push((key, value));
            Ok(entries)
        });
        self
    }

    async fn run(self) -> Result<LoggedIn, LoginError> {
        let (session, subject) = (self.session, self.subject);
        if let Some(error) = self.refused {
            return Err(error);
        }
        if !is_name(&subject) {
            return Err(LoginError::InvalidSubject);
        }
        let roles: BTreeSet<_> = self.roles.into_iter().collect();
        let is_role = |role: &String| (1..=LONGEST_ROLE).contains(&role.len());
        if roles.len() > MOST_ROLES || !roles.iter().all(is_role) {
            return Err(LoginError::InvalidRoles);
        }
        let groups: BTreeSet<_> = self.groups.into_iter().collect();
        if groups.len() > MOST_GROUPS {
            return Err(LoginError::InvalidGroups);
        }
        let service = session.service();
        let added = self.entries?;
        let added = added.iter().map(|(key, value)| (&**key, &**value));
        let key = service.subject_key(&subject);
        let keys = std::iter::once(key).chain(groups.iter().copied()).collect();
        let id = service.fresh_id().map_err(SessionInsertError::from)?;
        let reading = service.node.backend().read(keys);
        // Meanwhile, if there is a limit.
        let replaced = || session.with(|state| state.carried_of(key));
        let place = service.reserve(key, id, replaced).await?;
        let reading = reading.await?;
        let mut label = self.label;
        if let Some(again) = self.again {
            if label.is_none() {
                // What the session was called, by the application or by its browser.
                label = service.label_of(key, again).await;
            }
            // Roles and groups are the old session's: if it was ended a moment ago they are not to live on under the
            // generations that ended it. What ends it later ends the new one too.
            session.confirm().await.map_err(|error| match error {
                ConfirmError::Ended => LoginError::NotAuthenticated,
                ConfirmError::Store(error) => error.into(),
            })?;
        }
        let at = service.beginning(reading.state.now, reading.state.complete_since);
        let mut generations = reading.subjects.into_iter();
        let generation = generations.next().unwrap_or_default();
        let groups = groups.into_iter().zip(generations);
        let login = LoginFacts {
            subject: subject.into(),
            key,
            generation,
            at,
            roles: roles.into_iter().collect(),
            groups: groups
                .map(|(key, generation)| Group { key, generation })
                .collect(),
            fingerprint: session.with(|state| state.client.map(ClientFingerprint::as_bytes)),
        };
        let record = Record {
            entries: added.collect(),
            ..service.begin(id, Some(login), self.class, reading.everyone, at)
        };
        // This node refuses the old session before anyone can hold the new one's cookie.
        let mut begun = session.with(|state| state.begin_login(record, self.again, service))?;
        begun
            .endings
            .extend(evictions(&place, &begun.record, service));
        // If the login comes to nothing this was a logout.
        let replaced = begun.live.map(|old| {
            let logout = service.observer.logout_by(&old, LogoutScope::This);
            (old, logout)
        });
        for PredecessorEnd { ending, counted } in begun.endings {
            if let Err(error) = service.finish(ending).await
                && counted
            {
                // Other nodes may still take the old cookie: nobody is logged in.
                session.with(|state| state.forget());
                let failed = Err(error);
                if let Some((_, logout)) = replaced {
                    logout.tell(&failed);
                }
                return Ok(failed?);
            }
        }
        if begun.dropped {
            let session = observe::tag(begun.record.id.as_bytes());
            tracing::warn!(%session, "a login dropped the entries from before it, which did not fit beside it");
        }
        // Not before: a login that is cancelled while it waits is none.
        let new = Arc::clone(&begun.record);
        let installed = session.with(|state| state.install(begun.record));
        if let Err(error) = installed {
            // The store has the end of the old one.
            if let Some((_, logout)) = replaced {
                logout.tell(&Ok(()));
            }
            return Err(error.into());
        }
        tell(&new, replaced, service);
        let device = session.with(|state| state.device.clone());
        let label = label.or_else(|| device.as_deref().and_then(ClientDevice::label));
        place.fill(&new, label).await;
        Ok(LoggedIn {
            entries_dropped: begun.dropped,
        })
    }
}

/// Ends the sessions that make room for the new one: without their end there is no login.
fn evictions(place: &Place<'_>, new: &Record, service: &Service) -> Vec<PredecessorEnd> {
    let scope = LogoutScope::Evicted { by: new.id };
    let observer = &service.observer;
    let end = |&session| {
        let logout = observer.logout(Some(session), new.subject(), scope);
        let ending = service.ending(service.end_by_id(session), Some(logout));
        PredecessorEnd {
            ending,
            counted: true,
        }
    };
    place.evicting.iter().map(end).collect()
}

/// Tells the observer of a login that stands, and of the session that it ended.
fn tell(new: &Record, old: Option<(Arc<Record>, PendingLogout<'_>)>, service: &Service) {
    let session = new.id;
    let replaced = old.as_ref().map(|(old, _)| old.id);
    if let Some((old, logout)) = old {
        logout.call_off();
        service.observer.tell(SessionEvent::Replaced {
            session: old.id,
            subject: old.subject(),
            by: session,
        });
    }
    service.observer.tell(SessionEvent::LoggedIn {
        session,
        subject: new.subject().unwrap_or_default(),
        replaced,
    });
}

/// Whether it can be the name of a subject, of a group, or of a kind of groups.
fn is_name(name: &str) -> bool {
    (1..=LONGEST_SUBJECT).contains(&name.len())
}

/// What a login did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedIn {
    /// Whether entries of the session from before were left behind because they did not fit beside the
    /// login, or because that session had passed through as many keys as one can. A login never fails over
    /// them. Not where the settings say that they are dropped.
    pub entries_dropped: bool,
}

// Shows neither the user nor the entries.
redacted!(Login: |it| class = it.class);

impl IntoFuture for Login {
    type Output = Result<LoggedIn, LoginError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
