//! Reading on from a cursor.
//!
//! 1. The chain decides. Publications are numbered without gaps, and each names the one before it.
//!    Anything else than the next link is a gap.
//! 2. A stream that was deleted or begun anew answers "nothing new" for ever. So every half a second
//!    at the most the list itself is asked how far it has come, by a call that writes: it fails on a
//!    server that may not be written to, which could be a lonely half of what was one.
//! 3. Complete is what has reached the place that this call was told of when it began.
//! 4. After a gap or an error no connection is used again: it may lead to the wrong server, and what is
//!    told or compared over another one than the news come over says nothing to those who follow these.
//! 5. When any connection was lost, or any answer came from another server, following fails once. A server that
//!    took its place may lack what was told, at a cursor that fits, and only a comparison of everything shows
//!    that.
//! 6. After news the server is left alone for a moment. Where little happens nobody waits for that;
//!    where much happens news come in batches, and a node need not ask for each logout of the fleet.

use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Value, cmd};

use super::Redis;
use super::record;
use super::script::Operation;
use crate::error::StoreError;
use crate::lock::lock;
use crate::revoke::{Cursor, Delta, Followed, LogState, Revocation};
use crate::time::{Clock, millis};

/// How long one call waits for news, and how many publications it asks for at once.
const QUIET: Duration = Duration::from_secs(1);
const BATCH: usize = 500;
/// How long news may gather after the last. A call costs a node as much as several publications do.
const GATHERING: Duration = Duration::from_millis(1);
/// How often the list is asked how far it has come.
const BEAT: Duration = Duration::from_millis(500);
/// How long a call reads on, if there is always more.
const LONGEST: Duration = Duration::from_secs(2);
/// How long the connection for following waits for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

impl Redis {
    pub(super) async fn follow_from(&self, from: Cursor) -> Result<Followed, StoreError> {
        let mut followed = self.read_on(from).await;
        if matches!(followed, Ok(Followed::Delta(_))) && self.has_new_losses() {
            followed = Err(StoreError::unavailable(format_args!(
                "{}: a connection was lost, and maybe what was told over it",
                self.link.server().address()
            )));
        }
        if !matches!(followed, Ok(Followed::Delta(_))) {
            *lock(&self.last_beat) = None;
            self.follower.reset().await;
            self.reset_others().await;
            // The caller compares all it knows, with whichever server answers next.
            *lock(&self.heard) = None;
            self.has_new_losses();
        }
        followed
    }

    /// Whether connections were lost since this was last asked.
    fn has_new_losses(&self) -> bool {
        let lost = self.link.server().lost();
        self.losses_seen.swap(lost, Ordering::AcqRel) != lost
    }

    /// Makes anew what is told and compared over.
    async fn reset_others(&self) {
        self.link.reset().await;
        self.writer.reset().await;
    }

    /// Something may have been missed, of the list as it is now.
    async fn gap(&self) -> Result<Followed, StoreError> {
        Ok(Followed::Gap(self.beat().await?.1))
    }

    async fn read_on(&self, from: Cursor) -> Result<Followed, StoreError> {
        self.let_gather().await;
        let started = self.clock.monotonic();
        let mut reached = Reached::new(from);
        let (told, wait) = match self.beat_due(from.epoch) {
            Some(wait) => (None, wait),
            None => (Some(self.beat().await?), QUIET),
        };
        let goal = told.map(|(goal, _)| goal);
        if goal.is_some_and(|goal| reached.lost(goal)) {
            return self.gap().await;
        }
        loop {
            let behind = goal.is_some_and(|goal| reached.cursor.sequence < goal.sequence);
            let entries = self.publications(reached.cursor, (!behind).then_some(wait));
            let entries = entries.await?;
            if behind && entries.is_empty() {
                return self.gap().await;
            }
            self.note_news(entries.len());
            for entry in entries {
                if let Err(gap) = reached.take(entry) {
                    if gap == Gap::Unreadable {
                        self.unreadable_news.fetch_add(1, Ordering::Relaxed);
                        tracing::error!(
                            list = self.list,
                            "the revocation store told something that is not understood"
                        );
                    }
                    return self.gap().await;
                }
            }
            if goal.is_some_and(|goal| reached.other(goal)) {
                return self.gap().await;
            }
            let behind = goal.is_some_and(|goal| reached.cursor.sequence < goal.sequence);
            if !behind || self.clock.monotonic() >= started.saturating_add(LONGEST) {
                return Ok(Followed::Delta(Delta {
                    revocations: reached.revocations,
                    cursor: reached.cursor,
                    state: told.map(|(_, state)| state),
                    is_complete: goal.is_some() && !behind,
                }));
            }
        }
    }

    /// Waits until news had time to gather since the last.
    async fn let_gather(&self) {
        let until = *lock(&self.gathering);
        let left = until.saturating_sub(self.clock.monotonic());
        if !left.is_zero() {
            tokio::time::sleep(left).await;
        }
    }

