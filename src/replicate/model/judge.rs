//! What a node says of a cookie: the rules that requests are judged by, on the node's own list.

use super::state::{Node, State};
use super::{ALICE, Config, SUBJECT, Without, session_id};
use crate::error::Rejected;
use crate::ids::{Generation, Serial};
use crate::record::{Entries, KeyTrail, LoginFacts, Record};
use crate::replicate::core::Call;
use crate::revoke::Spared;
use crate::revoke::list::List;
use crate::session::validity::{Freshness, Rules};
use crate::time::{Class, Lifetimes, Limits, UnixMillis};

/// A session and the serial of one of its cookies.
pub(super) type Cookie = (usize, u32);

/// The result of a judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The node cannot tell at the moment.
    Unavailable,
    /// It is refused for what the list's entries say of it.
    Revoked,
    /// It is refused for another reason.
    Refused,
    /// It counts: by the newest cookie of its session, or within a grace.
    Counts(Freshness),
}

impl Config {
    pub(super) fn lifetimes(&self) -> Lifetimes {
        let limits = Limits {
            idle: self.life,
            absolute: self.life,
        };
        Lifetimes {
            standard: limits,
            remembered: limits,
            renew_grace: self.tick,
            ..Lifetimes::default()
        }
    }
}

impl State {
    pub(super) fn verdict(&self, config: &Config, node: &Node, cookie: Cookie) -> Verdict {
        self.judged(config, node, cookie, !config.lacks(Without::Marking))
    }

    /// Whether it is refused, by a node that can be relied on, for what its list's entries say of it: marks
    /// aside.
    pub(super) fn is_revoked(&self, config: &Config, node: &Node, cookie: Cookie) -> bool {
        self.judged(config, node, cookie, false) == Verdict::Revoked
    }

    fn judged(&self, config: &Config, node: &Node, cookie: Cookie, with_marks: bool) -> Verdict {
        let now = config.moment(self.now);
        let record = self.record(config, cookie);
        let began = match config.lacks(Without::Waiting) {
            true => UnixMillis::MAX,
            false => record.began(),
        };
        let completeness = node.core.completeness();
        if !completeness.can_judge(began, now, config.trust.max_staleness) {
            return Verdict::Unavailable;
        }
        let list = node.core.list();
        if with_marks || !list.of_session(SUBJECT, Spared::NOBODY.session).marked {
            return judge(config, list, now.wall, &record);
        }
        let unmarked = list.fork();
        unmarked.unmark(SUBJECT);
        judge(config, &unmarked, now.wall, &record)
    }

    /// What the store itself knows of a session, as a node does that has just started.
    pub(super) fn stores_verdict(&self, config: &Config, cookie: Cookie) -> Verdict {
        let mut server = self.server.clone();
        let call = self.server_call(config);
        let (entries, end) = server.snapshot(call);
        let list = List::small();
        for revocation in entries {
            list.join(&revocation);
        }
        list.set_complete_since(end.state.complete_since);
        let record = self.record(config, cookie);
        judge(config, &list, call.now, &record)
    }

    pub(super) fn is_newest(&self, config: &Config, number: u8, cookie: Cookie) -> bool {
        let node = self.node(number).expect("it is up");
        self.verdict(config, node, cookie) == Verdict::Counts(Freshness::Newest)
    }

    pub(super) fn record(&self, config: &Config, (session, serial): Cookie) -> Record {
        let facts = self.sessions[session];
        let login = facts.login.map(|(generation, at)| LoginFacts {
            subject: "alice".into(),
            key: ALICE,
            generation,
            at,
            roles: Vec::new(),
            groups: Vec::new(),
            fingerprint: None,
        });
        Record {
            id: session_id(session),
            serial: Serial::new(serial),
            login,
            everyone: Generation::NONE,
            created: facts.created,
            refreshed: facts.created,
            expires: facts.created + config.life,
            class: Class::Standard,
            keys: KeyTrail::default(),
            entries: Entries::default(),
        }
    }

    /// Notes what the properties will ask for.
    pub(super) fn look(&mut self, config: &Config) {
        for cookie in self.cookies().collect::<Vec<_>>() {
            let (session, serial) = cookie;
            for number in 0..config.nodes {
                let Some(node) = self.node(number) else {
                    continue;
                };
                if self.is_revoked(config, node, cookie) {
                    self.sessions[session].refused |= 1 << (2 * u32::from(number) + serial);
                }
            }
            let facts = self.sessions[session];
            let is_lost = self.seen.losses > 0 && facts.is_ended && !facts.is_forgotten;
            if is_lost && !self.is_known(config, cookie) {
                self.sessions[session].is_forgotten = true;
            }
        }
    }

    /// Whether anyone is left who knows that a session was ended, or is being told.
    fn is_known(&self, config: &Config, cookie: Cookie) -> bool {
        self.stores_verdict(config, cookie) != Verdict::Counts(Freshness::Newest)
            || self
                .calls
                .iter()
                .any(|it| matches!(it.call, Call::Publish(..) | Call::Raise(..)))
            || self.live().any(|(_, node)| {
                let now = config.moment(self.now);
                let record = self.record(config, cookie);
                let verdict = judge(config, node.core.list(), now.wall, &record);
                verdict == Verdict::Revoked || node.core.status(now).outstanding > 0
            })
    }
}

fn judge(config: &Config, list: &List, now: UnixMillis, record: &Record) -> Verdict {
    let lifetimes = config.lifetimes();
    let rules = Rules {
        accept_older: config.lacks(Without::CompleteSince),
        ..Rules::plain(list, &lifetimes, now)
    };
    match rules.judge(record, None, record.refreshed) {
        Ok(freshness) => Verdict::Counts(freshness),
        Err(refusal) => match refusal.reason {
            Rejected::Ended
            | Rejected::Succeeded
            | Rejected::Superseded
            | Rejected::SubjectEnded
            | Rejected::EveryoneEnded => Verdict::Revoked,
            _ => Verdict::Refused,
        },
    }
}
