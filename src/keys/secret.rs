//! One secret: 32 bytes that only the servers know.
//!
//! 1. Made by the operating system's generator, or read and then checked: what an attacker could
//!    guess or has read is refused ([`ConfigError::WeakSecret`]).
//! 2. Our copies are erased when they are dropped. That is an effort, not a promise: the
//!    environment, the page cache and a parser's buffers are out of reach.
//! 3. Compared in constant time, redacted in `Debug`, never serialized. [`Secret::to_text`] is the one
//!    way out, for the key file.

use std::fmt;

use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, general_purpose};
use base64::{DecodeSliceError, Engine, alphabet};
use constant_time_eq::constant_time_eq_32;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::weak;
use crate::error::ConfigError;
use crate::random::{Random, RandomError};

/// 32 secret bytes from which everything else of a key is derived.
///
/// Erased when dropped, compared in constant time, and not shown by `Debug`.
///
/// ```
/// use sealed_session::keys::{Secret, SystemRandom};
///
/// let secret = Secret::generate(&SystemRandom)?;
/// let text = secret.to_text(); // for a key file or an environment variable
/// assert!(Secret::parse(&text)? == secret);
/// assert!(!format!("{secret:?}").contains(text.as_str()));
/// assert!(Secret::parse("correct horse battery staple").is_err());
/// # Ok::<(), sealed_session::ConfigError>(())
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(pub(super) [u8; 32]);

impl Secret {
    /// A fresh secret.
    ///
    /// # Errors
    /// When the generator cannot deliver, or delivers what [`Secret::from_bytes`] refuses.
    pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        // Filled in place: a copy on the way would not be erased.
        let mut secret = Self([0; 32]);
        random.fill(&mut secret.0)?;
        secret.checked().map_err(|_| RandomError)
    }

    /// The secret with these bytes.
    ///
    /// # Errors
    /// [`ConfigError::WeakSecret`] if they are all equal, repeat themselves, count up or down, have fewer
    /// than 16 different values, are text, or were published by this project.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, ConfigError> {
        Self(bytes).checked()
    }

    /// Reads a secret from base64 or base64url, with or without padding. White space around it is
    /// ignored.
    ///
    /// # Errors
    /// [`ConfigError::WeakSecret`] if the text is empty, not base64, not of 32 bytes, or if
    /// [`Secret::from_bytes`] refuses them. The error never shows the text.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ConfigError::WeakSecret("it is empty"));
        }
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ConfigError::WeakSecret(
                "it is written in hexadecimal; base64 is expected",
            ));
        }
        let secret = decode(text)?;
        if let Some(weakness) = weak::text_weakness(text) {
            return Err(ConfigError::WeakSecret(weakness));
        }
        secret.checked()
    }

    /// The secret as base64url without padding, 43 characters, as a key file holds it. The text is
    /// erased when dropped.
    pub fn to_text(&self) -> Zeroizing<String> {
        // The exact capacity, so that no half-written copy is left behind by growing.
        let mut text = Zeroizing::new(String::with_capacity(43));
        URL_SAFE_NO_PAD.encode_string(self.0, &mut text);
        text
    }

    /// A secret that may be weak or published, for test vectors.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn unchecked(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn checked(self) -> Result<Self, ConfigError> {
        if let Some(weakness) = weak::weakness(&self.0) {
            Err(ConfigError::WeakSecret(weakness))
        } else if weak::is_published(&self.key_id()) {
            Err(ConfigError::WeakSecret(
                "it was published in this library's documentation or tests",
            ))
        } else {
            Ok(self)
        }
    }
}

/// In constant time.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq_32(&self.0, &other.0)
    }
}

impl Eq for Secret {}

/// Shows the id, which is public, and nothing of the secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.key_id())
    }
}

const LENIENT: GeneralPurposeConfig =
    general_purpose::NO_PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

fn decode(text: &str) -> Result<Secret, ConfigError> {
    let engine = if text.contains(['+', '/']) {
        BASE64
    } else {
        BASE64URL
    };
    // Room for more than 32 bytes, so that "too long" is told from "not base64".
    let mut buffer = Zeroizing::new([0; 96]);
    let decoded = engine.decode_slice(text, buffer.as_mut_slice());
    match (decoded, buffer.first_chunk()) {
        (Ok(32), Some(bytes)) => Ok(Secret(*bytes)),
        (Err(DecodeSliceError::DecodeError(_)), _) => {
            Err(ConfigError::WeakSecret("it is not base64"))
        }
        _ => Err(ConfigError::WeakSecret(
            "it is not 32 bytes, which are 43 characters of base64",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDARD: &str = "76mGqsUeYxEC7Jqw8KZuns9cvUJrOqY/kq0nVewktwg=";

    fn refusal(text: &str) -> &'static str {
        match Secret::parse(text) {
            Err(ConfigError::WeakSecret(why)) => why,
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn both_alphabets_and_any_padding_are_read() {
        let url = STANDARD.replace('/', "_");
        for text in [
            STANDARD,
            &url,
            STANDARD.trim_end_matches('='),
            &format!(" {url}\n"),
        ] {
            let secret = decode(text.trim()).unwrap();
            assert_eq!(secret.0, weak::published_bytes(1));
            assert!(refusal(text).contains("published"), "decoded, then refused");
        }
    }

    #[test]
    fn what_is_not_32_bytes_of_base64_is_refused_without_showing_it() {
        for (text, word) in [
            ("", "empty"),
            (" \n", "empty"),
            ("hunter2!", "not base64"),
            ("76mGqsUeYxEC7Jqw8KZuns9cvUJrOqY/kq0nVewktw_", "not base64"),
            ("76mGqsUeYxEC7Jqw8KZuns9cvUJrOqY/kq0nVewktwh", "not base64"),
            ("76mGqsUeYxEC7Jqw8KZuns9cvUJrOqY/kq0nVewktw", "not 32 bytes"),
            (&STANDARD.replace('=', "AAA"), "not 32 bytes"),
            (&"76mGqsUe".repeat(1000), "not 32 bytes"),
            (&"0123456789abcdef".repeat(4), "hexadecimal"),
            (
                "correcthorsebatterystaplecorrecthorsebatterg",
                "not 32 bytes",
            ),
            ("correcthorsebatterystaplecorrecthorsebatteg", "pass phrase"),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "pass phrase"),
        ] {
            assert!(refusal(text).contains(word), "{text:?}: {}", refusal(text));
        }
    }

    #[test]
    fn a_generator_that_gives_weak_bytes_counts_as_failed() {
        #[derive(Debug)]
        struct Stuck;
        impl Random for Stuck {
            fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
                bytes.fill(7);
                Ok(())
            }
        }
        assert_eq!(Secret::generate(&Stuck), Err(RandomError));
    }
}
