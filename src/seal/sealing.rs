//! Sealing a record into a token.

use crate::ids::KeyId;
use crate::keys::Key;
use crate::random::{self, Random, RandomError};
use crate::record::Record;
use crate::seal::{Binding, cipher};
use crate::time::UnixMillis;
use crate::wire::chunks::{CookieRoom, TooLarge};
use crate::wire::envelope::{Envelope, Head, Minutes, VERSION};

/// Stands for whoever decides what may be sealed. A room above appoints it.
pub(crate) struct Judge;

/// Implemented for [`Judge`], and so at most once: a second implementation does not compile. [`seal`] takes
/// the one proof that is named here, and only the appointed room can make it.
pub(crate) trait Appointed {
    /// A record that was found to count just now.
    type Proof<'r>: Cleared;
}

/// What a proof gives.
pub(crate) trait Cleared {
    fn record(&self) -> &Record;
}

/// A sealed session, and over how many cookies it is spread.
#[derive(Debug)]
pub(crate) struct Sealed {
    token: Envelope,
    pub(crate) chunks: u8,
}

impl Sealed {
    /// How long its text is.
    pub(crate) fn text_len(&self) -> usize {
        self.token.text_len()
    }

    /// Puts its text at the end.
    pub(crate) fn write_text(&self, to: &mut String) {
        self.token.write_text(to);
    }
}

/// Why a record was not sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error(transparent)]
    Random(#[from] RandomError),
    #[error("key {0} cannot seal")]
    Cipher(KeyId),
}

/// Seals `record` with `key` at the time `now`, under a fresh nonce.
pub(crate) fn seal(
    proof: &<Judge as Appointed>::Proof<'_>,
    key: &Key,
    binding: &Binding,
    room: CookieRoom,
    now: UnixMillis,
    random: &dyn Random,
) -> Result<Sealed, SealError> {
    let record = proof.record();
    let head = Head {
        version: VERSION,
        key: key.id(),
        sealed_at: Minutes::at(now),
    };
    let refused = || SealError::Cipher(key.id());
    let nonce = random::bytes(random)?;
    let write = |to: &mut Vec<u8>| record.write(now, to);
    let token = Envelope::new(head, nonce, record.usual_len(), write);
    let mut token = token.ok_or_else(refused)?;
    let chunks = room.count(token.text_len())?;
    let data = binding.associated_data(head, chunks);
    let parts = token.parts().ok_or_else(refused)?;
    let tag = cipher::encrypt(&key.cipher_key, parts.nonce, &data, parts.content);
    *parts.tag = tag.map_err(|_| refused())?;
    Ok(Sealed { token, chunks })
}
