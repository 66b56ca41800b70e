//! Writing entries, and asking for a new cookie.

use std::mem;
use std::sync::Arc;

use super::{Cause, Edit, Ending, Presence, RequestState};
use crate::error::Rejected;
use crate::record::{Entries, Record};
use crate::session::error::{NotWritable, SessionInsertError};
use crate::session::refusal::Obstacle;
use crate::session::service::Service;

impl RequestState {
    /// Sets one entry. On an error everything is as before.
    pub(crate) fn insert(
        &mut self,
        service: &Service,
        key: &str,
        value: &[u8],
    ) -> Result<(), SessionInsertError> {
        if self.is_purged() {
            return Ok(());
        }
        self.writable()?;
        let mut began = match self.record() {
            Some(_) => None,
            None => Some(service.begin_anonymous()?),
        };
        let new = began.as_mut().map(Arc::make_mut);
        if let Some(record) = new.or_else(|| self.record_mut()) {
            let after = record.entries.with(key, value);
            let before = mem::replace(&mut record.entries, after);
            if let Err(too_large) = service.room.admit(record.longest_len()) {
                record.entries = before;
                return Err(too_large.into());
            }
        }
        if let Some(record) = began {
            self.begin(record);
        }
        self.note(Edit::Changed);
        Ok(())
    }

    /// Begins a session by a write. A login or a logout still ends what the browser holds.
    fn begin(&mut self, record: Arc<Record>) {
        let cause = Cause::Write;
        let before = mem::replace(&mut self.presence, Presence::Begun { record, cause });
        if let Presence::Absent {
            dead: Some(dead), ..
        } = before
            && dead.reason != Rejected::Succeeded
        {
            self.others.push(dead.record);
        }
    }

    /// Changes the entries in a way that cannot fail but for the whole session's state.
    pub(crate) fn change<T: Default>(&mut self, change: impl FnOnce(&mut Entries) -> T) -> T {
        if self.is_purged() {
            return T::default();
        }
        if let Err(refused) = self.writable() {
            self.refuse(refused);
            return T::default();
        }
        let Some(record) = self.record_mut() else {
            return T::default();
        };
        let outcome = change(&mut record.entries);
        self.note(Edit::Changed);
        outcome
    }

    pub(crate) fn renew(&mut self) {
        if self.is_purged() {
            return;
        }
        match self.writable() {
            Ok(()) => {
                self.renewed = true;
                self.note(Edit::Renewed);
            }
            Err(refused) => self.refuse(refused),
        }
    }

    /// Lets a session begin over a cookie that may have a successor, or may be one elsewhere. Over one
    /// that ended while the request ran it does not.
    pub(crate) fn start_over(&mut self) -> Result<(), NotWritable> {
        if self.committed {
            return Err(NotWritable::AlreadyCommitted);
        }
        match &mut self.presence {
            Presence::Absent {
                obstacle,
                is_overridden,
                ..
            } => match obstacle {
                Some(Obstacle::EndedMeanwhile) => Err(NotWritable::EndedMeanwhile),
                _ => {
                    *is_overridden = true;
                    Ok(())
                }
            },
            _ => self.writable(),
        }
    }

    pub(super) fn is_purged(&self) -> bool {
        matches!(self.presence, Presence::Ended(Ending::Purge))
    }

    /// A renewal outranks a change.
    fn note(&mut self, new: Edit) {
        if let Presence::Presented(held) = &mut self.presence
            && held.edit != Edit::Renewed
        {
            held.edit = new;
        }
    }

    pub(super) fn refuse(&mut self, refused: NotWritable) {
        if refused == NotWritable::AlreadyCommitted {
            tracing::warn!(
                "a session was written after its response had been sent; the write is lost"
            );
        }
        self.refused.get_or_insert(refused);
    }
}
