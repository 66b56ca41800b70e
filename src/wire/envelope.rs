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

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::error::Rejected;
use crate::id::KeyId;
use crate::time::UnixMillis;
use crate::wire::chunks::LONGEST_TOKEN;
use crate::wire::padding::BLOCK;

pub(crate) const VERSION: u8 = 1;
/// Version, key id and sealed at.
pub(crate) const HEAD: usize = 21;
pub(crate) const NONCE: usize = 24;
pub(crate) const TAG: usize = 16;

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
    pub(crate) fn to_bytes(self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let (version, rest) = bytes.split_at_mut(1);
        let (key, sealed_at) = rest.split_at_mut(16);
        version.copy_from_slice(&[self.version]);
        key.copy_from_slice(self.key.as_bytes());
        sealed_at.copy_from_slice(&self.sealed_at.0.to_be_bytes());
        bytes
    }

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

/// A token of this version, taken apart. Nothing in it is verified.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) head: Head,
    pub(crate) nonce: [u8; NONCE],
    pub(crate) tag: [u8; TAG],
    pub(crate) ciphertext: Vec<u8>,
}

/// What a text turned out to be.
#[derive(Debug)]
pub(crate) enum Parsed {
    Token(Envelope),
    /// Another release's token: only its head is understood.
    OtherVersion(Head),
}

impl Envelope {
    /// Takes the text of a token apart. Its length is checked before anything else.
    pub(crate) fn parse(text: &[u8]) -> Result<Parsed, Rejected> {
        if text.len() > LONGEST_TOKEN {
            return Err(Rejected::Length);
        }
        // The engine rejects padding, white space, the other alphabet and non-zero trailing bits.
        let bytes = BASE64_URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| Rejected::Malformed)?;
        let (head, rest) = Head::read(&bytes).ok_or(Rejected::Length)?;
        if head.version != VERSION {
            return Ok(Parsed::OtherVersion(head));
        }
        let (nonce, rest) = rest.split_first_chunk().ok_or(Rejected::Length)?;
        let (ciphertext, tag) = rest.split_last_chunk().ok_or(Rejected::Length)?;
        if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(BLOCK) {
            return Err(Rejected::Length);
        }
        Ok(Parsed::Token(Self {
            head,
            nonce: *nonce,
            tag: *tag,
            ciphertext: ciphertext.to_vec(),
        }))
    }

    /// The text of the token.
    pub(crate) fn to_text(&self) -> String {
        let mut bytes = Vec::with_capacity(HEAD + NONCE + self.ciphertext.len() + TAG);
        bytes.extend_from_slice(&self.head.to_bytes());
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(&self.ciphertext);
        bytes.extend_from_slice(&self.tag);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            head: Head {
                version: VERSION,
                key: KeyId::from_bytes([7; 16]),
                sealed_at: Minutes(29_000_000),
            },
            nonce: [1; NONCE],
            tag: [2; TAG],
            ciphertext: vec![3; 64],
        }
    }

    #[test]
    fn a_token_reads_back() {
        let text = envelope().to_text();
        assert_eq!(text.len(), super::super::text_len(60));
        let Ok(Parsed::Token(back)) = Envelope::parse(text.as_bytes()) else {
            panic!("{text}")
        };
        assert_eq!(back.to_text(), text);
    }

    #[test]
    fn the_cap_comes_first() {
        // Not base64 at all: were it decoded first, it would be malformed.
        let text = "!".repeat(LONGEST_TOKEN);
        assert!(matches!(
            Envelope::parse(text.as_bytes()),
            Err(Rejected::Malformed)
        ));
        let longer = text + "!";
        assert!(matches!(
            Envelope::parse(longer.as_bytes()),
            Err(Rejected::Length)
        ));
    }

    #[test]
    fn a_cut_or_extended_token_has_no_length_that_was_sealed() {
        let text = envelope().to_text();
        for cut in 0..text.len() {
            // Whole blocks less is another token's form; its tag is the cipher's to refuse.
            if let Ok(Parsed::Token(shorter)) = Envelope::parse(&text.as_bytes()[..cut]) {
                assert_eq!(shorter.ciphertext.len(), BLOCK);
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
        let text = token.to_text();
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
