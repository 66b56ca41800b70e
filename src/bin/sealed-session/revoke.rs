//! `sealed-session revoke`: ending sessions in a redb file that no server holds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use sealed_session::revoke::{Raise, Revocation, RevocationStore, SessionEntry, Target};
use sealed_session::store::Redb;
use sealed_session::{
    Clock, Generation, LONGEST, RaiseId, Serial, SessionConfig, SessionId, StoreError, SubjectKey,
    SystemClock, SystemRandom,
};

use crate::failure::Failure;

/// The commands. Their documentation is the `--help` text.
#[derive(Subcommand)]
pub enum Revoke {
    /// End one session.
    Session {
        #[command(flatten)]
        store: Store,
        /// The session's id, 32 hexadecimal digits.
        id: SessionId,
    },
    /// End all sessions of one user.
    ///
    /// Whether there is such a user, or any session, the store can not tell: check the spelling.
    User {
        #[command(flatten)]
        store: Store,
        /// The audience of the application, as it is configured.
        #[arg(long, required_unless_present = "config", conflicts_with = "config")]
        audience: Option<String>,
        /// The user's name, as the application logs it in.
        name: String,
    },
}

/// Which store.
#[derive(Args)]
pub struct Store {
    /// A configuration, which names the store and the audience.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The store's file. No server may have it open.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "config",
        conflicts_with = "config"
    )]
    store: Option<PathBuf>,
}

impl Store {
    /// The store's file, and the audience if a configuration tells it.
    fn find(self) -> Result<(PathBuf, Option<String>), Failure> {
        match (self.config, self.store) {
            (Some(path), _) => {
                let config = SessionConfig::from_file(&path)?;
                let file = config.redb_file().ok_or_else(|| {
                    Failure::Failed(format!("{}: the store is no redb file", path.display()))
                })?;
                Ok((file, Some(config.audience().to_owned())))
            }
            (None, Some(file)) => Ok((file, None)),
            (None, None) => Err(Failure::Failed("either --config or --store".into())),
        }
    }
}

/// Carries a command out. The text is for standard output.
pub fn run(command: Revoke) -> Result<String, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(error.to_string()))?;
    runtime.block_on(async {
        match command {
            Revoke::Session { store, id } => session(&store.find()?.0, id).await,
            Revoke::User {
                store,
                audience,
                name,
            } => {
                let (store, configured) = store.find()?;
                let audience = configured.or(audience).unwrap_or_default();
                user(&store, &audience, &name).await
            }
        }
    })
}

async fn session(path: &Path, id: SessionId) -> Result<String, Failure> {
    let store = open(path)?;
    let now = SystemClock::default().now();
    let entry = SessionEntry {
        serial: Serial::ENDED,
        from: now,
        // Nothing is known of the session but that it began before now.
        until: now + longest(&store).await?,
    };
    let revocation = Revocation::Session { id, entry };
    store.publish(&[revocation]).await.map_err(failed)?;
    Ok(format!("session {id} is ended\n"))
}

async fn user(path: &Path, audience: &str, name: &str) -> Result<String, Failure> {
    for (what, text) in [("an audience", audience), ("a user's name", name)] {
        if text.is_empty() || text.len() > 255 {
            return Err(Failure::Failed(format!("{what} has 1 to 255 bytes")));
        }
    }
    let store = open(path)?;
    store
        .announce(longest(&store).await?)
        .await
        .map_err(failed)?;
    let raise = Raise {
        target: Target::Subject(SubjectKey::new(audience, name)),
        id: RaiseId::random(&SystemRandom)?,
        known: Generation::NONE,
    };
    let raised = store.raise(raise).await.map_err(failed)?;
    Ok(format!(
        "all sessions of {name:?} in {audience:?} from before generation {} are ended\n",
        raised.generation
    ))
}

fn open(path: &Path) -> Result<Redb, Failure> {
    Redb::open(path).map_err(|error| match error {
        StoreError::InUse(_) => Failure::Failed(format!(
            "{error}; stop the server first, or let the application end the sessions"
        )),
        other => failed(other),
    })
}

/// The longest that a cookie can live, as far as the store was ever told.
async fn longest(store: &Redb) -> Result<Duration, Failure> {
    let end = store.snapshot(&mut |_| {}).await.map_err(failed)?;
    Ok(if end.longest.is_zero() {
        LONGEST
    } else {
        end.longest
    })
}

fn failed(error: StoreError) -> Failure {
    Failure::Failed(error.to_string())
}
