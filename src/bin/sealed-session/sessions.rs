//! `sealed-session sessions`: which sessions a user has, and the end of one of them.
//!
//! 1. What counts is the library's to say. It judges a copy in this process's memory: of the list of revocations, and of
//!    the user's rows. So a look announces nothing to the nodes, and with a configuration or a key file that is not the
//!    application's it removes no row. The price is that of a `store show`: the whole list is read.
//! 2. No session is shown that has ended. Where the list cannot tell, nothing is shown.
//! 3. The end of a session is that of [`Session::revoke`](sealed_session::Session::revoke): of a session that is not
//!    shown there is none.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use sealed_session::SessionConfig;
use sealed_session::index::{IndexRow, IndexRows, IndexUpdate, RowState, SessionIndex};
use sealed_session::revoke::{Contents, SessionId, Store, SubjectKey};
use sealed_session::session::ListedSession;
use sealed_session::store::Memory;
use sealed_session::time::UnixMillis;

use crate::failure::{CommandAnswer, Failure};
use crate::inspect::escaped;
use crate::place;
use crate::revoke::{check_names, end, longest};
use crate::store::{trusted_time, write_rows};

/// The commands. Their documentation is the `--help` text.
#[derive(Subcommand)]
pub enum SessionsCommand {
    /// List the sessions of one user that count, the newest first.
    ///
    /// Nothing is changed. A session whose row was lost is missing until it is used again.
    List {
        #[command(flatten)]
        whose: WhoseSessions,
        /// As JSON, with times in milliseconds since 1970.
        #[arg(long)]
        json: bool,
    },
    /// End one session of one user.
    ///
    /// Fails where the user has no such session, or it has ended.
    End {
        #[command(flatten)]
        whose: WhoseSessions,
        /// The session's id, 32 hexadecimal digits; see `list`.
        id: SessionId,
    },
}

