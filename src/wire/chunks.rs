//! Sizes: how much fits into a cookie, and how a token is spread over several.
//!
//! 1. Browsers drop a cookie whose name and value exceed 4096 bytes (RFC 6265bis, section 5.6). Here
//!    the whole rendered Set-Cookie counts, attributes included, because proxies count that. The settings
//!    may allow less ([`CookieSettings::max_bytes`](crate::settings::CookieSettings)), which is for writers: a
//!    reader takes what any setting makes.
//! 2. A token that needs more is refused before anything is sent, or, where the application allows
//!    it, spread over up to [`MAX_CHUNKS`] cookies: `name`, `name.1`, `name.2` and so on.
//! 3. The first chunk's value begins with the count and a full stop. The count is part of what the
//!    seal authenticates, so no chunk can be left out or added.

use std::borrow::Cow;

use super::envelope::text_len;

pub use super::sizes::{MAX_CHUNKS, MAX_COOKIE};

/// A session that does not fit into its cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session needs {bytes} bytes of cookies, {limit} are allowed")]
#[non_exhaustive]
pub struct TooLarge {
    /// What the rendered Set-Cookie headers would measure.
    pub bytes: usize,
    /// What they may measure.
    pub limit: usize,
}

/// How much room a cookie's settings leave for tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CookieRoom {
    /// Bytes of a rendered Set-Cookie around its value, at the most.
    pub(crate) overhead: usize,
    /// The most bytes of a rendered Set-Cookie.
    pub(crate) max_bytes: usize,
    /// Over how many cookies a token may be spread.
    pub(crate) max_chunks: u8,
}

impl CookieRoom {
    /// Whether a record of this many bytes fits.
    pub(crate) fn admit(&self, record: usize) -> Result<(), TooLarge> {
        self.count(text_len(record)).map(|_| ())
    }

    /// Over how many cookies a token of `text` characters is spread.
    pub(crate) fn count(&self, text: usize) -> Result<u8, TooLarge> {
        if text + self.overhead <= self.max_bytes {
            return Ok(1);
        }
        let count = text.div_ceil(self.chunk());
        match u8::try_from(count) {
            Ok(count) if count <= self.max_chunks => Ok(count),
            _ => {
                let cookies = usize::from(self.max_chunks);
                let overhead = match cookies {
                    1 => self.overhead,
                    _ => cookies * (self.overhead + 2),
                };
                Err(TooLarge {
                    bytes: text + overhead,
                    limit: cookies * self.max_bytes,
                })
            }
        }
    }

    /// Characters of a token in one of several cookies: two are taken by the count in the first
    /// value and by the index in the other names.
    fn chunk(&self) -> usize {
        self.max_bytes.saturating_sub(self.overhead + 2).max(1)
    }

    /// The cookie values for a token that is spread over so many cookies, in order.
    pub(crate) fn split(&self, text: &str, count: u8) -> Vec<String> {
        let mut values = Vec::with_capacity(usize::from(count));
        let mut rest = text;
        while !rest.is_empty() {
            let (part, tail) = rest.split_at_checked(self.chunk()).unwrap_or((rest, ""));
            values.push(if values.is_empty() {
                format!("{count}.{part}")
            } else {
                part.to_owned()
            });
            rest = tail;
        }
        values
    }
}

/// The name of the cookie that carries chunk `index`.
pub(crate) fn name(cookie: &str, index: u8) -> Cow<'_, str> {
    match index {
        0 => Cow::Borrowed(cookie),
        _ => Cow::Owned(format!("{cookie}.{index}")),
    }
}

/// How many values there are of which this is the first, and what follows the count. `None`: it begins
/// with a count that makes no sense.
pub(crate) fn first(value: &[u8]) -> Option<(u8, &[u8])> {
    let [digit, b'.', part @ ..] = value else {
        return Some((1, value));
    };
    match digit.wrapping_sub(b'0') {
        count @ 2..=MAX_CHUNKS => Some((count, part)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: CookieRoom = CookieRoom {
        overhead: 100,
        max_bytes: MAX_COOKIE,
        max_chunks: 3,
    };

    #[test]
    fn tokens_read_back_from_their_chunks() {
        assert_eq!(ROOM.count(3996), Ok(1));
        for length in [3997, 3998, 7988, 7989, 11_982] {
            let text: String = (0..length)
                .map(|i| char::from(b'a' + (i % 26) as u8))
                .collect();
            let count = ROOM.count(text.len()).unwrap();
            let values = ROOM.split(&text, count);
            assert_eq!(values.len(), usize::from(count), "{length}");
            assert!(values.iter().all(|value| value.len() + 100 <= MAX_COOKIE));
            let (announced, part) = first(values[0].as_bytes()).unwrap();
            assert_eq!(announced, count);
            let whole = values[1..].iter().fold(part.to_vec(), |mut whole, value| {
                whole.extend_from_slice(value.as_bytes());
                whole
            });
            assert_eq!(whole, text.as_bytes());
        }
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_size() {
        assert_eq!(
            ROOM.count(11_983),
            Err(TooLarge {
                bytes: 12_289,
                limit: 12_288
            })
        );
        let one = CookieRoom {
            max_chunks: 1,
            ..ROOM
        };
        assert_eq!(
            one.count(3997),
            Err(TooLarge {
                bytes: 4097,
                limit: 4096
            })
        );
    }

    #[test]
    fn a_limit_below_that_of_browsers_holds_for_each_cookie() {
        let room = CookieRoom {
            max_bytes: 512,
            ..ROOM
        };
        assert_eq!(room.count(412), Ok(1));
        assert_eq!(room.count(413), Ok(2));
        assert_eq!(room.count(3 * 410), Ok(3));
        let refused = room.count(3 * 410 + 1).unwrap_err();
        assert_eq!((refused.bytes, refused.limit), (3 * 512 + 1, 3 * 512));
        let values = room.split(&"x".repeat(3 * 410), 3);
        assert_eq!(values.iter().map(String::len).max(), Some(412));
    }

    #[test]
    fn counts_that_make_no_sense_are_malformed() {
        for value in ["0.abc", "1.abc", "9.abc", "x.abc", "..abc"] {
            assert!(first(value.as_bytes()).is_none(), "{value}");
        }
        assert_eq!(first(b"abc"), Some((1, b"abc".as_slice())));
    }
}
