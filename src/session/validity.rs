//! The check: does this authentic session still count?
//!
//! One function ([`Rules::judge`]) combines every reason but 6 and 7 for which it may not: at loading, while the request
//! runs, and again before sealing. [`Rules::check_open`] judges open streams and rows of the index, to which a renewal is
//! no end. A session is refused when any of them holds:
//!
//! 1. its absolute end or its idle limit has passed. The idle limit counts from the last use: the later of what its
//!    data and its activity cookie say. The last use lies beside the record and is never part of it;
//! 2. it began at or before the time that the operator sets, or the one since which the list is complete;
//! 3. its generation, one of its groups', or everyone's is below the list's, or the target is marked while a raise of
//!    its generation is outstanding;
//! 4. its serial is below the list's, less the one that a renewal's grace still lets read;
//! 5. it is anonymous and began at or before the time up to which ends of anonymous sessions were dropped;
//! 6. at loading: it could not be sealed again, because it passed through too many keys or a limit was lowered. Every
//!    write to it would be an error;
//! 7. at loading, where the settings say so: its login came from a client that looked otherwise. To another request it
//!    may still count;
//! 8. the key that sealed it, or one that it passed through, was revoked. This is looked at before all others;
//! 9. a generation that it carries lies further ahead than the list and the clock can explain. The clock may be wrong,
//!    so the browser keeps the cookie.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::Guard;

use crate::client::ClientFingerprint;
use crate::error::Rejected;
use crate::ids::{Generation, KeyId, Serial};
use crate::keys::{Key, KeyRing};
use crate::record::{KeyTrail, Record};
use crate::revoke::list::List;
use crate::revoke::{SessionEntry, Target};
use crate::seal::{self, Opened, Refusal, Refused, Standing};
use crate::time::{Lifetimes, SKEW, UnixMillis};
use crate::wire::chunks::CookieRoom;

/// An authentic record whose session counts.
#[derive(Debug)]
pub(crate) struct Live {
    opened: Opened,
    freshness: Freshness,
    last_use: UnixMillis,
}

impl Live {
    pub(crate) fn into_opened(self) -> Opened {
        self.opened
    }

    pub(crate) fn record(&self) -> &Record {
        self.opened.record()
    }

    pub(crate) fn freshness(&self) -> Freshness {
        self.freshness
    }

    pub(crate) fn last_use(&self) -> UnixMillis {
        self.last_use
    }

    /// Whether this is a later cookie of the same session.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        let [ours, theirs] = [self, other].map(|live| live.opened.record());
        let age = |record: &Record| (record.serial, record.refreshed);
        ours.id == theirs.id && age(ours) > age(theirs)
    }
}

/// A record that was found to count just before it is sealed. Made here alone, by [`Rules::clear`].
pub(crate) struct Counted<'a>(&'a Record);

impl seal::Cleared for Counted<'_> {
    fn record(&self) -> &Record {
        self.0
    }
}

impl seal::Appointed for seal::Judge {
    type Proof<'r> = Counted<'r>;
}

/// Which of its session's cookies this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// The newest.
    Newest,
    /// The one before, within the grace of a renewal: it only reads.
    Superseded,
}

/// Everything that a judgement depends on.
pub(crate) struct Rules<'a> {
    pub(crate) list: &'a List,
    pub(crate) lifetimes: &'a Lifetimes,
    /// The keys of this moment, and the time up to which no session counts by order of the operator.
    pub(crate) ring: Guard<Arc<KeyRing>>,
    /// Whether sessions older than the list count nevertheless.
    pub(crate) accept_older: bool,
    /// The room that a sealed session has.
    pub(crate) room: CookieRoom,
    /// What the request's client looks like, where it has to be that of the login.
    pub(crate) client: Option<ClientFingerprint>,
    pub(crate) now: UnixMillis,
}

