//! Settings from a TOML file, or from the application's own configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::cookie::{CookieSettings, SameSite, Template};
use crate::error::ConfigError;
use crate::flow::{Policy, Sessions, SessionsBuilder, check_audience};
use crate::key::{KeySource, toml_problem};
use crate::lifetime::{Lifetimes, Limits};
use crate::revoke::RevocationStore;
use crate::store::Memory;

/// All settings, as they stand in a file. What is not set has its default; what is not known is an
/// error. Durations are written `"5m"`, `"1h 30m"` or `"14 days"`.
///
/// ```toml
#[doc = include_str!("../examples/session.toml")]
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
    /// What relative paths are relative to.
    #[serde(skip)]
    directory: PathBuf,
}

impl SessionConfig {
    /// Reads a file. Paths in it are relative to its directory.
    ///
    /// # Errors
    /// When it can not be read, a setting is not known or has the wrong type, or settings contradict
    /// each other.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::file(path, error))?;
        let mut config = Self::parse(&text).map_err(|problem| ConfigError::file(path, problem))?;
        if let Some(directory) = path.parent() {
            config.directory = directory.to_owned();
        }
        config.check()?;
        Ok(config)
    }

    /// What can be checked without keys and a store.
    fn check(&self) -> Result<(), ConfigError> {
        check_audience(&self.audience)?;
        self.lifetime.lifetimes().validate()?;
        Template::new(self.cookie.clone().settings()).map(|_| ())
    }

    fn parse(text: &str) -> Result<Self, String> {
        // The parser's own rendering quotes the line, which may hold a secret.
        toml::from_str(text).map_err(|error| toml_problem(text, &error))
    }

    /// The name of the cookie.
    pub fn cookie_name(&self) -> String {
        self.cookie.clone().settings().name
    }

    /// The name of the application and its environment.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Opens the revocation store alone, for tools. A file that is missing is not made; a list on a
    /// server is, when it is first used.
    ///
    /// # Errors
    /// When a setting has no meaning, or the store can not be opened.
    pub fn open_store(&self) -> Result<Arc<dyn RevocationStore>, ConfigError> {
        let table = RevocationTable {
            create: false,
            ..self.revocation.clone()
        };
        table.open(&self.directory, &self.audience)
    }

    /// Opens the store for a tool, which makes nothing: fails where there is no file, or where no node has
    /// used the list on a server yet.
    ///
    /// # Errors
    /// As there, or when the list can not be looked at, or no node has used it
    /// ([`StoreError::Unused`](crate::StoreError::Unused)).
    pub async fn open_used_store(&self) -> Result<Arc<dyn RevocationStore>, ConfigError> {
        match self.revocation.is_on_a_server() {
            true => {
                let list = self.revocation.list(&self.audience);
                open_used_redis(&self.revocation, list, &self.directory).await
            }
            false => self.open_store(),
        }
    }

    /// Where the keys come from.
    pub fn key_source(&self) -> KeySource {
        self.keys.clone().relative_to(&self.directory)
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
        self.builder()?.start().await
    }

    /// The settings as a builder, to be changed further.
    ///
    /// # Errors
    /// When a setting has no meaning, or the store can not be opened.
    pub fn builder(self) -> Result<SessionsBuilder, ConfigError> {
        let store = self.revocation.open(&self.directory, &self.audience)?;
        let keys = self.key_source();
        Ok(Sessions::builder(self.audience)
            .key_source(keys)
            .store(store)
            .cookie(self.cookie.settings())
            .lifetimes(self.lifetime.lifetimes())
            .older_sessions(self.revocation.older_sessions)
            .when_stale(self.revocation.when_stale, self.revocation.max_staleness.0)
            .max_outage(self.revocation.max_outage.0))
    }
}

