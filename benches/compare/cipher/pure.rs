//! RustCrypto's XChaCha20-Poly1305.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce};

pub fn encrypt(key: &[u8; 32], nonce: &[u8; 24], aad: &[u8], buffer: &mut [u8]) -> [u8; 16] {
    XChaCha20Poly1305::new(key.into())
        .encrypt_inout_detached(&XNonce::from(*nonce), aad, buffer.into())
        .unwrap()
        .into()
}

pub fn decrypt(
    key: &[u8; 32],
    nonce: &[u8; 24],
    aad: &[u8],
    buffer: &mut [u8],
    tag: &[u8; 16],
) -> bool {
    XChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(&XNonce::from(*nonce), aad, buffer.into(), &Tag::from(*tag))
        .is_ok()
}
