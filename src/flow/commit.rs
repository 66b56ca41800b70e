//! From a session to Set-Cookie.

use std::fmt;
use std::sync::Arc;

use crate::error::{RandomError, Rejected, StoreError};
use crate::flow::load::Ticket;
use crate::flow::{Engine, WhenStale};
use crate::id::KeyId;
use crate::lifetime::Class;
use crate::revoke::Published;
use crate::seal::{self, SealError};
use crate::session::state::{Change, superseded};
use crate::session::{NotWritable, Session, TooLarge};
use crate::time::UnixMillis;
use crate::wire::record::Record;

/// What a response gets.
#[must_use = "the browser must get these cookies: older ones may be dead already"]
#[non_exhaustive]
pub struct Outcome {
    /// Values of Set-Cookie headers. With any of them goes `Cache-Control: no-store`.
    pub cookies: Vec<String>,
    /// Whether the response depends on the session: it then varies by cookie, and is private unless the
    /// handler said otherwise.
    pub looked: bool,
    /// What the response has to be instead. The cookies go out all the same.
    pub error: Option<CommitError>,
}

/// Tells how many cookies there are and not what they are: each is a live session.
impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("cookies", &self.cookies.len())
            .field("looked", &self.looked)
            .field("error", &self.error)
            .finish()
    }
}

/// Why a response can not be what the handler made of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A write without an error of its own (`remove`, `clear`, `renew`, `purge`) was refused.
    #[error(transparent)]
    NotWritable(#[from] NotWritable),
    /// A revocation may not have reached the other nodes.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No key of the ring seals now.
    #[error("the session could not be sealed: no key is active")]
    NoActiveKey,
    /// The session passed through as many keys as a record can name, and a further one seals now.
    #[error("the session could not be sealed: it passed through too many keys")]
    TooManyKeys,
    /// The session was renewed as often as its serial can count.
    #[error("the session could not be sealed: it was renewed too often")]
    TooManyRenewals,
    /// The session does not fit into its cookies any more: a setting allows less than before.
    #[error("the session could not be sealed: {0}")]
    TooLarge(#[from] TooLarge),
    /// The operating system gave no random bytes.
    #[error("the session could not be sealed: {0}")]
    Random(#[from] RandomError),
    /// The cipher refused the record. Does not happen to what fits into cookies.
    #[error("the session could not be sealed: key {0} cannot seal")]
    Cipher(KeyId),
    /// All sessions of the subject, or of everyone, were ended while this one was being logged in.
    #[error("the session was ended while it was being logged in")]
    Ended,
    /// A login or logout on a node whose list can not be trusted at the moment.
    #[error("the revocation list can not be trusted at the moment")]
    Stale,
}

impl From<SealError> for CommitError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::TooLarge(error) => Self::TooLarge(error),
            SealError::Random(error) => Self::Random(error),
            SealError::Cipher(key) => Self::Cipher(key),
        }
    }
}

/// Where a record that is to be sealed came from.
#[derive(Clone, Copy)]
struct Source<'t> {
    /// The key that it was opened with.
    key: Option<KeyId>,
    ticket: &'t Ticket,
}

impl Engine {
    /// Closes the session and renders its cookies. Called once, when the response's head is ready.
    pub(crate) async fn commit(&self, session: &Session, ticket: &Ticket) -> Outcome {
        let now = self.service.now();
        let closing = session.with(|state| state.close(&self.service, now));
        let mut outcome = Outcome {
            looked: closing.looked,
            error: closing.refused.map(CommitError::from),
            cookies: Vec::new(),
        };
        for attempt in closing.attempts {
            if let Err(error) = attempt.await {
                outcome.error = Some(error.into());
            }
        }
        let from = Source {
            key: closing.key,
            ticket,
        };
        let written = match closing.change {
            Change::Keep if ticket.useless => Ok(self.removal(ticket)),
            Change::Keep => Ok(Vec::new()),
            Change::Destroy => Ok(self.removal(ticket)),
            // The browser's cookie is good as it is; a refresh that fails is tried again next time.
            Change::Refresh(record) => {
                let id = record.id;
                Ok(self.write(record, from).unwrap_or_else(|error| {
                    self.log.not_refreshed(&id, &error);
                    Vec::new()
                }))
            }
            Change::Write(record) => self.write(record, from),
            Change::Login(_) if self.is_untrusted(self.service.now()) => {
                self.log.unavailable(self.staleness());
                Err(CommitError::Stale)
            }
            Change::Login(record) => match self.write(record, from) {
                // Not in silence: whoever asked believes to be logged in.
                Ok(cookies) if cookies.is_empty() => Err(CommitError::Ended),
                written => written,
            },
            Change::Renew(record) => {
                let serial = record.serial.next();
                let (cookies, error) = self.renew(record, from).await;
                if let Some(serial) = serial.filter(|_| !cookies.is_empty()) {
                    session.with(|state| state.renewed(serial));
                }
                outcome.error = outcome.error.or(error);
                Ok(cookies)
            }
        };
        match written {
            Ok(cookies) => outcome.cookies = cookies,
            Err(error) => outcome.error = Some(error),
        }
        outcome
    }