impl Rules<'_> {
    /// Lets an opened session through if it counts. The record of one that does not is returned: it can still be ended.
    pub(crate) fn admit(&self, opened: Opened, last_use: UnixMillis) -> Result<Live, Refused> {
        let judged = self.judge(opened.record(), Some(opened.key()), last_use);
        let judged = judged.and_then(|freshness| {
            self.judge_client(opened.record())?;
            self.judge_room(&opened).map(|()| freshness)
        });
        match judged {
            Ok(freshness) => Ok(Live {
                opened,
                freshness,
                last_use,
            }),
            Err(refusal) => {
                let key = opened.key();
                let record = Some((opened.into_record(), key));
                Err(Refused { refusal, record })
            }
        }
    }

    /// The second check, before a record is sealed. A superseded cookie is not sealed again.
    ///
    /// The request is a use of the session, so it is not idle.
    pub(crate) fn clear<'r>(
        &self,
        record: &'r Record,
        key: Option<KeyId>,
    ) -> Result<Counted<'r>, Refusal> {
        match self.judge(record, key, self.now)? {
            Freshness::Newest => Ok(Counted(record)),
            Freshness::Superseded => Err(Refusal::dead(Rejected::Superseded)),
        }
    }

    /// Whether the session counts, be it by its newest cookie or within a renewal's grace.
    ///
    /// # Errors
    /// Why it does not.
    pub(crate) fn check(
        &self,
        record: &Record,
        key: Option<KeyId>,
        last_use: UnixMillis,
    ) -> Result<(), Rejected> {
        let judged = self.judge(record, key, last_use);
        judged.map(|_| ()).map_err(|refusal| refusal.reason)
    }

    /// Whether the session goes on for somebody who came with this cookie and does not show the next one: a renewal
    /// ends nothing. But a copy that `logout_others` left behind does not go on, however long it has been open.
    ///
    /// # Errors
    /// Why it does not.
    pub(crate) fn check_open(
        &self,
        record: &Record,
        key: Option<KeyId>,
        last_use: UnixMillis,
    ) -> Result<(), Refusal> {
        self.judge_keys(record, key)?;
        let left_behind = record.serial.leap().unwrap_or(Serial::ENDED);
        match self.list.session(&record.id, record.login.is_none()) {
            Some(entry) if entry.serial >= left_behind => {
                self.judge_serial(record.serial, entry)?;
            }
            _ => (),
        }
        self.judge_session(record, last_use)
    }

    /// Whether a list, or a store, that is complete since then can tell whether the session was ended.
    pub(crate) fn covers(&self, complete_since: UnixMillis, record: &Record) -> bool {
        record.created > complete_since || self.accept_older
    }

    /// Whether a second login takes over the entries of an anonymous session: the first login was a moment ago, and
    /// nothing else has ended the session or this cookie of it.
    pub(crate) fn is_double_click(&self, record: &Record) -> bool {
        let succeeded = self.list.session(&record.id, record.login.is_none());
        let ended = self.list.anonymous().get(&record.id);
        record.login.is_none()
            && succeeded.is_some_and(|entry| {
                entry.serial == Serial::SUCCEEDED && self.now < entry.from + DOUBLE_CLICK
            })
            && ended.is_none_or(|entry| entry.serial <= record.serial)
            && self.judge_age(record, self.now).is_ok()
            && self.judge_generations(record).is_ok()
    }

    /// Whether the record is of its session's newest cookie or the one before, if that counts. `key` sealed it; there is none
    /// if it is new or moves in, or if its key is looked at elsewhere.
    ///
    /// # Errors
    /// Why it does not.
    pub(crate) fn judge(
        &self,
        record: &Record,
        key: Option<KeyId>,
        last_use: UnixMillis,
    ) -> Result<Freshness, Refusal> {
        self.judge_keys(record, key)?;
        // First whether it has a successor. That matters also if the session has ended in other ways.
        let is_anonymous = record.login.is_none();
        let freshness = match self.list.session(&record.id, is_anonymous) {
            Some(entry) => self.judge_serial(record.serial, entry)?,
            None => Freshness::Newest,
        };
        self.judge_session(record, last_use)?;
        Ok(freshness)
    }

    /// Whether neither `key`, which sealed the record, nor one that its session passed through was revoked.
    fn judge_keys(&self, record: &Record, key: Option<KeyId>) -> Result<(), Refusal> {
        let key = key.as_ref().map(KeyId::prefix);
        let mut keys = key.into_iter().chain(record.keys.iter());
        match keys.any(|key| self.ring.is_revoked(key)) {
            true => Err(Refusal::dead(Rejected::RevokedKey)),
            false => Ok(()),
        }
    }

    /// All of a judgement that does not depend on which of the session's cookies it is.
    fn judge_session(&self, record: &Record, last_use: UnixMillis) -> Result<(), Refusal> {
        self.judge_age(record, last_use)?;
        self.judge_generations(record)?;
        // Its own end may have been dropped from the list.
        if record.login.is_none() && record.created <= self.list.anonymous().since() {
            return Err(Refusal::dead(Rejected::Ended));
        }
        Ok(())
    }

    /// Whether it is the client of the login.
    fn judge_client(&self, record: &Record) -> Result<(), Refusal> {
        match record.is_of_another_client(self.client.map(ClientFingerprint::as_bytes)) {
            true => Err(Refusal::dead(Rejected::ClientChanged)),
            false => Ok(()),
        }
    }

    /// Whether the session could be sealed once more as it is.
    fn judge_room(&self, opened: &Opened) -> Result<(), Refusal> {
        let trail = self.grows(&opened.record().keys, opened.key());
        let fits = trail.and_then(|grows| self.fits(opened.length() + grows));
        fits.map_err(Refusal::dead)
    }

    /// By how much a trail grows if its session is sealed now.
    fn grows(&self, trail: &KeyTrail, opened_with: KeyId) -> Result<usize, Rejected> {
        match self.ring.sealing(self.now).map(Key::id) {
            Some(sealing) if sealing != opened_with => {
                trail.room_for(opened_with).ok_or(Rejected::TooManyKeys)
            }
            _ => Ok(0),
        }
    }

    fn fits(&self, length: usize) -> Result<(), Rejected> {
        self.room.admit(length).map_err(|_| Rejected::TooLarge)
    }

    fn judge_age(&self, record: &Record, last_use: UnixMillis) -> Result<(), Refusal> {
        let end = self
            .lifetimes
            .end(record.class, record.created, record.expires);
        if self.now >= end {
            return Err(Refusal::dead(Rejected::Expired));
        }
        if self.now >= last_use + self.lifetimes.of(record.class).idle {
            return Err(Refusal::dead(Rejected::Idle));
        }
        if let Some(before) = self.ring.everyone_before()
            && record.created <= before
        {
            return Err(Refusal::dead(Rejected::EveryoneEnded));
        }
        let complete_since = self.list.complete_since();
        if !self.covers(complete_since, record) {
            return Err(Refusal {
                reason: Rejected::OlderThanList,
                standing: Standing::OlderThanList(complete_since),
            });
        }
        Ok(())
    }

    fn judge_generations(&self, record: &Record) -> Result<(), Refusal> {
        let latest = (self.now + SKEW).as_millis();
        let judge = |reason, target, generation: Generation| {
            let listed = self.list.of_session(target, record.id);
            if listed.marked || generation < listed.least {
                return Err(Refusal::dead(reason));
            }
            // A generation that neither this list nor the clock can explain was never handed out.
            match generation.get() > latest && generation > listed.least {
                true => Err(Refusal::ahead()),
                false => Ok(()),
            }
        };
        judge(Rejected::EveryoneEnded, Target::Everyone, record.everyone)?;
        let Some(login) = &record.login else {
            return Ok(());
        };
        let subject = Target::Subject(login.key);
        judge(Rejected::SubjectEnded, subject, login.generation)?;
        // A group is what a subject is.
        login.groups.iter().try_for_each(|it| {
            let group = Target::Subject(it.key);
            judge(Rejected::GroupEnded, group, it.generation)
        })
    }

    fn judge_serial(&self, serial: Serial, entry: SessionEntry) -> Result<Freshness, Refusal> {
        if serial >= entry.serial {
            return Ok(Freshness::Newest);
        }
        let grace = self.lifetimes.renew_grace;
        // A grace that lies further ahead than any renewal here grants is none.
        let latest = self.now + grace + SKEW;
        let reads =
            serial.next() == Some(entry.serial) && self.now < entry.from && entry.from <= latest;
        if reads {
            return Ok(Freshness::Superseded);
        }
        let (reason, since, held) = match entry.serial {
            Serial::SUCCEEDED => (Rejected::Succeeded, entry.from, AFTER_REPLACING),
            Serial::ENDED => (Rejected::Ended, entry.from, AFTER_LOGOUT),
            _ => (
                Rejected::Superseded,
                entry.from.minus(grace),
                AFTER_REPLACING,
            ),
        };
        let since = since.min(self.now);
        let standing = Standing::Replaced { since, held };
        Err(Refusal { reason, standing })
    }
}

/// For how long after a login a second login takes over the entries of the anonymous session before both.
const DOUBLE_CLICK: Duration = Duration::from_secs(10);

/// For how long after it replaced a cookie, by a login or a renewal, a browser may hold or await the
/// successor while late answers to its requests from before still arrive. `from` is another node's time.
const AFTER_REPLACING: Duration = Duration::from_secs(60 + SKEW.as_secs());
/// For how long after a logout a browser may hold or await a successor: it may have begun anew.
const AFTER_LOGOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
