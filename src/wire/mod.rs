//! Bytes only: how a token, a record and a value are laid out. Knows no cipher and no key.

pub(crate) mod chunks;
pub(crate) mod envelope;
pub(crate) mod padding;
pub(crate) mod read;
pub(crate) mod value;

/// Bytes around the ciphertext of a token: version, key id, sealed at, nonce, and the tag.
const FRAME: usize = envelope::HEAD + envelope::NONCE + envelope::TAG;

/// How long the text of a token is whose record has `record` bytes.
pub(crate) fn text_len(record: usize) -> usize {
    let bytes = padding::padded_len(record).saturating_add(FRAME);
    // base64 without padding: six bits a character, rounded up.
    bytes.saturating_mul(8).div_ceil(6)
}
