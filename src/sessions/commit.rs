//! From a session to Set-Cookie.
//!
//! 1. What the handler started is waited for before anything is sealed: a cookie goes out only when the store had its
//!    chance to say that the session ended.
//! 2. Nothing is sealed that was not judged just before, with the keys of that moment. What was ended meanwhile is
//!    dropped.
//! 3. A renewal is sealed before it is published: publishing ends the older cookies, so what can fail must fail while
//!    they are good.
//! 4. A renewal is judged three times. Before it is sealed: if a later renewal is known, this one sends nothing and is
//!    no error. When it is sealed (rule 2). After the store answered: a session that ended meanwhile gets no cookie.
//! 5. Of renewals at once the first one's cookie goes out, as this node's list and then the store see it. The others
//!    send none. If the store fails, the cookie goes out beside the error: this node takes no older one any more.
//! 6. An error of a write leaves the browser's cookies as they are. An error of the store goes out beside the cookies.

use std::mem;
use std::sync::Arc;

use crate::client::ClientDevice;
use crate::error::{Rejected, StoreError};
use crate::ids::KeyId;
use crate::record::Record;
use crate::revoke::Published;
use crate::seal::{self, Sealed, activity};
use crate::session::service::{EndingSession, revocation};
use crate::session::state::{Change, RequestState};
use crate::session::{NotWritable, Session, SessionEvent};
use crate::sessions::adapter::{CommitError, Committed, HeldCookies, Ticket};
use crate::sessions::engine::{Engine, removals};
use crate::time::{Class, UnixMillis};

impl Engine {
    /// Closes the session and renders its cookies. Called once, when the response's head is ready.
    pub(crate) async fn commit(&self, session: &Session, ticket: &Ticket) -> Committed {
        let mut now = self.service.now();
        let mut closing = session.with(|state| state.close(&self.service, ticket.is_asset, now));
        let mut error = closing.refused.map(CommitError::from);
        // What few requests wait for is boxed. Every request's future contains this one, and for more than 1,032 bytes
        // glibc's malloc takes its slow path. Boxing, and a reading of the clock less, took a quarter off what we add to a
        // request that reads; they were not measured apart.
        if !closing.endings.is_empty() {
            let endings = mem::take(&mut closing.endings);
            let finished = Box::pin(self.finish(endings, &mut closing.change)).await;
            error = finished.err().or(error);
            now = self.service.now();
        }
        let (key, device) = (closing.key, closing.device.as_deref());
        let written = match closing.change {
            Change::Keep => {
                // Only what cannot be a session, and only where somebody looked.
                let removals = self.removals(ticket, |held| closing.looked && held.worthless);
                Ok(removals.collect())
            }
            Change::Destroy => Ok(self.held(ticket).collect()),
            Change::Seen { record, key, scope } => {
                let activity = self.activity(&record, &key, scope, now);
                if activity.is_some() {
                    self.service.saw(&record, &key, device);
                }
                Ok(Vec::from_iter(activity))
            }
            Change::Write(record) => self.seal(record, key, ticket, device, now),
            // Nothing is lost if it cannot be: the old cookie stays.
            Change::MoveIn(record) => {
                let sealed = self.seal(record, key, ticket, device, now);
                Ok(sealed.unwrap_or_default())
            }
            Change::Renew(record) => {
                let renewed = Box::pin(self.renew(record, key, ticket, device, now)).await;
                renewed.map(|(cookies, problem)| {
                    if !cookies.is_empty() {
                        session.with(RequestState::sent_renewal);
                    }
                    error = error.take().or(problem.map(CommitError::from));
                    cookies
                })
            }
        };
        let cookies = written.unwrap_or_else(|problem| {
            error = Some(problem);
            Vec::new()
        });
        // Also where the answer begins another session, as a message about the logout does.
        let clears =
            closing.logged_out && !cookies.is_empty() && self.held(ticket).next().is_some();
        Committed {
            clear_site_data: clears
                .then(|| self.current.template.clear_site_data.clone())
                .flatten(),
            looked: closing.looked,
            cookies,
            error,
        }
    }

    /// Waits for the ends that the handler started. Of several errors the last counts. What was to be removed is kept where
    /// the browser holds a successor by now.
    async fn finish(
        &self,
        endings: Vec<EndingSession>,
        change: &mut Change,
    ) -> Result<(), CommitError> {
        let mut finished = Ok(());
        for ending in endings {
            match self.service.finish(ending).await {
                Ok(Published::Fresh | Published::Known | Published::Ended) => (),
                // Of a purge: what the browser holds by now is the successor's.
                Ok(Published::Succeeded) => {
                    finished = Err(NotWritable::Replaced.into());
                    if matches!(change, Change::Destroy) {
                        *change = Change::Keep;
                    }
                }
                Err(error) => finished = Err(error.into()),
            }
        }
        finished
    }

    /// The activity cookie of a session that still counts. It belongs to the cookie that the session came with.
    /// The use lasts until the response is ready: a long upload moves the idle limit too, and the later of two
    /// answers carries the later time.
    fn activity(
        &self,
        record: &Record,
        key: &KeyId,
        scope: usize,
        now: UnixMillis,
    ) -> Option<String> {
        let rules = self.service.rules(now);
        let counts = rules.clear(record, Some(*key)).is_ok();
        if !counts || self.service.cannot_judge(record.began(), false, now) {
            return None;
        }
        let scope = self.scopes().nth(scope)?;
        let key = rules.ring.key(key, now)?;
        let value = activity::write(key, &scope.binding, &record.id, now)?;
        let max_age = self.max_age(record, now);
        let name = scope.template.activity_name();
        Some(scope.template.render(&name, &value, max_age))
    }

