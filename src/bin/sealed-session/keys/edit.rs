//! The commands that change a key file.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use sealed_session::key_files::{EditError, Finding, Rotated, Rotation, Successor};
use sealed_session::keys::{KeyId, KeyTables, SystemRandom};
use sealed_session::time::UnixMillis;

use crate::failure::{CommandAnswer, Failure};

pub fn new(file: &Path, now: UnixMillis) -> Result<String, Failure> {
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

pub fn rotate(
    file: &Path,
    rotation: Rotation,
    lifetime: Duration,
    now: UnixMillis,
) -> Result<CommandAnswer, Failure> {
    let rotate = |tables: &mut KeyTables| match tables.rotate(now, rotation, &SystemRandom) {
        Err(pending @ EditError::Pending { .. }) => Err(Failure::Failed(format!(
            "{pending}; --force adds another key anyway"
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
    Ok(CommandAnswer { output, warnings })
}

pub fn revoke(
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
                "{unknown}; --force revokes it anyway"
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

pub fn prune(file: &Path, now: UnixMillis) -> Result<String, Failure> {
    let pruned = KeyTables::edit_file(file, |tables| Ok::<_, Failure>(tables.prune(now)))?;
    if pruned.is_empty() {
        return Ok("no key has retired\n".to_owned());
    }
    let lines = pruned
        .iter()
        .map(|id| format!("removed the secret of key {id}\n"));
    Ok(lines.collect())
}

pub fn everyone(
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
                "{}; --force sets it anyway",
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
