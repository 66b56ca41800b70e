//! The sealed label of a session, for a store that must not learn who uses which browser.
//!
//! ```text
//! key      4 bytes    the first of the key's id
//! nonce   24 bytes    random
//! sealed  96 bytes    the length of the text (1 byte), the text, zeros
//! tag     16 bytes
//! ```
//!
//! 1. XChaCha20-Poly1305 under a key with a label of its own. All labels have one length.
//! 2. The associated data is `"sealed-session label"`, the audience (each after its length, as in a token's), the
//!    subject's key, the session's id and the whole id of the key: a store cannot move a label to another row.
//! 3. Any key of the ring that opens now will do. A label whose key has gone is lost. One whose key was never known, or that
//!    does not open under it, is another row's, or was changed.

use crate::ids::{KeyId, SessionId, SubjectKey};
use crate::keys::{Key, KeyRing};
use crate::seal::binding::push;
use crate::seal::cipher;
use crate::time::UnixMillis;

const PREFIX: usize = 4;
const NONCE: usize = 24;
const TEXT: usize = 96;
const TAG: usize = 16;
/// How long a sealed label is.
const LENGTH: usize = PREFIX + NONCE + TEXT + TAG;

/// What a nonce is made of.
pub(crate) type LabelNonce = [u8; NONCE];

/// Why a label cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoLabel {
    /// Its key does not open any more.
    KeyGone,
    /// Its key was never heard of here.
    KeyUnknown,
    /// It is no label of this row.
    NotAuthentic,
}

/// Which row a label belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LabelPlace<'a> {
    pub(crate) audience: &'a str,
    pub(crate) subject: SubjectKey,
    pub(crate) session: SessionId,
}

impl LabelPlace<'_> {
    /// Seals `text`. `None` where it is too long.
    pub(crate) fn seal(&self, text: &str, key: &Key, nonce: LabelNonce) -> Option<Vec<u8>> {
        let mut sealed = [&key.id().prefix()[..], &nonce].concat();
        let mut padded = [0; TEXT];
        let (length, rest) = padded.split_first_mut()?;
        *length = u8::try_from(text.len()).ok()?;
        rest.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        let data = self.associated_data(&key.id());
        let tag = cipher::encrypt(&key.label_key, &nonce, &data, &mut padded).ok()?;
        sealed.extend_from_slice(&padded);
        sealed.extend_from_slice(&tag);
        Some(sealed)
    }

    /// The text.
    pub(crate) fn open(
        &self,
        sealed: &[u8],
        ring: &KeyRing,
        now: UnixMillis,
    ) -> Result<String, NoLabel> {
        let sealed: &[u8; LENGTH] = sealed.try_into().map_err(|_| NoLabel::NotAuthentic)?;
        let (prefix, rest) = sealed
            .split_first_chunk::<PREFIX>()
            .ok_or(NoLabel::NotAuthentic)?;
        let gone = match ring.knows(*prefix) {
            true => NoLabel::KeyGone,
            false => NoLabel::KeyUnknown,
        };
        let key = ring.key_of(*prefix, now).ok_or(gone)?;
        self.open_with(key, rest).ok_or(NoLabel::NotAuthentic)
    }

    fn open_with(&self, key: &Key, sealed: &[u8]) -> Option<String> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>()?;
        let (padded, tag) = rest.split_first_chunk::<TEXT>()?;
        let mut padded = *padded;
        let data = self.associated_data(&key.id());
        let tag = tag.try_into().ok()?;
        cipher::decrypt(&key.label_key, nonce, &data, &mut padded, tag).ok()?;
        let (length, rest) = padded.split_first()?;
        let (text, zeros) = rest.split_at_checked(usize::from(*length))?;
        let text = std::str::from_utf8(text).ok()?;
        let is_whole = zeros.iter().all(|byte| *byte == 0);
        is_whole.then(|| text.to_owned())
    }

    fn associated_data(&self, key: &KeyId) -> Vec<u8> {
        let mut data = Vec::new();
        push(&mut data, b"sealed-session label");
        push(&mut data, self.audience.as_bytes());
        data.extend_from_slice(self.subject.as_bytes());
        data.extend_from_slice(self.session.as_bytes());
        data.extend_from_slice(key.as_bytes());
        data
    }
}