    /// Makes `record` the newest of its session, and its cookie.
    async fn renew(
        &self,
        mut record: Arc<Record>,
        from: Source<'_>,
    ) -> (Vec<String>, Option<CommitError>) {
        let Some(next) = record.serial.next() else {
            return (Vec::new(), Some(CommitError::TooManyRenewals));
        };
        let now = self.service.now();
        Arc::make_mut(&mut record).refreshed = now;
        if self.is_untrusted(now) || self.service.rules(now).clear(&record).is_err() {
            return (Vec::new(), None);
        }
        let grace = self.service.lifetimes.renew_grace;
        let revocation = superseded(&record, next, now + grace);
        Arc::make_mut(&mut record).serial = next;
        // Once it is published the cookies from before are dead. So the new one is made first: what can
        // fail fails while the old one is good.
        let cookies = match self.seal(Arc::clone(&record), from, now) {
            Ok(cookies) => cookies,
            Err(error) => return (Vec::new(), Some(error)),
        };
        let revoking = self.service.revoker.revoke(revocation);
        if revoking.here != Published::Fresh {
            // Another renewal was first; the browser gets that one's cookie.
            return (Vec::new(), None);
        }
        let there = revoking.there.await;
        let now = self.service.now();
        let ended = self.service.rules(now).clear(&record).is_err();
        match there {
            _ if ended => (Vec::new(), None),
            Ok(Published::Fresh) => (cookies, None),
            Ok(Published::Known | Published::Succeeded) => (Vec::new(), None),
            // This node takes only the new cookie from now on, so the browser has to get it.
            Err(error) => (cookies, Some(error.into())),
        }
    }

    /// The cookies of a session that was written to; none while the list can not be trusted.
    fn write(&self, record: Arc<Record>, from: Source<'_>) -> Result<Vec<String>, CommitError> {
        let now = self.service.now();
        if self.is_untrusted(now) {
            return Ok(Vec::new());
        }
        self.seal(record, from, now)
    }

    /// Checks the session again, seals it and renders its cookies; none if it was ended meanwhile.
    fn seal(
        &self,
        mut record: Arc<Record>,
        from: Source<'_>,
        now: UnixMillis,
    ) -> Result<Vec<String>, CommitError> {
        let ring = self.service.keys.load();
        let key = ring.sealing(now).ok_or(CommitError::NoActiveKey)?;
        if let Some(opened) = from.key
            && opened != key.id()
            && !Arc::make_mut(&mut record).keys.add(opened)
        {
            return Err(CommitError::TooManyKeys);
        }
        // Something may have been waited for since the session was closed.
        if record.refreshed != now {
            Arc::make_mut(&mut record).refreshed = now;
        }
        let checked = match self.service.rules_with(&ring, now).clear(&record) {
            Ok(checked) => checked,
            Err(refusal) if refusal.reason == Rejected::Superseded => {
                return Err(NotWritable::Superseded.into());
            }
            Err(refusal) => {
                self.log.dropped(&record.id, &refusal.reason);
                return Ok(Vec::new());
            }
        };
        let sealed = seal::seal(
            &checked,
            key,
            &self.service.binding,
            self.service.room,
            now,
            &*self.service.random,
        )?;
        Ok(self.render(&record, sealed.values, from.ticket, now))
    }

    fn render(
        &self,
        record: &Record,
        values: Vec<String>,
        ticket: &Ticket,
        now: UnixMillis,
    ) -> Vec<String> {
        let lifetimes = &self.service.lifetimes;
        let outlives_browser = record.class == Class::Remembered || self.cookie.is_persistent();
        let max_age = outlives_browser.then(|| {
            let end = lifetimes.end(record.class, record.created, record.expires);
            end.since(now).as_secs().max(1)
        });
        let mut cookies: Vec<_> = (0..)
            .zip(&values)
            .map(|(index, value)| self.cookie.render(index, value, max_age))
            .collect();
        let written = values.len();
        let orphans = ticket
            .held
            .iter()
            .filter(|index| usize::from(*index) >= written);
        cookies.extend(orphans.map(|index| self.cookie.removal(index)));
        cookies
    }

    /// Removes whatever the browser holds of ours.
    fn removal(&self, ticket: &Ticket) -> Vec<String> {
        ticket
            .held
            .iter()
            .map(|index| self.cookie.removal(index))
            .collect()
    }

    fn is_untrusted(&self, now: UnixMillis) -> bool {
        self.policy.when_stale == WhenStale::Reject && self.is_stale(now)
    }
}
