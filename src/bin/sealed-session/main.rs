//! The command line of sealed-session.
//!
//! 1. Each group of commands has a file of its own, which turns its arguments into a
//!    [`failure::CommandAnswer`] or a [`failure::Failure`]. Only this file writes and exits.
//! 2. Exit codes: 0 done, and all is well; 1 failed, or what was asked about is not well; 2 the command
//!    line is wrong; 3 refused, because it would log people out.
//! 3. It uses the library's public interface alone, so every command is open to other tools too.

#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod failure;
mod inspect;
mod keys;
mod place;
mod revoke;
mod store;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::{CommandAnswer, Failure};

/// Keys and revocations of sealed sessions.
///
/// Exit codes: 0 done, 1 failed or not well, 2 wrong usage, 3 refused because it would log people out.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make, list, rotate, revoke and check the keys of a key file.
    #[command(subcommand)]
    Keys(keys::Keys),
    Inspect(inspect::Inspect),
    /// End sessions: in a file that no server holds, or on a Redis server that nodes share.
    #[command(subcommand)]
    Revoke(revoke::Revoke),
    /// Look at a list of revocations, or move it.
    #[command(subcommand)]
    Store(store::StoreCommand),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Keys(command) => keys::run(command),
        Command::Inspect(arguments) => inspect::run(arguments).map(CommandAnswer::from),
        Command::Revoke(command) => in_runtime(revoke::run(command)).map(CommandAnswer::from),
        Command::Store(command) => in_runtime(store::run(command)).map(CommandAnswer::from),
    };
    let (report, code) = match &outcome {
        Ok(report) => (Some(report), 0),
        Err(failure) => (failure.report(), failure.exit_code()),
    };
    // A reader that has gone away, such as `head`, is no failure of the command.
    if let Some(CommandAnswer { output, warnings }) = report {
        let _ = io::stdout().write_all(output.as_bytes());
        for warning in warnings {
            let _ = writeln!(io::stderr(), "warning: {warning}");
        }
    }
    if let Err(failure) = &outcome {
        let _ = writeln!(io::stderr(), "{failure}");
    }
    ExitCode::from(code)
}

fn in_runtime(command: impl Future<Output = Result<String, Failure>>) -> Result<String, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(error.to_string()))?;
    runtime.block_on(command)
}
