//! HChaCha20, then ring's ChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, section 2.3).

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};

pub fn encrypt(key: &[u8; 32], nonce: &[u8; 24], aad: &[u8], buffer: &mut [u8]) -> [u8; 16] {
    let (key, nonce) = inner(key, nonce);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), buffer);
    tag.unwrap().as_ref().try_into().unwrap()
}

pub fn decrypt(
    key: &[u8; 32],
    nonce: &[u8; 24],
    aad: &[u8],
    buffer: &mut [u8],
    tag: &[u8; 16],
) -> bool {
    let (key, nonce) = inner(key, nonce);
    key.open_in_place_separate_tag(nonce, Aad::from(aad), Tag::from(*tag), buffer, 0..)
        .is_ok()
}

fn inner(key: &[u8; 32], nonce: &[u8; 24]) -> (LessSafeKey, Nonce) {
    let (first, last) = nonce.split_first_chunk::<16>().unwrap();
    let subkey = chacha20::hchacha::<chacha20::R20>(key.into(), first.into());
    let key = UnboundKey::new(&CHACHA20_POLY1305, &subkey).unwrap();
    let mut short = [0; 12];
    short[4..].copy_from_slice(last);
    (LessSafeKey::new(key), Nonce::assume_unique_for_key(short))
}
