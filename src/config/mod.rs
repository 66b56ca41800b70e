//! Settings from a TOML file, or from the application's own configuration.
//!
//! 1. What is not set has the default that code has. What is not known is an error.
//! 2. An error names the file, and the setting or the line.
//! 3. The file is read as a key file is: a regular file of at most 1 MiB.
//! 4. Reading settings makes nothing. What they start, and which store they name, is `start`'s to know.

mod revocation;
mod tables;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::client::{ClientRules, ClientSettings};
use crate::cookie::{CookieSettings, Template};
use crate::csrf::{CsrfRules, CsrfSettings};
use crate::error::ConfigError;
use crate::file;
use crate::keys::{KeySource, toml_problem};
use crate::seal::check_audience;
use crate::session::{DeviceSettings, LoginSettings};
use revocation::RevocationTable;
use tables::LifetimeTable;

/// All settings, as they stand in a file. What is not set has its default; what is not known is an
/// error. Durations are written `"5m"`, `"1h 30m"` or `"14 days"`.
///
/// ```toml
#[doc = include_str!("../../examples/session.toml")]
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionConfig {
    pub(crate) audience: String,
    #[serde(default)]
    pub(crate) cookie: CookieSettings,
    #[serde(default)]
    pub(crate) csrf: CsrfSettings,
    #[serde(default)]
    pub(crate) client: ClientSettings,
    #[serde(default)]
    pub(crate) login: LoginSettings,
    #[serde(default)]
    pub(crate) devices: DeviceSettings,
    #[serde(default)]
    pub(crate) lifetime: LifetimeTable,
    keys: KeySource,
    pub(crate) revocation: RevocationTable,
    /// Where all of this was read. Relative paths are relative to its folder.
    #[serde(skip)]
    pub(crate) file: Option<PathBuf>,
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
        self.lifetime.lifetimes().validate(ConfigError::setting)?;
        self.devices.validate()?;
        CsrfRules::new(&self.csrf)?;
        ClientRules::new(&self.client)?;
        Template::new(self.cookie.clone()).map(|_| ())
    }

    pub(crate) fn directory(&self) -> &Path {
        let folder = self.file.as_deref().and_then(Path::parent);
        folder.unwrap_or(Path::new(""))
    }

    /// Names the file in an error about what stands in it.
    pub(crate) fn named<T>(
        file: Option<&Path>,
        result: Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        match file {
            Some(path) => result.map_err(|error| error.within(path)),
            None => result,
        }
    }

    /// The name of the cookie.
    pub fn cookie_name(&self) -> String {
        self.cookie.name.clone()
    }

    /// The name of the application and its environment.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Where the keys come from.
    pub fn key_source(&self) -> KeySource {
        self.keys.clone().relative_to(self.directory())
    }

    /// The longest that a cookie under these settings can live, as `sealed-session keys rotate` needs it.
    pub fn longest_lifetime(&self) -> Duration {
        self.lifetime.lifetimes().longest_absolute()
    }
}
