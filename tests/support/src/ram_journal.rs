//! A journal whose disk is a piece of memory, which tests look at, damage, and let fail.
#![allow(dead_code, clippy::unwrap_used)]

use std::sync::{Arc, Mutex, MutexGuard};

use sealed_session::revoke::Journal;
use sealed_session::store::StoreError;

/// The disk. Clones are the same one; it outlives the journals on it.
#[derive(Clone, Default)]
pub struct RamDisk(Arc<Mutex<State>>);

#[derive(Default)]
pub struct State {
    /// What a journal would load.
    pub bytes: Vec<u8>,
    /// Whether a journal is open.
    pub is_open: bool,
    /// Whether appends fail, and compactions.
    pub appends_fail: bool,
    pub compactions_fail: bool,
    /// How much of an append that fails is kept nevertheless.
    pub torn: usize,
    /// How many succeeded.
    pub appends: usize,
    pub compactions: usize,
}

impl RamDisk {
    /// One that holds these bytes.
    pub fn holding(bytes: impl Into<Vec<u8>>) -> Self {
        let disk = Self::default();
        disk.lock().bytes = bytes.into();
        disk
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn open(&self) -> Result<RamJournal, StoreError> {
        let mut state = self.lock();
        if state.is_open {
            return Err(StoreError::Unavailable("it is open already".into()));
        }
        state.is_open = true;
        Ok(RamJournal(self.clone()))
    }
}

pub struct RamJournal(RamDisk);

impl Drop for RamJournal {
    fn drop(&mut self) {
        self.0.lock().is_open = false;
    }
}

impl std::fmt::Debug for RamJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RamJournal({:p})", Arc::as_ptr(&self.0.0))
    }
}

impl Journal for RamJournal {
    fn name(&self) -> &'static str {
        "ram"
    }

    fn load(&mut self, receive: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        // A reader of files does not know where a frame begins either.
        let bytes = self.0.lock().bytes.clone();
        bytes.chunks(1000).for_each(receive);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let mut state = self.0.lock();
        if state.appends_fail {
            let torn = state.torn.min(bytes.len());
            state.bytes.extend(&bytes[..torn]);
            return Err(StoreError::Unavailable("the disk is full".into()));
        }
        state.appends += 1;
        state.bytes.extend(bytes);
        Ok(())
    }

    fn compact(&mut self, pieces: &mut dyn Iterator<Item = Vec<u8>>) -> Result<(), StoreError> {
        let bytes = pieces.collect::<Vec<_>>().concat();
        let mut state = self.0.lock();
        if state.compactions_fail {
            return Err(StoreError::Unavailable("the disk is full".into()));
        }
        state.compactions += 1;
        state.bytes = bytes;
        Ok(())
    }
}
