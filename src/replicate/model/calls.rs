//! What the store makes of a call.

use super::Without::*;
use super::state::{Pending, State, hash};
use super::{Config, SUBJECT};
use crate::error::StoreError;
use crate::ids::{Generation, RaiseId};
use crate::replicate::core::{Answer, Call, Event, Load, PublishFor};
use crate::revoke::{
    Cursor, Followed, Incarnation, LogState, Raise, Raised, Receipt, Revocation, SnapshotEnd,
};
use crate::testing::LogCall;
use crate::time::UnixMillis;

/// To look at a server that says nothing of time, and on a copy of it.
pub(super) const NO_CALL: LogCall = LogCall {
    now: super::START,
    fresh: 0,
};

impl State {
    /// The time by the store's clock, and a name that only the same history gives again.
    pub(super) fn server_call(&self, config: &Config) -> LogCall {
        LogCall {
            now: config.store_time(self.now, self.seen.losses),
            fresh: hash(&(&self.server, self.now, self.seen.losses)),
        }
    }

    pub(super) fn store_entries(&self) -> Vec<Revocation> {
        self.server.clone().snapshot(NO_CALL).0
    }

    /// The store carries a call out, if it is `up`. What the node is told.
    pub(super) fn execute(
        &mut self,
        config: &Config,
        it: &Pending,
        up: Result<(), StoreError>,
    ) -> Vec<Event> {
        let call = self.server_call(config);
        let mut events = Vec::new();
        let server = &mut self.server;
        let answer = match it.call.clone() {
            Call::Announce(announcement) => {
                Answer::Announced(up.map(|()| server.announce(call, announcement)))
            }
            Call::Load(load) => {
                let end = up.map(|()| {
                    let (piece, end) = self.load(config, it.node, load);
                    events.push(Event::Piece(load, piece));
                    end
                });
                Answer::Loaded(load, end)
            }
            Call::Follow(cursor) => Answer::Followed(up.map(|()| self.follow(config, cursor))),
            Call::Publish(revocations, publish_for) => {
                let receipt = up.and_then(|()| self.publish(config, &revocations, &publish_for));
                Answer::Published(revocations, publish_for, receipt)
            }
            Call::Raise(raise, raise_for) => {
                let raised = up.and_then(|()| self.raise_generation(config, &raise));
                Answer::Raised(raise, raise_for, raised)
            }
            Call::Read(ticket, subjects) => {
                let reading = up.map(|()| server.read(call, &subjects));
                Answer::Read(ticket, subjects, reading)
            }
            Call::Find(ticket, session, subjects) => {
                Answer::Found(ticket, up.map(|()| server.find(call, session, &subjects)))
            }
            Call::Attest(incarnation, since) => {
                Answer::Attested(up.map(|()| self.attest(config, incarnation, since)))
            }
            Call::Sweep(ticket) => Answer::Swept(ticket, up.and_then(|()| server.sweep(call))),
        };
        events.push(Event::Answered(answer));
        events
    }

    fn load(&mut self, config: &Config, node: u8, load: Load) -> (Vec<Revocation>, SnapshotEnd) {
        let call = self.server_call(config);
        let (mut piece, end) = self.server.snapshot(call);
        let core = self.node(node).map(|node| &node.core);
        if let (Load::Compare(_), Some(core)) = (load, core)
            && config.lacks(Comparing)
        {
            piece = core.entries();
        }
        if let Some(core) = core.filter(|core| config.lacks(AttestingLast) && core.is_sure()) {
            let since = core.list().complete_since();
            self.attest(config, end.state.incarnation, since);
        }
        piece.retain(|revocation| config.tells(revocation));
        (piece, end)
    }

    fn follow(&mut self, config: &Config, mut cursor: Cursor) -> Followed {
        let call = self.server_call(config);
        let end = self.server.cursor(call);
        let is_as_long = (end.epoch, end.sequence) == (cursor.epoch, cursor.sequence);
        if is_as_long && config.lacks(MarksOfPublications) {
            cursor = end;
        }
        let mut followed = self.server.follow(call, cursor);
        if let Followed::Delta(delta) = &mut followed {
            delta.revocations.retain(|it| config.tells(it));
        }
        followed
    }

    fn publish(
        &mut self,
        config: &Config,
        revocations: &[Revocation],
        publish_for: &PublishFor,
    ) -> Result<Receipt, StoreError> {
        let mut told = revocations.to_vec();
        if matches!(publish_for, PublishFor::Repair { .. }) {
            self.seen.restored = true;
            let is_kept = |it: &Revocation| {
                let restores_all = !config.lacks(RestoringAnonymous);
                let is_covered = config.lacks(EachSession) && self.is_covered(it);
                let is_told = restores_all || !it.key().is_anonymous();
                !config.lacks(Restoring) && !is_covered && is_told
            };
            told.retain(is_kept);
        }
        let call = self.server_call(config);
        self.server.publish(call, &told, publish_for.purpose())
    }

    /// Whether the store holds a generation that is as large.
    fn is_covered(&self, it: &Revocation) -> bool {
        let generation = |it: &Revocation| match it {
            Revocation::Subject { entry, .. } => Some(entry.generation),
            _ => None,
        };
        let stored = self.store_entries();
        generation(it).is_some() && generation(it) <= stored.iter().find_map(generation)
    }

    fn attest(
        &mut self,
        config: &Config,
        incarnation: Incarnation,
        since: UnixMillis,
    ) -> Option<LogState> {
        let call = self.server_call(config);
        if config.lacks(Attesting) {
            return Some(self.server.state(call));
        }
        let attested = self.server.attest(call, incarnation, since);
        self.seen.attested |= attested.is_some();
        attested
    }

    fn raise_generation(&mut self, config: &Config, raise: &Raise) -> Result<Raised, StoreError> {
        let call = self.server_call(config);
        let mut named = *raise;
        if config.lacks(RaiseIds) {
            named.id = RaiseId::from_bytes(u128::from(call.fresh).to_be_bytes());
        }
        let raised = self.server.raise(call, &named)?;
        self.note_raise(raise, raised.entry.generation);
        Ok(raised)
    }

    /// A generation was handed out. It has to exceed those of the sessions that it ends.
    fn note_raise(&mut self, raise: &Raise, generation: Generation) {
        debug_assert_eq!(raise.target, SUBJECT);
        let mut raises = self.seen.raises.iter_mut();
        let Some(raising) = raises.find(|it| it.id == raise.id) else {
            return;
        };
        let before = raising.done.replace(self.seen.losses);
        // A copy that does not know the raise carries it out once more.
        let is_lost = before.is_some_and(|before| before != self.seen.losses);
        for (number, session) in self.sessions.iter_mut().enumerate() {
            let Some((of_session, _)) = session.login else {
                continue;
            };
            if raising.before >> number & 1 == 1 {
                self.seen.not_above |= generation <= of_session;
            }
            // Also who logged in meanwhile, without anybody's fault.
            session.is_ended |= before.is_none() && raising.spares != Some(number);
            session.is_early |= is_lost;
        }
        self.seen.highest = self.seen.highest.max(generation);
    }
}

impl Config {
    /// Whether nodes hear of it.
    fn tells(&self, revocation: &Revocation) -> bool {
        !self.lacks(Since) || !matches!(revocation, Revocation::Anonymous { .. })
    }
}