    /// Makes `record` the newest of its session, and its cookie. No cookie where another renewal was first: the
    /// browser gets that one's. An error beside the cookie is the store's, which may not know.
    async fn renew(
        &self,
        mut record: Arc<Record>,
        key: Option<KeyId>,
        ticket: &Ticket,
        device: Option<&ClientDevice>,
        now: UnixMillis,
    ) -> Result<(Vec<String>, Option<StoreError>), CommitError> {
        let next = record.serial.next().ok_or(CommitError::TooManyRenewals)?;
        self.require_trust_to_write(&record, now)?;
        let counts = |record: &Record, now| match self.service.rules(now).clear(record, key) {
            Ok(_) => Ok(true),
            Err(refusal) if refusal.reason == Rejected::Superseded => Ok(false),
            Err(_) => Err(CommitError::Ended),
        };
        if !counts(&record, now)? {
            return Ok((Vec::new(), None));
        }
        let grace = self.service.lifetimes.renew_grace;
        let revocation = revocation(&record, next, now + grace);
        Arc::make_mut(&mut record).serial = next;
        // Once it is published the cookies from before are dead. So the new one is made first: what can
        // fail fails while the old one is good.
        let cookies = self.seal(Arc::clone(&record), key, ticket, device, now)?;
        let revoking = self.service.node.revoke(revocation);
        match revoking.here {
            Published::Fresh => (),
            Published::Ended => return Err(CommitError::Ended),
            // Another renewal was first, or an end: the browser gets, or has got, that one's answer.
            _ => return Ok((Vec::new(), None)),
        }
        // Now, for whoever hangs up would not be told of.
        self.service.observer.tell(SessionEvent::Renewed {
            session: record.id,
            subject: record.subject(),
        });
        let there = revoking.there.await;
        if !counts(&record, self.service.now())? {
            return Ok((Vec::new(), None));
        }
        let error = match there {
            Ok(Published::Fresh) => None,
            Ok(Published::Known) => return Ok((Vec::new(), None)),
            Ok(Published::Succeeded | Published::Ended) => return Err(CommitError::Ended),
            // This node takes only the new cookie from now on, so the browser has to get it.
            Err(error) => Some(error),
        };
        Ok((cookies, error))
    }

    /// Fails if this node cannot judge the session.
    fn require_trust_to_write(&self, record: &Record, now: UnixMillis) -> Result<(), CommitError> {
        if self.service.cannot_judge(record.began(), false, now) {
            let node = &self.service.node;
            self.log.unavailable(node.staleness(), node.is_settling());
            return Err(CommitError::Stale);
        }
        Ok(())
    }

    /// Checks the session again, seals it and renders its cookies. `opened` is the key that the record was opened with.
    fn seal(
        &self,
        mut record: Arc<Record>,
        opened: Option<KeyId>,
        ticket: &Ticket,
        device: Option<&ClientDevice>,
        now: UnixMillis,
    ) -> Result<Vec<String>, CommitError> {
        self.require_trust_to_write(&record, now)?;
        let rules = self.service.rules(now);
        let key = rules.ring.sealing(now).ok_or(CommitError::NoActiveKey)?;
        if let Some(opened) = opened
            && opened != key.id()
            && !Arc::make_mut(&mut record).keys.add(opened)
        {
            return Err(CommitError::TooManyKeys);
        }
        let checked = match rules.clear(&record, opened) {
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
        self.service.saw(&record, &key.id(), device);
        Ok(self.render(&record, &sealed, ticket, now))
    }

    fn render(
        &self,
        record: &Record,
        sealed: &Sealed,
        ticket: &Ticket,
        now: UnixMillis,
    ) -> Vec<String> {
        let max_age = self.max_age(record, now);
        let template = &self.current.template;
        let write = |text: &mut String| {
            sealed.write_text(text);
            self.current.tokens.announce(text.as_bytes());
        };
        let mut cookies = if sealed.chunks == 1 {
            vec![template.render_with(template.name(), sealed.text_len(), max_age, write)]
        } else {
            let mut text = String::with_capacity(sealed.text_len());
            write(&mut text);
            let values = self.service.room.split(&text, sealed.chunks);
            let rendered = (0..).zip(&values);
            rendered
                .map(|(index, value)| template.render(&template.chunk_name(index), value, max_age))
                .collect()
        };
        let held = ticket.current;
        let orphans = held.indexes.from(sealed.chunks).iter();
        cookies.extend(orphans.map(|index| template.removal(&template.chunk_name(index))));
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
        let persistent = self.current.template.settings.persistent;
        (record.class == Class::Remembered || persistent).then(|| {
            let end = lifetimes.end(record.class, record.created, record.expires);
            // Rounded up: the server ends it in time anyway.
            let seconds = end.since(now).as_millis().div_ceil(1000).max(1);
            u64::try_from(seconds).unwrap_or(u64::MAX)
        })
    }

    /// Removes all that the browser holds of ours, and of the library that we take over from.
    fn held(&self, ticket: &Ticket) -> impl Iterator<Item = String> {
        self.removals(ticket, |_| true).chain(ticket.old.clone())
    }

    /// Removes cookies that the browser holds of ours.
    fn removals(
        &self,
        ticket: &Ticket,
        which: impl Fn(&HeldCookies) -> bool,
    ) -> impl Iterator<Item = String> {
        let held = std::iter::once(&ticket.current).chain(&ticket.earlier);
        self.scopes()
            .zip(held)
            .filter(move |(_, held)| which(held))
            .flat_map(|(scope, held)| scope.removals(*held))
    }
}
