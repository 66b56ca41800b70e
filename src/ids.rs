//! The identifiers: what a session, a subject, a key and a generation are called.
//!
//! None of them is a credential: knowing an id opens nothing. All are fixed-size values that sort,
//! hash and print as lower-case hexadecimal.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use sha2::{Digest, Sha256};

macro_rules! id {
    ($(#[$attribute:meta])* $name:ident) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id with these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The id's bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        /// Its bytes in one write, so that a hasher can take them as the hash. A derived one writes their number first.
        impl Hash for $name {
            fn hash<H: Hasher>(&self, hasher: &mut H) {
                hasher.write(&self.0);
            }
        }

        /// 32 lower-case hexadecimal digits.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        /// As its text.
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        /// From its text.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        /// Reads 32 hexadecimal digits, in either case.
        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                unhex(text).map(Self).ok_or(ParseIdError {
                    kind: stringify!($name),
                })
            }
        }
    };
}

/// A text that is no id of 32 hexadecimal digits. It is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {kind} is written as 32 hexadecimal digits")]
pub struct ParseIdError {
    /// Which kind of id was expected.
    kind: &'static str,
}

id! {
    /// Names one session, from its login (or first write) to its end.
    ///
    /// 128 random bits from the operating system, or, of a session that moved in from another library, a hash
    /// of its sealed cookie. A client cannot choose one: ids exist only inside sealed cookies.
    SessionId
}

id! {
    /// Names one subject (usually a user) in the revocation list, without saying who it is.
    ///
    /// 16 bytes of SHA-256 over the length-prefixed audience and subject. A pseudonym, not a
    /// secret: whoever can guess a subject's name can compute its key. A group of sessions has one too,
    /// see [`SubjectKey::group`].
    SubjectKey
}

id! {
    /// Names one secret of the key ring: derived from the secret, never chosen.
    // It is moved in whole words then. Without, a read of a cached token takes 4 % more time.
    #[repr(align(8))]
    KeyId
}

id! {
    /// Names one request to raise a generation, so that a repeat of it is recognised.
    RaiseId
}

#[cfg(feature = "migrate-actix-session")]
impl SessionId {
    /// That of the session which a token of another library stands for.
    pub(crate) fn of_token(audience: &str, token: &str) -> Self {
        Self(hash(&[audience, "actix-session", token]))
    }
}

impl SubjectKey {
    /// The key of `subject` in the application that `audience` names.
    pub fn new(audience: &str, subject: &str) -> Self {
        Self(hash(&[audience, subject]))
    }

    /// The key of a group of sessions: the one called `name` among those of a kind, such as `org` or
    /// `sid`. Never that of a subject, which has two fields less.
    pub fn group(audience: &str, kind: &str, name: &str) -> Self {
        Self(hash(&[audience, "group", kind, name]))
    }
}

/// The first 16 bytes of SHA-256 over some fields.
fn hash(fields: &[&str]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for field in fields {
        // Lengths in front, so that ("ab", "c") and ("a", "bc") stay different.
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(digest.split_at(16).0);
    bytes
}

impl KeyId {
    /// The first four bytes: how a record remembers the keys it passed through. Unique in a ring.
    pub(crate) fn prefix(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.0;
        [a, b, c, d]
    }
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_hex.then(|| u128::from_str_radix(text, 16));
    Some(number?.ok()?.to_be_bytes())
}

/// A generation of a subject, or of everyone: sessions of an older one are dead.
///
/// Handed out by the revocation store alone, always above every earlier one: the larger of the last
/// value plus one and the store's time in milliseconds since 1970. [`Generation::NONE`] is that of
/// a subject which was never logged out everywhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Generation(u64);

impl Generation {
    /// Before the first raise.
    pub const NONE: Self = Self(0);

    /// The generation with this value.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// Its value.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Which cookie of a session is the newest: counts its renewals, from zero.
///
/// A session keeps its id for life; what a renewal replaces is the serial. [`Serial::ENDED`] and
/// [`Serial::SUCCEEDED`] are above every serial that a cookie can carry, and so end them all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Serial(u32);

impl Serial {
    /// The serial of a new session's cookie.
    pub const FIRST: Self = Self(0);
    /// What a login over the session publishes: the session is dead, and the browser holds, or is about
    /// to hold, another one. The largest of all: a login over a cookie that was logged out still tells of
    /// its successor, and a logout over a session that has one changes nothing.
    pub const SUCCEEDED: Self = Self(u32::MAX);
    /// What a logout publishes.
    pub const ENDED: Self = Self(u32::MAX - 1);
    /// The last one that a cookie may carry. The one above it stays unused, so that no cookie counts as
    /// the one just before an end, which would be granted a grace.
    pub const LAST: Self = Self(u32::MAX - 3);

    /// The serial with this value.
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// Its value.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// A serial that no renewal of this one reaches: so far ahead that whoever renews a copy of the cookie on a node
    /// which has not heard of it yet stays behind. `None` where there is none: after some four thousand.
    pub fn leap(self) -> Option<Self> {
        let far = Self(self.0.checked_add(1 << 20)?);
        (far <= Self::LAST).then_some(far)
    }

    /// The next one; `None` after [`Serial::LAST`].
    pub fn next(self) -> Option<Self> {
        (self < Self::LAST).then_some(Self(self.0.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_bad_ones_are_errors() {
        let id = KeyId::from_bytes(*b"0123456789abcdef");
        assert_eq!(id.to_string().parse::<KeyId>().unwrap(), id);
        assert_eq!(id.to_string().to_uppercase().parse::<KeyId>().unwrap(), id);
        let long = id.to_string() + "00";
        for bad in [
            "",
            "30",
            "zz".repeat(16).as_str(),
            "é".repeat(16).as_str(),
            long.as_str(),
        ] {
            let error = bad.parse::<KeyId>().unwrap_err().to_string();
            assert_eq!(error, "a KeyId is written as 32 hexadecimal digits");
        }
    }

    #[test]
    fn subject_keys_do_not_run_fields_together() {
        assert_ne!(SubjectKey::new("ab", "c"), SubjectKey::new("a", "bc"));
        assert_eq!(SubjectKey::new("a", "b"), SubjectKey::new("a", "b"));
    }

    #[test]
    fn a_groups_key_is_that_of_its_kind_and_name_alone() {
        let acme = SubjectKey::group("shop", "org", "acme");
        assert_eq!(acme, SubjectKey::group("shop", "org", "acme"));
        for other in [
            SubjectKey::group("shop2", "org", "acme"),
            SubjectKey::group("shop", "sid", "acme"),
            SubjectKey::group("shop", "orga", "cme"),
            SubjectKey::group("shop", "org", "acme2"),
            SubjectKey::new("shop", "acme"),
            SubjectKey::new("shop", "grouporgacme"),
        ] {
            assert_ne!(acme, other);
        }
        // SHA-256 by another program, cut to 16 bytes.
        assert_eq!(acme.to_string(), "5aa60678be5458cb83b3e4934ea1dbe7");
    }

    #[test]
    fn no_cookie_is_the_one_just_before_an_end() {
        assert!(Serial::SUCCEEDED > Serial::ENDED);
        assert!(Serial::ENDED > Serial::LAST);
        for serial in [Serial::LAST, Serial::new(u32::MAX - 2), Serial::ENDED] {
            assert_eq!(serial.next(), None);
        }
        let before_last = Serial::new(Serial::LAST.get() - 1);
        assert_eq!(before_last.next(), Some(Serial::LAST));
    }
}
