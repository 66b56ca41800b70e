//! Ending a session, all of a user's, all others (`logout_others`), or everyone's; also renewing one and starting over.

use std::sync::Arc;

use crate::ids::Generation;
use crate::record::Record;
use crate::revoke::{Published, Target};
use crate::session::Session;
use crate::session::error::{LogoutError, NotWritable};
use crate::session::observer::LogoutScope;
use crate::session::service::Service;
use crate::session::state::{Ending, RequestState};

/// # Ending
impl Session {
    /// Makes a new cookie for the same session, whose id stays, and lets the older ones die after a short grace,
    /// in which they only read. Call it when privileges change.
    ///
    /// If two requests renew one session at the same time, one wins and the other's response sets no
    /// cookie. Refused as [`remove`](Self::remove).
    pub fn renew(&self) {
        self.with(RequestState::renew);
    }

    /// Lets a new session begin over a cookie that is none here but may have a successor in this browser, or be
    /// good on another node or later ([`NotWritable::Replaced`], [`NotWritable::MayLiveElsewhere`],
    /// [`NotWritable::NotTried`]): for a page that has to store something before a login, such as the state
    /// of a single sign-on. The answer replaces what the browser holds by then. Does nothing where a write
    /// is possible anyway.
    ///
    /// # Errors
    /// [`NotWritable::EndedMeanwhile`], [`NotWritable::Superseded`] and [`NotWritable::AlreadyCommitted`] stay.
    pub fn start_over(&self) -> Result<(), NotWritable> {
        self.with(RequestState::start_over)
    }

    /// Ends the session: its cookie is removed, and dead on every node. Starts at the call; the
    /// response waits for it and becomes an error if other nodes may not know, or the cookie may be good on
    /// one (503), or if a login over this session has made another one, which lives on (409).
    pub fn purge(&self) {
        self.with(|state| state.purge(self.service()));
    }

    /// Ends the session: its cookie is removed, and dead on every node once this returns `Ok`. Whatever else
    /// the request carried of ours ends with it. Ending no session is success.
    ///
    /// # Errors
    /// [`LogoutError::Store`]: this node refuses the session and the browser loses the cookie, other
    /// nodes learn of it when the store takes it. [`LogoutError::Succeeded`] and [`LogoutError::MayLiveElsewhere`]:
    /// nothing was ended, and the browser keeps its cookie.
    pub async fn logout(&self) -> Result<(), LogoutError> {
        let service = self.service();
        let endings = self.with(|state| state.end(service, Ending::Logout))?;
        let mut result = Ok(());
        for ending in endings {
            match service.finish(ending).await {
                Ok(Published::Fresh | Published::Known | Published::Ended) => (),
                Ok(Published::Succeeded) => {
                    self.with(RequestState::was_succeeded);
                    result = Err(LogoutError::Succeeded);
                }
                Err(error) => result = result.and(Err(error.into())),
            }
        }
        result
    }

    /// Ends all sessions of the user who is logged in, this one included, on all devices.
    ///
    /// # Errors
    /// [`LogoutError::NotAuthenticated`] without a login; [`LogoutError::MayLiveElsewhere`] where the cookie may
    /// be one on another node. [`LogoutError::Store`]: this node ends them all and the browser loses the cookie,
    /// other nodes learn of it when the store takes it.
    pub async fn logout_all(&self) -> Result<(), LogoutError> {
        let (record, target, seen) = self.target()?;
        let service = self.service();
        let attempt = self.with(|state| {
            state.end_others(service);
            state.forget_logged_out();
            service.node.raise(target, seen, None)
        });
        let logout = service.observer.logout_by(&record, LogoutScope::All);
        let raised = attempt.await;
        logout.tell(&raised);
        Service::tidy(&self.shared.service, record.subject_key());
        Ok(raised?)
    }

    /// Ends all sessions of the user who is logged in, except this one, and every other cookie of this one: whoever
    /// copied it is logged out too. The response carries the new cookie, beside an error of the store as well.
    ///
    /// # Errors
    /// Nothing was ended: [`LogoutError::NotAuthenticated`] without a login, [`LogoutError::MayLiveElsewhere`]
    /// where the cookie may be one on another node, [`LogoutError::NotWritable`] where it only reads or the response
    /// was sent, [`LogoutError::TooManyRenewals`].
    ///
    /// [`LogoutError::Store`]: this node ended the others and this session lives on; other nodes learn of it when the
    /// store takes it. [`LogoutError::Ended`]: this session was ended with the others, because it had been ended before,
    /// or another request was first.
    pub async fn logout_others(&self) -> Result<(), LogoutError> {
        let (record, target, seen) = self.target()?;
        let service = self.service();
        let (replacing, raising) =
            self.with(|state| state.end_all_others(service, target, seen))?;
        let logout = service.observer.logout_by(&record, LogoutScope::Others);
        // The raise is awaited in any case: it has begun.
        let replaced = match replacing {
            Some(attempt) => attempt.await,
            None => Ok(Published::Fresh),
        };
        let raised = raising.await;
        // What fails of the two leaves somebody logged in elsewhere.
        let outcome = replaced.and_then(|replaced| raised.map(|_| replaced));
        logout.tell(&outcome);
        Service::tidy(&self.shared.service, record.subject_key());
        let is_first = outcome? == Published::Fresh;
        match self.with(|state| state.lives_on(service, is_first)) {
            true => Ok(()),
            false => Err(LogoutError::Ended),
        }
    }

    /// Ends all sessions of everyone, this one included. The application decides for whom.
    ///
    /// # Errors
    /// [`LogoutError::NotAuthenticated`] if this session was ended while the request ran: nothing else is ended then.
    /// [`LogoutError::Store`]: as [`logout`](Self::logout), for all of them.
    pub async fn logout_everyone(&self) -> Result<(), LogoutError> {
        let service = self.service();
        let (attempt, record) = self.with(|state| {
            if state.record().is_some() && !state.still_counts(service) {
                return Err(LogoutError::NotAuthenticated);
            }
            let record = state.record().cloned();
            let seen = record.as_ref().map(|record| record.everyone);
            let seen = seen.unwrap_or(Generation::NONE);
            state.forget_logged_out();
            Ok((service.node.raise(Target::Everyone, seen, None), record))
        })?;
        let id = record.as_ref().map(|record| record.id);
        let subject = record.as_ref().and_then(|record| record.subject());
        let logout = service.observer.logout(id, subject, LogoutScope::Everyone);
        let raised = attempt.await;
        logout.tell(&raised);
        Ok(raised?)
    }

    /// This session, the user whose sessions may be ended, and its generation. None for a session that was ended while
    /// its request ran.
    fn target(&self) -> Result<(Arc<Record>, Target, Generation), LogoutError> {
        let service = self.service();
        self.look(|state| {
            state.still_counts(service);
            let record = state.record();
            match record.and_then(|record| Some((record, record.login.as_ref()?))) {
                Some((record, login)) => {
                    let target = Target::Subject(login.key);
                    Ok((Arc::clone(record), target, login.generation))
                }
                None if state.may_live_elsewhere() => Err(LogoutError::MayLiveElsewhere),
                None => Err(LogoutError::NotAuthenticated),
            }
        })
    }
}
