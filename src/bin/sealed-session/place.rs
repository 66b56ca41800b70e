//! Where a list of revocations is, as an argument.

use std::path::Path;

use clap::Args;
use sealed_session::revoke::Store;
use sealed_session::store::{Redb, Redis};
use sealed_session::{ConfigError, SessionConfig, store::StoreError};

use crate::failure::Failure;

/// A store that is spelled out: `redb:FILE` or just the file, `redis://...`, `rediss://...`, or a
/// configuration (`FILE.toml`), which keeps a password off the command line.
///
/// Without `Debug`: the URL of a server may hold a password.
#[derive(Clone)]
pub enum StoreArgument {
    File(String),
    Server(String),
    Configured(String),
}

impl std::str::FromStr for StoreArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = |text: &str| {
            if text.is_empty() {
                return Err("a store is a file, redb:FILE, redis://... or FILE.toml".to_owned());
            }
            Ok(text.to_owned())
        };
        match text.split_once(':') {
            Some(("redis" | "rediss", _)) => Ok(Self::Server(text.to_owned())),
            Some(("redb", file)) => path(file).map(Self::File),
            _ if text.ends_with(".toml") => Ok(Self::Configured(text.to_owned())),
            _ => path(text).map(Self::File),
        }
    }
}

/// Which list on a server.
#[derive(Args)]
pub struct ListName {
    /// Which list on a server, by its name: the audience, unless it is configured otherwise.
    #[arg(long, value_name = "NAME")]
    list: Option<String>,
}

impl StoreArgument {
    /// Refuses the name of a list where none of `places` has a use for it.
    pub fn check_list(places: &[&Self], list: &ListName) -> Result<(), Failure> {
        let reasons: Option<Vec<_>> = places.iter().map(|place| place.why_no_list()).collect();
        match (&list.list, reasons) {
            (Some(_), Some(reasons)) => Err(Failure::Failed(format!(
                "--list is of no use here: {}",
                reasons.join("; ")
            ))),
            _ => Ok(()),
        }
    }

    /// Why it cannot be told which list, if so.
    fn why_no_list(&self) -> Option<&'static str> {
        match self {
            Self::Server(_) => None,
            Self::File(_) => Some("a file holds one list"),
            Self::Configured(_) => Some("the configuration names the list"),
        }
    }

    /// Opens a list that exists: on a server, one that a node has used. Makes nothing. The audience is the
    /// application's, if a configuration tells it.
    pub async fn open(&self, list: &ListName) -> Result<(Store, Option<String>), Failure> {
        match self {
            Self::Server(url) => {
                let used = Redis::options(url.as_str(), name(list)?).open_used();
                Ok((used.await.map_err(failed)?.into(), None))
            }
            Self::Configured(path) => {
                let config = SessionConfig::from_file(path)?;
                let store = open_configured(&config).await?;
                Ok((store, Some(config.audience().to_owned())))
            }
            Self::File(path) => Ok((Redb::open(path).map_err(failed)?.into(), None)),
        }
    }

    /// Opens a list that is to be written to. A file that is missing is made, and its path returned.
    pub fn open_or_create(&self, list: &ListName) -> Result<(Store, Option<&str>), Failure> {
        Ok(match self {
            Self::Server(url) => (Redis::open(url.as_str(), name(list)?)?.into(), None),
            Self::Configured(path) => {
                let config = SessionConfig::from_file(path)?;
                (config.open_store().map_err(failed)?, None)
            }
            Self::File(path) if Path::new(path).exists() => {
                (Redb::open(path).map_err(failed)?.into(), None)
            }
            Self::File(path) => (
                Redb::create(path).map_err(failed)?.into(),
                Some(path.as_str()),
            ),
        })
    }
}

/// Opens the list of a configuration, which exists. Makes nothing.
pub async fn open_configured(config: &SessionConfig) -> Result<Store, Failure> {
    config.open_used_store().await.map_err(failed)
}

fn name(list: &ListName) -> Result<&str, Failure> {
    let which = || Failure::Failed("which list on that server? --list AUDIENCE".into());
    list.list.as_deref().ok_or_else(which)
}

fn failed(error: impl Into<ConfigError>) -> Failure {
    match error.into() {
        ConfigError::Store(error @ StoreError::InUse(_)) => Failure::Failed(format!(
            "{error}; stop the server first, or let the application do it"
        )),
        ConfigError::Store(error) => error.into(),
        other => other.into(),
    }
}
