//! `sealed-session keys`: the keys of a key file.
//!
//! 1. What a command does to the tables is the library's (`key_files`); here is what it asks before
//!    and says afterwards.
//! 2. Secrets are never printed, not even a new one: it is in the file.
//! 3. What logs people out wants `--yes`. What is merely unusual wants `--force`. What will end sessions before
//!    their time later on is a warning.

mod edit;
mod lifetime;
mod look;

use clap::Subcommand;
use sealed_session::time::{Clock, SystemClock};

use crate::failure::{CommandAnswer, Failure};

/// The commands. Their documentation, and that of their arguments, is the `--help` text.
#[derive(Subcommand)]
pub enum Keys {
    New(edit::NewFile),
    List(look::ListKeys),
    Rotate(edit::RotateKeys),
    Revoke(edit::RevokeKey),
    Prune(edit::PruneKeys),
    Check(look::CheckFile),
    Everyone(edit::EndEveryone),
}

/// Carries a command out.
pub fn run(command: Keys) -> Result<CommandAnswer, Failure> {
    let now = SystemClock::default().now();
    match command {
        Keys::New(command) => command.run(now),
        Keys::List(command) => command.run(now),
        Keys::Rotate(command) => command.run(now),
        Keys::Revoke(command) => command.run(now),
        Keys::Prune(command) => command.run(now),
        Keys::Check(command) => command.run(now),
        Keys::Everyone(command) => command.run(now),
    }
}
