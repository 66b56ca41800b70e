//! Opening a revocation store by its name in a configuration.
//!
//! 1. It comes last, when settings and keys are known to be good: a start that fails for them has made no
//!    file.
//! 2. Tools never make a file.

use std::path::PathBuf;

use crate::config::SessionConfig;
use crate::error::ConfigError;
#[cfg(feature = "redis")]
use crate::keys::read_password;
use crate::revoke::Store;
use crate::revoke::policy::check_staleness;
use crate::sessions::Opener;
use crate::store::Memory;

impl SessionConfig {
    /// Opens the store later. Until then no file is made, and no server is connected to. Then a file that is missing is
    /// made if it may `create` one.
    pub(super) fn opener(&self, create: bool) -> Result<Opener, ConfigError> {
        let table = &self.revocation;
        if table.is_on_a_server() {
            // It connects when it is first used.
            let store = open_redis(self)?;
            check_staleness(store.kind.is_shared(), table.max_staleness())?;
            return Ok(Opener::opened(store));
        }
        table.check_local()?;
        match table.store.0.split_once(':') {
            None if table.store.0 == "memory" => Ok(Opener::opened(Memory::new().into())),
            Some(("redb", file)) if !file.is_empty() => {
                redb_opener(self.directory().join(file), create)
            }
            _ => Err(ConfigError::setting(
                "revocation.store",
                "must be \"redis://HOST\", \"rediss://HOST\", \"redb:FILE\" or \"memory\"",
            )),
        }
    }

    /// The store alone, for tools. A file that is missing is not made.
    pub(super) fn open(&self) -> Result<Store, ConfigError> {
        self.opener(false)?.open()
    }

    /// As [`open`](Self::open), where a node has used the store.
    pub(super) async fn open_used(&self) -> Result<Store, ConfigError> {
        match self.revocation.is_on_a_server() {
            true => open_used_redis(self).await,
            false => self.open(),
        }
    }
}

#[cfg(feature = "redb")]
fn redb_opener(path: PathBuf, create: bool) -> Result<Opener, ConfigError> {
    use crate::store::Redb;
    let place = format!("redb:{}", path.display());
    let open = move || {
        let store = match create {
            true => Redb::open_or_create(&path),
            false => Redb::open(&path),
        };
        Ok(store?.into())
    };
    Ok(Opener::new(place, open))
}

#[cfg(not(feature = "redb"))]
fn redb_opener(_: PathBuf, _: bool) -> Result<Opener, ConfigError> {
    let problem = "\"redb:\" needs the feature `redb` of sealed-session";
    Err(ConfigError::setting("revocation.store", problem))
}

#[cfg(feature = "redis")]
fn redis_options(config: &SessionConfig) -> Result<crate::store::RedisOptions, ConfigError> {
    let table = &config.revocation;
    let list = table.list.as_ref().unwrap_or(&config.audience);
    let options = crate::store::Redis::options(table.store.0.as_str(), list);
    let mut options = options.wait_for_replicas(table.wait_for_replicas);
    if let Some(path) = &table.password_file {
        options = options.password(read_password(config.directory().join(path))?);
    }
    if let Some(path) = &table.root_certificate {
        let pem = crate::file::read(&config.directory().join(path))?;
        options = options.root_certificate(pem.to_vec());
    }
    Ok(options)
}

#[cfg(feature = "redis")]
fn open_redis(config: &SessionConfig) -> Result<Store, ConfigError> {
    Ok(redis_options(config)?.open()?.into())
}

#[cfg(feature = "redis")]
async fn open_used_redis(config: &SessionConfig) -> Result<Store, ConfigError> {
    Ok(redis_options(config)?.open_used().await?.into())
}

#[cfg(not(feature = "redis"))]
fn open_redis(_: &SessionConfig) -> Result<Store, ConfigError> {
    let problem = "\"redis:\" needs the feature `redis` of sealed-session";
    Err(ConfigError::setting("revocation.store", problem))
}

#[cfg(not(feature = "redis"))]
async fn open_used_redis(config: &SessionConfig) -> Result<Store, ConfigError> {
    open_redis(config)
}
