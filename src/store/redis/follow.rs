//! Reading on from a cursor.
//!
//! 1. The chain decides. Publications are numbered without gaps, and each names the one before it.
//!    Anything else than the next link is a gap.
//! 2. A stream that was deleted or begun anew answers "nothing new" for ever. So the list itself is asked how far
//!    it has come, every half second. This call writes, so it fails on a server that is read-only, as one is that
//!    was cut off from its fleet and demoted.
//! 3. A delta is complete if it reaches the place where the list was when the call began.
//! 4. After a gap or an error no connection is used again: it may lead to the wrong server. Publishing and
//!    comparing have to use the server that is followed.
//! 5. When any connection was lost, or any answer came from another server, following fails once. The server that
//!    took over may lack some publications although the cursor fits. Only a comparison of everything shows that.
//! 6. After a delta the server is left alone for a moment. Where little is published nobody waits for that.
//!    Where much is published it comes in batches, and a node need not ask for each logout of the fleet.

use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Value, cmd, from_redis_value};

use super::handle::{Answered, Redis};
use super::record;
use crate::error::StoreError;
use crate::lock::lock;
use crate::revoke::{Cursor, Delta, Followed, LogState, Revocation};
use crate::time::{Clock, millis};

/// How long one call waits for publications, and how many publications it asks for at once.
const QUIET: Duration = Duration::from_secs(1);
const BATCH: usize = 500;
/// How long publications may gather after a delta. A call costs a node as much as several publications do.
const GATHERING: Duration = Duration::from_millis(1);
/// How often the list is asked how far it has come.
const BEAT: Duration = Duration::from_millis(500);
/// How long a call reads on, if there is always more.
const LONGEST: Duration = Duration::from_secs(2);

impl Redis {
    pub(super) async fn follow_from(&self, from: Cursor) -> Result<Followed, StoreError> {
        let mut followed = self.read_on(from).await;
        if matches!(followed, Ok(Followed::Delta(_))) && self.server().take_loss() {
            followed = Err(self
                .server()
                .unavailable("a connection was lost, and maybe what was told over it"));
        }
        if !matches!(followed, Ok(Followed::Delta(_))) {
            lock(&self.following).last_beat = None;
            self.follower.reset().await;
            self.reset_others().await;
            // The caller compares all it knows with the server that answers next.
            *lock(&self.heard) = None;
            self.server().take_loss();
        }
        followed
    }

    /// Closes the connections for publishing and comparing.
    async fn reset_others(&self) {
        self.link.reset().await;
        self.writer.reset().await;
    }

    /// Publications may have been missed.
    async fn gap(&self) -> Result<Followed, StoreError> {
        Ok(Followed::Gap(self.beat().await?.1))
    }

    async fn read_on(&self, from: Cursor) -> Result<Followed, StoreError> {
        let started = self.let_gather().await;
        let mut reached = Reached {
            cursor: from,
            revocations: Vec::new(),
        };
        let (told, wait) = match self.until_beat(from.epoch) {
            Some(wait) => (None, wait),
            None => (Some(self.beat().await?), QUIET),
        };
        let goal = told.map(|(goal, _)| goal);
        if goal.is_some_and(|goal| reached.is_lost(goal)) {
            return self.gap().await;
        }
        loop {
            let is_behind = goal.is_some_and(|goal| reached.cursor.sequence < goal.sequence);
            let wait = (!is_behind).then_some(wait);
            let entries = self.publications(reached.cursor, wait).await?;
            if is_behind && entries.is_empty() {
                return self.gap().await;
            }
            for entry in entries {
                match reached.take(entry) {
                    Some(true) => {}
                    Some(false) => return self.gap().await,
                    None => {
                        self.unreadable_publications.fetch_add(1, Ordering::Relaxed);
                        tracing::error!(
                            list = self.list,
                            "the revocation store told something that is not understood"
                        );
                        return self.gap().await;
                    }
                }
            }
            if goal.is_some_and(|goal| reached.is_elsewhere(goal)) {
                return self.gap().await;
            }
            let is_behind = goal.is_some_and(|goal| reached.cursor.sequence < goal.sequence);
            if !is_behind || self.clock.monotonic() >= started.saturating_add(LONGEST) {
                return Ok(Followed::Delta(Delta {
                    revocations: reached.revocations,
                    cursor: reached.cursor,
                    state: told.map(|(_, state)| state),
                    is_complete: goal.is_some() && !is_behind,
                }));
            }
        }
    }

