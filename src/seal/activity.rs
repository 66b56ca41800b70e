//! The activity cookie: when a session was last used.
//!
//! ```text
//! time    6 bytes    milliseconds since 1970, big endian
//! tag    16 bytes    of HMAC-SHA256, the first half
//! ```
//!
//! 1. A response that wrote nothing must not carry the session's data: it would overwrite what another
//!    request wrote meanwhile. So the idle clock has a cookie of its own, `NAME.seen`.
//! 2. The tag is over the cookie's name and the audience, the session's id and the time ([`mac`]), under a key that
//!    is derived from the one that sealed the data.
//! 3. It can only move the idle limit. The later of two times counts, and one that has not come yet counts
//!    as none, so whoever keeps an old one gains nothing, and whoever drops it goes idle.
//! 4. It is canonical base64url without padding, 30 characters. Any other text is none.

use base64_simd::{AsOut, URL_SAFE_NO_PAD};

use crate::ids::SessionId;
use crate::keys::Key;
use crate::seal::Binding;
use crate::seal::mac::{self, TAG};
use crate::time::UnixMillis;

const TIME: usize = 6;
/// Characters of the text.
const LENGTH: usize = (TIME + TAG) * 8 / 6 + 1;

/// The cookie's value. `None` for a time past the year 10889, which six bytes do not hold.
pub(crate) fn write(
    key: &Key,
    binding: &Binding,
    session: &SessionId,
    at: UnixMillis,
) -> Option<String> {
    let [0, 0, time @ ..] = at.as_millis().to_be_bytes() else {
        return None;
    };
    let tag = mac::tag(&key.activity_key, binding, session, &time)?;
    let mut bytes = [0; TIME + TAG];
    let (front, back) = bytes.split_at_mut(TIME);
    front.copy_from_slice(&time);
    back.copy_from_slice(&tag);
    Some(URL_SAFE_NO_PAD.encode_to_string(bytes))
}

/// When the session was last used, if `text` says so and is authentic.
pub(crate) fn read(
    text: &[u8],
    key: &Key,
    binding: &Binding,
    session: &SessionId,
) -> Option<UnixMillis> {
    if text.len() != LENGTH {
        return None;
    }
    let mut bytes = [0; TIME + TAG];
    let bytes = URL_SAFE_NO_PAD
        .decode(text, bytes.as_mut_slice().as_out())
        .ok()?;
    let (time, tag) = bytes.split_first_chunk::<TIME>()?;
    let tag = tag.try_into().ok()?;
    if !mac::verify(&key.activity_key, binding, session, time, tag) {
        return None;
    }
    let [a, b, c, d, e, f] = *time;
    Some(UnixMillis::new(u64::from_be_bytes([
        0, 0, a, b, c, d, e, f,
    ])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyRing;
    use crate::testing::published_secret;
    use proptest::prelude::*;

    const NOW: UnixMillis = UnixMillis::from_secs(1_795_248_000);

    fn ring(number: u8) -> KeyRing {
        KeyRing::single(published_secret(number))
    }

    #[test]
    fn only_its_own_session_key_name_and_audience_read_it() {
        let (one, two) = (ring(1), ring(2));
        let (key, other_key) = (one.sealing(NOW).unwrap(), two.sealing(NOW).unwrap());
        let binding = Binding::new("session", "shop");
        let id = SessionId::from_bytes([1; 16]);
        let text = write(key, &binding, &id, NOW).unwrap();
        assert_eq!(text.len(), LENGTH);
        assert_eq!(LENGTH, 30);
        assert_eq!(read(text.as_bytes(), key, &binding, &id), Some(NOW));
        let other = SessionId::from_bytes([2; 16]);
        assert_eq!(read(text.as_bytes(), key, &binding, &other), None);
        assert_eq!(read(text.as_bytes(), other_key, &binding, &id), None);
        for (name, audience) in [
            ("session2", "shop"),
            ("session", "shop2"),
            ("sessions", "hop"),
        ] {
            let binding = Binding::new(name, audience);
            assert_eq!(read(text.as_bytes(), key, &binding, &id), None, "{name}");
        }
    }

    #[test]
    fn a_time_that_six_bytes_do_not_hold_is_not_written() {
        let ring = ring(1);
        let key = ring.sealing(NOW).unwrap();
        let binding = Binding::new("session", "shop");
        let id = SessionId::from_bytes([1; 16]);
        let last = UnixMillis::new((1 << 48) - 1);
        let text = write(key, &binding, &id, last).unwrap();
        assert_eq!(read(text.as_bytes(), key, &binding, &id), Some(last));
        assert_eq!(write(key, &binding, &id, UnixMillis::new(1 << 48)), None);
    }

    proptest! {
        #[test]
        fn a_changed_text_is_none(place in 0..LENGTH, by in 1..64u8, cut in 0..LENGTH) {
            const ALPHABET: &[u8; 64] =
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let ring = ring(1);
            let key = ring.sealing(NOW).unwrap();
            let binding = Binding::new("session", "shop");
            let id = SessionId::from_bytes([1; 16]);
            let good = write(key, &binding, &id, NOW).unwrap().into_bytes();
            let mut changed = good.clone();
            let digit = ALPHABET.iter().position(|it| *it == good[place]).unwrap();
            changed[place] = ALPHABET[(digit + usize::from(by)) % 64];
            prop_assert_eq!(read(&changed, key, &binding, &id), None);
            prop_assert_eq!(read(&good[..cut], key, &binding, &id), None);
            prop_assert_eq!(read(&[good.as_slice(), b"A"].concat(), key, &binding, &id), None);
        }
    }
}
