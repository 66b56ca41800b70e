//! How the fields of key tables are read: secrets, ids and times, none of which an error may show.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Unexpected, Visitor};
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
    const EXAMPLE: &str = "time such as 2026-11-21T08:00:00Z";
    let text = Zeroizing::new(match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => text,
        toml::Value::Datetime(date) => date.to_string(),
        _ => {
            let found = Unexpected::Other("something else");
            let expected = format!("a {EXAMPLE}");
            return Err(de::Error::invalid_type(found, &expected.as_str()));
        }
    });
    // The error of `parse` would show the text.
    let bad = |_| de::Error::custom(format!("not an RFC 3339 {EXAMPLE}"));
    text.parse().map_err(bad)
}

pub(super) fn optional_time<'de, D: Deserializer<'de>>(
    d: D,
) -> Result<Option<UnixMillis>, D::Error> {
    time(d).map(Some)
}
