//! The commands that only look at a key file.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use sealed_session::key_files::{Finding, KeyInfo, KeyStatus, mode_is_loose};
use sealed_session::keys::{KeySource, KeyTables};
use sealed_session::time::UnixMillis;

use super::lifetime::{LifetimeArguments, default_lifetime};
use crate::failure::{CommandAnswer, Failure};

/// List the keys and what they are doing. Secrets are not shown.
#[derive(Args)]
pub struct ListKeys {
    /// The key file.
    file: PathBuf,
    /// As JSON, an array of objects.
    #[arg(long)]
    json: bool,
}

impl ListKeys {
    pub fn run(self, now: UnixMillis) -> Result<CommandAnswer, Failure> {
        let keys = KeyTables::read(&self.file)?.list(now);
        if self.json {
            let keys: Vec<_> = keys.iter().map(as_json).collect();
            return Ok((serde_json::to_string_pretty(&keys)? + "\n").into());
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
        Ok(text.into())
    }
}

fn as_json(key: &KeyInfo) -> serde_json::Value {
    let time = |time: Option<UnixMillis>| time.map(|time| time.to_string());
    serde_json::json!({
        "id": key.id.to_string(),
        "state": key.status.to_string(),
        "activate": time(key.activate),
        "retire": time(key.retire),
        "revoked": time(key.revoked),
        "has_secret": key.has_secret,
    })
}

/// Check that a server could start with this file, and what will go wrong later.
///
/// Exits with 1 if there is a problem. What will end sessions before their time is a warning, what could
/// merely be tidied a note: with these alone it exits with 0. Without a lifetime it takes the default
/// one, 30 days.
#[derive(Args)]
pub struct CheckFile {
    /// The key file.
    file: PathBuf,
    #[command(flatten)]
    lifetime: LifetimeArguments,
}

impl CheckFile {
    pub fn run(self, now: UnixMillis) -> Result<CommandAnswer, Failure> {
        let lifetime = self.lifetime.given()?.unwrap_or(default_lifetime());
        let mut answer = CommandAnswer::default();
        // A file whose mode cannot be read is reported by reading it.
        if mode_is_loose(&self.file).unwrap_or(false) {
            answer.problems.push(format!(
                "{}: others may read or change it; set its mode to 0600",
                self.file.display()
            ));
        }
        if let Err(error) = KeySource::File(self.file.clone()).load(now) {
            answer.problems.push(error.to_string());
            return Ok(answer);
        }
        let tables = KeyTables::read(&self.file)?;
        answer.output = summary(&tables, now);
        for finding in tables.review(now, lifetime) {
            match finding {
                Finding::Problem(problem) => answer.problems.push(problem),
                Finding::Warning(warning) => answer.warnings.push(warning),
                Finding::Note(note) => answer.output += &format!("note: {note}\n"),
                _ => {}
            }
        }
        Ok(answer)
    }
}

fn summary(tables: &KeyTables, now: UnixMillis) -> String {
    let mut text = String::new();
    for KeyInfo {
        id,
        status,
        activate,
        ..
    } in tables.list(now)
    {
        let _ = match (status, activate) {
            (KeyStatus::Sealing, _) => writeln!(text, "key {id} seals"),
            (KeyStatus::Opening, _) => writeln!(text, "key {id} opens"),
            (KeyStatus::Pending, Some(activate)) => {
                writeln!(text, "key {id} opens, and seals from {activate}")
            }
            _ => Ok(()),
        };
    }
    if let Some(time) = tables.everyone_before() {
        let _ = writeln!(text, "no session from before {time} counts");
    }
    text
}
