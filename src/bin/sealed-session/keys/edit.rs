//! The commands that change a key file.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sealed_session::key_files::{EditError, Finding, Rotated, Rotation, Successor};
use sealed_session::keys::{KeyId, KeyTables, SystemRandom};
use sealed_session::time::{LONGEST, UnixMillis};

use super::lifetime::{LifetimeArguments, default_lifetime};
use crate::failure::{CommandAnswer, Failure};

/// Make a key file with one fresh key, mode 0600.
///
/// Refuses to overwrite a file. Where several nodes serve the same sessions, make it once and give
/// every node the same file.
#[derive(Args)]
pub struct NewFile {
    /// The key file to make.
    file: PathBuf,
}

impl NewFile {
    pub fn run(self, now: UnixMillis) -> Result<CommandAnswer, Failure> {
        let tables = KeyTables::fresh(now, &SystemRandom)?;
        tables.create(&self.file)?;
        let ids: Vec<_> = tables
            .list(now)
            .iter()
            .map(|key| key.id.to_string())
            .collect();
        let (file, ids) = (self.file.display(), ids.join(", "));
        Ok(format!("made {file} with key {ids}\n").into())
    }
}

/// Add a key that will replace the one that seals now. Nobody is logged out.
///
/// The new key opens from the moment a node reads the file, and seals once every node had the time to
/// do so (--distribute). The old key goes on opening until the last session that it can have
/// sealed has ended (--lifetime), and then retires.
#[derive(Args)]
pub struct RotateKeys {
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
}

impl RotateKeys {
    pub fn run(self, now: UnixMillis) -> Result<CommandAnswer, Failure> {
        let lifetime = self.lifetime.given()?;
        let mut rotation = Rotation::default();
        rotation.distribute = self.distribute;
        rotation.lifetime = lifetime.unwrap_or(LONGEST);
        rotation.although_pending = self.force;
        let rotate = |tables: &mut KeyTables| match tables.rotate(now, rotation, &SystemRandom) {
            Err(pending @ EditError::Pending { .. }) => Err(Failure::Failed(format!(
                "{pending}; --force adds another key anyway"
            ))),
            rotated => {
                let lifetime = lifetime.unwrap_or(default_lifetime());
                Ok((rotated?, tables.review(now, lifetime)))
            }
        };
        let (rotated, findings) = KeyTables::edit_file(&self.file, rotate)?;
        let Rotated { id, activate, .. } = rotated;
        let mut output = format!("added key {id}, which seals from {activate}\n");
        for (old, until) in rotated.retiring {
            let _ = writeln!(output, "key {old} opens until {until}");
        }
        // Problems and notes are what `check` is for.
        let warnings = findings.into_iter().filter_map(|finding| match finding {
            Finding::Warning(warning) => Some(warning),
            _ => None,
        });
        Ok(CommandAnswer {
            warnings: warnings.collect(),
            ..output.into()
        })
    }
}

/// Revoke a key that leaked: its sessions end as soon as a node reads the file.
///
/// To replace a key that did not leak, use `rotate`. Works on retired and pruned keys as well. If no
/// other key is left to seal, a fresh one is added in the same step.
#[derive(Args)]
pub struct RevokeKey {
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
}

impl RevokeKey {
    pub fn run(self, now: UnixMillis) -> Result<CommandAnswer, Failure> {
        let id = self.id;
        let successor = KeyTables::edit_file(&self.file, |tables| {
            if tables.is_in_use(&id, now) && !self.yes {
                return Err(Failure::WouldLogOut(format!(
                    "revoking key {id} ends the sessions that it sealed; --yes revokes it"
                )));
            }
            match tables.revoke(id, now, &SystemRandom) {
                Err(EditError::Unknown(_)) if self.force => {
                    tables.revoke_unknown(id, now);
                    Ok(Successor::Unchanged)
                }
                Err(unknown @ EditError::Unknown(_)) => Err(Failure::Failed(format!(
                    "{unknown}; --force revokes it anyway"
                ))),
                revoked => Ok(revoked?),
            }
        })?;
        let more = match successor {
            Successor::Fresh(new) => {
                format!("no other key was left: added key {new}, which seals at once\n")
            }
            Successor::Activated(new) => {
                format!("key {new} was waiting to activate, and seals at once\n")
            }
            Successor::Reinstated(old) => {
                format!("key {old} seals again, and no longer retires; rotate soon\n")
            }
            _ => String::new(),
        };
        Ok(format!("key {id} is revoked\n{more}").into())
    }
}

/// Remove the secrets of retired keys, and keep their ids, so that their tokens are known to be dead.
#[derive(Args)]
pub struct PruneKeys {
    /// The key file.
    file: PathBuf,
}

impl PruneKeys {
    pub fn run(self, now: UnixMillis) -> Result<CommandAnswer, Failure> {
        let prune = |tables: &mut KeyTables| Ok::<_, Failure>(tables.prune(now));
        let pruned = KeyTables::edit_file(&self.file, prune)?;
        if pruned.is_empty() {
            return Ok("no key has retired\n".to_owned().into());
        }
        let lines = pruned
            .iter()
            .map(|id| format!("removed the secret of key {id}\n"));
        Ok(lines.collect::<String>().into())
    }
}

/// End every session that began before a time: the panic button where no store can be reached.
///
/// This does not stop somebody who holds a key: a leaked key must be revoked.
#[derive(Args)]
pub struct EndEveryone {
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
}

impl EndEveryone {
    pub fn run(self, now: UnixMillis) -> Result<CommandAnswer, Failure> {
        let at = self.at.unwrap_or(now);
        KeyTables::edit_file(&self.file, |tables| {
            if self.force && tables.everyone_before().is_some_and(|before| at < before) {
                return Ok(tables.set_everyone_before(at, now)?);
            }
            match tables.end_everyone(at, now) {
                Err(backwards @ EditError::Backwards(_)) => Err(Failure::Failed(format!(
                    "{backwards}; --force sets it anyway"
                ))),
                // Nothing is written where an edit fails.
                Ok(()) if !self.yes => Err(Failure::WouldLogOut(format!(
                    "this ends every session that began before {at}; --yes ends them"
                ))),
                ended => Ok(ended?),
            }
        })?;
        Ok(format!("no session from before {at} counts\n").into())
    }
}
