//! Starting from a configuration: its store is opened by name.

mod store;

use std::path::Path;

use crate::config::SessionConfig;
use crate::error::ConfigError;
use crate::revoke::{ANONYMOUS_CAPACITY, Store};
use crate::sessions::{Sessions, SessionsBuilder};

impl SessionConfig {
    /// Opens the revocation store alone, for tools. A file that is missing is not made; a list on a
    /// server is, when it is first used.
    ///
    /// # Errors
    /// When a setting has no meaning, or the store cannot be opened.
    pub fn open_store(&self) -> Result<Store, ConfigError> {
        Self::named(self.file.as_deref(), self.open())
    }

    /// Opens the store for a tool, which makes nothing: fails where there is no file, or where no node has
    /// used the list on a server yet.
    ///
    /// # Errors
    /// As there, or when the list cannot be looked at, or no node has used it
    /// ([`StoreError::Unused`](crate::store::StoreError::Unused)).
    pub async fn open_used_store(&self) -> Result<Store, ConfigError> {
        Self::named(self.file.as_deref(), self.open_used().await)
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
        let store = self.opener(self.revocation.create);
        let store = Self::named(self.file.as_deref(), store)?;
        let keys = self.key_source();
        let revocation = self.revocation;
        Ok(Sessions::builder(self.audience)
            .key_source(keys)
            .opener(store)
            .cookie(self.cookie)
            .csrf(self.csrf)
            .client(self.client)
            .login(self.login)
            .devices(self.devices)
            .lifetimes(self.lifetime.lifetimes())
            .older_sessions(revocation.older_sessions)
            .when_stale(revocation.when_stale, revocation.max_staleness())
            .max_outage(revocation.max_outage())
            .anonymous_capacity(revocation.anonymous_capacity.unwrap_or(ANONYMOUS_CAPACITY)))
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
