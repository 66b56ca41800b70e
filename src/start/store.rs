//! Opening a revocation store by its name in a configuration.
//!
//! 1. It comes last, when settings and keys are known to be good: a start that fails for them has made no
//!    file.
//! 2. Tools never make a file.

use std::path::{Path, PathBuf};

use crate::config::RevocationTable;
use crate::error::ConfigError;
#[cfg(feature = "redis")]
use crate::keys::read_password;
use crate::revoke::Store;
use crate::revoke::policy::check_staleness;
use crate::sessions::Opener;
use crate::store::Memory;

impl RevocationTable {
    /// Opens the store later. Until then no file is made, and no server is connected to.
    pub(super) fn opener(&self, directory: &Path, audience: &str) -> Result<Opener, ConfigError> {
        if self.is_on_a_server() {
            // It connects when it is first used.
            let store = open_redis(self, self.list(audience), directory)?;
            check_staleness(store.is_shared(), self.max_staleness())?;
            return Ok(Opener::opened(store));
        }
        self.check_local()?;
        match self.store.0.split_once(':') {
            None if self.store.0 == "memory" => Ok(Opener::opened(Memory::new().into())),
            Some(("redb", file)) if !file.is_empty() => {
                redb_opener(directory.join(file), self.create)
            }
            _ => Err(ConfigError::setting(
                "revocation.store",
                "must be \"redis://HOST\", \"rediss://HOST\", \"redb:FILE\" or \"memory\"",
            )),
        }
    }

    /// The store alone, for tools. A file that is missing is not made.
    pub(super) fn open(&self, directory: &Path, audience: &str) -> Result<Store, ConfigError> {
        let mut existing = self.clone();
        existing.create = false;
        existing.opener(directory, audience)?.open()
    }

    /// As [`open`](Self::open), where a node has used the store.
    pub(super) async fn open_used(
        &self,
        directory: &Path,
        audience: &str,
    ) -> Result<Store, ConfigError> {
        match self.is_on_a_server() {
            true => open_used_redis(self, self.list(audience), directory).await,
            false => self.open(directory, audience),
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
fn redis_options(
    table: &RevocationTable,
    list: &str,
    directory: &Path,
) -> Result<crate::store::RedisOptions, ConfigError> {
    let options = crate::store::Redis::options(table.store.0.as_str(), list);
    let mut options = options.wait_for_replicas(table.wait_for_replicas);
    if let Some(path) = &table.password_file {
        options = options.password(read_password(directory.join(path))?);
    }
    let Some(path) = &table.root_certificate else {
        return Ok(options);
    };
    let path = directory.join(path);
    let pem = crate::file::read(&path)?;
    Ok(options.root_certificate(pem.to_vec()))
}

#[cfg(feature = "redis")]
fn open_redis(table: &RevocationTable, list: &str, directory: &Path) -> Result<Store, ConfigError> {
    Ok(redis_options(table, list, directory)?.open()?.into())
}

#[cfg(feature = "redis")]
async fn open_used_redis(
    table: &RevocationTable,
    list: &str,
    directory: &Path,
) -> Result<Store, ConfigError> {
    let options = redis_options(table, list, directory)?;
    Ok(options.open_used().await?.into())
}

#[cfg(not(feature = "redis"))]
fn open_redis(_: &RevocationTable, _: &str, _: &Path) -> Result<Store, ConfigError> {
    let problem = "\"redis:\" needs the feature `redis` of sealed-session";
    Err(ConfigError::setting("revocation.store", problem))
}

#[cfg(not(feature = "redis"))]
async fn open_used_redis(
    table: &RevocationTable,
    list: &str,
    directory: &Path,
) -> Result<Store, ConfigError> {
    open_redis(table, list, directory)
}
