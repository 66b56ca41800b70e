//! A store that is opened when everything else is known to be good.
//!
//! Opening a store may make its file. A start that fails for its keys or settings must not leave one
//! behind: the next start would find a list that is older than the sessions it makes, or one that nobody
//! asked for.

use std::fmt;
use std::sync::Arc;

use crate::error::ConfigError;
use crate::revoke::RevocationStore;

type Open = dyn FnOnce() -> Result<Arc<dyn RevocationStore>, ConfigError> + Send;

/// A store, or how to open it.
pub(crate) struct Opener(Inner);

enum Inner {
    Open(Arc<dyn RevocationStore>),
    Later { place: String, open: Box<Open> },
}

impl Opener {
    /// A store that is open.
    pub(crate) fn of(store: Arc<dyn RevocationStore>) -> Self {
        Self(Inner::Open(store))
    }

    /// A store that `open` opens; `place` says which, for `Debug`.
    pub(crate) fn later(
        place: impl Into<String>,
        open: impl FnOnce() -> Result<Arc<dyn RevocationStore>, ConfigError> + Send + 'static,
    ) -> Self {
        Self(Inner::Later {
            place: place.into(),
            open: Box::new(open),
        })
    }

    pub(crate) fn open(self) -> Result<Arc<dyn RevocationStore>, ConfigError> {
        match self.0 {
            Inner::Open(store) => Ok(store),
            Inner::Later { open, .. } => open(),
        }
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Open(store) => store.fmt(f),
            Inner::Later { place, .. } => f.write_str(place),
        }
    }
}
