//! `sealed-session keys`: the keys of a key file.
//!
//! 1. What a command does to the tables is the library's (`key_files`); here is what it asks before
//!    and says afterwards.
//! 2. Secrets are never printed, not even a new one: it is in the file.
//! 3. What logs people out wants `--yes`. What is merely unusual wants `--force`. What will end sessions before
//!    their time later on is a warning.

mod edit;
mod look;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use sealed_session::key_files::Rotation;
use sealed_session::keys::KeyId;
use sealed_session::time::{Clock, LONGEST, SystemClock, UnixMillis};
use sealed_session::{Lifetimes, SessionConfig};

use crate::failure::{CommandAnswer, Failure};

/// The commands. Their documentation is the `--help` text.
#[derive(Subcommand)]
pub enum Keys {
    /// Make a key file with one fresh key, mode 0600.
    ///
    /// Refuses to overwrite a file. Where several nodes serve the same sessions, make it once and give
    /// every node the same file.
    New {
        /// The key file to make.
        file: PathBuf,
    },
    /// List the keys and what they are doing. Secrets are not shown.
    List {
        /// The key file.
        file: PathBuf,
        /// As JSON, an array of objects.
        #[arg(long)]
        json: bool,
    },
    /// Add a key that will replace the one that seals now. Nobody is logged out.
    ///
    /// The new key opens from the moment a node reads the file, and seals once every node had the time to
    /// do so (--distribute). The old key goes on opening until the last session that it can have
    /// sealed has ended (--lifetime), and then retires.
    Rotate {
        /// The key file.
        file: PathBuf,
        /// How long it takes until every node has read the changed file.
        #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
        distribute: Duration,
        /// Without a lifetime the old key opens for the longest that any configuration allows, 400 days.
        #[command(flatten)]
        lifetime: LifetimeArguments,
        /// Rotate although a key is still waiting to activate.
        #[arg(long)]
        force: bool,
    },
    /// Revoke a key that leaked: its sessions end as soon as a node reads the file.
    ///
    /// To replace a key that did not leak, use `rotate`. Works on retired and pruned keys as well. If no
    /// other key is left to seal, a fresh one is added in the same step.
    Revoke {
        /// The key file.
        file: PathBuf,
        /// The key's id, 32 hexadecimal digits; see `list`.
        id: KeyId,
        /// Revoke it although people will be logged out.
        #[arg(long)]
        yes: bool,
        /// Revoke it although the file never held it.
        #[arg(long)]
        force: bool,
    },
    /// Remove the secrets of retired keys, and keep their ids, so that their tokens are known to be dead.
    Prune {
        /// The key file.
        file: PathBuf,
    },
    /// Check that a server could start with this file, and what will go wrong later.
    ///
    /// Exits with 1 if there is a problem. What will end sessions before their time is a warning, what could
    /// merely be tidied a note: with these alone it exits with 0. Without a lifetime it takes the default
    /// one, 30 days.
    Check {
        /// The key file.
        file: PathBuf,
        #[command(flatten)]
        lifetime: LifetimeArguments,
    },
    /// End every session that began before a time: the panic button where no store can be reached.
    ///
    /// This does not stop somebody who holds a key: a leaked key must be revoked.
    Everyone {
        /// The key file.
        file: PathBuf,
        /// The time before which no session counts, such as 2026-11-21T08:00:00Z. Now, if not given.
        #[arg(long, value_name = "TIME")]
        at: Option<UnixMillis>,
        /// End the sessions although people will be logged out.
        #[arg(long)]
        yes: bool,
        /// Go back to an earlier time than the one that is set, which revives the sessions between.
        #[arg(long)]
        force: bool,
    },
}

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
    fn given(self) -> Result<Option<Duration>, Failure> {
        Ok(match self.config {
            Some(path) => Some(SessionConfig::from_file(path)?.longest_lifetime()),
            None => self.lifetime,
        })
    }
}

/// What is taken for the longest lifetime when nobody says it.
fn default_lifetime() -> Duration {
    let Lifetimes {
        standard,
        remembered,
        ..
    } = Lifetimes::default();
    standard.absolute.max(remembered.absolute)
}

/// Carries a command out.
pub fn run(command: Keys) -> Result<CommandAnswer, Failure> {
    let now = SystemClock::default().now();
    match command {
        Keys::New { file } => edit::new(&file, now).map(CommandAnswer::from),
        Keys::List { file, json } => look::list(&file, json, now).map(CommandAnswer::from),
        Keys::Rotate {
            file,
            distribute,
            lifetime,
            force,
        } => {
            let lifetime = lifetime.given()?;
            let mut rotation = Rotation::default();
            rotation.distribute = distribute;
            rotation.lifetime = lifetime.unwrap_or(LONGEST);
            rotation.although_pending = force;
            edit::rotate(&file, rotation, lifetime.unwrap_or(default_lifetime()), now)
        }
        Keys::Revoke {
            file,
            id,
            yes,
            force,
        } => edit::revoke(&file, id, yes, force, now).map(CommandAnswer::from),
        Keys::Prune { file } => edit::prune(&file, now).map(CommandAnswer::from),
        Keys::Check { file, lifetime } => {
            let lifetime = lifetime.given()?.unwrap_or(default_lifetime());
            look::check(&file, lifetime, now)
        }
        Keys::Everyone {
            file,
            at,
            yes,
            force,
        } => edit::everyone(&file, at.unwrap_or(now), yes, force, now).map(CommandAnswer::from),
    }
}
