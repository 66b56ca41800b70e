//! Reading on from a position.
//!
//! 1. The chain decides. Publications are numbered without gaps, and each names the one before it.
//!    Anything else than the next link is a gap.
//! 2. A stream that was deleted or begun anew answers "nothing new" for ever. So every half a second
//!    at the most the list itself is asked how far it has come, by a call that writes: it fails on a
//!    server that may not be written to, which could be a lonely half of what was one.
//! 3. Complete is what has reached the place that this call was told of when it began.
//! 4. After a gap or an error no connection is used again: it may lead to the wrong server, and what is
//!    told or compared over another one than the news come over says nothing to those who follow these.
//! 5. When any connection was lost, following fails once. A server that took its place may lack what was
//!    told over it, at a position that fits, and only a comparison of everything shows that.
//! 6. After news the server is left alone for a moment. Where little happens nobody waits for that;
//!    where much happens news come in batches, and a node need not ask for each logout of the fleet.

use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Value, cmd};

use super::Redis;
use super::record;
use super::script::Operation;
use super::snapshot::position;
use crate::clock::{Clock, UnixMillis, millis};
use crate::error::StoreError;
use crate::lock::lock;
use crate::revoke::{Followed, News, Position, Revocation};

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
    pub(super) async fn follow_from(&self, from: Position) -> Result<Followed, StoreError> {
        let mut followed = self.read_on(from).await;
        if matches!(followed, Ok(Followed::News(_))) && self.has_new_losses() {
            followed = Err(StoreError::unavailable(format_args!(
                "{}: a connection was lost, and maybe what was told over it",
                self.link.server().address()
            )));
        }
        if !matches!(followed, Ok(Followed::News(_))) {
            *lock(&self.last_beat) = None;
            self.follower.reset().await;
            self.reset_others().await;
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
        let epoch = self.beat().await?.0.epoch;
        Ok(Followed::Gap { epoch })
    }

    async fn read_on(&self, from: Position) -> Result<Followed, StoreError> {
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
            let behind = goal.is_some_and(|goal| reached.position.sequence < goal.sequence);
            let entries = self.publications(reached.position, (!behind).then_some(wait));
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
            let behind = goal.is_some_and(|goal| reached.position.sequence < goal.sequence);
            if !behind || self.clock.monotonic() >= started.saturating_add(LONGEST) {
                return Ok(Followed::News(News {
                    revocations: reached.revocations,
                    born: reached.born,
                    position: reached.position,
                    complete: goal.is_some() && !behind,
                    settling: told.map(|(_, settling)| settling),
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
    /// position in another list than the last one that was heard of cannot wait.
    fn beat_due(&self, epoch: u64) -> Option<Duration> {
        let last = lock(&self.last_beat).filter(|last| last.epoch == epoch)?;
        let left = last.at.saturating_add(BEAT);
        let left = left.saturating_sub(self.clock.monotonic());
        (!left.is_zero()).then_some(left)
    }

    /// How far the list has come, and for how much longer nodes may give back what it lost. Over the
    /// connection that the news come over: of another server it would say nothing.
    async fn beat(&self) -> Result<(Position, Duration), StoreError> {
        let at = self.clock.monotonic();
        let call = self.call(Operation::BEAT)?.number(millis(self.retention));
        let (_, mut answer) = self.scripts.call(&self.follower, &call).await?;
        let reached = position(&mut answer)?;
        let settling = Duration::from_millis(answer.number()?);
        let epoch = reached.epoch;
        if self.note_epoch(epoch) {
            // It may be another server's.
            self.reset_others().await;
        }
        *lock(&self.last_beat) = Some(LastBeat { at, epoch });
        Ok((reached, settling))
    }

    /// What comes after `position`: waits for it for as long as `wait` says.
    async fn publications(
        &self,
        position: Position,
        wait: Option<Duration>,
    ) -> Result<Vec<Value>, StoreError> {
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(BATCH);
        if let Some(wait) = wait {
            // Zero would be for ever.
            command.arg("BLOCK").arg(millis(wait).max(1));
        }
        let key = self.scripts.key("news");
        let after = format!("{}-0", position.sequence);
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
    position: Position,
    revocations: Vec<Revocation>,
    born: Option<UnixMillis>,
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
    fn new(position: Position) -> Self {
        Self {
            position,
            revocations: Vec::new(),
            born: None,
        }
    }

    /// Whether `goal`, where the list is, cannot be reached from here.
    fn lost(&self, goal: Position) -> bool {
        goal.epoch != self.position.epoch
            || goal.sequence < self.position.sequence
            || self.other(goal)
    }

    /// Whether this is the place of `goal`, in another history.
    fn other(&self, goal: Position) -> bool {
        goal.sequence == self.position.sequence && goal.mark != self.position.mark
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
        let sequence = self.position.sequence.saturating_add(1);
        if id != format!("{sequence}-0").as_bytes() || previous != self.position.mark {
            return Err(Gap::Missing);
        }
        match kind.as_slice() {
            b"e" => {
                let revocations = record::unpack(&value).ok_or(Gap::Unreadable)?;
                self.revocations.extend(revocations);
            }
            b"b" => {
                let text = std::str::from_utf8(&value).ok();
                let born = text.and_then(|text| text.parse().ok());
                self.born = Some(record::time(born.ok_or(Gap::Unreadable)?));
            }
            b"g" => return Err(Gap::Missing),
            b"h" => {}
            _ => return Err(Gap::Unreadable),
        }
        self.position.sequence = sequence;
        self.position.mark = mark;
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
