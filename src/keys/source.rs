//! Where keys come from.
//!
//! Keys from a file are watched; those from the environment, from tables or from code do not change while
//! the process runs.

use std::env::{self, VarError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::ring::KeyRing;
use super::secret::Secret;
use super::tables::{KeyEntry, KeyTables, PrunedEntry, RevokedEntry};
use super::watch::KeyWatch;
use super::written;
use crate::error::ConfigError;
use crate::time::UnixMillis;

/// Where the keys come from.
///
/// In a configuration it is a table with `file = "keys.toml"`, or `env = "SESSION_KEYS"`, or the tables of
/// a key file themselves.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "WrittenSource")]
#[non_exhaustive]
pub enum KeySource {
    /// A key file (see [`KeyTables`]). Changes are picked up while running.
    File(PathBuf),
    /// The environment variable with this name: secrets in base64, separated by commas or white space.
    /// The first seals, all of them open.
    ///
    /// To change keys without logging anybody out, roll out `old,new` first, then `new,old`, and
    /// after the longest lifetime of a session `new`. There is no way to revoke a key here but to
    /// leave it out, and sessions that passed through it are then not known to have.
    Env(String),
    /// Tables out of the application's own configuration.
    Tables(KeyTables),
    /// A ring that was built in code.
    Ring(KeyRing),
}

impl KeySource {
    /// The keys, to be used from `now` on.
    ///
    /// # Errors
    /// If they cannot be read, if a secret is weak, if they do not make a ring, or if no key seals at
    /// `now`. Errors never show a secret.
    pub fn load(&self, now: UnixMillis) -> Result<KeyRing, ConfigError> {
        self.open(now).map(|(ring, _)| ring)
    }

    /// The same source, with a relative path taken from `directory`.
    pub(crate) fn relative_to(self, directory: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(directory.join(path)),
            other => other,
        }
    }

    /// The keys and, if they can change, what notices it.
    pub(crate) fn open(&self, now: UnixMillis) -> Result<(KeyRing, Option<KeyWatch>), ConfigError> {
        match self {
            Self::File(path) => {
                let started = KeyWatch::start(path.clone(), now);
                let (ring, watch) = started.map_err(|error| with_next_step(path, error))?;
                Ok((ring, Some(watch)))
            }
            Self::Env(name) => Ok((from_variable(name)?, None)),
            Self::Tables(tables) => Ok((tables.ring(now)?, None)),
            Self::Ring(ring) => {
                ring.check(now)?;
                Ok((ring.clone(), None))
            }
        }
    }
}

/// Says where a missing key file comes from. It is no less a missing file.
fn with_next_step(path: &Path, error: ConfigError) -> ConfigError {
    let ConfigError::File { cause, .. } = &error else {
        return error;
    };
    match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(kind @ ErrorKind::NotFound) => {
            let problem = format!(
                "{cause}; `keys.file` names the key file, and `sealed-session keys new FILE` makes one"
            );
            ConfigError::file(path, io::Error::new(kind, problem))
        }
        _ => error,
    }
}

/// A [`KeySource`] as it stands in a configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSource {
    file: Option<PathBuf>,
    env: Option<String>,
    // Those of `KeyTables`: serde cannot both flatten it and refuse unknown fields.
    #[serde(default, deserialize_with = "written::optional_time")]
    everyone_before: Option<UnixMillis>,
    #[serde(default)]
    key: Vec<KeyEntry>,
    #[serde(default)]
    revoked: Vec<RevokedEntry>,
    #[serde(default)]
    pruned: Vec<PrunedEntry>,
}

impl TryFrom<WrittenSource> for KeySource {
    type Error = &'static str;

    fn try_from(written: WrittenSource) -> Result<Self, Self::Error> {
        let tables = KeyTables {
            everyone_before: written.everyone_before,
            keys: written.key,
            revoked: written.revoked,
            pruned: written.pruned,
        };
        match (written.file, written.env) {
            (Some(file), None) if tables == KeyTables::default() => Ok(Self::File(file)),
            (None, Some(name)) if tables == KeyTables::default() => Ok(Self::Env(name)),
            (None, None) => Ok(Self::Tables(tables)),
            _ => Err("keys come from one of `file`, `env` and `key` tables, not from several"),
        }
    }
}

/// How long the name of an environment variable may be.
const LONGEST_NAME: usize = 42;

fn from_variable(name: &str) -> Result<KeyRing, ConfigError> {
    // A secret has 43 characters at least. Errors show the name, so it must not be one.
    if name.len() > LONGEST_NAME {
        return Err(ConfigError::Keys(
            "the name of the environment variable is too long; a secret does not belong there"
                .to_owned(),
        ));
    }
    let problem = |what: &str| ConfigError::Keys(format!("environment variable {name}: {what}"));
    match env::var(name) {
        Ok(text) => from_list(&Zeroizing::new(text)).map_err(|error| problem(&error.to_string())),
        Err(VarError::NotPresent) => Err(problem("is not set")),
        // The error itself holds the value.
        Err(VarError::NotUnicode(_)) => Err(problem("is not UTF-8 text")),
    }
}

fn from_list(text: &str) -> Result<KeyRing, ConfigError> {
    let words = text.split(|c: char| c == ',' || c.is_whitespace());
    let mut builder = KeyRing::builder();
    for word in words.filter(|word| !word.is_empty()) {
        // All active from ever: of equals the first listed seals.
        builder = builder.key(Secret::parse(word)?, UnixMillis::EPOCH, None);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    fn now() -> UnixMillis {
        "2026-11-21T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_first_secret_of_a_list_seals_and_all_open() {
        let secrets = [(); 3].map(|()| Secret::generate(&SystemRandom).unwrap());
        let [one, two, three] = secrets.each_ref().map(Secret::to_text);
        let list = format!("\n{},{} ,\t{}\n", *one, *two, *three);
        let ring = from_list(&list).unwrap();
        assert_eq!(ring.sealing(now()).unwrap().id(), secrets[0].key_id());
        assert_eq!(ring.opening(now()).count(), 3);
        for bad in [
            "",
            " , ",
            &format!("{} hunter2", *one),
            &format!("{0} {0}", *one),
        ] {
            assert!(from_list(bad).is_err());
        }
    }

    #[test]
    fn only_files_are_watched() {
        let ring = KeyRing::generate().unwrap();
        assert!(KeySource::Ring(ring).open(now()).unwrap().1.is_none());
        let tables = KeyTables::fresh(now(), &SystemRandom).unwrap();
        assert!(KeySource::Tables(tables).open(now()).unwrap().1.is_none());
    }
}
