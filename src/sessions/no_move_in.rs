//! In the place of `move_in`, without its feature.

use crate::session::state::RequestState;
use crate::sessions::adapter::{Ticket, Unavailable};
use crate::sessions::engine::Engine;
use crate::time::UnixMillis;

impl Engine {
    pub(super) fn move_in<'h>(
        &self,
        _: &mut RequestState,
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
