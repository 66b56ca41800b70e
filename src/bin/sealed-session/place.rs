//! Where a list of revocations is, as an argument.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use sealed_session::revoke::RevocationStore;
use sealed_session::store::{Redb, Redis};
use sealed_session::{SessionConfig, StoreError};

use crate::failure::Failure;

/// A store that is spelled out: `redb:FILE` or just the file, `redis://...`, `rediss://...`, or a
/// configuration (`FILE.toml`), which keeps a password off the command line.
#[derive(Clone, Debug)]
pub enum Place {
    File(String),
    Server(String),
    Configured(String),
}

impl std::str::FromStr for Place {
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

/// An opened store.
pub struct OpenStore {
    pub store: Arc<dyn RevocationStore>,
    /// The application's, if a configuration tells it.
    pub audience: Option<String>,
}

/// Which list on a server.
#[derive(Args)]
pub struct ListName {
    /// The list's name on a server: the audience, unless it is configured otherwise.
    #[arg(long, value_name = "NAME")]
    list: Option<String>,
}

impl Place {
    /// Opens a list that exists.
    pub fn open(&self, list: &ListName) -> Result<OpenStore, Failure> {
        let store: Arc<dyn RevocationStore> = match self {
            Self::File(path) => Arc::new(Redb::open(path).map_err(in_use)?),
            Self::Server(url) => {
                let name = list.list.as_deref().ok_or_else(|| {
                    Failure::Failed("which list on that server? --list AUDIENCE".into())
                })?;
                Arc::new(Redis::open(url.as_str(), name)?)
            }
            Self::Configured(path) => return configured(Path::new(path)),
        };
        Ok(OpenStore {
            store,
            audience: None,
        })
    }

    /// The same, and makes a file that is missing.
    pub fn open_or_create(&self, list: &ListName) -> Result<OpenStore, Failure> {
        match self {
            Self::File(path) if !Path::new(path).exists() => Ok(OpenStore {
                store: Arc::new(Redb::create(path).map_err(in_use)?),
                audience: None,
            }),
            _ => self.open(list),
        }
    }
}

/// The store of a configuration. A file that is missing is not made.
pub fn configured(path: &Path) -> Result<OpenStore, Failure> {
    let config = SessionConfig::from_file(path)?;
    let store = config.open_store().map_err(|error| match error {
        sealed_session::ConfigError::Store(error) => in_use(error),
        other => other.into(),
    })?;
    Ok(OpenStore {
        store,
        audience: Some(config.audience().to_owned()),
    })
}

fn in_use(error: StoreError) -> Failure {
    match error {
        StoreError::InUse(_) => Failure::Failed(format!(
            "{error}; stop the server first, or let the application end the sessions"
        )),
        other => other.into(),
    }
}
