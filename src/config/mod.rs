//! Settings from a TOML file, or from the application's own configuration.
//!
//! 1. What is not set has the default that code has. What is not known is an error.
//! 2. An error names the file, and the setting or the line.
//! 3. The file is read as a key file is: a regular file of at most 1 MiB.
//! 4. Reading settings makes nothing.

mod store;
mod tables;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::cookie::Template;
use crate::error::ConfigError;
use crate::file;
use crate::keys::{KeySource, toml_problem};
use crate::revoke::RevocationStore;
use crate::sessions::{Sessions, SessionsBuilder, check_audience};
use store::RevocationTable;
use tables::{CookieTable, LifetimeTable};

/// All settings, as they stand in a file. What is not set has its default; what is not known is an
/// error. Durations are written `"5m"`, `"1h 30m"` or `"14 days"`.
///
/// ```toml
#[doc = include_str!("../../examples/session.toml")]
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionConfig {
    audience: String,
    #[serde(default)]
    cookie: CookieTable,
    #[serde(default)]
    lifetime: LifetimeTable,
    keys: KeySource,
    revocation: RevocationTable,
    /// Where all of this was read. Relative paths are relative to its folder.
    #[serde(skip)]
    file: Option<PathBuf>,
}

impl SessionConfig {
    /// Reads a file. Paths in it are relative to its directory.
    ///
    /// # Errors
    /// When it cannot be read, is not a regular file, is larger than 1 MiB, a setting is not known or has
    /// the wrong type, or settings contradict each other.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let bytes = file::read(path)?;
        let text = file::text(path, &bytes)?;
        // The parser's own rendering quotes the line, which may hold a secret.
        let config: Result<Self, _> = toml::from_str(text);
        let mut config =
            config.map_err(|error| ConfigError::file(path, toml_problem(text, &error)))?;
        config.file = Some(path.to_owned());
        config.check().map_err(|error| error.within(path))?;
        Ok(config)
    }

    /// What can be checked without keys and a store.
    fn check(&self) -> Result<(), ConfigError> {
        check_audience(&self.audience)?;
        self.lifetime.lifetimes().validate()?;
        Template::new(self.cookie.settings()).map(|_| ())
    }

    fn directory(&self) -> &Path {
        let folder = self.file.as_deref().and_then(Path::parent);
        folder.unwrap_or(Path::new(""))
    }

    /// Names the file in an error about what stands in it.
    fn named<T>(file: Option<&Path>, result: Result<T, ConfigError>) -> Result<T, ConfigError> {
        match file {
            Some(path) => result.map_err(|error| error.within(path)),
            None => result,
        }
    }

    /// The name of the cookie.
    pub fn cookie_name(&self) -> String {
        self.cookie.settings().name
    }

    /// The name of the application and its environment.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Opens the revocation store alone, for tools. A file that is missing is not made; a list on a
    /// server is, when it is first used.
    ///
    /// # Errors
    /// When a setting has no meaning, or the store cannot be opened.
    pub fn open_store(&self) -> Result<Arc<dyn RevocationStore>, ConfigError> {
        let store = self.revocation.open(self.directory(), &self.audience);
        Self::named(self.file.as_deref(), store)
    }

    /// Opens the store for a tool, which makes nothing: fails where there is no file, or where no node has
    /// used the list on a server yet.
    ///
    /// # Errors
    /// As there, or when the list cannot be looked at, or no node has used it
    /// ([`StoreError::Unused`](crate::store::StoreError::Unused)).
    pub async fn open_used_store(&self) -> Result<Arc<dyn RevocationStore>, ConfigError> {
        let store = self.revocation.open_used(self.directory(), &self.audience);
        Self::named(self.file.as_deref(), store.await)
    }

    /// Where the keys come from.
    pub fn key_source(&self) -> KeySource {
        self.keys.clone().relative_to(self.directory())
    }

    /// The longest that a cookie under these settings can live, as `sealed-session keys rotate` needs it.
    pub fn longest_lifetime(&self) -> Duration {
        let lifetimes = self.lifetime.lifetimes();
        lifetimes
            .standard
            .absolute
            .max(lifetimes.remembered.absolute)
    }

    /// Starts sessions under these settings.
    ///
    /// # Errors
    /// As [`SessionsBuilder::start`].
    pub async fn start(self) -> Result<Sessions, ConfigError> {
        let file = self.file.clone();
        let started = self.builder()?.start().await;
        Self::named(file.as_deref(), started)
    }

    /// The settings as a builder, to be changed further. The store is opened when that starts.
    ///
    /// # Errors
    /// When a setting has no meaning.
    pub fn builder(self) -> Result<SessionsBuilder, ConfigError> {
        let store = self.revocation.opener(self.directory(), &self.audience);
        let store = Self::named(self.file.as_deref(), store)?;
        let keys = self.key_source();
        let revocation = self.revocation;
        Ok(Sessions::builder(self.audience)
            .key_source(keys)
            .opener(store)
            .cookie(self.cookie.settings())
            .lifetimes(self.lifetime.lifetimes())
            .older_sessions(revocation.older_sessions)
            .when_stale(revocation.when_stale, revocation.max_staleness())
            .max_outage(revocation.max_outage()))
    }
}

impl Sessions {
    /// Starts from a TOML file (see [`SessionConfig`]). Paths in it are relative to the file.
    ///
    /// # Errors
    /// When the file cannot be read, a setting is wrong, or the store does not come up.
    pub async fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        SessionConfig::from_file(path)?.start().await
    }
}
