//! A store that is opened when everything else is known to be good.
//!
//! Opening a store may make its file. A start that fails for its keys or settings must not leave one
//! behind: the next start would find a list that is older than the sessions it makes, or one that nobody
//! asked for.

use std::fmt;

use crate::error::ConfigError;
use crate::revoke::Store;

/// How to open a store.
pub(crate) struct Opener {
    /// Which store it is, for `Debug`.
    place: String,
    open: Box<dyn FnOnce() -> Result<Store, ConfigError> + Send>,
}

impl Opener {
    pub(crate) fn new(
        place: impl Into<String>,
        open: impl FnOnce() -> Result<Store, ConfigError> + Send + 'static,
    ) -> Self {
        Self {
            place: place.into(),
            open: Box::new(open),
        }
    }

    pub(crate) fn opened(store: Store) -> Self {
        Self::new(format!("{store:?}"), || Ok(store))
    }

    pub(crate) fn open(self) -> Result<Store, ConfigError> {
        (self.open)()
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}
