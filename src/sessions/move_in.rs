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
//!    cookie, which strangers may have too, the id is random. Once ends of anonymous sessions were dropped, no
//!    anonymous one moves in any more.
//! 4. It costs no I/O, and a request that does not look at it sets no cookie.

use std::sync::Arc;
use std::time::Duration;

use super::adapter::Unavailable;
use super::log::Log;
use crate::cookie::{CookieSettings, PreviousCookie, Template};
use crate::error::{ConfigError, Rejected};
use crate::ids::{Generation, SessionId};
use crate::migrate::{ActixSessionCookie, Json, OldEntries, OldSession};
use crate::record::{LONGEST_SUBJECT, LoginFacts, Record};
use crate::seal::Refusal;
use crate::session::encoded;
use crate::session::service::Service;
use crate::session::state::{Dead, RequestState};
use crate::session::validity::Freshness;
use crate::time::{Class, Lifetimes, UnixMillis};

/// How long a node may take to read a change of its key file, such as an order to end everyone.
const UNREAD: Duration = Duration::from_secs(60);

/// The builder's setting.
pub(super) type Plan = ActixSessionCookie;

/// A cookie whose sessions move in.
pub(super) struct Moving {
    cookie: ActixSessionCookie,
    /// The Set-Cookie value that removes it; none if our cookie takes its place.
    removal: Option<String>,
}

/// # Errors
/// When browsers could not have had such a cookie, or it is to be read for too long.
pub(super) fn prepare(
    plan: Option<Plan>,
    ours: CookieSettings,
    lifetimes: &Lifetimes,
    now: UnixMillis,
) -> Result<Option<Moving>, ConfigError> {
    let Some(cookie) = plan else {
        return Ok(None);
    };
    // For so long the list remembers what ended a session.
    let latest = now + lifetimes.longest_absolute();
    if cookie.until > latest {
        let problem = format!(
            "the old cookie is to be read until {}; at the most until {latest}, because the revocation list \
             forgets logouts after the longest lifetime",
            cookie.until,
        );
        return Err(ConfigError::setting("migrate", problem));
    }
    let theirs = PreviousCookie {
        name: cookie.name.clone(),
        domain: cookie.domain.clone(),
        path: cookie.path.clone(),
    };
    let is_ours =
        (theirs.name == ours.name) && theirs.domain == ours.domain && theirs.path == ours.path;
    let settings = CookieSettings {
        previous: if is_ours { Vec::new() } else { vec![theirs] },
        ..ours
    };
    let template = Template::previous(&settings).map_err(|error| match error {
        ConfigError::Setting { problem, .. } => ConfigError::setting("migrate", problem),
        error => error,
    })?;
    let removal = template.first().map(|it| it.removal(it.name()));
    Ok(Some(Moving { cookie, removal }))
}

/// Puts the session of an old cookie in the place of none. Returns what removes that cookie, if the request has one.
pub(super) fn move_in<'h>(
    moving: &Moving,
    service: &Service,
    log: &Log,
    lines: impl Iterator<Item = &'h [u8]>,
    state: &mut RequestState,
    now: UnixMillis,
) -> Result<Option<String>, Unavailable> {
    let cookie = &moving.cookie;
    let record_of = |old: &OldSession| record_of(cookie, old, service, log, now);
    let mut all = cookie.find(lines, now);
    let Some(old) = all.next() else {
        return Ok(None);
    };
    let removal = moving.removal.clone();
    // A random id names nothing that could be ended.
    let is_named = |record: &Record| record.login.is_some() || cookie.is_unique();
    let others = all.filter_map(|other| record_of(&other));
    let mut others: Vec<_> = others.filter(is_named).map(Arc::new).collect();
    let Some(mut record) = record_of(&old) else {
        return Ok(removal);
    };
    if !state.is_vacant() {
        if is_named(&record) {
            others.push(Arc::new(record));
        }
        others.into_iter().for_each(|other| state.carries(other));
        return Ok(removal);
    }
    fill(&mut record, &old.entries, service, log);
    if record.login.is_none() && record.entries.is_empty() {
        return Ok(removal);
    }
    // Nobody knows when it began, so it may be older than the list.
    if service.cannot_judge(record.began(), true, now) {
        return Err(Unavailable);
    }
    let record = Arc::new(record);
    *state = match judge(&record, service, now) {
        Ok(freshness) => RequestState::moved_in(record, freshness),
        Err(refusal) => {
            let reason = refusal.reason;
            log.rejected(&reason);
            service.observer.tell_refusal(reason, Some(&record));
            let dead = Dead {
                record,
                key: None,
                reason,
            };
            let obstacle = service.obstacle(&refusal, now);
            RequestState::absent(obstacle, Some(dead), Vec::new(), Some(reason))
        }
    };
    others.into_iter().for_each(|other| state.carries(other));
    Ok(removal)
}

fn judge(record: &Record, service: &Service, now: UnixMillis) -> Result<Freshness, Refusal> {
    let rules = service.rules(now);
    // Whatever its time: the old cookie may be from before.
    if rules.ring.everyone_before().is_some() {
        return Err(Refusal::dead(Rejected::EveryoneEnded));
    }
    let anonymous = rules.list.anonymous();
    // It may have been anonymous when it was ended: before the application named its users.
    let ended = anonymous.get(&record.id);
    let is_ended = ended.is_some_and(|entry| entry.serial > record.serial);
    // The end of an anonymous one may have been dropped. Nobody knows when that began, so it may be before `since`.
    let may_be_ended = record.login.is_none() && anonymous.since() > UnixMillis::EPOCH;
    if is_ended || may_be_ended {
        return Err(Refusal::dead(Rejected::Ended));
    }
    rules.judge(record, None, now)
}

/// The session that an old one becomes, without its entries.
fn record_of(
    cookie: &ActixSessionCookie,
    old: &OldSession,
    service: &Service,
    log: &Log,
    now: UnixMillis,
) -> Option<Record> {
    let subject = cookie.user(&old.entries);
    let is_name = |name: &String| (1..=LONGEST_SUBJECT).contains(&name.len());
    if subject.as_ref().is_some_and(|name| !is_name(name)) {
        log.no_subject();
        return None;
    }
    let id = match &subject {
        None if !cookie.is_unique() => service.fresh_id().ok()?,
        _ => SessionId::of_token(&service.binding.names.audience, &old.token),
    };
    let class = match &subject {
        Some(_) if cookie.remember => Class::Remembered,
        _ => Class::Standard,
    };
    let login = subject.map(|subject| LoginFacts {
        key: service.subject_key(&subject),
        subject: subject.into(),
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
        expires: record.expires.max(cookie.until),
        ..record
    })
}

/// Adds the entries, as many as fit.
fn fill(record: &mut Record, entries: &OldEntries, service: &Service, log: &Log) {
    for (name, value) in entries.iter() {
        let value = value.ok_or_else(|| "is no JSON that can be read here".to_owned());
        let added = value.and_then(|value| {
            let bytes = encoded(name, &Json(&value)).map_err(|error| error.to_string())?;
            let entries = service.with_entry(record, name, &bytes);
            record.entries = entries.map_err(|error| error.to_string())?;
            Ok(())
        });
        if let Err(problem) = added {
            log.entry_left_behind(name, &problem);
        }
    }
}
