//! How the fields of key tables are read: secrets, ids and times, none of which an error may show.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use zeroize::Zeroizing;

use super::secret::Secret;
use crate::ids::KeyId;
use crate::time::UnixMillis;

/// A `[[key]]` as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenKey {
    #[serde(default, deserialize_with = "optional_id")]
    pub(super) id: Option<KeyId>,
    #[serde(deserialize_with = "secret")]
    pub(super) secret: Secret,
    #[serde(deserialize_with = "time")]
    pub(super) activate: UnixMillis,
    #[serde(default, deserialize_with = "optional_time")]
    pub(super) retire: Option<UnixMillis>,
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

pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyId, D::Error> {
    let text = Zeroizing::new(String::deserialize(deserializer)?);
    text.parse().map_err(de::Error::custom)
}

fn optional_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<KeyId>, D::Error> {
    id(deserializer).map(Some)
}

pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixMillis, D::Error> {
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
