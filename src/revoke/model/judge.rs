//! What a list says of a cookie: the real check, on a real list.

use std::cell::RefCell;
use std::collections::HashMap;

use super::config::Config;
use super::hash::Quick;
use super::held::Held;
use super::node::Node;
use super::state::{Session, State};
use crate::clock::UnixMillis;
use crate::error::Rejected;
use crate::record::Record;

/// What came of a judgement.
#[derive(Debug, Clone, Copy)]
struct Judged {
    counts: bool,
    /// Whether it is refused for what the list's entries say of it.
    revoked: bool,
}

type Case = (Held, (u64, u64), (u8, u32), UnixMillis);

thread_local! {
    /// The same few lists are asked about the same few cookies in most states. A thread of the checker
    /// lives for one run, so its cases all are of one configuration.
    static JUDGED: RefCell<HashMap<Case, Judged, Quick>> = RefCell::default();
}

fn judge(config: &Config, held: &Held, now: UnixMillis, record: &Record) -> Judged {
    let list = held.list(config.target());
    let lifetimes = config.lifetimes();
    let rules = config.rules(&list, &lifetimes, now);
    let counts = rules.check(record, record.refreshed).is_ok();
    // A grace lets read: such a cookie counts, and is not the newest.
    let refusal = rules.clear(record).err().filter(|_| !counts);
    let revoked = refusal.is_some_and(|refusal| {
        matches!(
            refusal.reason,
            Rejected::Ended
                | Rejected::Succeeded
                | Rejected::Superseded
                | Rejected::SubjectEnded
                | Rejected::EveryoneEnded
        )
    });
    Judged { counts, revoked }
}

impl State {
    fn judge(&self, config: &Config, held: &Held, now: UnixMillis, cookie: (u8, u32)) -> Judged {
        let Session {
            generation,
            created,
            ..
        } = self.sessions[usize::from(cookie.0)];
        let facts = (generation.get(), created.as_millis());
        let case = (held.clone(), facts, cookie, now);
        JUDGED.with_borrow_mut(|judged| {
            *judged.entry(case).or_insert_with_key(|case| {
                let record = self.record(config, cookie.0, cookie.1);
                judge(config, &case.0, now, &record)
            })
        })
    }

    /// Whether a list lets a cookie through.
    pub(super) fn counts(
        &self,
        config: &Config,
        held: &Held,
        now: UnixMillis,
        cookie: (u8, u32),
    ) -> bool {
        self.judge(config, held, now, cookie).counts
    }

    /// Whether it is refused for what the list's entries say of it, marks aside.
    pub(super) fn is_revoked(
        &self,
        config: &Config,
        held: &Held,
        now: UnixMillis,
        cookie: (u8, u32),
    ) -> bool {
        if !held.marked {
            return self.judge(config, held, now, cookie).revoked;
        }
        let unmarked = Held {
            marked: false,
            ..held.clone()
        };
        self.judge(config, &unmarked, now, cookie).revoked
    }

    pub(super) fn has_expired(&self, config: &Config, now: UnixMillis, session: u8) -> bool {
        now >= self.sessions[usize::from(session)].created + config.life
    }

    /// Whether a node's list is fresh enough for it to answer.
    pub(super) fn answers(&self, config: &Config, number: u8, node: &Node) -> bool {
        let now = config.moment(self.now, number);
        now.since(node.complete) <= config.trust.max_staleness
    }

    /// Whether a node lets a cookie through, by its list.
    pub(super) fn takes(
        &self,
        config: &Config,
        number: u8,
        node: &Node,
        cookie: (u8, u32),
    ) -> bool {
        let now = config.moment(self.now, number).wall;
        self.counts(config, &node.held, now, cookie)
    }
}
