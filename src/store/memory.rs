//! The store that forgets everything when its process ends.

use crate::error::StoreError;
use crate::revoke::Journal;

/// A revocation store in this process's memory, for tests and throw-away processes.
///
/// Nothing survives the process: after a restart every session from before is refused, because the
/// store no longer knows which of them were logged out.
#[derive(Debug, Default)]
pub struct Memory(());

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Journal for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn is_durable(&self) -> bool {
        false
    }

    fn load(&mut self, _: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        Ok(())
    }

    fn append(&mut self, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    fn compact(&mut self, _: &mut dyn Iterator<Item = Vec<u8>>) -> Result<(), StoreError> {
        Ok(())
    }
}
