//! The commands that only look at a key file.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use sealed_session::key_files::{Finding, KeyInfo, KeyStatus, mode_is_loose};
use sealed_session::keys::{KeySource, KeyTables};
use sealed_session::time::UnixMillis;

use crate::failure::{CommandAnswer, Failure};

pub fn list(file: &Path, json: bool, now: UnixMillis) -> Result<String, Failure> {
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

pub fn check(file: &Path, lifetime: Duration, now: UnixMillis) -> Result<CommandAnswer, Failure> {
    let mut report = CommandAnswer::from(String::new());
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
