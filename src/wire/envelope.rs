//! The token's outside: what can be read without a key.
//!
//! ```text
//! version      1 byte      0x01
//! key id      16 bytes
//! sealed at    4 bytes     minutes since 1970, big endian
//! nonce       24 bytes
//! ciphertext   n bytes     a positive multiple of 32
//! tag         16 bytes
//! ```
//!
//! base64url without padding, canonical. The first 21 bytes mean the same in every version, so that a
//! release can tell how old a token of a later one is.

use std::fmt;
use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;

use super::malformed::Malformed;
use super::padding::{self, BLOCK};
use super::sizes::LONGEST_TOKEN;
use crate::ids::KeyId;
use crate::time::UnixMillis;

pub(crate) const VERSION: u8 = 1;
/// Version, key id and sealed at.
pub(crate) const HEAD: usize = 21;
pub(crate) const NONCE: usize = 24;
pub(crate) const TAG: usize = 16;

/// Bytes around the ciphertext of a token: version, key id, sealed at, nonce, and the tag.
const FRAME: usize = HEAD + NONCE + TAG;

/// How long the text of a token is whose record has `record` bytes.
pub(crate) fn text_len(record: usize) -> usize {
    let bytes = padding::padded_len(record).saturating_add(FRAME);
    // base64 without padding: six bits a character, rounded up.
    bytes.saturating_mul(8).div_ceil(6)
}

/// The first bytes of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) version: u8,
    pub(crate) key: KeyId,
    pub(crate) sealed_at: Minutes,
}

/// Minutes since 1970, as many as four bytes hold (until the year 10136).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Minutes(u32);

impl Minutes {
    pub(crate) fn at(time: UnixMillis) -> Self {
        Self(u32::try_from(time.as_secs() / 60).unwrap_or(u32::MAX))
    }

    /// Big endian.
    pub(crate) fn to_bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }

    pub(crate) fn start(self) -> UnixMillis {
        UnixMillis::from_secs(u64::from(self.0) * 60)
    }

    /// Whether a token sealed then may come from a neighbour that knows more than this node: within
    /// `margin` before `now`, and not in the future by more than `skew`.
    pub(crate) fn is_within(self, margin: Duration, now: UnixMillis, skew: Duration) -> bool {
        self.start() <= now + skew && now <= self.start() + margin
    }
}

impl Head {
    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (version, rest) = bytes.split_first()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (sealed_at, rest) = rest.split_first_chunk()?;
        let head = Self {
            version: *version,
            key: KeyId::from_bytes(*key),
            sealed_at: Minutes(u32::from_be_bytes(*sealed_at)),
        };
        Some((head, rest))
    }
}

/// A token of this version. Its content is encrypted and decrypted where it stands, by whoever knows a
/// cipher, between [`Envelope::parse`] and [`Envelope::into_content`], or [`Envelope::new`] and
/// [`Envelope::write_text`].
pub(crate) struct Envelope {
    pub(crate) head: Head,
    bytes: Vec<u8>,
}

/// Without the content, which may be decrypted.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({:?}, {} bytes)", self.head, self.bytes.len())
    }
}

/// What the cipher works on.
pub(crate) struct Parts<'e> {
    pub(crate) nonce: &'e [u8; NONCE],
    /// Padded.
    pub(crate) content: &'e mut [u8],
    pub(crate) tag: &'e mut [u8; TAG],
}

/// A text that was taken apart.
#[derive(Debug)]
pub(crate) enum Parsed {
    Token(Envelope),
    /// Another release's token: only its head is understood.
    OtherVersion(Head),
}

impl Envelope {
    /// Takes the text of a token apart. Its length is checked before anything else.
    pub(crate) fn parse(text: &[u8]) -> Result<Parsed, Malformed> {
        if text.len() > LONGEST_TOKEN {
            return Err(Malformed::Length);
        }
        // Padding, white space, the other alphabet and non-zero trailing bits are rejected.
        let bytes = URL_SAFE_NO_PAD
            .decode_to_vec(text)
            .map_err(|_| Malformed::Text)?;
        let (head, rest) = Head::read(&bytes).ok_or(Malformed::Length)?;
        if head.version != VERSION {
            return Ok(Parsed::OtherVersion(head));
        }
        let content = rest.len().checked_sub(NONCE + TAG);
        if content.is_none_or(|content| content == 0 || !content.is_multiple_of(BLOCK)) {
            return Err(Malformed::Length);
        }
        Ok(Parsed::Token(Self { head, bytes }))
    }

    /// A token that is to be encrypted, with the content that `write` puts at the end of others, about `length` bytes.
    /// `None`: it is longer than four bytes can say.
    pub(crate) fn new(
        head: Head,
        nonce: [u8; NONCE],
        length: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Self> {
        let mut bytes = Vec::with_capacity(FRAME + padding::padded_len(length));
        bytes.push(head.version);
        bytes.extend_from_slice(head.key.as_bytes());
        bytes.extend_from_slice(&head.sealed_at.to_bytes());
        bytes.extend_from_slice(&nonce);
        padding::pad(&mut bytes, write)?;
        bytes.extend_from_slice(&[0; TAG]);
        Some(Self { head, bytes })
    }

    /// What the cipher works on. Never `None`: both makers have seen to the length.
    pub(crate) fn parts(&mut self) -> Option<Parts<'_>> {
        let (_, rest) = self.bytes.split_at_mut_checked(HEAD)?;
        let (nonce, rest) = rest.split_first_chunk_mut()?;
        let (content, tag) = rest.split_last_chunk_mut()?;
        Some(Parts {
            nonce,
            content,
            tag,
        })
    }

