//! Waiting until replicas have a write.
//!
//! 1. A wait is said over the connection of the write: it waits for that connection's writes.
//! 2. It holds up everything else on that connection. So one wait serves all whose writes were answered
//!    before it began: with a replica that is down, many callers wait three times at the most (for the
//!    wait under way, for one that began a moment too early, and for their own), not in a row.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{cmd, from_redis_value};
use tokio::sync::Mutex;

use super::link::{Held, Link};
use crate::error::StoreError;
use crate::time::millis;

/// How long a wait lasts. A caller may wait three times, and gives the store up after 3 s: this leaves more
/// than half a second for the write itself.
const WAIT: Duration = Duration::from_millis(800);

#[derive(Default)]
pub(super) struct Replicas {
    wanted: usize,
    /// How many writes were answered.
    written: AtomicU64,
    last: Mutex<Option<Waited>>,
}

/// The result of a wait.
#[derive(Clone, Copy)]
struct Waited {
    connection: u64,
    /// Up to which write.
    covers: u64,
    acknowledged: usize,
}

impl Replicas {
    pub(super) fn new(wanted: usize) -> Self {
        Self {
            wanted,
            ..Self::default()
        }
    }

    /// Whether there is anything to wait for.
    pub(super) fn are_wanted(&self) -> bool {
        self.wanted > 0
    }

    /// Waits for the write that was just answered over `held`.
    pub(super) async fn wait(&self, link: &Link, held: &Held) -> Result<(), StoreError> {
        let mine = self
            .written
            .fetch_add(1, Ordering::AcqRel)
            .saturating_add(1);
        let mut last = self.last.lock().await;
        let is_covered = |last: &Waited| last.connection == held.number && last.covers >= mine;
        let waited = match last.filter(is_covered) {
            Some(waited) => waited,
            None => {
                // Lets others count theirs whose answers came together with this one.
                tokio::task::yield_now().await;
                *last.insert(Waited {
                    connection: held.number,
                    covers: self.written.load(Ordering::Acquire),
                    acknowledged: self.acknowledged(link, held).await?,
                })
            }
        };
        let (wanted, acknowledged) = (self.wanted, waited.acknowledged);
        if acknowledged < wanted {
            return Err(StoreError::NotReplicated {
                wanted,
                acknowledged,
            });
        }
        Ok(())
    }

    async fn acknowledged(&self, link: &Link, held: &Held) -> Result<usize, StoreError> {
        let mut command = cmd("WAIT");
        command.arg(self.wanted).arg(millis(WAIT));
        let answer = link.say(held, &command).await;
        let count = answer.map_err(|error| link.server().told(&error))?;
        Ok(from_redis_value(count).unwrap_or(0))
    }
}
