//! Where keys come from, and how a changed key file is noticed.
//!
//! 1. A key file is watched by its content: whenever it is asked, a [`KeyWatch`] reads the file and
//!    compares a hash. So a rename over it and a symbolic link that is swapped (as Kubernetes mounts
//!    are) are noticed alike, on every file system.
//! 2. A file that has become unusable changes nothing: the caller keeps its ring. Each problem is
//!    reported once, not at every look.
//! 3. Keys from the environment, from tables or from code do not change while the process runs.

use std::env::{self, VarError};
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::file;
use super::ring::KeyRing;
use super::secret::Secret;
use super::tables::KeyTables;
use crate::error::ConfigError;
use crate::time::UnixMillis;

/// Where the keys come from.
#[derive(Clone, Debug)]
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
    /// If they can not be read, if a secret is weak, if they do not make a ring, or if no key seals at
    /// `now`. Errors never show a secret.
    pub fn load(&self, now: UnixMillis) -> Result<KeyRing, ConfigError> {
        self.open(now).map(|(ring, _)| ring)
    }

    /// The keys and, if they can change, what notices it.
    pub(crate) fn open(&self, now: UnixMillis) -> Result<(KeyRing, Option<KeyWatch>), ConfigError> {
        match self {
            Self::File(path) => {
                let (ring, watch) = KeyWatch::start(path.clone(), now)?;
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

/// What a look at the key file found.
#[derive(Debug)]
pub(crate) enum KeyChange {
    /// Nothing new: the same keys as before, or the same problem.
    Unchanged,
    /// Other keys, or other times.
    Changed(KeyRing),
    /// The file can not be used, and this was not reported yet. The ring in use stays.
    Broken(ConfigError),
}

/// Notices changes of a key file.
#[derive(Debug)]
pub(crate) struct KeyWatch {
    path: PathBuf,
    /// What the ring in use was made of.
    in_use: Hash,
    /// The last problem that was reported, with the content that had it. Forgotten once the file is
    /// good again.
    reported: Option<(Option<Hash>, ConfigError)>,
}

type Hash = [u8; 32];

impl KeyWatch {
    /// Reads the file for the first time.
    pub(crate) fn start(path: PathBuf, now: UnixMillis) -> Result<(KeyRing, Self), ConfigError> {
        let bytes = file::read(&path)?;
        let ring = ring(&path, &bytes, now)?;
        let watch = Self {
            path,
            in_use: Sha256::digest(&*bytes).into(),
            reported: None,
        };
        Ok((ring, watch))
    }

    /// Reads the file again. Does I/O, so not to be called on a thread that serves requests.
    pub(crate) fn poll(&mut self, now: UnixMillis) -> KeyChange {
        let bytes = match file::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) => return self.broken(None, error),
        };
        let hash = Sha256::digest(&*bytes).into();
        if hash == self.in_use {
            self.reported = None;
            return KeyChange::Unchanged;
        }
        // A broken content is tried at every look: it may be good later, when its key has activated.
        match ring(&self.path, &bytes, now) {
            Ok(ring) => {
                self.in_use = hash;
                self.reported = None;
                KeyChange::Changed(ring)
            }
            Err(error) => self.broken(Some(hash), error),
        }
    }

    fn broken(&mut self, content: Option<Hash>, error: ConfigError) -> KeyChange {
        let problem = (content, error.clone());
        if self.reported.as_ref() == Some(&problem) {
            return KeyChange::Unchanged;
        }
        self.reported = Some(problem);
        KeyChange::Broken(error)
    }
}

fn ring(path: &std::path::Path, bytes: &[u8], now: UnixMillis) -> Result<KeyRing, ConfigError> {
    let tables = file::parse(path, bytes)?;
    tables.ring(now).map_err(|error| match error {
        ConfigError::Keys(problem) => ConfigError::file(path, problem),
        other => other,
    })
}

fn from_variable(name: &str) -> Result<KeyRing, ConfigError> {
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
