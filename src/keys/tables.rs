//! The key tables: what a key file holds.
//!
//! 1. The same tables can stand in an application's own configuration: [`KeyTables`] implements
//!    `Deserialize`. Unknown fields are errors.
//! 2. Times are RFC 3339 strings or TOML date-times with an offset.
//! 3. A secret is checked as soon as it is read ([`Secret::parse`]), an id against its secret too.
//!    What depends on several entries or on the time of day is checked by [`KeyTables::ring`].
//! 4. No error shows what stands in the file, since a secret in the wrong place is still a secret.
//!    (Tables inside another configuration are parsed by the application, whose parser may print
//!    the line.)

use std::fmt::{self, Write};

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use zeroize::Zeroizing;

use super::ring::{KeyRing, KeyRingBuilder};
use super::secret::Secret;
use crate::error::ConfigError;
use crate::ids::KeyId;
use crate::time::UnixMillis;

/// The keys of an application as they are written down. Its secrets are erased when it is dropped
/// and not shown by `Debug`.
///
/// ```toml
/// everyone_before = "2026-11-21T08:00:00Z"        # optional: no session from before counts
///
/// [[key]]
/// id = "6789e288cc54f87cd3139249a9e9b6ae"         # optional when written by hand; checked if present
/// secret = "..."                                  # 32 random bytes in base64url
/// activate = "2026-11-21T08:00:00Z"               # seals from here on
/// retire = "2026-12-22T09:00:00Z"                 # optional: opens until here
///
/// [[revoked]]                                     # a key that leaked
/// id = "2a27d9214b52c11afbb1bf682f83bf0f"
/// at = "2026-11-20T17:30:00Z"
///
/// [[pruned]]                                      # a key whose secret is gone
/// id = "a4d812d7c54003b1c518e63e10919372"
/// retired = "2026-10-01T00:00:00Z"
/// ```
///
/// Times are RFC 3339 strings or TOML date-times with an offset; unknown fields are errors. The same
/// tables can stand in an application's own configuration, since this implements `Deserialize`: but
/// then it is the application's parser that reports mistakes, and it may print the line that holds
/// a secret.
///
/// [`KeyTables::rotate`] and the methods beside it change the tables, [`KeyTables::edit_file`] does
/// so in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyTables {
    #[serde(default, deserialize_with = "optional_time")]
    pub(super) everyone_before: Option<UnixMillis>,
    #[serde(default, rename = "key")]
    pub(super) keys: Vec<KeyEntry>,
    #[serde(default)]
    pub(super) revoked: Vec<RevokedEntry>,
    #[serde(default)]
    pub(super) pruned: Vec<PrunedEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenKey")]
pub(super) struct KeyEntry {
    pub(super) id: KeyId,
    pub(super) secret: Secret,
    pub(super) activate: UnixMillis,
    pub(super) retire: Option<UnixMillis>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokedEntry {
    #[serde(deserialize_with = "id")]
    pub(super) id: KeyId,
    #[serde(deserialize_with = "time")]
    pub(super) at: UnixMillis,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PrunedEntry {
    #[serde(deserialize_with = "id")]
    pub(super) id: KeyId,
    #[serde(deserialize_with = "time")]
    pub(super) retired: UnixMillis,
}

/// What a key is doing at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyStatus {
    /// Opens, and will seal once its time has come.
    Pending,
    /// Seals and opens.
    Sealing,
    /// Opens what it sealed before a newer key took over.
    Opening,
    /// Its time has passed; its secret is still in the file.
    Retired,
    /// Its time has passed and its secret is gone.
    Pruned,
    /// Its tokens are refused.
    Revoked,
}

/// In lower case.
impl fmt::Display for KeyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Sealing => "sealing",
            Self::Opening => "opening",
            Self::Retired => "retired",
            Self::Pruned => "pruned",
            Self::Revoked => "revoked",
        })
    }
}

/// What may be shown of one key: everything but its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// The key's public name.
    pub id: KeyId,
    /// What it is doing.
    pub status: KeyStatus,
    /// From when on it seals. `None` if only its id is left.
    pub activate: Option<UnixMillis>,
    /// Until when it opens; when it retired, if it was pruned.
    pub retire: Option<UnixMillis>,
    /// When it was revoked.
    pub revoked: Option<UnixMillis>,
    /// Whether the tables still hold its secret.
    pub has_secret: bool,
}

