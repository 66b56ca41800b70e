//! How deep the value is that is being written or read.

use super::error::Error;
use super::limits::{MOST_LEVELS, MOST_WRAPPERS};

/// Where a value is being written or read.
#[derive(Debug, Default)]
pub(super) struct Depth {
    levels: u16,
    wrappers: u16,
}

impl Depth {
    /// Into an array or a map.
    pub(super) fn enter(&mut self) -> Result<(), Error> {
        self.levels += 1;
        if self.levels > MOST_LEVELS {
            return Err(Error::TooDeep);
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.levels -= 1;
    }

    /// Into an option or a newtype.
    pub(super) fn enter_wrapper(&mut self) -> Result<(), Error> {
        self.wrappers += 1;
        if self.wrappers > MOST_WRAPPERS {
            return Err(Error::TooDeep);
        }
        Ok(())
    }

    pub(super) fn leave_wrapper(&mut self) {
        self.wrappers -= 1;
    }
}
