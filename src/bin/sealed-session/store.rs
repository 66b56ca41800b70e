//! `sealed-session store`: looking at a list of revocations, and moving it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use sealed_session::index::{IndexRow, IndexRows, IndexUpdate, RowState, SessionIndex};
use sealed_session::revoke::{Contents, Revocation, Store, SubjectKey};
use sealed_session::store::StoreError;
use sealed_session::time::{Clock, SystemClock, UnixMillis};
use tokio::task::JoinSet;

use crate::failure::{CommandAnswer, Failure};
use crate::place::{ListName, StoreArgument};

/// How many rows of an index are written at once.
const AT_ONCE: usize = 64;
/// How far the clocks of two machines may be apart.
pub const SKEW: Duration = Duration::from_secs(60);

/// The commands. Their documentation is the `--help` text.
#[derive(Subcommand)]
pub enum StoreCommand {
    /// Show how many revocations a list holds, since when it remembers, and whether it settles.
    Show {
        /// redb:FILE, redis://HOST:PORT or a configuration (FILE.toml).
        store: StoreArgument,
        #[command(flatten)]
        list: ListName,
    },
    /// Copy a list into a new one, which then remembers since as long ago. Nobody is logged out.
    ///
    /// The index of sessions is copied too, where both stores keep one.
    ///
    /// Stop the nodes first, and start them with the new list: what is revoked in between would be
    /// missing there. A copy that was cut off can be made again.
    Copy {
        /// From where: redb:FILE, redis://HOST:PORT or a configuration (FILE.toml).
        from: StoreArgument,
        /// To where. A file that is missing is made.
        to: StoreArgument,
        #[command(flatten)]
        list: ListName,
    },
}

/// Carries a command out.
pub async fn run(command: StoreCommand) -> Result<CommandAnswer, Failure> {
    match command {
        StoreCommand::Show { store, list } => {
            StoreArgument::check_list(&[&store], &list)?;
            let (store, _) = store.open(&list).await?;
            let listed = count_listed(&store).await?;
            Ok(show(store.name(), &store.contents().await?, listed).into())
        }
        StoreCommand::Copy { from, to, list } => {
            StoreArgument::check_list(&[&from, &to], &list)?;
            let (from, _) = from.open(&list).await?;
            let source = what_to_copy(&from).await?;
            // Nothing is made before there is something to copy.
            let (to, made) = to.open_or_create(&list)?;
            let copied = copy(&source, &from, &to).await;
            drop(to);
            if let (Err(_), Some(file)) = (&copied, made) {
                // It is of no use to anyone. What went wrong before is what has to be told.
                let _ = std::fs::remove_file(file);
            }
            copied
        }
    }
}

/// How many sessions an index lists, where that takes no longer than reading the list. A server would have to look at all of
/// its keys.
async fn count_listed(store: &Store) -> Result<Option<usize>, Failure> {
    let index = store.session_index().filter(|_| store.name() != "redis");
    let Some(index) = index else {
        return Ok(None);
    };
    let mut listed: usize = 0;
    let is_listed = |row: &&IndexRow| row.state == RowState::Listed;
    let count = &mut |_, found: IndexRows| {
        let rows = found.rows.iter().filter(is_listed);
        listed = listed.saturating_add(rows.count());
    };
    index.each(count).await?;
    Ok(Some(listed))
}

fn show(name: &str, contents: &Contents, listed: Option<usize>) -> String {
    let (mut sessions, mut anonymous, mut subjects) = (0_usize, 0_usize, 0_usize);
    let (mut everyone, mut since) = ("-".to_owned(), "-".to_owned());
    for revocation in &contents.revocations {
        match revocation {
            Revocation::Session { .. } => sessions += 1,
            Revocation::AnonymousSession { .. } => anonymous += 1,
            Revocation::Subject { .. } => subjects += 1,
            Revocation::Everyone { generation } => everyone = generation.to_string(),
            Revocation::Anonymous { since: time } => since = time.to_string(),
        }
    }
    // Rounded up: a list that settles still never shows zero.
    let settling = match contents.settling.as_millis().div_ceil(1000) {
        0 => String::new(),
        seconds => format!("settling   {seconds} s more\n"),
    };
    let listed = listed.map_or_else(String::new, |listed| format!("listed     {listed}\n"));
    format!(
        "store      {name}\nsince      {}\n{settling}longest    {}\nsessions   {sessions}\nanonymous  {anonymous}, of \
         sessions since {since}\nsubjects   {subjects}\neveryone   {everyone}\nunreadable {}\n{listed}",
        contents.complete_since,
        humantime::format_duration(contents.announced.longest),
        contents.unreadable,
    )
}

/// The list without what has expired.
async fn what_to_copy(from: &Store) -> Result<Contents, Failure> {
    let mut contents = from.contents().await?;
    let now = trusted_time(from.name(), &contents)?;
    if contents.unreadable > 0 {
        return Err(Failure::Failed(format!(
            "{} entries of the list were not understood, and would be missing in the copy",
            contents.unreadable
        )));
    }
    let entries = &mut contents.revocations;
    let since = entries.iter().find_map(|entry| match entry {
        Revocation::Anonymous { since } => Some(*since),
        _ => None,
    });
    entries.retain(|entry| match entry {
        // It is refused in another way, and a list need not keep it.
        Revocation::AnonymousSession { created, .. } if Some(*created) <= since => false,
        entry => entry.until() > now,
    });
    Ok(contents)
}

