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
mod sessions;
mod store;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::{CommandAnswer, Failure};

/// Keys, revocations and lists of sealed sessions.
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
    /// List the sessions of a user, or end one of them. Needs an index of sessions.
    #[command(subcommand)]
    Sessions(sessions::SessionsCommand),
    /// Look at a list of revocations, or move it.
    #[command(subcommand)]
    Store(store::StoreCommand),
}

fn main() -> ExitCode {
    let answer = match Arguments::parse().command {
        Command::Keys(command) => keys::run(command),
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Revoke(command) => in_runtime(revoke::run(command)),
        Command::Sessions(command) => in_runtime(sessions::run(command)),
        Command::Store(command) => in_runtime(store::run(command)),
    };
    // A reader that has gone away, such as `head`, is no failure of the command.
    let tell = |line: String| drop(writeln!(io::stderr(), "{line}"));
    let code = match answer {
        Ok(CommandAnswer {
            output,
            warnings,
            problems,
        }) => {
            let _ = io::stdout().write_all(output.as_bytes());
            let code = u8::from(!problems.is_empty());
            let warnings = warnings.iter().map(|it| format!("warning: {it}"));
            let problems = problems.iter().map(|it| format!("problem: {it}"));
            warnings.chain(problems).for_each(tell);
            code
        }
        Err(failure) => {
            tell(failure.to_string());
            failure.exit_code()
        }
    };
    ExitCode::from(code)
}

fn in_runtime(
    command: impl Future<Output = Result<impl Into<CommandAnswer>, Failure>>,
) -> Result<CommandAnswer, Failure> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(command).map(Into::into)
}
