//! From Cookie headers to a session.
//!
//! 1. Candidates are tried in the order in which they came, those of the current cookie first, then those of
//!    cookies from earlier settings. Few may be opened. What is cached counts as opened, and so does what a revoked
//!    key sealed.
//! 2. The first live session counts, unless its cookie only reads (the grace of a renewal) and a later one's does not.
//!    Of several live cookies of it the newest counts: its serial decides, then the time of its sealing.
//! 3. A refusal decides whether another session may begin over the cookie, and whether it may be removed.

use std::sync::Arc;

use crate::client::ClientBinding;
use crate::error::Rejected;
use crate::observe;
use crate::record::Record;
use crate::seal::{Opened, Refusal, Refused, Standing, activity};
use crate::session::Session;
use crate::session::refusal::Obstacle;
use crate::session::state::{Dead, RequestState};
use crate::session::validity::{Freshness, Live, Rules};
use crate::sessions::adapter::{HeldCookies, Incoming, Loaded, Ticket, Unavailable};
use crate::sessions::candidates::FoundCookies;
use crate::sessions::engine::{Engine, Scope};
use crate::sessions::move_in::move_in;
use crate::time::{SKEW, UnixMillis};

/// How many of a request's candidates may be opened, those that are cached included.
const MAX_OPENED: usize = 4;

/// How many of one name are looked at. Parts of a large session can be joined in more ways.
const MAX_TRIED: usize = 32;

/// The result of trying a request's candidates.
#[derive(Default)]
struct Tried {
    live: Option<(Live, usize)>,
    /// The candidates that are no session, each with which of the cookies that are read carried it.
    refusals: Vec<(usize, Refused)>,
    dead: Option<Dead>,
    /// Authentic ones besides. A logout ends them too, and a login.
    others: Vec<Arc<Record>>,
    /// When the oldest authentic one began.
    began: Option<UnixMillis>,
    /// Whether a candidate was left out. It might be a session.
    left_out: bool,
    opened: usize,
}

impl Engine {
    /// Finds the session that a request's Cookie header lines carry. Whatever does not open or does
    /// not count is no session.
    pub(crate) fn load<'h>(
        &self,
        incoming: Incoming<'h, impl Iterator<Item = &'h [u8]> + Clone>,
    ) -> Result<Loaded, Unavailable> {
        let now = self.service.now();
        let rejects = self.service.client.binding == ClientBinding::Reject;
        let rules = Rules {
            client: incoming.client.filter(|_| rejects),
            ..self.service.rules(now)
        };
        let mut tried = Tried::default();
        let mut try_scope = |index, scope: &Scope| {
            let found = FoundCookies::scan(incoming.lines.clone(), scope.template.name());
            self.try_each(&found, (index, scope), &rules, &mut tried);
            HeldCookies::of(&found)
        };
        let mut ticket = Ticket {
            current: try_scope(0, &self.current),
            earlier: (1..)
                .zip(&self.earlier)
                .map(|(index, scope)| try_scope(index, scope))
                .collect(),
            old: None,
            is_asset: incoming.fetch_dest.is_some_and(is_asset),
        };
        let trusted = self.require_trust(&tried, now);
        self.report(&tried, trusted.is_ok());
        trusted?;
        let obstacle = self.obstacle(&tried, now);
        if tried.live.is_none() && obstacle.is_none() {
            ticket.mark_worthless(|index| tried.is_worthless(index));
        }
        let mut state = state(tried, obstacle);
        if let Some(moving) = &self.moving {
            let lines = incoming.lines;
            ticket.old = move_in(moving, &self.service, &self.log, lines, &mut state, now)?;
        }
        // Not before: a session that moves in takes the place of the state.
        state.client = incoming.client;
        state.device = incoming.device;
        state.is_cross_site = incoming.is_cross_site;
        let session = Session::new(self.service.clone(), state);
        Ok(Loaded { session, ticket })
    }

    /// Tries the candidates of one cookie.
    fn try_each(
        &self,
        found: &FoundCookies<'_>,
        (index, scope): (usize, &Scope),
        rules: &Rules<'_>,
        tried: &mut Tried,
    ) {
        tried.left_out |= found.overflowed;
        for (number, candidate) in found.candidates().enumerate() {
            if tried.opened == MAX_OPENED || number == MAX_TRIED {
                tried.left_out = true;
                return;
            }
            let opened = match candidate {
                Some((chunks, text)) => scope.open(&text, chunks, &rules.ring, rules.now),
                None => Err(Refusal::worthless(Rejected::Malformed).into()),
            };
            let outcome = opened.and_then(|opened| {
                let last_use = self.last_use(&opened, found, scope, rules);
                rules.admit(opened, last_use)
            });
            match outcome {
                Ok(live) => tried.take_live(live, index),
                Err(refused) => {
                    let idle = refused.refusal.reason == Rejected::Idle;
                    if idle && found.activity().next().is_none() {
                        observe::count(observe::IDLE_WITHOUT_ACTIVITY, 1);
                    }
                    tried.take_refused(refused, index);
                }
            }
        }
    }

    /// The last use of the session, by its data or its activity cookies.
    fn last_use(
        &self,
        opened: &Opened,
        found: &FoundCookies<'_>,
        scope: &Scope,
        rules: &Rules<'_>,
    ) -> UnixMillis {
        let now = rules.now;
        let record = opened.record();
        let refreshed = record.refreshed;
        // Nothing is sent before, so there is nothing to look for.
        if now < refreshed + self.service.lifetimes.refresh_after() {
            return refreshed;
        }
        let Some(key) = rules.ring.key(&opened.key(), now) else {
            return refreshed;
        };
        found
            .activity()
            .filter_map(|text| activity::read(text, key, &scope.binding, &record.id))
            // A time that has not come counts as none.
            .filter(|at| *at <= now + SKEW)
            .fold(refreshed, UnixMillis::max)
    }

    /// Why nothing but a login may begin a session over what the request carried.
    fn obstacle(&self, tried: &Tried, now: UnixMillis) -> Option<Obstacle> {
        let of_each = tried
            .refusals()
            .filter_map(|refusal| self.service.obstacle(refusal, now));
        let untried = tried.left_out.then_some(Obstacle::Untried);
        of_each.max().max(untried)
    }

    /// Counts and writes the refusals. A session older than the list is not refused where this node cannot judge:
    /// its request is answered with 503, and it may count once the node can.
    fn report(&self, tried: &Tried, can_judge: bool) {
        for (_, Refused { refusal, record }) in &tried.refusals {
            let reason = &refusal.reason;
            if *reason == Rejected::OlderThanList && !can_judge {
                continue;
            }
            self.log.rejected(reason);
            let record = record.as_ref().map(|(record, _)| &**record);
            self.service.observer.tell_refusal(*reason, record);
            if let (Rejected::UnknownKey(_), Some(watch)) = (reason, &self.watch) {
                // A neighbour may have learned of a new key first.
                watch.look_soon();
            }
        }
    }

    /// Fails if there is an authentic cookie that this node cannot judge.
    fn require_trust(&self, tried: &Tried, now: UnixMillis) -> Result<(), Unavailable> {
        let too_old = |refusal: &Refusal| matches!(refusal.standing, Standing::OlderThanList(_));
        let is_too_old = tried.live.is_none() && tried.refusals().any(too_old);
        match tried.began {
            Some(began) if self.service.cannot_judge(began, is_too_old, now) => Err(Unavailable),
            _ => Ok(()),
        }
    }
}