async fn copy(source: &Contents, from: &Store, to: &Store) -> Result<CommandAnswer, Failure> {
    let entries = &source.revocations;
    to.announce(source.announced).await?;
    let target = to.contents().await?;
    let now = trusted_time(to.name(), &target)?;
    let known: HashSet<_> = entries.iter().collect();
    // What a copy that was cut off has left there is part of this one.
    let is_new = target.revocations.iter().all(|each| known.contains(each));
    if !is_new {
        return Err(Failure::Failed(
            "there is a list already, with revocations of its own; of two lists that are merged \
                 only the younger one's age would count. Copy into a new one"
                .into(),
        ));
    }
    if target.complete_since < source.complete_since {
        return Err(Failure::Failed(format!(
            "the list there is empty and claims to remember since {}, this one since {}. Copy into \
                 a newer one",
            target.complete_since, source.complete_since
        )));
    }
    to.publish(entries).await?;
    let mut answer = copy_index(from, to, now).await;
    // Last: a copy that is cut off before knows of no session from before it. And what was written to the index of a file
    // is on disk with this.
    to.attest(source.complete_since).await?;
    let copy = to.contents().await?;
    let copied: HashSet<_> = copy.revocations.iter().collect();
    if copy.complete_since != source.complete_since
        || !entries.iter().all(|each| copied.contains(each))
    {
        return Err(Failure::Failed(
            "the copy is not what was written; was somebody else writing there? Nothing was \
                 changed in the list that was copied"
                .into(),
        ));
    }
    answer.output = format!(
        "{} revocations copied; the list remembers since {}\n{}",
        entries.len(),
        source.complete_since,
        answer.output
    );
    Ok(answer)
}

/// Copies the rows of the index that are not over. It is advice, so what goes wrong is a warning: a list of revocations
/// without it is worth as much.
async fn copy_index(from: &Store, to: &Store, now: UnixMillis) -> CommandAnswer {
    let mut answer = CommandAnswer::default();
    let Some(source) = from.session_index() else {
        return answer;
    };
    let (mut rows, mut unreadable) = (Vec::new(), 0_usize);
    let read = source
        .each(&mut |subject, found| {
            unreadable = unreadable.saturating_add(found.unreadable);
            let current = found.rows.into_iter().filter(|row| row.until > now);
            rows.extend(current.map(|row| (subject, row)));
        })
        .await;
    let all = rows.len();
    let mut copied: usize = 0;
    let written = match to.session_index() {
        _ if all == 0 => Ok(()),
        None => Err(format!("the new store ({}) keeps no index", to.name())),
        Some(index) => {
            let written = write_rows(&index, &rows, now, &mut copied).await;
            written.map_err(|error| error.to_string())
        }
    };
    if copied > 0 {
        answer.output = format!("{copied} sessions of the index copied\n");
    }
    let again = "they are listed again as they are used";
    if let Err(error) = read {
        let warning = format!("not all sessions of the index are copied: {error}; {again}");
        answer.warnings.push(warning);
    }
    if let Err(error) = written {
        let left = all.saturating_sub(copied);
        let warning = format!("{left} sessions of the index are not copied: {error}; {again}");
        answer.warnings.push(warning);
    }
    if unreadable > 0 {
        let warning =
            format!("{unreadable} rows of the index were not understood, and are not copied");
        answer.warnings.push(warning);
    }
    answer
}

/// Writes rows, and counts in `copied` how many were.
pub async fn write_rows(
    index: &Arc<dyn SessionIndex>,
    rows: &[(SubjectKey, IndexRow)],
    now: UnixMillis,
    copied: &mut usize,
) -> Result<(), StoreError> {
    for batch in rows.chunks(AT_ONCE) {
        let mut writing = JoinSet::new();
        for (subject, row) in batch.iter().cloned() {
            let index = Arc::clone(index);
            let mut update = IndexUpdate::new(now);
            update.row = Some(row);
            writing.spawn(async move { index.update(subject, &update).await });
        }
        while let Some(written) = writing.join_next().await {
            // It is not done if the runtime ends.
            written.unwrap_or(Err(StoreError::Closed))?;
            *copied = copied.saturating_add(1);
        }
    }
    Ok(())
}

/// This machine's time, if the store agrees: of two clocks that disagree one is wrong, and what has
/// expired by it may not have.
pub fn trusted_time(name: &str, contents: &Contents) -> Result<UnixMillis, Failure> {
    let (ours, theirs) = (SystemClock::default().now(), contents.now);
    if ours.since(theirs).max(theirs.since(ours)) > SKEW {
        return Err(Failure::Failed(format!(
            "this machine's clock says {ours} and that of the store ({name}) {theirs}: more than a minute \
             apart. What has expired cannot be told; set the clocks first"
        )));
    }
    Ok(ours)
}
