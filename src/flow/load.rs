//! From Cookie headers to a session.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Rejected;
use crate::flow::candidates::{Found, Indexes};
use crate::flow::{Engine, WhenStale};
use crate::lifetime::SKEW;
use crate::revoke::check::{Freshness, Live, MOURNING};
use crate::seal::{self, Refusal, Standing};
use crate::session::Session;
use crate::session::state::{Hold, Origin, State};
use crate::time::UnixMillis;
use crate::wire::record::Record;

/// How far apart nodes may learn of a new key or release.
const DISTRIBUTION: Duration = Duration::from_secs(3600);

/// How many of a request's candidates may cost a run of the cipher.
const MAX_OPENED: usize = 4;

/// A session, and what the response needs to know of the request.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The handle for the handlers.
    pub session: Session,
    /// To be given back with the session when the response is ready.
    pub ticket: Ticket,
}

/// What the browser holds: made by [`Sessions::load`](crate::Sessions::load) and used up by
/// [`Sessions::commit`](crate::Sessions::commit), so that no session is committed twice.
#[derive(Debug)]
pub struct Ticket {
    /// The chunk indexes that the request carried.
    pub(crate) held: Indexes,
    /// Whether they may be removed although nobody asked for it: none of them is of any use.
    pub(crate) useless: bool,
}

/// What became of a request's candidates.
struct Tried {
    live: Option<Live>,
    refusals: Vec<Refusal>,
    /// An authentic session that does not count here. A logout ends it all the same: other nodes may
    /// not know yet.
    remains: Option<Arc<Record>>,
    /// Whether none was left out. One that was might be a session.
    complete: bool,
}

/// This node can not say whether an authentic cookie is a session: its list is too old, or too young.
/// Answer 503 with Retry-After, and leave the cookie alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the revocation list can not be trusted at the moment")]
pub struct Unavailable;

impl Engine {
    /// Finds the session that a request's Cookie header lines carry. Whatever does not open or does
    /// not count is no session.
    pub(crate) fn load<'h>(
        &self,
        lines: impl Iterator<Item = &'h [u8]>,
    ) -> Result<Loaded, Unavailable> {
        let now = self.service.now();
        let found = Found::scan(lines, self.cookie.name());
        let Tried {
            live,
            refusals,
            remains,
            complete,
        } = self.try_each(&found, now);
        self.require_trust(live.as_ref(), &refusals, now)?;
        let holds = refusals
            .iter()
            .filter_map(|refusal| self.hold(refusal, now));
        // A candidate that was not tried may be a session.
        let untried = (!complete && live.is_none()).then_some(Hold::Foreign);
        let hold = holds.max().max(untried);
        let held = found.indexes();
        let ticket = Ticket {
            useless: complete && live.is_none() && hold.is_none() && !held.is_empty(),
            held,
        };
        let state = match (live, hold) {
            (Some(live), _) => State::from_live(live),
            (None, Some(hold)) => State::without_session(Origin::Held(hold), remains),
            (None, None) => State::without_session(Origin::Nothing, remains),
        };
        let session = Session::new(self.service.clone(), state);
        Ok(Loaded { session, ticket })
    }

    /// Tries the candidates in order, up to the first that is a session's newest cookie.
    fn try_each(&self, found: &Found<'_>, now: UnixMillis) -> Tried {
        let ring = self.service.keys.load();
        let rules = self.service.rules_with(&ring, now);
        let mut tried = Tried {
            live: None,
            refusals: Vec::new(),
            remains: None,
            complete: found.is_complete(),
        };
        let mut opened = 0;
        for token in found.tokens() {
            if opened == MAX_OPENED {
                tried.complete = false;
                break;
            }
            let outcome = match token {
                Some((chunks, text)) => {
                    let binding = &self.service.binding;
                    match seal::open(&text, chunks, &ring, binding, now) {
                        Ok(opened) => rules.admit(opened).map_err(|(refusal, record)| {
                            tried.remains.get_or_insert(record);
                            refusal
                        }),
                        Err(refusal) => Err(refusal),
                    }
                }
                None => Err(Refusal::worthless(Rejected::Malformed)),
            };
            match outcome {
                Ok(live) if live.freshness() == Freshness::Newest => {
                    tried.live = Some(live);
                    break;
                }
                Ok(live) => {
                    opened += 1;
                    tried.live.get_or_insert(live);
                }
                Err(refusal) => {
                    opened += usize::from(refusal.cost_a_cipher_run());
                    self.report(&refusal.reason);
                    tried.refusals.push(refusal);
                }
            }
        }
        tried
    }

    fn report(&self, reason: &Rejected) {
        self.log.rejected(reason);
        if let (Rejected::UnknownKey(_), Some(watch)) = (reason, &self.watch) {
            // A neighbour may have learned of a new key first.
            watch.look_soon();
        }
    }

    /// Fails if there is an authentic cookie and the list can not be trusted to judge it.
    fn require_trust(
        &self,
        live: Option<&Live>,
        refusals: &[Refusal],
        now: UnixMillis,
    ) -> Result<(), Unavailable> {
        let authentic = live.is_some() || refusals.iter().any(Refusal::is_authentic);
        let unvouched = |refusal: &Refusal| matches!(refusal.standing, Standing::Unvouched(_));
        // Another node may still say that such a session counts.
        let undecided = live.is_none() && refusals.iter().any(unvouched) && self.is_settling();
        let rejects = self.policy.when_stale == WhenStale::Reject;
        if undecided || (rejects && authentic && self.is_stale(now)) {
            self.log.unavailable(self.staleness());
            return Err(Unavailable);
        }
        Ok(())
    }

    /// Whether the browser should keep what was refused.
    fn hold(&self, refusal: &Refusal, now: UnixMillis) -> Option<Hold> {
        match refusal.standing {
            Standing::Foreign(sealed_at) => {
                let recent = sealed_at.is_within(DISTRIBUTION, now, SKEW);
                recent.then_some(Hold::Foreign)
            }
            Standing::Dead(since) | Standing::Unvouched(since) => {
                (now < since + MOURNING).then_some(Hold::JustEnded)
            }
            Standing::Ahead => Some(Hold::Foreign),
            Standing::Worthless => None,
        }
    }
}
