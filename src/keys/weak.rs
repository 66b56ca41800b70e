//! Which secrets are refused.
//!
//! The cipher's safety rests on secrets that nobody can guess. 32 bytes from a random generator never
//! look like any of these (the odds of each rule are below one in 2^36); what people type, count
//! up, copy from a manual or forget to fill in does:
//!
//! 1. all bytes equal, or few different ones;
//! 2. a repetition, or bytes that count up or down at any small stride;
//! 3. text: a pass phrase is not a key, and a key in hexadecimal or base64 has to be decoded first;
//! 4. a secret that this project published, in its documentation or its test vectors.

use crate::ids::KeyId;

/// A random secret has 30 different bytes on average.
const FEWEST_DISTINCT: usize = 16;

/// Why these bytes are no secret, if so.
pub(super) fn weakness(bytes: &[u8; 32]) -> Option<&'static str> {
    if is_periodic(bytes, 1) {
        Some("all of its bytes are equal")
    } else if (2..=24).any(|period| is_periodic(bytes, period)) {
        Some("it repeats itself")
    } else if (1..=8).any(|stride| counts(bytes, stride)) {
        Some("its bytes are an arithmetic sequence")
    } else if is_text(bytes) {
        Some("it is text; a pass phrase is not a key")
    } else if distinct(bytes) < FEWEST_DISTINCT {
        Some("it has too few different bytes")
    } else {
        None
    }
}

/// Why this text cannot have come from a random generator, if so.
///
/// 43 letters decode as base64 to bytes that look random, so words must be recognised before that.
/// Random base64 lacks two of the three classes once in 2^50 times.
pub(super) fn text_weakness(text: &str) -> Option<&'static str> {
    let classes = [
        text.contains(|c: char| c.is_ascii_lowercase()),
        text.contains(|c: char| c.is_ascii_uppercase()),
        text.contains(|c: char| c.is_ascii_digit()),
    ];
    let present = classes.iter().filter(|present| **present).count();
    (present < 2)
        .then_some("its text is letters of one case or digits only; a pass phrase is not a key")
}

/// Whether the secret with this id was published.
pub(super) fn is_published(id: &KeyId) -> bool {
    PUBLISHED.contains(&id.to_string().as_str())
}

fn is_periodic(bytes: &[u8; 32], period: usize) -> bool {
    bytes
        .iter()
        .zip(bytes.iter().skip(period))
        .all(|(a, b)| a == b)
}

/// Whether the bytes that are `stride` apart differ by the same amount all along: 0, 1, 2, .. at a
/// stride of one, big-endian counters of two, four or eight bytes at larger ones.
fn counts(bytes: &[u8; 32], stride: usize) -> bool {
    let later = bytes.iter().skip(stride);
    let latest = bytes.iter().skip(2 * stride);
    let mut triples = bytes.iter().zip(later).zip(latest);
    triples.all(|((a, b), c)| b.wrapping_sub(*a) == c.wrapping_sub(*b))
}

fn is_text(bytes: &[u8; 32]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| text.chars().all(|c| !c.is_control() || c.is_whitespace()))
}

fn distinct(bytes: &[u8; 32]) -> usize {
    let mut sorted = zeroize::Zeroizing::new(*bytes);
    sorted.sort_unstable();
    let steps = sorted.iter().zip(sorted.iter().skip(1));
    1 + steps.filter(|(a, b)| a != b).count()
}

/// The key ids of the secrets that [`published_bytes`] makes, in order.
const PUBLISHED: [&str; 4] = [
    "6789e288cc54f87cd3139249a9e9b6ae",
    "2a27d9214b52c11afbb1bf682f83bf0f",
    "a4d812d7c54003b1c518e63e10919372",
    "40754939f23d592b00c75f834e2ada36",
];

/// The secrets of this project's documentation and test vectors: SHA-256 of
/// `sealed-session published secret N`, with N from 1 to 4 as a decimal digit.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn published_bytes(number: u8) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(format!("sealed-session published secret {number}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Secret;

    #[test]
    fn each_rule_refuses_what_it_names() {
        let counter16: Vec<u8> = (1..=16u16).flat_map(u16::to_be_bytes).collect();
        let counter64: Vec<u8> = (1..=4u64).flat_map(u64::to_le_bytes).collect();
        let down: Vec<u8> = (0..32).map(|n| 200u8.wrapping_sub(n * 7)).collect();
        let mut few = [7; 32];
        few[..14].copy_from_slice(b"\x01\x80\xff\x42\x99\xfa\x03\xc8\x10\x20\x33\xe7\x51\x90");
        for (bytes, word) in [
            (&[0; 32][..], "equal"),
            (&[255; 32][..], "equal"),
            (b"\x90\xff".repeat(16).as_slice(), "repeats"),
            (&b"\x90\xffsomething".repeat(3)[..32], "repeats"),
            (&(0..32).collect::<Vec<u8>>(), "arithmetic"),
            (
                &(0xf0..=0xff).chain(0..16).collect::<Vec<u8>>(),
                "arithmetic",
            ),
            (&down, "arithmetic"),
            (&counter16, "arithmetic"),
            (&counter64, "arithmetic"),
            (b"correct horse battery staple, ok", "text"),
            (b"0123456789abcdef0f1e2d3c4b5a6978", "text"),
            ("größer als zweiunddreißig Byt".as_bytes(), "text"),
            (&few, "few"),
        ] {
            let bytes = bytes.try_into().unwrap();
            let found = weakness(bytes).unwrap_or_else(|| panic!("{word}: {bytes:?}"));
            assert!(found.contains(word), "{found}: {bytes:?}");
        }
    }

    #[test]
    fn the_published_list_matches_the_published_secrets() {
        for (number, id) in (1..).zip(PUBLISHED) {
            let bytes = published_bytes(number);
            assert_eq!(Secret::unchecked(bytes).key_id().to_string(), id);
            assert_eq!(weakness(&bytes), None, "only the list refuses it");
        }
    }

    #[test]
    fn words_are_recognised_before_they_are_decoded() {
        assert!(text_weakness("correcthorsebatterystaplecorrecthorsebatter").is_some());
        assert!(text_weakness("0123456789012345678901234567890123456789012").is_some());
        assert!(text_weakness("76mGqsUeYxEC7Jqw8KZuns9cvUJrOqY_kq0nVewktwg").is_none());
    }
}
