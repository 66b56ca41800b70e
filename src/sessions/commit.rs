//! From a session to Set-Cookie.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Rejected;
use crate::ids::KeyId;
use crate::record::Record;
use crate::revoke::Published;
use crate::seal::{self, activity};
use crate::session::begin::superseded;
use crate::session::refusal::Refusal;
use crate::session::state::{Change, Seen};
use crate::session::{NotWritable, Session};
use crate::sessions::engine::Engine;
use crate::sessions::outcome::{CommitError, Committed};
use crate::sessions::scope::{HeldCookies, Ticket, removals};
use crate::time::{Class, UnixMillis};

/// Where a record that is to be sealed came from.
#[derive(Clone, Copy)]
struct OpenedFrom<'t> {
    /// The key that it was opened with.
    key: Option<KeyId>,
    ticket: &'t Ticket,
}

impl Engine {
    /// Closes the session and renders its cookies. Called once, when the response's head is ready.
    pub(crate) async fn commit(&self, session: &Session, ticket: &Ticket) -> Committed {
        let now = self.service.now();
        let is_due =
            |record: &Record, last_use| self.is_due(record, now.since(last_use), ticket.is_asset);
        let closing = session.with(|state| state.close(&self.service, is_due));
        let mut outcome = Committed {
            looked: closing.looked,
            error: closing.refused.map(CommitError::from),
            cookies: Vec::new(),
        };
        let mut change = closing.change;
        for attempt in closing.attempts {
            match attempt.await {
                Ok(Published::Fresh | Published::Known | Published::Ended) => (),
                // Of a purge: what the browser holds by now is the successor's.
                Ok(Published::Succeeded) => {
                    outcome.error = Some(NotWritable::Replaced.into());
                    if matches!(change, Change::Destroy) {
                        change = Change::Keep;
                    }
                }
                Err(error) => outcome.error = Some(error.into()),
            }
        }
        let from = OpenedFrom {
            key: closing.key,
            ticket,
        };
        let written = match change {
            Change::Keep if closing.looked => Ok(self.useless(ticket)),
            Change::Keep => Ok(Vec::new()),
            Change::Destroy => Ok(self.removal(ticket)),
            Change::Seen(seen) => Ok(self.activity(&seen, now)),
            Change::Write(record) => self.write(record, from),
            // Nothing is lost if it cannot be: the old cookie stays.
            Change::MoveIn(record) => Ok(self.write(record, from).unwrap_or_default()),
            Change::Renew(record) => {
                let serial = record.serial.next();
                let (cookies, error) = self.renew(record, from).await;
                if let Some(serial) = serial.filter(|_| !cookies.is_empty()) {
                    session.with(|state| state.sent_renewal(serial));
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

    /// Whether the browser gets to know that a session was used again: at most every `refresh_after`, and beside
    /// a page not for all that it loads, unless the idle limit comes near.
    fn is_due(&self, record: &Record, unknown_for: Duration, is_asset: bool) -> bool {
        let lifetimes = &self.service.lifetimes;
        unknown_for >= lifetimes.refresh_after()
            && (!is_asset || unknown_for >= lifetimes.of(record.class).idle / 2)
    }

    /// The activity cookie of a session that still counts. It belongs to the cookie that the session came with.
    /// The use lasts until the response is ready: a long upload moves the idle limit too, and of two answers the
    /// later one tells the later time.
    fn activity(&self, seen: &Seen, now: UnixMillis) -> Vec<String> {
        let ring = self.service.keys.load();
        if self.is_untrusted(&seen.record, now)
            || self
                .service
                .rules_with(&ring, now)
                .clear(&seen.record)
                .is_err()
        {
            return Vec::new();
        }
        let scope = match seen.scope.checked_sub(1) {
            None => Some(&self.current),
            Some(earlier) => self.earlier.get(earlier),
        };
        let text = scope
            .zip(ring.key(&seen.key, now))
            .and_then(|(scope, key)| {
                let value = activity::write(key, &scope.binding, &seen.record.id, now)?;
                let max_age = self.max_age(&seen.record, now);
                Some(scope.template.render_activity(&value, max_age))
            });
        Vec::from_iter(text)
    }

    /// Makes `record` the newest of its session, and its cookie.
    async fn renew(
        &self,
        mut record: Arc<Record>,
        from: OpenedFrom<'_>,
    ) -> (Vec<String>, Option<CommitError>) {
        let Some(next) = record.serial.next() else {
            return (Vec::new(), Some(CommitError::TooManyRenewals));
        };
        let now = self.service.now();
        Arc::make_mut(&mut record).refreshed = now;
        if self.is_untrusted(&record, now) {
            return (Vec::new(), Some(self.stale()));
        }
        // After another renewal the browser gets that one's cookie.
        let ended = |refusal: &Refusal| {
            (refusal.reason != Rejected::Superseded).then_some(CommitError::Ended)
        };
        if let Err(refusal) = self.service.rules(now).clear(&record) {
            return (Vec::new(), ended(&refusal));
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
        let revoking = self.service.node.revoke(revocation);
        match revoking.here {
            Published::Fresh => (),
            Published::Ended => return (Vec::new(), Some(CommitError::Ended)),
            // Another renewal was first, or an end: the browser gets, or has got, that one's answer.
            _ => return (Vec::new(), None),
        }
        let there = revoking.there.await;
        let now = self.service.now();
        if let Err(refusal) = self.service.rules(now).clear(&record) {
            return (Vec::new(), ended(&refusal));
        }
        match there {
            Ok(Published::Fresh) => (cookies, None),
            Ok(Published::Known) => (Vec::new(), None),
            Ok(Published::Succeeded | Published::Ended) => (Vec::new(), Some(CommitError::Ended)),
            // This node takes only the new cookie from now on, so the browser has to get it.
            Err(error) => (cookies, Some(error.into())),
        }
    }

    /// The cookies of a session that was written to.
    fn write(&self, record: Arc<Record>, from: OpenedFrom<'_>) -> Result<Vec<String>, CommitError> {
        let now = self.service.now();
        if self.is_untrusted(&record, now) {
            return Err(self.stale());
        }
        self.seal(record, from, now)
    }

    fn stale(&self) -> CommitError {
        self.log.unavailable(self.staleness());
        CommitError::Stale
    }

    /// Checks the session again, seals it and renders its cookies.
    fn seal(
        &self,
        mut record: Arc<Record>,
        from: OpenedFrom<'_>,
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
                return Err(CommitError::Ended);
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
        let max_age = self.max_age(record, now);
        let template = &self.current.template;
        let values = (0..).zip(&values);
        let mut cookies: Vec<_> = values
            .map(|(index, value)| template.render(index, value, max_age))
            .collect();
        let written = cookies.len();
        let held = ticket.current;
        let orphans = held.indexes.iter();
        let orphans = orphans.filter(|index| usize::from(*index) >= written);
        cookies.extend(orphans.map(|index| template.removal(index)));
        // The session has moved here from wherever it was.
        let others = self.current.others.iter();
        cookies.extend(others.flat_map(|other| removals(other, held)));
        for (scope, held) in self.earlier.iter().zip(&ticket.earlier) {
            cookies.extend(scope.removals(*held));
        }
        cookies.extend(ticket.old.clone());
        cookies
    }

    /// Seconds until the absolute end, for the cookies of a session that outlives the browser.
    fn max_age(&self, record: &Record, now: UnixMillis) -> Option<u64> {
        let lifetimes = &self.service.lifetimes;
        let persistent = self.current.template.is_persistent();
        (record.class == Class::Remembered || persistent).then(|| {
            let end = lifetimes.end(record.class, record.created, record.expires);
            // Rounded up: the server ends it in time anyway.
            let seconds = end.since(now).as_millis().div_ceil(1000).max(1);
            u64::try_from(seconds).unwrap_or(u64::MAX)
        })
    }

    /// Removes whatever the browser holds of ours.
    fn removal(&self, ticket: &Ticket) -> Vec<String> {
        let mut cookies = self.removals_where(ticket, |_| true);
        cookies.extend(ticket.old.clone());
        cookies
    }

    /// Removes what cannot be a session.
    fn useless(&self, ticket: &Ticket) -> Vec<String> {
        self.removals_where(ticket, |held| held.worthless)
    }

    fn removals_where(&self, ticket: &Ticket, which: impl Fn(&HeldCookies) -> bool) -> Vec<String> {
        let scopes = std::iter::once(&self.current).chain(&self.earlier);
        let held = std::iter::once(&ticket.current).chain(&ticket.earlier);
        scopes
            .zip(held)
            .filter(|(_, held)| which(held))
            .flat_map(|(scope, held)| scope.removals(*held))
            .collect()
    }
}