impl KeyTables {
    /// Reads the tables from TOML.
    ///
    /// # Errors
    /// [`ConfigError::Keys`] with the line and what is wrong there, never with what stands there.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError::Keys(toml_problem(text, &error)))
    }

    /// Writes the tables as TOML, secrets included. The text is erased when dropped.
    pub fn to_text(&self) -> Zeroizing<String> {
        // Roomy, so that growing leaves no copy of a secret behind.
        let entries = self.keys.len() + self.revoked.len() + self.pruned.len();
        let mut text = Zeroizing::new(String::with_capacity(512 + 256 * entries));
        // Writing to a string cannot fail.
        let _ = self.write_to(&mut text);
        text
    }

    /// The ring that these tables describe, to be used from `now` on.
    ///
    /// # Errors
    /// [`ConfigError::Keys`] for whatever [`KeyRingBuilder::build`] or [`KeyRing::check`] refuse.
    pub fn ring(&self, now: UnixMillis) -> Result<KeyRing, ConfigError> {
        let ring = self.builder().build()?;
        ring.check(now)?;
        Ok(ring)
    }

    /// All keys and what they are doing at `now`: those with a secret in the order of the file, then
    /// the pruned and revoked ones.
    pub fn list(&self, now: UnixMillis) -> Vec<KeyInfo> {
        let sealing = self.sealing(now).map(|key| key.id);
        let with_secret = self.keys.iter().map(|key| KeyInfo {
            id: key.id,
            status: match key {
                _ if self.is_revoked(&key.id) => KeyStatus::Revoked,
                _ if key.is_retired(now) => KeyStatus::Retired,
                _ if sealing == Some(key.id) => KeyStatus::Sealing,
                _ if now < key.activate => KeyStatus::Pending,
                _ => KeyStatus::Opening,
            },
            activate: Some(key.activate),
            retire: key.retire,
            revoked: self.revoked_at(&key.id),
            has_secret: true,
        });
        let gone = self.pruned.iter().map(|pruned| KeyInfo {
            id: pruned.id,
            status: match self.revoked_at(&pruned.id) {
                Some(_) => KeyStatus::Revoked,
                None => KeyStatus::Pruned,
            },
            activate: None,
            retire: Some(pruned.retired),
            revoked: self.revoked_at(&pruned.id),
            has_secret: false,
        });
        let only_revoked = self.revoked.iter().filter(|revoked| {
            self.keys.iter().all(|key| key.id != revoked.id)
                && self.pruned.iter().all(|pruned| pruned.id != revoked.id)
        });
        let revoked = only_revoked.map(|revoked| KeyInfo {
            id: revoked.id,
            status: KeyStatus::Revoked,
            activate: None,
            retire: None,
            revoked: Some(revoked.at),
            has_secret: false,
        });
        with_secret.chain(gone).chain(revoked).collect()
    }

    /// The time before which no session counts, if the tables set one.
    pub fn everyone_before(&self) -> Option<UnixMillis> {
        self.everyone_before
    }

    pub(super) fn builder(&self) -> KeyRingBuilder {
        let mut builder = KeyRing::builder();
        for key in &self.keys {
            builder = builder.key(key.secret.clone(), key.activate, key.retire);
        }
        for revoked in &self.revoked {
            builder = builder.revoked(revoked.id, revoked.at);
        }
        for pruned in &self.pruned {
            builder = builder.pruned(pruned.id, pruned.retired);
        }
        match self.everyone_before {
            Some(time) => builder.everyone_before(time),
            None => builder,
        }
    }

    /// The keys that are neither revoked nor retired at `now`.
    pub(super) fn usable(&self, now: UnixMillis) -> impl DoubleEndedIterator<Item = &KeyEntry> {
        let keys = self.keys.iter();
        keys.filter(move |key| !self.is_revoked(&key.id) && !key.is_retired(now))
    }

    /// The key that seals at `now`, by the rule of [`KeyRing::sealing`].
    pub(super) fn sealing(&self, now: UnixMillis) -> Option<&KeyEntry> {
        let active = self.usable(now).filter(|key| key.activate <= now);
        active.rev().max_by_key(|key| key.activate)
    }

    pub(super) fn is_revoked(&self, id: &KeyId) -> bool {
        self.revoked_at(id).is_some()
    }

    fn revoked_at(&self, id: &KeyId) -> Option<UnixMillis> {
        let mut revoked = self.revoked.iter();
        revoked
            .find(|revoked| revoked.id == *id)
            .map(|revoked| revoked.at)
    }

    /// By hand, because every value is hexadecimal, base64url or a time, and needs no escaping, and
    /// because a serializer would leave copies of the secrets behind.
    fn write_to(&self, text: &mut String) -> fmt::Result {
        text.push_str(
            "# Session keys. Whoever can read this file can forge sessions: mode 0600.\n",
        );
        text.push_str("# Changed by `sealed-session keys`, which keeps no comments.\n");
        if let Some(time) = self.everyone_before {
            write!(text, "\neveryone_before = \"{time}\"\n")?;
        }
        for key in &self.keys {
            write!(text, "\n[[key]]\nid = \"{}\"\nsecret = \"", key.id)?;
            text.push_str(&key.secret.to_text());
            write!(text, "\"\nactivate = \"{}\"\n", key.activate)?;
            if let Some(retire) = key.retire {
                writeln!(text, "retire = \"{retire}\"")?;
            }
        }
        for RevokedEntry { id, at } in &self.revoked {
            write!(text, "\n[[revoked]]\nid = \"{id}\"\nat = \"{at}\"\n")?;
        }
        for PrunedEntry { id, retired } in &self.pruned {
            write!(
                text,
                "\n[[pruned]]\nid = \"{id}\"\nretired = \"{retired}\"\n"
            )?;
        }
        Ok(())
    }
}