    /// The bytes that end with the content, once it is decrypted, and where it begins in them.
    pub(crate) fn into_content(self) -> Result<(Vec<u8>, usize), Malformed> {
        let Self { mut bytes, .. } = self;
        bytes.truncate(bytes.len().saturating_sub(TAG));
        let padded = bytes.get(HEAD + NONCE..).ok_or(Malformed::Length)?;
        let content = padding::unpad(padded)?;
        let start = HEAD + NONCE + content.start;
        bytes.truncate(HEAD + NONCE + content.end);
        Ok((bytes, start))
    }

    /// How long the token's text is.
    pub(crate) fn text_len(&self) -> usize {
        URL_SAFE_NO_PAD.encoded_length(self.bytes.len())
    }

    /// Puts the token's text at the end, once it is encrypted.
    pub(crate) fn write_text(&self, to: &mut String) {
        URL_SAFE_NO_PAD.encode_append(&self.bytes, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn texts_are_read_and_written_as_the_crate_base64_does(
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
            text in "[A-D_=+/ -]{0,70}",
            at in any::<proptest::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let written = URL_SAFE_NO_PAD.encode_to_string(&bytes);
            prop_assert_eq!(&written, &BASE64_URL_SAFE_NO_PAD.encode(&bytes));
            let mut changed = written.clone().into_bytes();
            if let Some(place) = (!changed.is_empty()).then(|| at.index(changed.len())) {
                changed[place] = byte;
            }
            for text in [written.into_bytes(), text.into_bytes(), changed] {
                let read = URL_SAFE_NO_PAD.decode_to_vec(&text).ok();
                prop_assert_eq!(read, BASE64_URL_SAFE_NO_PAD.decode(&text).ok());
            }
        }
    }

    fn envelope() -> Envelope {
        let head = Head {
            version: VERSION,
            key: KeyId::from_bytes([7; 16]),
            sealed_at: Minutes(29_000_000),
        };
        Envelope::new(head, [1; NONCE], 60, |to| to.extend([3; 60])).unwrap()
    }

    fn text(envelope: &Envelope) -> String {
        let mut text = String::new();
        envelope.write_text(&mut text);
        assert_eq!(text.len(), envelope.text_len());
        text
    }

    #[test]
    fn a_token_reads_back() {
        let text = text(&envelope());
        assert_eq!(text.len(), text_len(60));
        let Ok(Parsed::Token(back)) = Envelope::parse(text.as_bytes()) else {
            panic!("{text}")
        };
        assert_eq!(self::text(&back), text);
        let (bytes, start) = back.into_content().unwrap();
        assert_eq!(bytes[start..], [3; 60]);
    }

    #[test]
    fn the_cap_comes_first() {
        // Not base64 at all: were it decoded first, it would be malformed.
        let text = "!".repeat(LONGEST_TOKEN);
        assert!(matches!(
            Envelope::parse(text.as_bytes()),
            Err(Malformed::Text)
        ));
        let longer = text + "!";
        assert!(matches!(
            Envelope::parse(longer.as_bytes()),
            Err(Malformed::Length)
        ));
    }

    #[test]
    fn a_cut_or_extended_token_has_no_length_that_was_sealed() {
        let text = text(&envelope());
        for cut in 0..text.len() {
            // Whole blocks less is another token's form; its tag is the cipher's to refuse.
            if let Ok(Parsed::Token(shorter)) = Envelope::parse(&text.as_bytes()[..cut]) {
                assert_eq!(shorter.bytes.len(), HEAD + NONCE + BLOCK + TAG);
            }
        }
        for extra in ["A", "=", " ", "%3D", "\u{0}"] {
            let longer = format!("{text}{extra}");
            assert!(Envelope::parse(longer.as_bytes()).is_err(), "{extra:?}");
        }
    }

    #[test]
    fn the_head_of_another_version_is_understood() {
        let mut token = envelope();
        token.head.version = 2;
        token.bytes[0] = 2;
        let text = text(&token);
        let Ok(Parsed::OtherVersion(head)) = Envelope::parse(text.as_bytes()) else {
            panic!("{text}")
        };
        assert_eq!(head, token.head);
    }

    #[test]
    fn a_neighbours_token_is_recent_and_not_from_the_future() {
        let hour = Duration::from_secs(3600);
        let skew = Duration::from_secs(60);
        let now = UnixMillis::from_secs(100 * 3600);
        let within = |time| Minutes::at(time).is_within(hour, now, skew);
        assert!(within(now));
        assert!(within(now.minus(hour)));
        assert!(!within(now.minus(hour + skew)));
        assert!(within(now + skew));
        assert!(!within(now + 2 * skew));
    }
}