    /// Waits until publications had time to gather since the last delta. Returns the time then.
    async fn let_gather(&self) -> Duration {
        let until = lock(&self.following).gathering;
        let now = self.clock.monotonic();
        if now < until {
            tokio::time::sleep(until.saturating_sub(now)).await;
        }
        self.clock.monotonic()
    }

    /// `None` if it is time for a beat, which the caller then has to do; else how long until then. A
    /// cursor in another epoch than the last one that was heard of cannot wait.
    fn until_beat(&self, epoch: u64) -> Option<Duration> {
        let last = lock(&self.following).last_beat;
        let (at, _) = last.filter(|(_, beaten)| *beaten == epoch)?;
        let left = at.saturating_add(BEAT);
        let left = left.saturating_sub(self.clock.monotonic());
        (!left.is_zero()).then_some(left)
    }

    /// How far the list has come, and its state. Asked over the follower's own connection, so that the answer is of
    /// the server that is followed.
    async fn beat(&self) -> Result<(Cursor, LogState), StoreError> {
        let at = self.clock.monotonic();
        let before = *lock(&self.heard);
        let retention = millis(self.retention);
        let answered: Answered<(u64, [u8; 8])> =
            self.call(&self.follower, "beat", retention).await?;
        let incarnation = answered.state.incarnation;
        if before.is_some_and(|before| before != incarnation) {
            // The others may lead to another server.
            self.reset_others().await;
        }
        let epoch = incarnation.epoch;
        lock(&self.following).last_beat = Some((at, epoch));
        let (sequence, mark) = answered.result;
        let cursor = Cursor::new(epoch, sequence, u64::from_be_bytes(mark));
        Ok((cursor, answered.state))
    }

    /// What comes after `cursor`: waits for it for as long as `wait` says.
    async fn publications(
        &self,
        cursor: Cursor,
        wait: Option<Duration>,
    ) -> Result<Vec<Value>, StoreError> {
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(BATCH);
        if let Some(wait) = wait {
            // Zero would be for ever.
            command.arg("BLOCK").arg(millis(wait).max(1));
        }
        let [.., stream] = &self.keys;
        let after = format!("{}-0", cursor.sequence);
        command.arg("STREAMS").arg(stream).arg(after);
        // One stream was asked for: its name and its entries, or nothing.
        type Streams = Option<((String, Vec<Value>),)>;
        let heard = self.follower.ask(&command).await?;
        let streams: Streams = from_redis_value(heard.value).unwrap_or_default();
        let entries = streams.map_or_else(Vec::new, |((_, entries),)| entries);
        // If they are as many as were asked for, more are there already.
        if (1..BATCH).contains(&entries.len()) {
            let until = self.clock.monotonic().saturating_add(GATHERING);
            lock(&self.following).gathering = until;
        }
        Ok(entries)
    }
}

/// What a call has read so far.
struct Reached {
    cursor: Cursor,
    revocations: Vec<Revocation>,
}

impl Reached {
    /// Whether `goal`, where the list is, cannot be reached from here.
    fn is_lost(&self, goal: Cursor) -> bool {
        goal.epoch != self.cursor.epoch
            || goal.sequence < self.cursor.sequence
            || self.is_elsewhere(goal)
    }

    /// Whether this is the place of `goal`, in another history.
    fn is_elsewhere(&self, goal: Cursor) -> bool {
        goal.sequence == self.cursor.sequence && goal.mark != self.cursor.mark
    }

    /// Takes the next publication. False if entries are missing before it, or it is something that only a snapshot
    /// tells; `None` if no release writes it that this one knows.
    fn take(&mut self, entry: Value) -> Option<bool> {
        type Fields = (String, [u8; 8], String, [u8; 8], String, Vec<u8>);
        let (id, fields): (String, Fields) = from_redis_value(entry).ok()?;
        let (p, previous, m, mark, kind, value) = fields;
        if p != "p" || m != "m" {
            return None;
        }
        let sequence = self.cursor.sequence.saturating_add(1);
        if id != format!("{sequence}-0") || u64::from_be_bytes(previous) != self.cursor.mark {
            return Some(false);
        }
        match kind.as_str() {
            "e" => self.revocations.extend(record::unpack(&value)?),
            "g" => return Some(false),
            "h" => {}
            _ => return None,
        }
        self.cursor.sequence = sequence;
        self.cursor.mark = u64::from_be_bytes(mark);
        Some(true)
    }
}
