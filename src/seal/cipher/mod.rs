//! XChaCha20-Poly1305, one pair of functions.
//!
//! Two implementations, byte for byte the same: RustCrypto's, which is the reference that tests
//! compare with, and (feature `ring`) HChaCha20 followed by ring's ChaCha20-Poly1305, which is how
//! XChaCha20-Poly1305 is defined (draft-irtf-cfrg-xchacha-03, section 2.3).

#[cfg(any(test, not(feature = "ring")))]
mod reference;
#[cfg(feature = "ring")]
mod ring;

#[cfg(not(feature = "ring"))]
pub(super) use reference::{decrypt, encrypt};
#[cfg(feature = "ring")]
pub(super) use ring::{decrypt, encrypt};

/// The cipher refused: the tag does not verify, or the message is too long to be encrypted. Which of
/// them follows from what was asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CipherError;

#[cfg(all(test, feature = "ring"))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_implementations_give_the_same_bytes(
            key in any::<[u8; 32]>(),
            nonce in any::<[u8; 24]>(),
            aad in proptest::collection::vec(any::<u8>(), 0..80),
            text in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut one = text.clone();
            let mut two = text.clone();
            let tag = ring::encrypt(&key, &nonce, &aad, &mut one).unwrap();
            prop_assert_eq!(tag, reference::encrypt(&key, &nonce, &aad, &mut two).unwrap());
            prop_assert_eq!(&one, &two);
            // Each opens what the other sealed.
            reference::decrypt(&key, &nonce, &aad, &mut one, &tag).unwrap();
            ring::decrypt(&key, &nonce, &aad, &mut two, &tag).unwrap();
            prop_assert_eq!(&one, &text);
            prop_assert_eq!(&two, &text);
        }

        #[test]
        fn both_refuse_a_changed_message(
            key in any::<[u8; 32]>(),
            nonce in any::<[u8; 24]>(),
            text in proptest::collection::vec(any::<u8>(), 1..100),
            bit in any::<proptest::sample::Index>(),
        ) {
            let mut sealed = text;
            let tag = reference::encrypt(&key, &nonce, b"aad", &mut sealed).unwrap();
            let bit = bit.index(sealed.len() * 8);
            sealed[bit / 8] ^= 1 << (bit % 8);
            let mut copy = sealed.clone();
            prop_assert_eq!(reference::decrypt(&key, &nonce, b"aad", &mut sealed, &tag), Err(CipherError));
            prop_assert_eq!(ring::decrypt(&key, &nonce, b"aad", &mut copy, &tag), Err(CipherError));
            for left in [sealed, copy] {
                prop_assert!(left.iter().all(|byte| *byte == 0), "what does not verify is left behind");
            }
        }
    }
}
