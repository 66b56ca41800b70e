//! In the place of `move_in`, without its feature: no session of another library is taken over.

use crate::cookie::CookieSettings;
use crate::error::ConfigError;
use crate::session::state::State;
use crate::sessions::Engine;
use crate::sessions::load::{Ticket, Unavailable};
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

impl Engine {
    pub(super) fn move_in<'h>(
        &self,
        _: &mut State,
        _: &mut Ticket,
        _: impl Iterator<Item = &'h [u8]>,
        _: UnixMillis,
    ) -> Result<(), Unavailable> {
        match self.moving {
            None => Ok(()),
            Some(ref moving) => match *moving {},
        }
    }
}
