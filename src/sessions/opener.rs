//! A store that is opened when everything else is known to be good.
//!
//! Opening a store may make its file. A start that fails for its keys or settings must not leave one
//! behind: the next start would find a list that is older than the sessions it makes, or one that nobody
//! asked for.

use std::fmt;

use crate::error::ConfigError;
use crate::revoke::Store;

type Open = dyn FnOnce() -> Result<Store, ConfigError> + Send;

/// A store, or how to open it.
pub(crate) enum Opener {
    Opened(Store),
    Later { place: String, open: Box<Open> },
}

impl Opener {
    /// A store that `open` opens; `place` says which, for `Debug`.
    pub(crate) fn later(
        place: impl Into<String>,
        open: impl FnOnce() -> Result<Store, ConfigError> + Send + 'static,
    ) -> Self {
        Self::Later {
            place: place.into(),
            open: Box::new(open),
        }
    }

    pub(crate) fn open(self) -> Result<Store, ConfigError> {
        match self {
            Self::Opened(store) => Ok(store),
            Self::Later { open, .. } => open(),
        }
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened(store) => store.fmt(f),
            Self::Later { place, .. } => f.write_str(place),
        }
    }
}