impl Sessions {
    /// Starts from a TOML file (see [`SessionConfig`]). Paths in it are relative to the file.
    ///
    /// # Errors
    /// When the file can not be read, a setting is wrong, or the store does not come up.
    pub async fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        SessionConfig::from_file(path)?.start().await
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CookieTable {
    name: Option<String>,
    path: Option<String>,
    domain: Option<String>,
    secure: Option<bool>,
    same_site: Option<SameSite>,
    partitioned: Option<bool>,
    max_chunks: Option<u8>,
}

impl CookieTable {
    fn settings(self) -> CookieSettings {
        let default = CookieSettings::default();
        CookieSettings {
            name: self.name.unwrap_or(default.name),
            path: self.path.unwrap_or(default.path),
            domain: self.domain,
            secure: self.secure.unwrap_or(default.secure),
            same_site: self.same_site.unwrap_or(default.same_site),
            partitioned: self.partitioned.unwrap_or(default.partitioned),
            max_chunks: self.max_chunks.unwrap_or(default.max_chunks),
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LifetimeTable {
    idle: Option<Span>,
    absolute: Option<Span>,
    remembered_idle: Option<Span>,
    remembered_absolute: Option<Span>,
    refresh_after: Option<Span>,
    renew_grace: Option<Span>,
}

impl LifetimeTable {
    fn lifetimes(&self) -> Lifetimes {
        let default = Lifetimes::default();
        let or = |span: Option<Span>, default| span.map_or(default, |span| span.0);
        Lifetimes {
            standard: Limits {
                idle: or(self.idle, default.standard.idle),
                absolute: or(self.absolute, default.standard.absolute),
            },
            remembered: Limits {
                idle: or(self.remembered_idle, default.remembered.idle),
                absolute: or(self.remembered_absolute, default.remembered.absolute),
            },
            refresh_after: or(self.refresh_after, default.refresh_after),
            renew_grace: or(self.renew_grace, default.renew_grace),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevocationTable {
    store: StoreText,
    #[serde(default)]
    create: bool,
    list: Option<String>,
    /// A PEM file.
    root_certificate: Option<PathBuf>,
    #[serde(default)]
    wait_for_replicas: usize,
    #[serde(default)]
    older_sessions: Policy,
    #[serde(default = "RevocationTable::max_staleness")]
    max_staleness: Span,
    #[serde(default)]
    when_stale: Policy,
    #[serde(default = "RevocationTable::max_outage")]
    max_outage: Span,
}

/// What names the store. That of a server may hold its password, which is not shown.
#[derive(Clone, Deserialize)]
struct StoreText(String);

impl std::fmt::Debug for StoreText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.split_once(':') {
            None | Some(("redb", _)) => write!(f, "{:?}", self.0),
            Some((kind, _)) => write!(f, "\"{kind}:..\""),
        }
    }
}

impl RevocationTable {
    fn max_staleness() -> Span {
        Span(Duration::from_secs(10))
    }

    fn max_outage() -> Span {
        Span(Duration::from_secs(300))
    }

    fn is_on_a_server(&self) -> bool {
        let kind = self.store.0.split_once(':');
        matches!(kind, Some(("redis" | "rediss", _)))
    }

    fn list<'a>(&'a self, audience: &'a str) -> &'a str {
        self.list.as_deref().unwrap_or(audience)
    }

    fn open(
        &self,
        directory: &Path,
        audience: &str,
    ) -> Result<Arc<dyn RevocationStore>, ConfigError> {
        if self.is_on_a_server() {
            return open_redis(self, self.list(audience), directory);
        }
        if self.list.is_some() {
            let problem = "only a store on a server has several lists";
            return Err(ConfigError::setting("revocation.list", problem));
        }
        if self.root_certificate.is_some() {
            let problem = "only a store on a server has a certificate";
            return Err(ConfigError::setting("revocation.root_certificate", problem));
        }
        if self.wait_for_replicas > 0 {
            let problem = "only a store on a server has replicas";
            return Err(ConfigError::setting(
                "revocation.wait_for_replicas",
                problem,
            ));
        }
        let store = self.store.0.as_str();
        match store.split_once(':') {
            None if store == "memory" => Ok(Arc::new(Memory::new())),
            Some(("redb", file)) if !file.is_empty() => {
                open_redb(&directory.join(file), self.create)
            }
            _ => Err(ConfigError::setting(
                "revocation.store",
                "must be \"redis://HOST\", \"rediss://HOST\", \"redb:FILE\" or \"memory\"",
            )),
        }
    }
}

#[cfg(feature = "redb")]
fn open_redb(path: &Path, create: bool) -> Result<Arc<dyn RevocationStore>, ConfigError> {
    use crate::store::Redb;
    let store = if create {
        Redb::open_or_create(path)
    } else {
        Redb::open(path)
    };
    Ok(Arc::new(store?))
}

#[cfg(not(feature = "redb"))]
fn open_redb(_: &Path, _: bool) -> Result<Arc<dyn RevocationStore>, ConfigError> {
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
    let options = options.wait_for_replicas(table.wait_for_replicas);
    let Some(path) = &table.root_certificate else {
        return Ok(options);
    };
    let path = directory.join(path);
    let pem = std::fs::read(&path).map_err(|error| ConfigError::file(path, error))?;
    Ok(options.root_certificate(pem))
}

#[cfg(feature = "redis")]
fn open_redis(
    table: &RevocationTable,
    list: &str,
    directory: &Path,
) -> Result<Arc<dyn RevocationStore>, ConfigError> {
    Ok(Arc::new(redis_options(table, list, directory)?.open()?))
}

#[cfg(feature = "redis")]
async fn open_used_redis(
    table: &RevocationTable,
    list: &str,
    directory: &Path,
) -> Result<Arc<dyn RevocationStore>, ConfigError> {
    let options = redis_options(table, list, directory)?;
    Ok(Arc::new(options.open_used().await?))
}

#[cfg(not(feature = "redis"))]
fn open_redis(
    _: &RevocationTable,
    _: &str,
    _: &Path,
) -> Result<Arc<dyn RevocationStore>, ConfigError> {
    let problem = "\"redis:\" needs the feature `redis` of sealed-session";
    Err(ConfigError::setting("revocation.store", problem))
}

#[cfg(not(feature = "redis"))]
async fn open_used_redis(
    table: &RevocationTable,
    list: &str,
    directory: &Path,
) -> Result<Arc<dyn RevocationStore>, ConfigError> {
    open_redis(table, list, directory)
}

/// A duration in words.
#[derive(Debug, Clone, Copy)]
struct Span(Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text)
            .map(Self)
            .map_err(|error| serde::de::Error::custom(format!("{text:?}: {error}")))
    }
}
