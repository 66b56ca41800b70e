//! One node of a fleet: the application, its settings, and the network between it and the store.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use support::Browser;
use support::accounts::{Server, command};
use support::proxy::Proxy;

/// A node's settings.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub max_staleness: Duration,
    /// How long a remembered session lives at the longest.
    pub remembered: &'static str,
}

/// For tests in which a node's list has to grow too old.
pub const IMPATIENT: Settings = Settings {
    max_staleness: Duration::from_secs(7),
    remembered: "30 days",
};

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_staleness: Duration::from_secs(10),
            remembered: "30 days",
        }
    }
}

/// The application, and the network between it and the store.
pub struct Node {
    pub proxy: Proxy,
    /// `None` while it is down.
    pub(super) server: Option<Server>,
    pub(super) config: PathBuf,
    /// What it is run with.
    pub environment: Vec<(String, PathBuf)>,
}

impl Node {
    pub fn browser(&self) -> Browser {
        self.server().browser()
    }

    pub(super) fn server(&self) -> &Server {
        self.server.as_ref().expect("the node is down")
    }

    /// Tries to start. Does not hold up the watcher meanwhile.
    pub(super) async fn try_start(&self) -> Option<Server> {
        let config = self.config.clone();
        let environment = self.environment.clone();
        let mut log = File::options();
        let log = log.append(true).create(true);
        let log = log.open(config.with_extension("log")).unwrap();
        let start = move || {
            let mut command = command([PathBuf::from("--config"), config]);
            Server::try_start(command.envs(environment).stderr(log))
        };
        tokio::task::spawn_blocking(start).await.unwrap()
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.config.with_extension("log")).unwrap_or_default()
    }
}