impl KeyEntry {
    pub(super) fn new(secret: Secret, activate: UnixMillis) -> Self {
        Self {
            id: secret.key_id(),
            secret,
            activate,
            retire: None,
        }
    }

    pub(super) fn is_retired(&self, now: UnixMillis) -> bool {
        self.retire.is_some_and(|retire| retire <= now)
    }
}

/// A `[[key]]` as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    #[serde(default, deserialize_with = "optional_id")]
    id: Option<KeyId>,
    #[serde(deserialize_with = "secret")]
    secret: Secret,
    #[serde(deserialize_with = "time")]
    activate: UnixMillis,
    #[serde(default, deserialize_with = "optional_time")]
    retire: Option<UnixMillis>,
}

impl TryFrom<WrittenKey> for KeyEntry {
    type Error = String;

    fn try_from(written: WrittenKey) -> Result<Self, String> {
        let mut key = Self::new(written.secret, written.activate);
        key.retire = written.retire;
        match written.id {
            Some(id) if id != key.id => Err(format!(
                "the id {id} is not that of the secret beside it, which is {}",
                key.id
            )),
            _ => Ok(key),
        }
    }
}

/// What is wrong in a TOML text and in which line, without what stands there.
pub(crate) fn toml_problem(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.bytes().take(start);
    let line = 1 + before.filter(|byte| *byte == b'\n').count();
    format!("line {line}: {}", without_values(error.message()))
}

/// A parser's message without the values that it quotes: a secret in the wrong place is one of them.
fn without_values(message: &str) -> String {
    // "invalid type: string "..", expected a sequence": what was expected says enough.
    let quotes_a_value = ["invalid type:", "invalid value:"]
        .iter()
        .any(|start| message.starts_with(start));
    let message = match message.split_once("expected ") {
        Some((_, expected)) if quotes_a_value => {
            format!("wrong type, expected {expected}")
        }
        _ => message.to_owned(),
    };
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/-_=".contains(c);
    let words = message.split_inclusive(|c| !is_base64(c));
    // Ids, at 32 characters, are in our own messages only.
    words
        .map(|word| if word.len() > 34 { "..." } else { word })
        .collect::<String>()
        .replace('\n', " ")
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    struct Base64;
    impl Visitor<'_> for Base64 {
        type Value = Secret;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a secret in base64")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
            Secret::parse(text).map_err(E::custom)
        }

        fn visit_string<E: de::Error>(self, text: String) -> Result<Secret, E> {
            self.visit_str(&Zeroizing::new(text))
        }
    }
    deserializer.deserialize_string(Base64)
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyId, D::Error> {
    let text = Zeroizing::new(String::deserialize(deserializer)?);
    text.parse().map_err(de::Error::custom)
}

fn optional_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<KeyId>, D::Error> {
    id(deserializer).map(Some)
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixMillis, D::Error> {
    struct Time;
    impl<'de> Visitor<'de> for Time {
        type Value = UnixMillis;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a time such as 2026-11-21T08:00:00Z")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<UnixMillis, E> {
            // The error of `parse` would show the text.
            let bad = |_| E::custom("not an RFC 3339 time such as 2026-11-21T08:00:00Z");
            text.parse().map_err(bad)
        }

        /// TOML's own date-times arrive as a map with one private field.
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<UnixMillis, A::Error> {
            let map = de::value::MapAccessDeserializer::new(map);
            let date = toml::value::Datetime::deserialize(map)?;
            self.visit_str(&date.to_string())
        }
    }
    deserializer.deserialize_any(Time)
}

pub(super) fn optional_time<'de, D: Deserializer<'de>>(
    d: D,
) -> Result<Option<UnixMillis>, D::Error> {
    time(d).map(Some)
}
