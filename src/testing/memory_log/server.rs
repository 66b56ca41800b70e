//! The log without its clock and its waiting: what one call makes of one state.
//!
//! 1. Every call brings the time and a random number. So the same calls always end in the same state, which can
//!    be compared and hashed.
//! 2. Every call first looks at what it finds, as a server's script would: an empty list begins a new epoch, and
//!    a list that finds itself on another server notes that. Both settle.
//! 3. A clock that stands before the last sweep begins a new epoch of the same entries. It was wrong then, and
//!    what was swept may be missing, or it is wrong now.

use super::entries::{Changes, StoredEntries};
use crate::error::StoreError;
use crate::ids::{SessionId, SubjectKey};
use crate::revoke::{
    Announcement, Cursor, Delta, Followed, Found, Incarnation, LogState, Purpose, Raise, Raised,
    Reading, Receipt, Revocation, SETTLING, SnapshotEnd, Target,
};
use crate::store::sweep::{BACKWARD, SWEEP_BATCH};
use crate::time::UnixMillis;

/// What each call brings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogCall {
    /// The server's time.
    pub(crate) now: UnixMillis,
    /// Names what the call may begin or publish. No other call has the same.
    pub(crate) fresh: u64,
}

/// A server with the log on it. A clone is a copy as a replica has it: whoever
/// [moves](Self::move_to) it to another server promotes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct LogServer {
    /// Which server it is.
    identity: u64,
    /// None on a server that is empty.
    list: Option<LogList>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct LogList {
    epoch: u64,
    began: UnixMillis,
    complete_since: UnixMillis,
    /// The server that the list was last on, and since when.
    server: u64,
    server_since: UnixMillis,
    /// Until when nodes may restore what was lost.
    settled: UnixMillis,
    entries: StoredEntries,
    /// What was published, in order. Each has a mark, so that a cursor of another history shows. All are kept, for
    /// tests end soon.
    publications: Vec<(u64, Vec<Revocation>)>,
}

impl LogServer {
    /// An empty server.
    pub(crate) fn new(identity: u64) -> Self {
        Self {
            identity,
            list: None,
        }
    }

    /// All of it is on another server now: it was restarted, or this copy was promoted.
    pub(crate) fn move_to(&mut self, identity: u64) {
        self.identity = identity;
    }

    /// The server forgets everything.
    pub(crate) fn lose_everything(&mut self) {
        self.list = None;
    }

    /// As if it had settled long ago.
    pub(crate) fn settle(&mut self) {
        if let Some(list) = &mut self.list {
            list.settled = UnixMillis::EPOCH;
        }
    }

    /// The session's entry is not understood from now on.
    pub(crate) fn damage(&mut self, session: SessionId) {
        if let Some(list) = &mut self.list {
            list.entries.damage(session);
        }
    }

    /// What the log says of itself.
    pub(crate) fn state(&mut self, call: LogCall) -> LogState {
        self.open(call).state(call.now)
    }

    /// Where a follower stands that has seen everything so far.
    #[cfg(test)]
    pub(crate) fn cursor(&mut self, call: LogCall) -> Cursor {
        self.open(call).end()
    }

    pub(crate) fn announce(&mut self, call: LogCall, announcement: Announcement) {
        let list = self.open(call);
        list.entries.announced = list.entries.announced.join(announcement);
    }

    pub(crate) fn publish(
        &mut self,
        call: LogCall,
        revocations: &[Revocation],
        purpose: Purpose,
    ) -> Result<Receipt, StoreError> {
        let list = self.open(call);
        for revocation in revocations {
            revocation.check(call.now)?;
        }
        let mut changes = Changes::default();
        let join = |it: &Revocation| {
            let placed = it.placed(call.now);
            list.entries.join(placed, call.now, &mut changes)
        };
        let published = revocations.iter().map(join).collect();
        let prolongs = match purpose {
            Purpose::Revoke => false,
            Purpose::Restoration => changes.is_serious,
            Purpose::FirstRestoration => !revocations.is_empty(),
        };
        if prolongs {
            list.prolong(call.now, purpose);
        }
        list.tell(call, changes);
        Ok(Receipt::new(published, list.incarnation()))
    }

    pub(crate) fn raise(&mut self, call: LogCall, raise: &Raise) -> Result<Raised, StoreError> {
        let list = self.open(call);
        let mut changes = Changes::default();
        let entry = list.entries.raise(raise, call.now, &mut changes)?;
        list.tell(call, changes);
        Ok(Raised::new(entry, list.state(call.now)))
    }

