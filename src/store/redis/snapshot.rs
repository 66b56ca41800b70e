//! Reading the whole list.
//!
//! 1. The cursor is noted first, and all is read over one connection. If that breaks, or the list
//!    is another one at the end, there is no snapshot: a list that was emptied on the way must not
//!    pass for a short one.
//! 2. What changes on the way is told after the cursor. What expires on the way is not missed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Value, cmd};

use super::Redis;
use super::link::Held;
use super::record::{self, Id};
use super::script::{Answer, Operation};
use crate::error::StoreError;
use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::revoke::{Cursor, LogState, Revocation, SessionEntry, SnapshotEnd, SubjectEntry};
use crate::time::UnixMillis;

/// How many entries the server is asked for at once.
const BATCH: usize = 1000;

/// Where the list is, and what it holds beside its entries.
pub(super) struct State {
    cursor: Cursor,
    everyone: Generation,
    since: UnixMillis,
}

impl State {
    pub(super) fn read(answer: &mut Answer) -> Result<Self, StoreError> {
        Ok(Self {
            cursor: answer.cursor()?,
            everyone: Generation::new(answer.number()?),
            since: record::time(answer.number()?),
        })
    }
}

/// What concerns more than one session or subject.
pub(super) fn of_all(everyone: Generation, since: UnixMillis) -> Vec<Revocation> {
    let generation = everyone;
    let everyone = (generation > Generation::NONE).then_some(Revocation::Everyone { generation });
    let anonymous = (since > UnixMillis::EPOCH).then_some(Revocation::Anonymous { since });
    everyone.into_iter().chain(anonymous).collect()
}

/// Makes revocations of stored values, at one time.
///
/// A value that is not understood, under an id that is one, refuses all it could: a session counts as
/// ended, a subject's sessions from before now as dead.
pub(super) struct Values {
    now: UnixMillis,
    longest: Duration,
    /// Not understood: sessions, anonymous ones, subjects.
    unreadable: [u64; 3],
}

impl Values {
    pub(super) fn new(state: &LogState) -> Self {
        Self {
            now: state.now,
            longest: state.announced.longest,
            unreadable: [0; 3],
        }
    }

    pub(super) fn session(&mut self, id: Id, value: &[u8]) -> Revocation {
        let entry = record::session(value).unwrap_or_else(|| self.ended(0));
        let id = SessionId::from_bytes(id);
        Revocation::Session { id, entry }
    }

    pub(super) fn anonymous(&mut self, id: Id, value: &[u8]) -> Revocation {
        let read = record::anonymous(value);
        // As late as it may be: so it is dropped last.
        let (created, entry) = read.unwrap_or_else(|| (self.now, self.ended(1)));
        let id = SessionId::from_bytes(id);
        Revocation::AnonymousSession { id, created, entry }
    }

    pub(super) fn subject(&mut self, id: Id, value: &[u8]) -> Revocation {
        let entry = record::subject(value).unwrap_or_else(|| {
            self.count(2);
            SubjectEntry {
                generation: Generation::new(self.now.as_millis()),
                until: self.now,
            }
        });
        let key = SubjectKey::from_bytes(id);
        let entry = entry.kept(self.longest);
        Revocation::Subject { key, entry }
    }

    /// How many values were not understood.
    pub(super) fn unreadable(&self) -> u64 {
        self.unreadable.iter().sum()
    }

    fn ended(&mut self, kind: usize) -> SessionEntry {
        self.count(kind);
        SessionEntry {
            serial: Serial::ENDED,
            from: UnixMillis::EPOCH,
            until: self.now + self.longest,
        }
    }

    fn count(&mut self, kind: usize) {
        if let Some(count) = self.unreadable.get_mut(kind) {
            *count = count.saturating_add(1);
        }
    }
}

impl Redis {
    pub(super) async fn read_all(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        let call = self.call(Operation::STATE)?;
        let (held, mut answer) = self.scripts.call(&self.link, &call).await?;
        let before = self.heard(&answer);
        let state = State::read(&mut answer)?;
        let mut values = Values::new(&before);

        self.scan(&held, "sessions", receive, |id, value| {
            values.session(id, value)
        })
        .await?;
        self.scan(&held, "anonymous", receive, |id, value| {
            values.anonymous(id, value)
        })
        .await?;
        self.scan(&held, "subjects", receive, |id, value| {
            values.subject(id, value)
        })
        .await?;
        let of_all = of_all(state.everyone, state.since);
        if !of_all.is_empty() {
            receive(of_all);
        }

        let call = self.call(Operation::STATE)?;
        let mut answer = self.scripts.call_over(&self.link, &held, &call).await?;
        self.report(&values);
        let after = self.heard(&answer);
        let reached = State::read(&mut answer)?.cursor;
        if after.incarnation != before.incarnation || reached.sequence < state.cursor.sequence {
            return Err(StoreError::unavailable(format_args!(
                "{}: the list began anew, or another server answers, while it was read",
                self.link.server().address()
            )));
        }
        Ok(SnapshotEnd::new(state.cursor, after))
    }

    /// Hands over one hash.
    async fn scan(
        &self,
        held: &Held,
        key: &str,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
        mut revocation: impl FnMut(Id, &[u8]) -> Revocation + Send,
    ) -> Result<(), StoreError> {
        let key = self.scripts.key(key);
        let mut cursor = b"0".to_vec();
        loop {
            let mut command = cmd("HSCAN");
            command.arg(key).arg(cursor.as_slice());
            command.arg("COUNT").arg(BATCH);
            let page = self.link.say(held, &command).await;
            let page = page.map_err(|error| self.link.server().problem(&error))?;
            let (next, fields) = self.page(page)?;
            let mut batch = Vec::with_capacity(fields.len() / 2);
            let mut fields = fields.iter();
            while let (Some(id), Some(value)) = (fields.next(), fields.next()) {
                // A name that is no id concerns nobody.
                if let (Value::BulkString(id), Value::BulkString(value)) = (id, value)
                    && let Ok(id) = Id::try_from(id.as_slice())
                {
                    batch.push(revocation(id, value));
                }
            }
            if !batch.is_empty() {
                receive(batch);
            }
            if next == b"0" {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// The next cursor, and names and values by turns.
    fn page(&self, page: Value) -> Result<(Vec<u8>, Vec<Value>), StoreError> {
        if let Value::Array(parts) = page
            && let Ok([Value::BulkString(cursor), Value::Array(fields)]) =
                <[Value; 2]>::try_from(parts)
        {
            return Ok((cursor, fields));
        }
        Err(StoreError::unavailable(format_args!(
            "{}: an answer that was not understood",
            self.link.server().address()
        )))
    }

    /// Counts what was not understood, and says so once for all of it.
    pub(super) fn report(&self, values: &Values) {
        let [sessions, anonymous, subjects] = values.unreadable;
        let all = values.unreadable();
        self.unreadable.store(all, Ordering::Relaxed);
        if all > 0 {
            tracing::error!(
                list = self.list,
                sessions,
                anonymous,
                subjects,
                "the revocation store holds entries that are not understood; their sessions count as \
                 ended"
            );
        }
    }
}
