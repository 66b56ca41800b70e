//! The token against cross-site requests: what a page of the application can send, and one of another site cannot.
//!
//! ```text
//! key      4 bytes    the first of the key's id
//! mask    16 bytes    random, fresh each time
//! tag     16 bytes    of HMAC-SHA256, the first half, XOR the mask
//! ```
//!
//! 1. The tag is over the cookie's name, the audience and the session's id ([`mac`]), under a key with a label of its
//!    own. A login gives the session another id, and so the token ends with the one from before.
//! 2. The tag is the same for all of a session's life. The mask lets no two responses show the same bytes, so that
//!    the size of compressed ones does not tell it bit by bit (BREACH). The key's id is public: it stands in the cookie.
//! 3. Four bytes name one key, because a ring has no two whose ids begin alike. Any that opens now will do, so a
//!    rotation refuses no page that is open.
//! 4. It is canonical base64url without padding, 48 characters, which have no bits to spare.

use base64_simd::{AsOut, URL_SAFE_NO_PAD};

use crate::ids::SessionId;
use crate::keys::{Key, KeyRing};
use crate::seal::Binding;
use crate::seal::mac::{self, TAG};
use crate::time::UnixMillis;

const PREFIX: usize = 4;
const BYTES: usize = PREFIX + TAG + TAG;
/// Characters of the text.
const LENGTH: usize = BYTES * 8 / 6;

/// A mask: as long as what it hides.
pub(crate) type Mask = [u8; TAG];

/// A token of the session. Never `None`.
pub(crate) fn write(
    key: &Key,
    binding: &Binding,
    session: &SessionId,
    mask: Mask,
) -> Option<String> {
    let mut tag = mac::tag(&key.csrf_key, binding, session, &[])?;
    xor(&mut tag, &mask);
    let bytes = [&key.id().prefix()[..], &mask, &tag].concat();
    Some(URL_SAFE_NO_PAD.encode_to_string(bytes))
}

/// Whether `text` is a token of the session; if not why, for the log.
pub(crate) fn check(
    text: &[u8],
    ring: &KeyRing,
    binding: &Binding,
    session: &SessionId,
    now: UnixMillis,
) -> Result<(), &'static str> {
    if text.len() != LENGTH {
        return Err("its length is wrong");
    }
    let mut bytes = [0; BYTES];
    let decoded = URL_SAFE_NO_PAD.decode(text, bytes.as_mut_slice().as_out());
    let bytes = decoded.map_err(|_| "it is no base64url")?;
    let parts = bytes.split_first_chunk::<PREFIX>();
    let parts = parts.and_then(|(prefix, rest)| Some((prefix, rest.split_first_chunk()?)));
    let Some((prefix, (mask, masked))) = parts else {
        return Err("its length is wrong");
    };
    let key = ring.key_of(*prefix, now);
    let key = key.ok_or("its key is unknown, has retired or was revoked")?;
    let mut tag: Mask = masked.try_into().map_err(|_| "its length is wrong")?;
    xor(&mut tag, mask);
    match mac::verify(&key.csrf_key, binding, session, &[], &tag) {
        true => Ok(()),
        false => Err("it is of another session, cookie or audience, or made up"),
    }
}