    pub(crate) fn read(&mut self, call: LogCall, subjects: &[SubjectKey]) -> Reading {
        let list = self.open(call);
        let generation = |target| list.entries.held(target).generation;
        let targets = subjects.iter().copied().map(Target::Subject);
        let subjects = targets.map(generation).collect();
        Reading::new(subjects, generation(Target::Everyone), list.state(call.now))
    }

    pub(crate) fn find(
        &mut self,
        call: LogCall,
        session: SessionId,
        subjects: &[SubjectKey],
    ) -> Found {
        let list = self.open(call);
        let found = list.entries.find(session, subjects, call.now);
        Found::new(found, list.state(call.now))
    }

    pub(crate) fn snapshot(&mut self, call: LogCall) -> (Vec<Revocation>, SnapshotEnd) {
        let list = self.open(call);
        let end = SnapshotEnd::new(list.end(), list.state(call.now));
        (list.entries.all(call.now), end)
    }

    /// What was published after `cursor`.
    pub(crate) fn follow(&mut self, call: LogCall, cursor: Cursor) -> Followed {
        let list = self.open(call);
        let state = list.state(call.now);
        match list.after(cursor) {
            Some(told) => Followed::Delta(Delta::new(told, list.end(), state)),
            None => Followed::Gap(state),
        }
    }

    pub(crate) fn attest(
        &mut self,
        call: LogCall,
        incarnation: Incarnation,
        since: UnixMillis,
    ) -> Option<LogState> {
        let list = self.open(call);
        if incarnation != list.incarnation() {
            return None;
        }
        list.complete_since = list.complete_since.min(since);
        Some(list.state(call.now))
    }

    pub(crate) fn sweep(&mut self, call: LogCall) -> Result<usize, StoreError> {
        let list = self.open(call);
        list.entries.sweep(call.now, SWEEP_BATCH)
    }

    /// The list as the call finds it.
    fn open(&mut self, call: LogCall) -> &mut LogList {
        let identity = self.identity;
        let list = self
            .list
            .get_or_insert_with(|| LogList::new(call, identity));
        if call.now + BACKWARD < list.entries.last_sweep {
            list.begin_epoch(call);
        }
        if list.server != identity {
            list.server = identity;
            list.server_since = call.now;
            list.settled = call.now + SETTLING;
        }
        // Later was said by a clock that was ahead.
        list.settled = list.settled.min(call.now + SETTLING);
        list
    }
}

impl LogList {
    fn new(call: LogCall, server: u64) -> Self {
        Self {
            epoch: call.fresh,
            began: call.now,
            complete_since: call.now,
            server,
            server_since: call.now,
            settled: call.now + SETTLING,
            entries: StoredEntries::new(call.now),
            publications: Vec::new(),
        }
    }

    /// Another list, of the same entries.
    fn begin_epoch(&mut self, call: LogCall) {
        self.epoch = call.fresh;
        self.began = call.now;
        self.complete_since = self.complete_since.max(call.now);
        self.settled = call.now + SETTLING;
        self.entries.last_sweep = call.now;
        self.publications.clear();
    }

    fn incarnation(&self) -> Incarnation {
        Incarnation::new(self.epoch, self.server)
    }

    fn state(&self, now: UnixMillis) -> LogState {
        LogState {
            settling: self.settled.since(now),
            announced: self.entries.announced,
            unreadable: self.entries.unreadable(),
            ..LogState::new(self.incarnation(), now, self.complete_since)
        }
    }

    /// As [`LogState::settling`] says.
    fn prolong(&mut self, now: UnixMillis, purpose: Purpose) {
        let end = match purpose {
            Purpose::FirstRestoration => UnixMillis::MAX,
            _ => self.began.max(self.server_since) + self.entries.announced.max_outage,
        };
        self.settled = self.settled.max(end.min(now + SETTLING));
    }

    fn tell(&mut self, call: LogCall, changes: Changes) {
        if !changes.revocations.is_empty() {
            self.publications.push((call.fresh, changes.revocations));
        }
    }

    /// Where a follower stands that has seen everything so far.
    fn end(&self) -> Cursor {
        self.place_after(&self.publications)
    }

    /// Where a follower stands that has seen these.
    fn place_after(&self, publications: &[(u64, Vec<Revocation>)]) -> Cursor {
        let mark = publications.last().map_or(self.epoch, |(mark, _)| *mark);
        Cursor::new(self.epoch, publications.len() as u64, mark)
    }

    /// What comes after `cursor`. `None` at a gap.
    fn after(&self, cursor: Cursor) -> Option<Vec<Revocation>> {
        let seen = usize::try_from(cursor.sequence).ok()?;
        let (before, after) = self.publications.split_at_checked(seen)?;
        let is_ours = cursor == self.place_after(before);
        is_ours.then(|| after.iter().flat_map(|(_, told)| told).copied().collect())
    }
}
