//! `sealed-session keys`: the keys of a key file.
//!
//! 1. What a command does to the tables is the library's ([`KeyTables`]); here is what it asks before
//!    and says afterwards.
//! 2. Secrets are never printed, not even a new one: it is in the file.
//! 3. What logs people out wants `--yes`. What is merely unusual wants `--force`. What will end sessions before
//!    their time later on is a warning.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use sealed_session::key_files::{
    EditError, Finding, KeyInfo, KeyStatus, Rotated, Rotation, Successor, mode_is_loose,
};
use sealed_session::{
    Lifetimes, SessionConfig,
    keys::{KeyId, KeySource, KeyTables, SystemRandom},
    time::{Clock, LONGEST, SystemClock, UnixMillis},
};

use crate::failure::{Failure, Report};

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
pub fn run(command: Keys) -> Result<Report, Failure> {
    let now = SystemClock::default().now();
    match command {
        Keys::New { file } => new(&file, now).map(Report::from),
        Keys::List { file, json } => list(&file, json, now).map(Report::from),
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
            rotate(&file, rotation, lifetime.unwrap_or(default_lifetime()), now)
        }
        Keys::Revoke {
            file,
            id,
            yes,
            force,
        } => revoke(&file, id, yes, force, now).map(Report::from),
        Keys::Prune { file } => prune(&file, now).map(Report::from),
        Keys::Check { file, lifetime } => {
            let lifetime = lifetime.given()?.unwrap_or(default_lifetime());
            check(&file, lifetime, now)
        }
        Keys::Everyone {
            file,
            at,
            yes,
            force,
        } => everyone(&file, at.unwrap_or(now), yes, force, now).map(Report::from),
    }
}

fn new(file: &Path, now: UnixMillis) -> Result<String, Failure> {
    let tables = KeyTables::fresh(now, &SystemRandom)?;
    tables.create(file)?;
    let ids: Vec<String> = tables
        .list(now)
        .iter()
        .map(|key| key.id.to_string())
        .collect();
    Ok(format!(
        "made {} with key {}\n",
        file.display(),
        ids.join(", ")
    ))
}

fn list(file: &Path, json: bool, now: UnixMillis) -> Result<String, Failure> {
    let keys = KeyTables::read(file)?.list(now);
    if json {
        return as_json(&keys);
    }
    let time = |time: Option<UnixMillis>| time.map_or("-".to_owned(), |time| time.to_string());
    let mut text = format!(
        "{:<32}  {:<7}  {:<24}  {:<24}  {}\n",
        "id", "state", "activate", "retire", "revoked"
    );
    for key in keys {
        let _ = writeln!(
            text,
            "{}  {:<7}  {:<24}  {:<24}  {}",
            key.id,
            // `pad` is not applied by every Display.
            key.status.to_string(),
            time(key.activate),
            time(key.retire),
            time(key.revoked)
        );
    }
    Ok(text)
}

fn as_json(keys: &[KeyInfo]) -> Result<String, Failure> {
    let time = |time: Option<UnixMillis>| time.map(|time| time.to_string());
    let keys: Vec<_> = keys
        .iter()
        .map(|key| {
            serde_json::json!({
                "id": key.id.to_string(),
                "state": key.status.to_string(),
                "activate": time(key.activate),
                "retire": time(key.retire),
                "revoked": time(key.revoked),
                "has_secret": key.has_secret,
            })
        })
        .collect();
    match serde_json::to_string_pretty(&keys) {
        Ok(text) => Ok(text + "\n"),
        Err(error) => Err(Failure::Failed(error.to_string())),
    }
}

fn rotate(
    file: &Path,
    rotation: Rotation,
    lifetime: Duration,
    now: UnixMillis,
) -> Result<Report, Failure> {
    let rotate = |tables: &mut KeyTables| match tables.rotate(now, rotation, &SystemRandom) {
        Err(pending @ EditError::Pending { .. }) => Err(Failure::Failed(format!(
            "{pending}; --force adds another key all the same"
        ))),
        Err(other) => Err(failed(other)),
        Ok(rotated) => Ok((rotated, tables.review(now, lifetime))),
    };
    let (rotated, findings) = KeyTables::edit_file(file, rotate)?;
    let Rotated {
        id,
        activate,
        retiring,
        ..
    } = rotated;
    let mut output = format!("added key {id}, which seals from {activate}\n");
    for (old, until) in retiring {
        let _ = writeln!(output, "key {old} opens until {until}");
    }
    // Problems and notes are what `check` is for.
    let warnings = findings.into_iter().filter_map(|finding| match finding {
        Finding::Warning(warning) => Some(warning),
        _ => None,
    });
    let warnings = warnings.collect();
    Ok(Report { output, warnings })
}

