//! Giving the store what it lacks, and attesting since when it knows of everything.
//!
//! 1. What a comparison found lacking is published, in batches, after a random wait and with pauses that
//!    grow with how long the store takes, so that many nodes at once do not make a storm.
//! 2. What others publish meanwhile is left out.
//! 3. A call that fails, or is answered by another server, ends the repair: nobody knows which server has what.
//!    A comparison begins the next.
//! 4. A server has taken the whole list when nothing is lacking after a comparison with it. Only then is anything
//!    attested to it.
//! 5. Anonymous sessions' ends are given to a server once, in a node's first repair of it.

use std::time::Duration;

use crate::error::StoreError;
use crate::observe;
use crate::replicate::core::comparison::Lacking;
use crate::replicate::core::{Call, Cause, Command, Core, Publication, Timer, wake_within};
use crate::revoke::completeness::Moment;
use crate::revoke::{LogState, Receipt, Revocation};

/// How many entries are published at once.
const BATCH: usize = 1000;
/// Over how long the nodes of a fleet spread their beginnings.
const SPREAD: Duration = Duration::from_secs(2);
/// The pause between two batches, at least; and how many times as long as a batch took.
const PAUSE: Duration = Duration::from_millis(10);
const PAUSES: u32 = 2;
/// The wait after a failure.
const RETRY: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Repair {
    /// What the server lacks that is known; `None` before a comparison with it.
    lacking: Option<Lacking>,
    /// Whether the store has to be told again what this node needs of it.
    pub(super) must_announce: bool,
    /// Whether a timer or a call of the repair is under way.
    is_running: bool,
    /// When the call under way was made.
    asked: Option<Moment>,
}

impl Repair {
    /// How many entries the store lacks.
    pub(super) fn len(&self) -> usize {
        self.lacking.as_ref().map_or(0, Lacking::len)
    }

    /// Nobody knows any more what the server has that answers next.
    pub(super) fn give_up(&mut self) {
        self.lacking = None;
    }

    /// The store holds these.
    pub(super) fn told(&mut self, revocations: &[Revocation]) {
        let Some(lacking) = self.lacking.as_mut().filter(|lacking| !lacking.is_empty()) else {
            return;
        };
        for told in revocations {
            let matter = told.matter();
            if lacking
                .get(&matter)
                .is_some_and(|wanted| told.covers(wanted))
            {
                lacking.remove(&matter);
            }
        }
    }
}

impl Core {
    /// A comparison with the server has shown what it lacks.
    pub(super) fn begin_repair(&mut self, lacking: Lacking) -> Vec<Command> {
        if !lacking.is_empty() {
            tracing::warn!(
                lacking = lacking.len(),
                "the revocation store lacks revocations that this node holds"
            );
        }
        self.recovery.has_restored |= lacking.is_empty();
        self.repair.lacking = Some(lacking);
        self.repair_if_due()
    }

    /// Begins what is to be done, unless it is under way.
    pub(super) fn repair_if_due(&mut self) -> Vec<Command> {
        let is_due =
            self.repair.must_announce || self.repair.len() > 0 || self.to_attest().is_some();
        if !is_due || self.repair.is_running {
            return Vec::new();
        }
        self.repair.is_running = true;
        vec![wake_within(Timer::Repair, Duration::ZERO, SPREAD)]
    }

    /// The next step.
    pub(super) fn repair(&mut self, now: Moment) -> Vec<Command> {
        self.repair.asked = Some(now);
        // First: how long what follows is kept depends on it.
        if self.repair.must_announce {
            return vec![Command::Call(Call::Announce(self.announcement))];
        }
        let lacking = self.repair.lacking.iter().flat_map(Lacking::values);
        let revocations: Vec<_> = lacking.take(BATCH).copied().collect();
        if !revocations.is_empty() {
            let is_first = !self.recovery.has_restored;
            let cause = Cause::Repair { is_first };
            return vec![Command::Call(Call::Publish(Publication {
                revocations,
                cause,
            }))];
        }
        if let Some((incarnation, since)) = self.to_attest() {
            return vec![Command::Call(Call::Attest(incarnation, since))];
        }
        self.repair.is_running = false;
        Vec::new()
    }

    pub(super) fn repaired(
        &mut self,
        publication: &Publication,
        receipt: Result<Receipt, StoreError>,
        now: Moment,
    ) -> Vec<Command> {
        match receipt {
            Ok(receipt) if self.recovery.known() == Some(receipt.incarnation) => {
                let entries = publication.revocations.len();
                observe::reasserted(entries);
                tracing::info!(entries, "gave the revocation store back what it lacked");
                self.repair.told(&publication.revocations);
                if self.repair.lacking.as_ref().is_some_and(Lacking::is_empty) {
                    self.recovery.has_restored = true;
                }
                let asked = self.repair.asked.unwrap_or(now);
                let took = now.since(asked);
                vec![wake_within(Timer::Repair, PAUSE + took * PAUSES, PAUSE)]
            }
            Ok(_) => self.failed_repair(&StoreError::Replaced, now),
            Err(error) => self.failed_repair(&error, now),
        }
    }

    pub(super) fn repair_announced(
        &mut self,
        announced: Result<(), StoreError>,
        now: Moment,
    ) -> Vec<Command> {
        match announced {
            Ok(()) => {
                self.repair.must_announce = false;
                self.repair(now)
            }
            Err(error) => self.failed_repair(&error, now),
        }
    }

    pub(super) fn attested(
        &mut self,
        attested: Result<Option<LogState>, StoreError>,
        now: Moment,
    ) -> Vec<Command> {
        match attested {
            Ok(Some(state)) => {
                self.heard(&state, now);
                observe::attested();
                let since = state.complete_since;
                tracing::info!(%since, "attested that the revocation store has everything back");
                self.repair.is_running = false;
                Vec::new()
            }
            Ok(None) => self.failed_repair(&StoreError::Replaced, now),
            Err(error) => self.failed_repair(&error, now),
        }
    }

    fn failed_repair(&mut self, error: &StoreError, now: Moment) -> Vec<Command> {
        tracing::warn!(%error, lacking = self.repair.len(), "the revocation store cannot be repaired");
        self.repair.give_up();
        self.repair.is_running = false;
        self.compare_after(RETRY, now);
        Vec::new()
    }
}
