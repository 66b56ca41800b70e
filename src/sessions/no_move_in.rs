//! In the place of `move_in`, without its feature: no session of another library is taken over.

use std::convert::Infallible;

use super::adapter::Unavailable;
use super::log::Log;
use crate::cookie::CookieSettings;
use crate::error::ConfigError;
use crate::session::service::Service;
use crate::session::state::RequestState;
use crate::time::{Lifetimes, UnixMillis};

pub(super) type Plan = Infallible;

pub(super) type Moving = Infallible;

pub(super) fn prepare(
    _: Option<Plan>,
    _: CookieSettings,
    _: &Lifetimes,
    _: UnixMillis,
) -> Result<Option<Moving>, ConfigError> {
    Ok(None)
}

pub(super) fn move_in<'h>(
    moving: &Moving,
    _: &Service,
    _: &Log,
    _: impl Iterator<Item = &'h [u8]>,
    _: &mut RequestState,
    _: UnixMillis,
) -> Result<Option<String>, Unavailable> {
    match *moving {}
}