/// The state that the handlers start from.
fn state(tried: Tried, obstacle: Option<Obstacle>) -> RequestState {
    let rejected = tried.rejected();
    let Tried { live, dead, .. } = tried;
    let mut others = tried.others;
    if let Some((live, scope)) = live {
        if let Some(dead) = dead
            && dead.reason != Rejected::Succeeded
        {
            others.push(dead.record);
        }
        others.retain(|other| other.id != live.record().id);
        return RequestState::live(live, scope, others);
    }
    others.retain(|other| dead.as_ref().is_none_or(|dead| dead.record.id != other.id));
    RequestState::absent(obstacle, dead, others, rejected)
}

impl Tried {
    fn take_live(&mut self, live: Live, scope: usize) {
        self.opened += 1;
        self.note(live.record().began());
        let better = self.live.as_ref().is_none_or(|(best, _)| {
            let reads = |live: &Live| live.freshness() == Freshness::Superseded;
            live.is_newer_than(best) || (reads(best) && !reads(&live))
        });
        let other = match better {
            true => self.live.replace((live, scope)).map(|(other, _)| other),
            false => Some(live),
        };
        self.others
            .extend(other.map(|other| other.into_opened().into_record()));
    }

    fn take_refused(&mut self, refused: Refused, scope: usize) {
        let Refused { refusal, record } = &refused;
        self.opened += usize::from(refusal.cost_a_cipher_run());
        let reason = refusal.reason;
        if refusal.is_authentic() {
            let began = record.as_ref().map(|(record, _)| record.began());
            self.note(began.unwrap_or_default());
        }
        match record.clone() {
            Some((record, key)) if self.dead.is_none() => {
                self.dead = Some(Dead {
                    record,
                    key: Some(key),
                    reason,
                });
            }
            // A session that a login succeeded needs no other end.
            Some((record, _)) if reason != Rejected::Succeeded => self.others.push(record),
            _ => (),
        }
        self.refusals.push((scope, refused));
    }

    fn note(&mut self, began: UnixMillis) {
        self.began = Some(self.began.map_or(began, |oldest| oldest.min(began)));
    }

    fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.refusals.iter().map(|(_, refused)| &refused.refusal)
    }

    /// What the handler is told: why the first authentic candidate is no session, or the first if none is.
    fn rejected(&self) -> Option<Rejected> {
        let authentic = self.refusals().find(|refusal| refusal.is_authentic());
        let told = authentic.or_else(|| self.refusals().next());
        told.map(|refusal| refusal.reason)
    }

    /// Whether nothing in the cookies of one name can be a session.
    fn is_worthless(&self, index: usize) -> bool {
        let mut own = self.refusals.iter().filter(|(scope, _)| *scope == index);
        own.all(|(_, it)| it.refusal.standing == Standing::Worthless)
    }
}

/// What pages load beside them (Fetch, section 2.2.5): a burst of such answers would carry a cookie each.
fn is_asset(destination: &[u8]) -> bool {
    const ASSETS: [&[u8]; 7] = [
        b"image", b"style", b"script", b"font", b"audio", b"video", b"track",
    ];
    ASSETS.contains(&destination)
}
