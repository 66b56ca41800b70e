//! Taking over sessions that actix-session kept in a cookie.
//!
//! Such a cookie names no time and cannot be revoked by its library. So a session that is made of it is the
//! weakest that its content allows, and is judged as every other:
//!
//! 1. It becomes a session only where the request carries nothing of ours that is, was or may be one. Beside one
//!    it ends with that.
//! 2. It is under no generation: any that was raised since the list began has ended it, and so has an operator's
//!    order to end everyone.
//! 3. Its id follows from the old cookie, so its end is that of the old cookie and of every copy. Its record ends no
//!    earlier than the old cookie is read, so the list remembers the end for as long. Only for an anonymous signed
//!    cookie, which strangers may have too, the id is random.
//! 4. It costs no I/O, and a request that does not look at it sets no cookie.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Rejected;
use crate::ids::{Generation, SessionId};
use crate::migrate::{ActixSessionCookie, OldEntries, OldSession};
use crate::record::{LONGEST_SUBJECT, LoginFacts, Record};
use crate::session::encoded;
use crate::session::refusal::Refusal;
use crate::session::state::{Dead, RequestState};
use crate::session::validity::Freshness;
use crate::sessions::SessionsBuilder;
use crate::sessions::adapter::{Ticket, Unavailable};
use crate::sessions::engine::Engine;
use crate::time::{Class, UnixMillis};

/// How long a node may take to read a change of its key file, such as an order to end everyone.
const UNREAD: Duration = Duration::from_secs(60);

impl SessionsBuilder {
    /// Takes over the sessions of an application that used actix-session before. See
    /// [`migrate`](crate::migrate).
    ///
    /// [`start`](Self::start) fails if browsers could not have had such a cookie, or if it is to be read for
    /// longer from now than a session can live.
    #[cfg_attr(docsrs, doc(cfg(feature = "migrate-actix-session")))]
    pub fn migrate(mut self, old: ActixSessionCookie) -> Self {
        self.plan = Some(old);
        self
    }
}

impl Engine {
    /// Puts the session of an old cookie in the place of none.
    pub(super) fn move_in<'h>(
        &self,
        state: &mut RequestState,
        ticket: &mut Ticket,
        lines: impl Iterator<Item = &'h [u8]>,
        now: UnixMillis,
    ) -> Result<(), Unavailable> {
        let Some(moving) = &self.moving else {
            return Ok(());
        };
        let mut all = moving.cookie.find(lines, now);
        let Some(old) = all.next() else {
            return Ok(());
        };
        ticket.old.clone_from(&moving.removal);
        // A random id names nothing that could be ended.
        let is_named = |record: &Record| record.login.is_some() || moving.cookie.is_unique();
        let others = all.filter_map(|other| self.old_record(&moving.cookie, &other, now));
        let mut others: Vec<_> = others.filter(is_named).map(Arc::new).collect();
        let Some(mut record) = self.old_record(&moving.cookie, &old, now) else {
            return Ok(());
        };
        if !state.is_vacant() {
            if is_named(&record) {
                others.push(Arc::new(record));
            }
            others.into_iter().for_each(|other| state.carries(other));
            return Ok(());
        }
        self.fill(&mut record, &old.entries);
        if record.login.is_none() && record.entries.is_empty() {
            return Ok(());
        }
        // While other nodes may still restore what the store lost, nobody knows whether it was ended.
        if self.is_untrusted(record.began(), now) || self.service.node.is_settling() {
            return Err(Unavailable);
        }
        let record = Arc::new(record);
        *state = match self.judge_old(&record, now) {
            Ok(freshness) => RequestState::moved_in(record, freshness),
            Err(refusal) => {
                self.log.rejected(&refusal.reason);
                let reason = refusal.reason;
                let dead = Dead {
                    record,
                    key: None,
                    reason,
                };
                let obstacle = self.obstacle_of(&refusal, now);
                RequestState::absent(obstacle, Some(dead), Vec::new(), Some(reason))
            }
        };
        others.into_iter().for_each(|other| state.carries(other));
        Ok(())
    }

    fn judge_old(&self, record: &Record, now: UnixMillis) -> Result<Freshness, Refusal> {
        let rules = self.service.rules(now);
        // Whatever its time: the old cookie may be from before.
        if rules.everyone_before.is_some() {
            return Err(Refusal::dead(Rejected::EveryoneEnded));
        }
        // It may have been anonymous when it was ended: before the application named its users.
        if rules
            .list
            .anonymous()
            .get(&record.id)
            .is_some_and(|entry| entry.serial > record.serial)
        {
            return Err(Refusal::dead(Rejected::Ended));
        }
        rules.judge(record, now)
    }

    /// The session that an old one becomes, without its entries.
    fn old_record(
        &self,
        cookie: &ActixSessionCookie,
        old: &OldSession,
        now: UnixMillis,
    ) -> Option<Record> {
        let service = &self.service;
        let subject = cookie.user(&old.entries);
        let is_name = |name: &String| (1..=LONGEST_SUBJECT).contains(&name.len());
        if subject.as_ref().is_some_and(|name| !is_name(name)) {
            self.log.no_subject();
            return None;
        }
        let id = match &subject {
            None if !cookie.is_unique() => service.fresh_id().ok()?,
            _ => SessionId::of_token(service.binding.audience(), &old.token),
        };
        let class = match &subject {
            Some(_) if cookie.remembers() => Class::Remembered,
            _ => Class::Standard,
        };
        let login = subject.map(|subject| LoginFacts {
            key: service.subject_key(&subject),
            subject,
            generation: Generation::NONE,
            // Nobody knows, and what asks for a recent login must not take this for one.
            at: UnixMillis::EPOCH,
            roles: Vec::new(),
            groups: Vec::new(),
            fingerprint: None,
        });
        // Dated back: this node may not have read an order to end everyone yet, and it must reach this session.
        let created = service.beginning(now.minus(UNREAD), service.node.list().complete_since());
        let record = service.begin(id, login, class, Generation::NONE, created);
        Some(Record {
            // Its end is remembered until then. It lives no longer than its class allows.
            expires: record.expires.max(cookie.until()),
            ..record
        })
    }

    /// Adds the entries, as many as fit.
    fn fill(&self, record: &mut Record, entries: &OldEntries) {
        for (name, value) in entries.iter() {
            let value = value.ok_or_else(|| "is no JSON that can be read here".to_owned());
            let added = value.and_then(|value| {
                let bytes = encoded(name, &value).map_err(|error| error.to_string())?;
                let fits = self.service.set_entry(record, name, &bytes);
                fits.map_err(|error| error.to_string())
            });
            if let Err(problem) = added {
                self.log.entry_left_behind(name, &problem);
            }
        }
    }
}
