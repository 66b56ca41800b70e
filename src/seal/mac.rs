//! What a key says of a session beside its cookie's data.
//!
//! It is the first half of an HMAC-SHA256 over the cookie's name and the audience (each after its length, as in a
//! token's associated data), the session's id, and what is said. So it says nothing about another session, cookie,
//! application or key. Whoever says something has a key of their own for it.

use constant_time_eq::constant_time_eq_16;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::ids::SessionId;
use crate::seal::Binding;

/// Bytes of a tag.
pub(super) const TAG: usize = 16;

/// Never `None`: HMAC takes keys of any length, and its output is longer than a tag.
pub(super) fn tag(
    key: &[u8; 32],
    binding: &Binding,
    session: &SessionId,
    said: &[u8],
) -> Option<[u8; TAG]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(&binding.fields);
    mac.update(session.as_bytes());
    mac.update(said);
    mac.finalize().into_bytes().first_chunk().copied()
}

/// Whether it is the tag. Compared in constant time.
pub(super) fn verify(
    key: &[u8; 32],
    binding: &Binding,
    session: &SessionId,
    said: &[u8],
    found: &[u8; TAG],
) -> bool {
    tag(key, binding, session, said).is_some_and(|tag| constant_time_eq_16(&tag, found))
}
