//! In the place of `move_in`, without its feature: no session of another library is taken over.

use crate::clock::UnixMillis;
use crate::cookie::CookieSettings;
use crate::error::ConfigError;
use crate::flow::Engine;
use crate::flow::load::{Ticket, Unavailable};
use crate::lifetime::Lifetimes;
use crate::session::state::State;

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