fn xor(bytes: &mut Mask, mask: &Mask) {
    for (byte, with) in bytes.iter_mut().zip(mask) {
        *byte ^= with;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::published_secret;
    use proptest::prelude::*;
    use std::time::Duration;

    const NOW: UnixMillis = UnixMillis::from_secs(1_795_248_000);
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    fn binding() -> Binding {
        Binding::new("session", "shop")
    }

    fn id(number: u8) -> SessionId {
        SessionId::from_bytes([number; 16])
    }

    fn token(ring: &KeyRing, mask: Mask) -> String {
        write(ring.sealing(NOW).unwrap(), &binding(), &id(1), mask).unwrap()
    }

    #[test]
    fn a_token_is_good_for_its_session_cookie_and_audience_alone() {
        let ring = KeyRing::single(published_secret(1));
        let text = token(&ring, [7; 16]);
        assert_eq!(text.len(), 48);
        let is_good = |binding: &Binding, id: &SessionId| {
            check(text.as_bytes(), &ring, binding, id, NOW).is_ok()
        };
        assert!(is_good(&binding(), &id(1)));
        assert!(!is_good(&binding(), &id(2)));
        for (name, audience) in [
            ("session2", "shop"),
            ("session", "shop2"),
            ("sessions", "hop"),
        ] {
            assert!(!is_good(&Binding::new(name, audience), &id(1)), "{name}");
        }
    }

    #[test]
    fn masks_change_every_byte_but_those_of_the_key() {
        let ring = KeyRing::single(published_secret(1));
        let [one, two] = [[0x0f; 16], [0xf0; 16]].map(|mask| {
            let text = token(&ring, mask);
            assert_eq!(
                check(text.as_bytes(), &ring, &binding(), &id(1), NOW),
                Ok(())
            );
            URL_SAFE_NO_PAD.decode_to_vec(text).unwrap()
        });
        assert_eq!(one[..4], ring.sealing(NOW).unwrap().id().prefix());
        assert_eq!(one[..4], two[..4]);
        assert!(one[4..].iter().zip(&two[4..]).all(|(one, two)| one != two));
        // What it hides is the same, and not the key of anything else.
        let key = ring.sealing(NOW).unwrap();
        let other = mac::tag(&key.activity_key, &binding(), &id(1), &[]).unwrap();
        assert_ne!(
            one[20..].iter().map(|it| it ^ 0x0f).collect::<Vec<_>>(),
            other
        );
    }

    #[test]
    fn any_key_that_opens_will_do_and_no_other() {
        let later = |seconds| NOW + Duration::from_secs(seconds);
        let old = KeyRing::single(published_secret(1));
        let text = token(&old, [7; 16]);
        let rotated = KeyRing::builder()
            .key(published_secret(1), UnixMillis::EPOCH, Some(later(60)))
            .key(published_secret(2), NOW, None);
        let rotated = rotated.build().unwrap();
        let at = |ring: &KeyRing, now| check(text.as_bytes(), ring, &binding(), &id(1), now);
        assert_eq!(at(&rotated, NOW), Ok(()));
        assert_eq!(at(&rotated, later(59)), Ok(()));
        assert!(at(&rotated, later(60)).unwrap_err().contains("retired"));
        let revoked = KeyRing::builder()
            .key(published_secret(1), UnixMillis::EPOCH, None)
            .revoked(published_secret(1).key_id())
            .key(published_secret(2), UnixMillis::EPOCH, None);
        assert!(at(&revoked.build().unwrap(), NOW).is_err());
        assert!(at(&KeyRing::single(published_secret(2)), NOW).is_err());
        // Named by its prefix, it is not taken for the other's.
        let other = token(&KeyRing::single(published_secret(2)), [7; 16]);
        let mixed = [&other[..6], &text[6..]].concat();
        assert!(check(mixed.as_bytes(), &rotated, &binding(), &id(1), NOW).is_err());
    }

    proptest! {
        #[test]
        fn a_changed_token_is_refused(
            mask: [u8; 16], place in 0..LENGTH, by in 1..64usize, cut in 0..LENGTH,
            junk in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let ring = KeyRing::single(published_secret(1));
            let good = token(&ring, mask).into_bytes();
            let is_good = |text: &[u8]| check(text, &ring, &binding(), &id(1), NOW).is_ok();
            prop_assert!(is_good(&good));
            let mut changed = good.clone();
            let digit = ALPHABET.iter().position(|it| *it == good[place]).unwrap();
            changed[place] = ALPHABET[(digit + by) % 64];
            prop_assert!(!is_good(&changed));
            for odd in [b'=', b'+', b'/', b' ', 0xff] {
                changed[place] = odd;
                prop_assert!(!is_good(&changed));
            }
            prop_assert!(!is_good(&good[..cut]));
            prop_assert!(!is_good(&[good.as_slice(), b"A"].concat()));
            prop_assert!(!is_good(&junk));
        }
    }
}
