//! How long a session can live, as an argument.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sealed_session::{SessionConfig, settings::Lifetimes};

use crate::failure::Failure;

/// How long a session can live.
#[derive(Args)]
pub struct LifetimeArguments {
    /// The longest that any session lives: the largest absolute limit of the configuration.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    lifetime: Option<Duration>,
    /// Take the lifetime from a configuration instead.
    #[arg(long, value_name = "FILE", conflicts_with = "lifetime")]
    config: Option<PathBuf>,
}

impl LifetimeArguments {
    pub fn given(&self) -> Result<Option<Duration>, Failure> {
        Ok(match &self.config {
            Some(path) => Some(SessionConfig::from_file(path)?.longest_lifetime()),
            None => self.lifetime,
        })
    }
}

/// What is taken for the longest lifetime when nobody says it.
pub fn default_lifetime() -> Duration {
    let default = Lifetimes::default();
    default.standard.absolute.max(default.remembered.absolute)
}
