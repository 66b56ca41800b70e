//! RustCrypto's XChaCha20-Poly1305.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce};

use super::CipherError;

/// Encrypts `buffer` in place and returns the tag.
pub(crate) fn encrypt(
    key: &[u8; 32],
    nonce: &[u8; 24],
    aad: &[u8],
    buffer: &mut [u8],
) -> Result<[u8; 16], CipherError> {
    XChaCha20Poly1305::new(key.into())
        .encrypt_inout_detached(&XNonce::from(*nonce), aad, buffer.into())
        .map(Into::into)
        .map_err(|_| CipherError)
}

/// Decrypts `buffer` in place, or fills it with zeros.
pub(crate) fn decrypt(
    key: &[u8; 32],
    nonce: &[u8; 24],
    aad: &[u8],
    buffer: &mut [u8],
    tag: &[u8; 16],
) -> Result<(), CipherError> {
    let opened = XChaCha20Poly1305::new(key.into()).decrypt_inout_detached(
        &XNonce::from(*nonce),
        aad,
        (&mut *buffer).into(),
        &Tag::from(*tag),
    );
    opened.map_err(|_| {
        buffer.fill(0);
        CipherError
    })
}
