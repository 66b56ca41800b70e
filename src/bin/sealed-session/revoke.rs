//! `sealed-session revoke`: ending sessions in a file that no server holds, or on a server.

use std::time::Duration;

use clap::{Args, Subcommand};
use sealed_session::revoke::{
    Announcement, Contents, Generation, Revocation, Serial, SessionEntry, SessionId, Store,
    SubjectKey, Target,
};
use sealed_session::time::{Clock, LONGEST, SystemClock, UnixMillis};

use crate::failure::Failure;
use crate::place::{ListName, StoreArgument};
use crate::store::SKEW;

/// The commands. Their documentation is the `--help` text.
#[derive(Subcommand)]
pub enum Revoke {
    /// End one session.
    Session {
        #[command(flatten)]
        store: WhichStore,
        /// The session's id, 32 hexadecimal digits.
        id: SessionId,
    },
    /// End all sessions of one user.
    ///
    /// Whether there is such a user, or any session, the store cannot tell: check the spelling. On a server
    /// both `--list` and `--audience` are needed: the list may have a name of its own, and a user is kept
    /// there by a hash of the audience and the name. A configuration tells both.
    User {
        #[command(flatten)]
        application: WhichApplication,
        /// The user's name, as the application logs it in.
        name: String,
    },
    /// End all sessions of one group: of one customer, or of one session at an identity provider.
    ///
    /// As with a user, the store cannot tell whether there is such a group.
    Group {
        #[command(flatten)]
        application: WhichApplication,
        /// What the application groups sessions by, such as org or sid.
        kind: String,
        /// The group's name.
        name: String,
    },
    /// End all sessions of everyone whose application uses this list.
    Everyone {
        #[command(flatten)]
        store: WhichStore,
        /// Everyone is logged out, and that is meant.
        #[arg(long)]
        yes: bool,
    },
}

/// Whose user or group that is.
#[derive(Args)]
pub struct WhichApplication {
    #[command(flatten)]
    store: WhichStore,
    /// The audience of the application, unless a configuration names it: whose user or group that is. It does not say
    /// which list.
    #[arg(long, conflicts_with = "config")]
    audience: Option<String>,
}

/// Which store.
#[derive(Args)]
pub struct WhichStore {
    /// A configuration, which names the store and the audience.
    #[arg(long, value_name = "FILE")]
    config: Option<String>,
    /// The store itself: a file that no server has open, redis://HOST:PORT, or a configuration, FILE.toml.
    #[arg(
        long,
        value_name = "STORE",
        required_unless_present = "config",
        conflicts_with = "config"
    )]
    store: Option<StoreArgument>,
    #[command(flatten)]
    list: ListName,
}

impl WhichStore {
    /// The store, and the audience that a configuration tells.
    async fn open(&self) -> Result<(Store, Option<String>), Failure> {
        let place = match (&self.config, &self.store) {
            (Some(path), _) => &StoreArgument::Configured(path.clone()),
            (None, Some(place)) => place,
            (None, None) => return Err(Failure::Failed("either --config or --store".into())),
        };
        StoreArgument::check_list(&[place], &self.list)?;
        place.open(&self.list).await
    }
}

/// Carries a command out. The text is for standard output.
pub async fn run(command: Revoke) -> Result<String, Failure> {
    match command {
        Revoke::Session { store, id } => {
            let (store, _) = store.open().await?;
            let longest = longest(&store.contents().await?);
            store.publish(&[end(id, longest)]).await?;
            Ok(format!("session {id} is ended\n"))
        }
        Revoke::User { application, name } => {
            check_names(&[("a user's name", &name)])?;
            let (store, audience) = application.open().await?;
            let target = Target::Subject(SubjectKey::new(&audience, &name));
            let generation = raise(&store, target).await?;
            Ok(format!(
                "all sessions of {name:?} in {audience:?} from before generation {generation} are ended; the store \
                 does not know whether there is such a user\n"
            ))
        }
        Revoke::Group {
            application,
            kind,
            name,
        } => {
            check_names(&[("a kind of groups", &kind), ("a group's name", &name)])?;
            let (store, audience) = application.open().await?;
            let target = Target::Subject(SubjectKey::group(&audience, &kind, &name));
            let generation = raise(&store, target).await?;
            Ok(format!(
                "all sessions of the group {kind:?} {name:?} in {audience:?} from before generation {generation} are \
                 ended; the store does not know whether there is such a group\n"
            ))
        }
        Revoke::Everyone { yes: false, .. } => Err(Failure::WouldLogOut(
            "everyone who is logged in would have to log in anew; --yes if that is meant".into(),
        )),
        Revoke::Everyone { store, .. } => {
            let (store, _) = store.open().await?;
            let generation = raise(&store, Target::Everyone).await?;
            Ok(format!(
                "all sessions of everyone from before generation {generation} are ended\n"
            ))
        }
    }
}

impl WhichApplication {
    /// The store, and the audience.
    async fn open(self) -> Result<(Store, String), Failure> {
        let (store, configured) = self.store.open().await?;
        let audience = match (configured, self.audience) {
            (Some(_), Some(_)) => Err("--audience is of no use here: the configuration names it"),
            (Some(audience), None) | (None, Some(audience)) => Ok(audience),
            (None, None) => Err("of which application? --audience NAME"),
        };
        let audience = audience.map_err(|problem| Failure::Failed(problem.into()))?;
        check_names(&[("an audience", &audience)])?;
        Ok((store, audience))
    }
}

/// Refuses what cannot name anybody.
pub fn check_names(names: &[(&str, &String)]) -> Result<(), Failure> {
    for (what, name) in names {
        if name.is_empty() || name.len() > 255 {
            return Err(Failure::Failed(format!("{what} has 1 to 255 bytes")));
        }
    }
    Ok(())
}

async fn raise(store: &Store, target: Target) -> Result<Generation, Failure> {
    let mut needs = Announcement::default();
    needs.longest = longest(&store.contents().await?);
    store.announce(needs).await?;
    Ok(store.raise(target).await?)
}

/// The end of a session, where cookies live for so long at the most.
pub fn end(id: SessionId, longest: Duration) -> Revocation {
    let entry = SessionEntry {
        serial: Serial::ENDED,
        // Its browser did not give it up, so awaits no successor.
        from: UnixMillis::EPOCH,
        // Nothing is known of the session but that it began before now, by the clock of some node.
        until: SystemClock::default().now() + SKEW + longest,
    };
    Revocation::Session { id, entry }
}

/// The longest that a cookie can live, as far as the store was ever told.
pub fn longest(contents: &Contents) -> Duration {
    let longest = contents.announced.longest;
    if longest.is_zero() { LONGEST } else { longest }
}