/// Whose sessions.
#[derive(Args)]
pub struct WhoseSessions {
    /// The user's name, as the application logs it in.
    subject: String,
    /// The application's configuration, which names the keys, the limits and the store.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Carries a command out.
pub async fn run(command: SessionsCommand) -> Result<CommandAnswer, Failure> {
    match command {
        SessionsCommand::List { whose, json } => {
            let found = whose.find().await?;
            let output = match json {
                true => escaped(&serde_json::to_string_pretty(&found.sessions)?) + "\n",
                false => table(&whose.subject, &found.sessions),
            };
            Ok(CommandAnswer {
                output,
                warnings: found.warnings(),
                ..CommandAnswer::default()
            })
        }
        SessionsCommand::End { whose, id } => {
            let found = whose.find().await?;
            let warnings = found.end(&whose.subject, id).await?;
            Ok(CommandAnswer {
                output: format!("session {id} of {:?} is ended\n", whose.subject),
                warnings: warnings.into_iter().collect(),
                ..CommandAnswer::default()
            })
        }
    }
}

/// For people. A label is a user's or an application's, and must not speak to the operator's terminal.
fn table(subject: &str, sessions: &[ListedSession]) -> String {
    if sessions.is_empty() {
        return format!(
            "no sessions of {subject:?} are listed; the index does not know whether there is such a user\n"
        );
    }
    let mut text = format!(
        "{:<32}  {:<24}  {:<24}  {:<10}  {}\n",
        "id", "began", "last seen", "remembered", "label"
    );
    for it in sessions {
        let _ = writeln!(
            text,
            "{}  {:<24}  {:<24}  {:<10}  {:?}",
            it.id,
            // `pad` is not applied by every Display.
            it.created_at.to_string(),
            it.last_seen_at.to_string(),
            if it.is_remembered { "yes" } else { "no" },
            it.label
        );
    }
    text
}

/// What a store says of one user.
struct FoundSessions {
    store: Store,
    index: Arc<dyn SessionIndex>,
    key: SubjectKey,
    rows: IndexRows,
    /// Those that count, the newest first.
    sessions: Vec<ListedSession>,
    now: UnixMillis,
    /// How long a cookie can live.
    longest: Duration,
}

impl WhoseSessions {
    async fn find(&self) -> Result<FoundSessions, Failure> {
        check_names(&[("a user's name", &self.subject)])?;
        let config = SessionConfig::from_file(&self.config)?;
        // Settings and keys are known to be good, and an index is kept, before the store is asked.
        let copy = Store::from(Memory::new());
        let builder = config.clone().builder()?;
        let judge = builder.store(copy.clone()).start().await?;
        judge.list_sessions(&self.subject).await?;

        let store = place::open_configured(&config).await?;
        let index = index_of(&store)?;
        let key = SubjectKey::new(config.audience(), &self.subject);
        // Before the revocations: what ends meanwhile is among these.
        let rows = index.rows(key).await?;
        let contents = store.contents().await?;
        let now = judged(store.name(), &contents)?;
        copy_list(&contents, &copy).await?;
        if let Some(index) = copy.session_index() {
            let rows: Vec<_> = rows.rows.iter().map(|row| (key, row.clone())).collect();
            write_rows(&index, &rows, now, &mut 0).await?;
        }
        Ok(FoundSessions {
            sessions: judge.list_sessions(&self.subject).await?,
            store,
            index,
            key,
            rows,
            now,
            longest: longest(&contents),
        })
    }
}

fn index_of(store: &Store) -> Result<Arc<dyn SessionIndex>, Failure> {
    let name = store.name();
    if name == "memory" {
        return Err(Failure::Failed(
            "the application keeps its sessions in its own memory, where nobody else can look"
                .into(),
        ));
    }
    let none = || Failure::Failed(format!("the store ({name}) keeps no index of sessions"));
    store.session_index().ok_or_else(none)
}

/// The time, if the list can tell of every session whether it has ended.
fn judged(name: &str, contents: &Contents) -> Result<UnixMillis, Failure> {
    let now = trusted_time(name, contents)?;
    let why = match (
        contents.unreadable,
        contents.settling.as_millis().div_ceil(1000),
    ) {
        (0, 0) => return Ok(now),
        (0, seconds) => format!(
            "the list of revocations settles for {seconds} s more, and may lack ends until then; try again after that"
        ),
        (unreadable, _) => format!(
            "{unreadable} entries of the list of revocations were not understood, and may be ends of these sessions"
        ),
    };
    Err(Failure::Failed(why))
}

async fn copy_list(contents: &Contents, copy: &Store) -> Result<(), Failure> {
    copy.announce(contents.announced).await?;
    copy.publish(&contents.revocations).await?;
    Ok(copy.attest(contents.complete_since).await?)
}

impl FoundSessions {
    /// Why there may be more sessions than are shown.
    fn warnings(&self) -> Vec<String> {
        let is_shown = |row: &IndexRow| self.sessions.iter().any(|it| it.id == row.session);
        let is_listed = |row: &&IndexRow| row.state == RowState::Listed && row.until > self.now;
        let hidden = self.rows.rows.iter().filter(is_listed);
        let hidden = hidden.filter(|row| !is_shown(row)).count();
        let reasons = [
            (
                hidden,
                "are not shown: their sessions have ended or are idle, they are somebody else's, or the keys of this \
                 configuration do not open them",
            ),
            (
                self.rows.unreadable,
                "were not understood, and are not shown",
            ),
        ];
        let reasons = reasons.iter().filter(|(count, _)| *count > 0);
        reasons
            .map(|(count, why)| format!("{count} rows of the index {why}"))
            .collect()
    }

    /// Ends one of them. What is returned went wrong after that.
    async fn end(&self, subject: &str, id: SessionId) -> Result<Option<String>, Failure> {
        if !self.sessions.iter().any(|it| it.id == id) {
            let mut why = format!("{subject:?} has no such session, or it has ended");
            for warning in self.warnings() {
                let _ = write!(why, "; {warning}");
            }
            return Err(Failure::Failed(why));
        }
        // Kept by the longest life, not by what the row says: a store could make that forget it too soon.
        self.store.publish(&[end(id, self.longest)]).await?;
        let mut update = IndexUpdate::new(self.now);
        update.removed.push(id);
        let removed = self.index.update(self.key, &update).await;
        // A row that stays is not shown, and goes when it is next looked at.
        Ok(removed
            .err()
            .map(|error| format!("its row is still in the index: {error}")))
    }
}