/// Whether it was sealed by another key. Also of what is no label.
pub(crate) fn is_by_another(sealed: &[u8], key: &Key) -> bool {
    sealed.first_chunk() != Some(&key.id().prefix())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::published_secret;
    use proptest::prelude::*;

    const NOW: UnixMillis = UnixMillis::from_secs(1_795_248_000);
    const NONCE_USED: LabelNonce = [7; NONCE];

    fn place(audience: &str) -> LabelPlace<'_> {
        LabelPlace {
            audience,
            subject: SubjectKey::from_bytes([1; 16]),
            session: SessionId::from_bytes([2; 16]),
        }
    }

    fn sealed(ring: &KeyRing, text: &str) -> Option<Vec<u8>> {
        place("shop").seal(text, ring.sealing(NOW).unwrap(), NONCE_USED)
    }

    #[test]
    fn a_label_opens_in_its_own_row_alone() {
        let ring = KeyRing::single(published_secret(1));
        let label = sealed(&ring, "Firefox on Linux").unwrap();
        assert_eq!(label.len(), LENGTH);
        let text = place("shop").open(&label, &ring, NOW);
        assert_eq!(text.as_deref(), Ok("Firefox on Linux"));
        let shop = place("shop");
        let others = [
            place("shop2"),
            LabelPlace {
                subject: SubjectKey::from_bytes([3; 16]),
                ..shop
            },
            LabelPlace {
                session: SessionId::from_bytes([3; 16]),
                ..shop
            },
        ];
        for other in others {
            let opened = other.open(&label, &ring, NOW);
            assert_eq!(opened, Err(NoLabel::NotAuthentic), "{other:?}");
        }
    }

    #[test]
    fn every_label_is_as_long_as_every_other_and_nothing_longer_is_sealed() {
        let ring = KeyRing::single(published_secret(1));
        for length in [0, 1, 95] {
            let text = "a".repeat(length);
            let label = sealed(&ring, &text).unwrap();
            assert_eq!(label.len(), LENGTH);
            assert_eq!(place("shop").open(&label, &ring, NOW), Ok(text));
        }
        for length in [96, 300, 100_000] {
            assert!(sealed(&ring, &"a".repeat(length)).is_none());
        }
    }

    #[test]
    fn a_key_that_has_gone_takes_its_labels_with_it() {
        let old = KeyRing::single(published_secret(1));
        let label = sealed(&old, "Firefox").unwrap();
        let rotated = KeyRing::builder()
            .key(published_secret(1), UnixMillis::EPOCH, Some(NOW))
            .key(published_secret(2), UnixMillis::EPOCH, None);
        let rotated = rotated.build().unwrap();
        let before = NOW.minus(std::time::Duration::from_millis(1));
        assert!(place("shop").open(&label, &rotated, before).is_ok());
        let gone = place("shop").open(&label, &rotated, NOW);
        assert_eq!(gone, Err(NoLabel::KeyGone));
        let elsewhere = KeyRing::single(published_secret(3));
        let unknown = place("shop").open(&label, &elsewhere, NOW);
        assert_eq!(unknown, Err(NoLabel::KeyUnknown));
        assert!(is_by_another(&label, rotated.sealing(NOW).unwrap()));
        assert!(!is_by_another(&label, old.sealing(NOW).unwrap()));
        // By the name of another key.
        let mut renamed = label;
        renamed[..4].copy_from_slice(&rotated.sealing(NOW).unwrap().id().prefix());
        let renamed = place("shop").open(&renamed, &rotated, NOW);
        assert_eq!(renamed, Err(NoLabel::NotAuthentic));
    }

    proptest! {
        #[test]
        fn a_changed_label_is_none(at in 0..LENGTH, by in 1..=255_u8, junk: Vec<u8>) {
            let ring = KeyRing::single(published_secret(1));
            let mut label = sealed(&ring, "Firefox on Linux").unwrap();
            label[at] ^= by;
            prop_assert!(place("shop").open(&label, &ring, NOW).is_err());
            prop_assert!(place("shop").open(&label[..at], &ring, NOW).is_err());
            prop_assert!(place("shop").open(&junk, &ring, NOW).is_err());
        }
    }
}
