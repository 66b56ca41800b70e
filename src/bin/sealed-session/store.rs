//! `sealed-session store`: looking at a list of revocations, moving it, and owning up to its gaps.

use std::collections::HashSet;
use std::fmt::Write;
use std::time::Duration;

use clap::Subcommand;
use sealed_session::revoke::{Revocation, RevocationStore, SnapshotEnd};
use sealed_session::{
    revoke::SubjectKey,
    time::{Clock, SystemClock, UnixMillis},
};

use crate::failure::Failure;
use crate::place::{ListName, StoreArgument};

/// How many entries are published at once.
const BATCH: usize = 1000;
/// How far the clocks of two machines may be apart.
const SKEW: Duration = Duration::from_secs(60);

/// The commands. Their documentation is the `--help` text.
#[derive(Subcommand)]
pub enum StoreCommand {
    /// Show how many revocations a list holds, and since when it remembers.
    Show {
        /// redb:FILE, redis://HOST:PORT or a configuration (FILE.toml).
        store: StoreArgument,
        #[command(flatten)]
        list: ListName,
    },
    /// Copy a list into a new one, which then remembers since as long ago. Nobody is logged out.
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
    /// Say that a list has forgotten revocations, because it was restored from a backup. Every session
    /// from before now is refused. Call it before a node starts.
    Reborn {
        /// redb:FILE, redis://HOST:PORT or a configuration (FILE.toml).
        store: StoreArgument,
        #[command(flatten)]
        list: ListName,
        /// Everyone is logged out, and that is meant.
        #[arg(long)]
        yes: bool,
    },
}

/// Carries a command out. The text is for standard output.
pub async fn run(command: StoreCommand) -> Result<String, Failure> {
    match command {
        StoreCommand::Show { store, list } => {
            StoreArgument::check_list(&[&store], &list)?;
            show(&*store.open(&list).await?.store).await
        }
        StoreCommand::Copy { from, to, list } => {
            StoreArgument::check_list(&[&from, &to], &list)?;
            let from = from.open(&list).await?.store;
            let source = CopiedList::read(&*from).await?;
            // Nothing is made before there is something to copy.
            let to = to.open_or_create(&list)?;
            let copied = source.copy(&*to.store).await;
            if copied.is_err() {
                to.undo();
            }
            copied
        }
        StoreCommand::Reborn { store, list, yes } => {
            if !yes {
                return Err(Failure::WouldLogOut(
                    "everyone who is logged in would have to log in anew; --yes if that is meant"
                        .into(),
                ));
            }
            StoreArgument::check_list(&[&store], &list)?;
            let born = store.open(&list).await?.store.reborn().await?;
            Ok(format!(
                "no session from {born} or before counts any more\n"
            ))
        }
    }
}

async fn show(store: &dyn RevocationStore) -> Result<String, Failure> {
    let mut counts = [0_usize; 3];
    let mut everyone = None;
    let mut receive = |revocations: Vec<Revocation>| {
        for revocation in revocations {
            match revocation {
                Revocation::Session { .. } => counts[0] += 1,
                Revocation::Visitor { .. } => counts[1] += 1,
                Revocation::Subject { .. } => counts[2] += 1,
                Revocation::Everyone { generation } => everyone = Some(generation),
            }
        }
    };
    let end = store.snapshot(&mut receive).await?;
    let [sessions, visitors, subjects] = counts;
    let mut text = String::new();
    let longest = humantime::format_duration(end.longest);
    // Writing to a String does not fail.
    let _ = write!(
        text,
        "store      {}\nborn       {}\nlongest    {longest}\nsessions   {sessions}\nvisitors   {visitors}\n\
         subjects   {subjects}\neveryone   {}\nunreadable {}\n",
        store.name(),
        end.born,
        everyone.map_or_else(|| "-".to_owned(), |generation| generation.to_string()),
        store.unreadable(),
    );
    Ok(text)
}

/// What is to be copied.
struct CopiedList {
    entries: Vec<Revocation>,
    end: SnapshotEnd,
}

impl CopiedList {
    async fn read(from: &dyn RevocationStore) -> Result<Self, Failure> {
        let now = trusted_time(from).await?;
        let (mut entries, end) = read(from).await?;
        if from.unreadable() > 0 {
            return Err(Failure::Failed(format!(
                "{} entries of the list were not understood, and would be missing in the copy",
                from.unreadable()
            )));
        }
        entries.retain(|entry| entry.until() > now);
        Ok(Self { entries, end })
    }

    async fn copy(&self, to: &dyn RevocationStore) -> Result<String, Failure> {
        trusted_time(to).await?;
        let (entries, source) = (&self.entries, &self.end);
        to.announce(source.longest).await?;
        let (present, target) = read(to).await?;
        let known: HashSet<_> = entries.iter().collect();
        // The remains of a copy that was cut off say nothing that this one does not.
        let is_new = present.iter().all(|each| known.contains(each));
        if !is_new {
            return Err(Failure::Failed(
                "there is a list already, with revocations of its own; of two lists that are merged \
                 only the younger one's age would count. Copy into a new one"
                    .into(),
            ));
        }
        if target.born < source.born {
            return Err(Failure::Failed(format!(
                "the list there is empty and claims to remember since {}, this one since {}. Copy into \
                 a newer one",
                target.born, source.born
            )));
        }
        for batch in entries.chunks(BATCH) {
            to.publish(batch).await?;
        }
        // Last: a copy that is cut off before vouches for nothing.
        to.vouch(target.position.epoch, source.born).await?;
        let (copied, end) = read(to).await?;
        let copied: HashSet<_> = copied.iter().collect();
        if end.born != source.born || !entries.iter().all(|each| copied.contains(each)) {
            return Err(Failure::Failed(
                "the copy is not what was written; was somebody else writing there? Nothing was \
                 changed in the list that was copied"
                    .into(),
            ));
        }
        Ok(format!(
            "{} revocations copied; the list remembers since {}\n",
            entries.len(),
            source.born
        ))
    }
}

/// This machine's time, if the store agrees: of two clocks that disagree one is wrong, and what has
/// expired by it may not have.
async fn trusted_time(store: &dyn RevocationStore) -> Result<UnixMillis, Failure> {
    let nobody = SubjectKey::from_bytes([0; 16]);
    let theirs = store.read(nobody).await?.now;
    let ours = SystemClock::default().now();
    if ours.since(theirs).max(theirs.since(ours)) > SKEW {
        return Err(Failure::Failed(format!(
            "this machine's clock says {ours} and that of the store ({}) {theirs}: more than a minute \
             apart. What has expired cannot be told; set the clocks first",
            store.name()
        )));
    }
    Ok(ours)
}

async fn read(store: &dyn RevocationStore) -> Result<(Vec<Revocation>, SnapshotEnd), Failure> {
    let mut all = Vec::new();
    let end = store.snapshot(&mut |batch| all.extend(batch)).await?;
    // A snapshot may show an entry twice.
    let mut seen = HashSet::new();
    all.retain(|each| seen.insert(*each));
    Ok((all, end))
}