fn revoke(
    file: &Path,
    id: KeyId,
    yes: bool,
    force: bool,
    now: UnixMillis,
) -> Result<String, Failure> {
    let successor = KeyTables::edit_file(file, |tables| {
        if tables.is_in_use(&id, now) && !yes {
            return Err(Failure::WouldLogOut(format!(
                "revoking key {id} ends the sessions that it sealed; --yes revokes it"
            )));
        }
        match tables.revoke(id, now, &SystemRandom) {
            Err(EditError::Unknown(_)) if force => {
                tables.revoke_unknown(id, now);
                Ok(Successor::Unchanged)
            }
            Err(unknown @ EditError::Unknown(_)) => Err(Failure::Failed(format!(
                "{unknown}; --force revokes it all the same"
            ))),
            other => other.map_err(failed),
        }
    })?;
    let mut text = format!("key {id} is revoked\n");
    let _ = match successor {
        Successor::Fresh(new) => writeln!(
            text,
            "no other key was left: added key {new}, which seals at once"
        ),
        Successor::Activated(new) => {
            writeln!(text, "key {new} was waiting to activate, and seals at once")
        }
        Successor::Reinstated(old) => {
            writeln!(
                text,
                "key {old} seals again, and no longer retires; rotate soon"
            )
        }
        _ => Ok(()),
    };
    Ok(text)
}

fn prune(file: &Path, now: UnixMillis) -> Result<String, Failure> {
    let pruned = KeyTables::edit_file(file, |tables| Ok::<_, Failure>(tables.prune(now)))?;
    if pruned.is_empty() {
        return Ok("no key has retired\n".to_owned());
    }
    let lines = pruned
        .iter()
        .map(|id| format!("removed the secret of key {id}\n"));
    Ok(lines.collect())
}

fn check(file: &Path, lifetime: Duration, now: UnixMillis) -> Result<Report, Failure> {
    let mut report = Report::from(String::new());
    let mut problems = Vec::new();
    match mode_is_loose(file) {
        Ok(true) => problems.push(format!(
            "{}: others may read or change it; set its mode to 0600",
            file.display()
        )),
        Ok(false) => {}
        // Said better by reading it.
        Err(_) => {}
    }
    match KeySource::File(file.to_owned()).load(now) {
        Err(error) => problems.push(error.to_string()),
        Ok(_) => {
            let tables = KeyTables::read(file)?;
            report.output = summary(&tables, now);
            for finding in tables.review(now, lifetime) {
                match finding {
                    Finding::Problem(problem) => problems.push(problem),
                    Finding::Warning(warning) => report.warnings.push(warning),
                    Finding::Note(note) => report.output += &format!("note: {note}\n"),
                    _ => {}
                }
            }
        }
    }
    if problems.is_empty() {
        Ok(report)
    } else {
        Err(Failure::NotWell { report, problems })
    }
}

fn summary(tables: &KeyTables, now: UnixMillis) -> String {
    let mut text = String::new();
    for key in tables.list(now) {
        let _ = match key.status {
            KeyStatus::Sealing => writeln!(text, "key {} seals", key.id),
            KeyStatus::Opening => writeln!(text, "key {} opens", key.id),
            KeyStatus::Pending => match key.activate {
                Some(activate) => writeln!(text, "key {} opens, and seals from {activate}", key.id),
                None => Ok(()),
            },
            _ => Ok(()),
        };
    }
    if let Some(time) = tables.everyone_before() {
        let _ = writeln!(text, "no session from before {time} counts");
    }
    text
}

fn everyone(
    file: &Path,
    at: UnixMillis,
    yes: bool,
    force: bool,
    now: UnixMillis,
) -> Result<String, Failure> {
    KeyTables::edit_file(file, |tables| {
        let goes_back = tables.everyone_before().is_some_and(|before| at < before);
        if goes_back && force {
            return tables.set_everyone_before(at, now).map_err(failed);
        }
        let mut changed = tables.clone();
        match changed.end_everyone(at, now) {
            Err(EditError::Backwards(before)) => Err(Failure::Failed(format!(
                "{}; --force sets it all the same",
                EditError::Backwards(before)
            ))),
            Err(other) => Err(failed(other)),
            Ok(()) if !yes => Err(Failure::WouldLogOut(format!(
                "this ends every session that began before {at}; --yes ends them"
            ))),
            Ok(()) => {
                *tables = changed;
                Ok(())
            }
        }
    })?;
    Ok(format!("no session from before {at} counts\n"))
}

fn failed(error: EditError) -> Failure {
    Failure::Failed(error.to_string())
}