    /// So many publications came at once. If they are as many as were asked for, more are there already.
    fn note_news(&self, count: usize) {
        if (1..BATCH).contains(&count) {
            let until = self.clock.monotonic().saturating_add(GATHERING);
            *lock(&self.gathering) = until;
        }
    }

    /// `None` if it is time for a beat, which the caller then has to do; else how long until then. A
    /// cursor in another list than the last one that was heard of cannot wait.
    fn beat_due(&self, epoch: u64) -> Option<Duration> {
        let last = lock(&self.last_beat).filter(|last| last.epoch == epoch)?;
        let left = last.at.saturating_add(BEAT);
        let left = left.saturating_sub(self.clock.monotonic());
        (!left.is_zero()).then_some(left)
    }

    /// How far the list has come, and what it says of itself. Over the connection that the news come over: of
    /// another server it would say nothing.
    async fn beat(&self) -> Result<(Cursor, LogState), StoreError> {
        let at = self.clock.monotonic();
        let before = *lock(&self.heard);
        let call = self.call(Operation::BEAT)?.number(millis(self.retention));
        let (_, mut answer) = self.scripts.call(&self.follower, &call).await?;
        let state = self.heard(&answer);
        let incarnation = state.incarnation;
        if before.is_some_and(|before| before != incarnation) {
            // They may lead to another server.
            self.reset_others().await;
        }
        let epoch = incarnation.epoch;
        *lock(&self.last_beat) = Some(LastBeat { at, epoch });
        Ok((answer.cursor()?, state))
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
        let key = self.scripts.key("stream");
        let after = format!("{}-0", cursor.sequence);
        command.arg("STREAMS").arg(key).arg(after);
        // One stream was asked for: its name and its entries.
        if let Value::Array(streams) = self.follower.ask(&command).await?
            && let Some(Value::Array(stream)) = streams.into_iter().next()
            && let Some(Value::Array(entries)) = stream.into_iter().nth(1)
        {
            return Ok(entries);
        }
        Ok(Vec::new())
    }
}

/// When the list was last asked how far it has come, and which list that was.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastBeat {
    at: Duration,
    epoch: u64,
}

/// What a call has read so far.
struct Reached {
    cursor: Cursor,
    revocations: Vec<Revocation>,
}

/// Why the next entry is not taken.
#[derive(Debug, PartialEq, Eq)]
enum Gap {
    /// Entries are missing, or there is something that only a snapshot tells.
    Missing,
    /// It is not what any release writes that this one knows.
    Unreadable,
}

impl Reached {
    fn new(cursor: Cursor) -> Self {
        Self {
            cursor,
            revocations: Vec::new(),
        }
    }

    /// Whether `goal`, where the list is, cannot be reached from here.
    fn lost(&self, goal: Cursor) -> bool {
        goal.epoch != self.cursor.epoch || goal.sequence < self.cursor.sequence || self.other(goal)
    }

    /// Whether this is the place of `goal`, in another history.
    fn other(&self, goal: Cursor) -> bool {
        goal.sequence == self.cursor.sequence && goal.mark != self.cursor.mark
    }

    /// Takes the next publication.
    fn take(&mut self, entry: Value) -> Result<(), Gap> {
        let Publication {
            id,
            previous,
            mark,
            kind,
            value,
        } = Publication::read(entry).ok_or(Gap::Unreadable)?;
        let sequence = self.cursor.sequence.saturating_add(1);
        if id != format!("{sequence}-0").as_bytes() || previous != self.cursor.mark {
            return Err(Gap::Missing);
        }
        match kind.as_slice() {
            b"e" => {
                let revocations = record::unpack(&value).ok_or(Gap::Unreadable)?;
                self.revocations.extend(revocations);
            }
            b"g" => return Err(Gap::Missing),
            b"h" => {}
            _ => return Err(Gap::Unreadable),
        }
        self.cursor.sequence = sequence;
        self.cursor.mark = mark;
        Ok(())
    }
}

/// An entry of the stream.
struct Publication {
    id: Vec<u8>,
    previous: u64,
    mark: u64,
    kind: Vec<u8>,
    value: Vec<u8>,
}

impl Publication {
    fn read(entry: Value) -> Option<Self> {
        let [id, fields] = array(entry)?;
        let [p, previous, m, mark, kind, value] = array(fields)?;
        if bytes(p)? != b"p" || bytes(m)? != b"m" {
            return None;
        }
        Some(Self {
            id: bytes(id)?,
            previous: name(previous)?,
            mark: name(mark)?,
            kind: bytes(kind)?,
            value: bytes(value)?,
        })
    }
}

fn array<const N: usize>(value: Value) -> Option<[Value; N]> {
    match value {
        Value::Array(values) => values.try_into().ok(),
        _ => None,
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

fn name(value: Value) -> Option<u64> {
    Some(u64::from_be_bytes(bytes(value)?.try_into().ok()?))
}
