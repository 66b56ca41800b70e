//! In the place of `moving`, without its feature: no session of another library is taken over.

use crate::cookie::CookieSettings;
use crate::error::ConfigError;
use crate::time::{Lifetimes, UnixMillis};

/// There is none.
#[derive(Debug)]
pub(super) enum Plan {}

/// There is none.
#[derive(Debug)]
pub(super) enum Moving {}

impl Moving {
    pub(super) fn prepare(
        _: Option<Plan>,
        _: CookieSettings,
        _: &Lifetimes,
        _: UnixMillis,
    ) -> Result<Option<Self>, ConfigError> {
        Ok(None)
    }
}
