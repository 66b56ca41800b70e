//! Writing entries, asking for a new cookie, binding a token against cross-site requests, starting over.

use std::mem;
use std::sync::Arc;

use super::{Absence, Edit, Ending, HeldSession, RequestState};
use crate::error::Rejected;
use crate::ids::SessionId;
use crate::record::{Entries, Record};
use crate::session::error::{CsrfTokenError, NotWritable, SessionInsertError};
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
        if let Ok(held) = &mut self.presence {
            let entries = service.with_entry(&held.record, key, value)?;
            Record::set_entries(&mut held.record, entries);
        } else {
            let mut record = service.begin_anonymous()?;
            let entries = service.with_entry(&record, key, value)?;
            Record::set_entries(&mut record, entries);
            self.begin(record);
        }
        self.note(Edit::Changed);
        Ok(())
    }

    /// The session's id, for a token that is bound to it. Begins a session where there is none.
    pub(crate) fn bind(&mut self, service: &Service) -> Result<SessionId, CsrfTokenError> {
        let is_lost = |held: &HeldSession| self.committed && !held.is_presented();
        match &self.presence {
            Ok(held) if is_lost(held) => return Err(NotWritable::AlreadyCommitted.into()),
            Ok(_) => (),
            // Nothing begins after it.
            Err(_) if self.is_purged() => return Err(NotWritable::EndedMeanwhile.into()),
            Err(_) => {
                self.writable()?;
                self.begin(service.begin_anonymous()?);
            }
        }
        let held = self.presence.as_mut();
        let held = held.map_err(|_| NotWritable::EndedMeanwhile)?;
        held.is_bound = true;
        Ok(held.record.id)
    }

    /// Begins a session by a write. A login or a logout still ends what the browser holds.
    fn begin(&mut self, record: Arc<Record>) {
        let held = HeldSession::new(record, Edit::Begun);
        let before = mem::replace(&mut self.presence, Ok(held));
        if let Err(Absence {
            dead: Some(dead), ..
        }) = before
            && dead.reason != Rejected::Succeeded
        {
            self.others.push(dead.record);
        }
    }

    /// Changes the entries in a way that cannot fail but for the whole session's state.
    pub(crate) fn change<T: Default>(&mut self, change: impl FnOnce(&mut Entries) -> T) -> T {
        if self.admits_writes()
            && let Some(record) = self.record_mut()
        {
            let outcome = change(&mut record.entries);
            self.note(Edit::Changed);
            return outcome;
        }
        T::default()
    }

    pub(crate) fn renew(&mut self) {
        // Where there is none nothing is written.
        let is_nothing = self.is_cross_site && self.record().is_none();
        if !is_nothing && self.admits_writes() {
            self.renewed = true;
            self.note(Edit::Renewed);
        }
    }

    /// Whether a method that returns no error writes. A refusal becomes the response.
    fn admits_writes(&mut self) -> bool {
        match self.writable() {
            _ if self.is_purged() => false,
            Ok(()) => true,
            Err(refused) => {
                self.refuse(refused);
                false
            }
        }
    }

    /// Lets a session begin over a cookie that may have a successor, or may be one elsewhere. Over one
    /// that ended while the request ran it does not.
    pub(crate) fn start_over(&mut self) -> Result<(), NotWritable> {
        match &mut self.presence {
            _ if self.committed => Err(NotWritable::AlreadyCommitted),
            Err(it) if it.obstacle == Some(Obstacle::EndedMeanwhile) => {
                Err(NotWritable::EndedMeanwhile)
            }
            Err(_) if self.is_cross_site => Err(NotWritable::CrossSite),
            Err(it) => {
                it.is_overridden = true;
                Ok(())
            }
            Ok(_) => self.writable(),
        }
    }

    fn is_purged(&self) -> bool {
        matches!(&self.presence, Err(absence) if absence.ended == Some(Ending::Purge))
    }

    /// A renewal outranks a change.
    fn note(&mut self, new: Edit) {
        if let Ok(held) = &mut self.presence
            && matches!(held.edit, Edit::Clean | Edit::Changed)
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
