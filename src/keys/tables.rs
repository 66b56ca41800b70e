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

use serde::Deserialize;

use super::builder::KeyRingBuilder;
use super::problem::toml_problem;
use super::ring::{Key, KeyRing};
use super::secret::Secret;
use super::written::{WrittenKey, id, optional_time, time};
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
/// [`key_files`](crate::key_files) changes the tables, and writes them to a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyTables {
    #[serde(default, deserialize_with = "optional_time")]
    pub(crate) everyone_before: Option<UnixMillis>,
    #[serde(default, rename = "key")]
    pub(crate) keys: Vec<KeyEntry>,
    #[serde(default)]
    pub(crate) revoked: Vec<RevokedEntry>,
    #[serde(default)]
    pub(crate) pruned: Vec<PrunedEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenKey")]
pub(crate) struct KeyEntry {
    pub(crate) id: KeyId,
    pub(crate) secret: Secret,
    pub(crate) activate: UnixMillis,
    pub(crate) retire: Option<UnixMillis>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokedEntry {
    #[serde(deserialize_with = "id")]
    pub(crate) id: KeyId,
    #[serde(deserialize_with = "time")]
    pub(crate) at: UnixMillis,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrunedEntry {
    #[serde(deserialize_with = "id")]
    pub(crate) id: KeyId,
    #[serde(deserialize_with = "time")]
    pub(crate) retired: UnixMillis,
}

impl KeyTables {
    /// Reads the tables from TOML.
    ///
    /// # Errors
    /// [`ConfigError::Keys`] with the line and what is wrong there, never with what stands there.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError::Keys(toml_problem(text, &error)))
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

    /// The time before which no session counts, if the tables set one.
    pub fn everyone_before(&self) -> Option<UnixMillis> {
        self.everyone_before
    }

    pub(crate) fn builder(&self) -> KeyRingBuilder {
        let keys = self.keys.iter();
        KeyRingBuilder(KeyRing {
            keys: keys
                .map(|key| Key::new(&key.secret, key.activate, key.retire))
                .collect(),
            revoked: self.revoked.iter().map(|revoked| revoked.id).collect(),
            pruned: self.pruned.iter().map(|pruned| pruned.id).collect(),
            everyone_before: self.everyone_before,
        })
    }
}

impl KeyEntry {
    pub(crate) fn new(secret: Secret, activate: UnixMillis) -> Self {
        Self {
            id: secret.key_id(),
            secret,
            activate,
            retire: None,
        }
    }
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
