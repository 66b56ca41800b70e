//! Restoring what the store lacks, and attesting since when it knows of everything.
//!
//! 1. What a comparison found lacking is published, in batches, after a random wait and with pauses that
//!    grow with how long the store takes, so that many nodes at once do not make a storm.
//! 2. What others publish meanwhile is left out.
//! 3. A call that fails, or is answered by another server, ends the repair: nobody knows which server has what.
//!    A comparison begins the next.
//! 4. A server has taken the whole list when nothing is lacking after a comparison with it. Only then is anything
//!    attested to it.
//! 5. Anonymous sessions' ends are restored to a server once, in a node's first repair of it.

use std::time::Duration;

use crate::error::StoreError;
use crate::observe;
use crate::replicate::core::comparison::Lacking;
use crate::replicate::core::event::{Call, PublishFor, Timer};
use crate::replicate::core::state::{BATCH, Core, Repair};
use crate::revoke::{LogState, Receipt, Revocation};

/// Over how long the nodes of a fleet spread their beginnings.
const SPREAD: Duration = Duration::from_secs(2);
/// The pause between two batches, at least; and how many times as long as a batch took.
const PAUSE: Duration = Duration::from_millis(10);
const PAUSES: u32 = 2;
/// The wait after a failure.
const RETRY: Duration = Duration::from_secs(2);

impl Repair {
    /// The store holds these.
    pub(super) fn told(&mut self, revocations: &[Revocation]) {
        let Some(lacking) = self.lacking.as_mut().filter(|it| !it.is_empty()) else {
            return;
        };
        for told in revocations {
            let key = told.key();
            let wanted = lacking.get(&key);
            if wanted.is_some_and(|wanted| told.covers(wanted)) {
                lacking.remove(&key);
            }
        }
    }
}

impl Core {
    /// A comparison with the server has shown what it lacks.
    pub(super) fn begin_repair(&mut self, lacking: Lacking) {
        if !lacking.is_empty() {
            tracing::warn!(
                lacking = lacking.len(),
                "the revocation store lacks revocations that this node holds"
            );
        }
        self.recovery.has_restored |= lacking.is_empty();
        self.repair.lacking = Some(lacking);
        self.repair_if_due();
    }

    /// Begins what is to be done, unless it is under way.
    pub(super) fn repair_if_due(&mut self) {
        let is_due =
            self.repair.must_announce || self.repair.len() > 0 || self.to_attest().is_some();
        if is_due && self.repair.under_way.is_none() {
            self.repair.under_way = Some(self.now);
            self.wake(Timer::Repair, Duration::ZERO, SPREAD);
        }
    }

    /// The next step.
    pub(super) fn repair(&mut self) {
        self.repair.under_way = Some(self.now);
        let lacking = self.repair.lacking.iter().flat_map(Lacking::values);
        let revocations: Vec<_> = lacking.take(BATCH).copied().collect();
        // First: how long what follows is kept depends on it.
        if self.repair.must_announce {
            self.call(Call::Announce(self.announcement));
        } else if !revocations.is_empty() {
            let is_first = !self.recovery.has_restored;
            self.call(Call::Publish(revocations, PublishFor::Repair { is_first }));
        } else if let Some((incarnation, since)) = self.to_attest() {
            self.call(Call::Attest(incarnation, since));
        } else {
            self.repair.under_way = None;
        }
    }

    pub(super) fn repaired(&mut self, told: &[Revocation], receipt: Result<Receipt, StoreError>) {
        match receipt {
            Ok(receipt) if self.recovery.known == Some(receipt.incarnation) => {
                let entries = told.len();
                observe::count(observe::REASSERTED, entries);
                tracing::info!(entries, "restored what the revocation store lacked");
                self.repair.told(told);
                if self.repair.lacking.as_ref().is_some_and(Lacking::is_empty) {
                    self.recovery.has_restored = true;
                }
                let asked = self.repair.under_way.unwrap_or(self.now);
                // By the monotonic clock: the other may jump.
                let took = self.now.monotonic.saturating_sub(asked.monotonic);
                self.wake(Timer::Repair, PAUSE + took * PAUSES, PAUSE);
            }
            Ok(_) => self.failed_repair(&StoreError::Replaced),
            Err(error) => self.failed_repair(&error),
        }
    }

    pub(super) fn repair_announced(&mut self, announced: Result<(), StoreError>) {
        match announced {
            Ok(()) => {
                self.repair.must_announce = false;
                self.repair();
            }
            Err(error) => self.failed_repair(&error),
        }
    }

    pub(super) fn attested(&mut self, attested: Result<Option<LogState>, StoreError>) {
        match attested.and_then(|it| it.ok_or(StoreError::Replaced)) {
            Ok(state) => {
                self.heard(&state);
                observe::count(observe::ATTESTED, 1);
                let since = state.complete_since;
                tracing::info!(%since, "attested that the revocation store has everything back");
                self.repair.under_way = None;
            }
            Err(error) => self.failed_repair(&error),
        }
    }

    fn failed_repair(&mut self, error: &StoreError) {
        tracing::warn!(%error, lacking = self.repair.len(), "the revocation store cannot be repaired");
        self.repair.lacking = None;
        self.repair.under_way = None;
        self.compare_after(RETRY);
    }
}
