//! HChaCha20, then ring's ChaCha20-Poly1305.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};
use zeroize::Zeroizing;

use super::CipherError;

/// Encrypts `buffer` in place and returns the tag.
pub(crate) fn encrypt(
    key: &[u8; 32],
    nonce: &[u8; 24],
    aad: &[u8],
    buffer: &mut [u8],
) -> Result<[u8; 16], CipherError> {
    let mut subkey = Zeroizing::new([0; 32]);
    let nonce = inner(key, nonce, &mut subkey)?;
    let tag = usable(&subkey)?
        .seal_in_place_separate_tag(nonce, Aad::from(aad), buffer)
        .map_err(|_| CipherError)?;
    tag.as_ref().try_into().map_err(|_| CipherError)
}

/// Decrypts `buffer` in place, or fills it with zeros: ring leaves unverified bytes behind.
pub(crate) fn decrypt(
    key: &[u8; 32],
    nonce: &[u8; 24],
    aad: &[u8],
    buffer: &mut [u8],
    tag: &[u8; 16],
) -> Result<(), CipherError> {
    let mut subkey = Zeroizing::new([0; 32]);
    let nonce = inner(key, nonce, &mut subkey)?;
    let opened = usable(&subkey)?
        .open_in_place_separate_tag(nonce, Aad::from(aad), Tag::from(*tag), buffer, 0..)
        .map(|_| ());
    opened.map_err(|_| {
        buffer.fill(0);
        CipherError
    })
}

/// The key and nonce of the ChaCha20-Poly1305 inside: a subkey from the first 16 bytes of the nonce,
/// then four zero bytes and the last eight. The subkey goes where its owner erases it.
fn inner(
    key: &[u8; 32],
    nonce: &[u8; 24],
    subkey: &mut Zeroizing<[u8; 32]>,
) -> Result<Nonce, CipherError> {
    let (first, last) = nonce.split_first_chunk::<16>().ok_or(CipherError)?;
    **subkey = chacha20::hchacha::<chacha20::R20>(key.into(), first.into()).into();
    let mut short = [0; 12];
    short.split_at_mut(4).1.copy_from_slice(last);
    Ok(Nonce::assume_unique_for_key(short))
}

/// As ring takes it. Such a key is large, so it is made where it is used.
fn usable(subkey: &[u8; 32]) -> Result<LessSafeKey, CipherError> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, subkey).map_err(|_| CipherError)?;
    Ok(LessSafeKey::new(key))
}
