//! A node's own copy of all revocations, which every request is checked against.
//!
//! 1. Checking takes no I/O and no lock that a slow writer could hold. Who reads waits for shards that grow
//!    or are swept, one at a time or, for an entry of an unusual form, two.
//! 2. Entries of logins are never dropped before their time. Those of anonymous sessions may be, where
//!    all that began as early are refused instead ([`anonymous`](super::anonymous)).
//! 3. Session ids are the server's own random bytes and hash to themselves. Users choose their names,
//!    so subjects are hashed with a secret of this process.
//! 4. A subject is kept for as long as any node's cookie could need it.

use std::collections::BTreeMap;
use std::hash::{BuildHasherDefault, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::ids::{Generation, SessionId, SubjectKey};
use crate::lock::lock;
use crate::revoke::anonymous::AnonymousList;
use crate::revoke::answers::{Published, Target};
use crate::revoke::bell::ChangeBell;
use crate::revoke::revocation::{Revocation, SessionEntry, SubjectEntry};
use crate::revoke::table::{IdHasher, Size, Table};
use crate::time::{SKEW, UnixMillis, millis};

/// The join of all revocations that this node knows of.
pub(crate) struct List {
    sessions: Table<SessionId, SessionEntry, BuildHasherDefault<IdHasher>>,
    anonymous: AnonymousList,
    subjects: Table<SubjectKey, SubjectEntry, RandomState>,
    everyone: AtomicU64,
    /// Since when the list knows of all revocations, in milliseconds.
    complete_since: AtomicU64,
    /// A later beginning, after the clock was set back behind a sweep.
    anew: AtomicU64,
    /// When something was last forgotten because its time had passed.
    forgot: AtomicU64,
    /// The longest life of a cookie that any node announced, skew included, in milliseconds.
    longest: AtomicU64,
    /// Who is logged out on this node although no generation says so yet, but for the session that is spared.
    marked: Mutex<BTreeMap<Target, Option<SessionId>>>,
    /// How many they are: none on a healthy node, and then nobody waits for the lock.
    marks: AtomicUsize,
    /// Rung after everything that can end a session.
    bell: ChangeBell,
}

/// Empty, and ready for millions of entries.
impl Default for List {
    fn default() -> Self {
        Self::new(Size::LARGE, Size::ANONYMOUS)
    }
}

impl List {
    /// Empty, for tests that make lists by the thousand.
    #[cfg(test)]
    pub(crate) fn small() -> Self {
        Self::new(Size::SMALL, Size::SMALL)
    }

    /// A copy that shares nothing, for a checker that tries every order.
    #[cfg(test)]
    pub(crate) fn fork(&self) -> Self {
        let fork = Self::small();
        fork.announce(self.longest());
        self.for_each(|revocation| {
            fork.join(&revocation);
        });
        fork.set_complete_since(self.complete_since());
        fork.forgot
            .store(self.forgot.load(Ordering::Acquire), Ordering::Release);
        for (target, spared) in &*lock(&self.marked) {
            fork.mark(*target, *spared);
        }
        fork
    }

    fn new(size: Size, anonymous: Size) -> Self {
        Self {
            sessions: Table::new(size),
            anonymous: AnonymousList::new(anonymous),
            subjects: Table::new(size),
            everyone: AtomicU64::default(),
            complete_since: AtomicU64::default(),
            anew: AtomicU64::default(),
            forgot: AtomicU64::default(),
            longest: AtomicU64::default(),
            marked: Mutex::default(),
            marks: AtomicUsize::default(),
            bell: ChangeBell::default(),
        }
    }

    /// Joins one revocation in, and says whether it was news.
    pub(crate) fn join(&self, revocation: &Revocation) -> Published {
        let published = self.take(revocation);
        if published != Published::Known {
            self.bell.ring();
        }
        published
    }

    fn take(&self, revocation: &Revocation) -> Published {
        match *revocation {
            Revocation::Session { id, entry } => {
                let held = self.sessions.get(&id);
                self.sessions.join(id, entry).over(held)
            }
            Revocation::AnonymousSession { id, created, entry } => {
                let joined = self.anonymous.join(id, created, entry);
                joined.over(self.sessions.get(&id))
            }
            Revocation::Subject { key, entry } => {
                self.subjects.join(key, entry.kept(self.longest()))
            }
            Revocation::Everyone { generation } => {
                let held = self.everyone.fetch_max(generation.get(), Ordering::AcqRel);
                Published::fresh_if(generation.get() > held)
            }
            Revocation::Anonymous { since } => self.anonymous.rise(since),
        }
    }

    /// What is known of a session. One without a login is looked up in both lists: a login over it says so in
    /// the main one.
    pub(crate) fn session(&self, id: &SessionId, is_anonymous: bool) -> Option<SessionEntry> {
        let main = self.sessions.get(id);
        if !is_anonymous {
            return main;
        }
        match (main, self.anonymous.get(id)) {
            (Some(main), Some(other)) => Some(main.join(other)),
            (main, other) => main.or(other),
        }
    }

    /// Ends of anonymous sessions. An end by a login is in the main list.
    pub(crate) fn anonymous(&self) -> &AnonymousList {
        &self.anonymous
    }

    /// What is known of a session of the target.
    pub(crate) fn of_session(&self, target: Target, session: SessionId) -> TargetState {
        // The mark first: it goes only after the generation has come.
        let marked = self.is_marked(target, session);
        let least = match target {
            Target::Subject(key) => {
                let entry = self.subjects.get(&key);
                entry.map_or(Generation::NONE, |it| it.least(session))
            }
            Target::Everyone => self.everyone(),
        };
        TargetState { least, marked }
    }

    pub(crate) fn everyone(&self) -> Generation {
        Generation::new(self.everyone.load(Ordering::Acquire))
    }

    /// What this node knows of the target.
    pub(crate) fn held(&self, target: Target) -> SubjectEntry {
        let held = match target {
            Target::Subject(key) => self.subjects.get(&key),
            Target::Everyone => Some(SubjectEntry::new(self.everyone(), UnixMillis::MAX)),
        };
        held.unwrap_or_else(|| SubjectEntry::new(Generation::NONE, UnixMillis::EPOCH))
    }

    /// The largest generation of the target that this node has seen.
    pub(crate) fn generation(&self, target: Target) -> Generation {
        self.held(target).generation
    }

    /// Logs the target out on this node until its new generation arrives, but for the session that is spared. Never
    /// passed on.
    pub(crate) fn mark(&self, target: Target, spared: Option<SessionId>) {
        let mut marked = lock(&self.marked);
        marked.insert(target, spared);
        self.marks.store(marked.len(), Ordering::Release);
        drop(marked);
        self.bell.ring();
    }

    pub(crate) fn unmark(&self, target: Target) {
        let mut marked = lock(&self.marked);
        marked.remove(&target);
        self.marks.store(marked.len(), Ordering::Release);
    }

    fn is_marked(&self, target: Target, session: SessionId) -> bool {
        if self.marks.load(Ordering::Acquire) == 0 {
            return false;
        }
        let marked = lock(&self.marked);
        let mark = marked.get(&target);
        mark.is_some_and(|spared| *spared != Some(session))
    }

    /// Since when the list knows of all revocations. About sessions from before it cannot tell.
    pub(crate) fn complete_since(&self) -> UnixMillis {
        let since = self.complete_since.load(Ordering::Acquire);
        UnixMillis::new(since.max(self.anew.load(Ordering::Acquire)))
    }

    pub(crate) fn set_complete_since(&self, since: UnixMillis) {
        self.complete_since
            .store(since.as_millis(), Ordering::Release);
        self.bell.ring();
    }

    /// What wakes whoever waits for the end of a session. To be rung when the key ring changes, too.
    pub(crate) fn bell(&self) -> &ChangeBell {
        &self.bell
    }

    /// How long any cookie of any node can live, skew included.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_millis(self.longest.load(Ordering::Acquire))
    }

    /// Until when an entry of now is kept: every cookie there is has ended by then.
    pub(crate) fn until(&self, now: UnixMillis) -> UnixMillis {
        now + self.longest()
    }

    /// A node announced that its cookies can live as long.
    pub(crate) fn announce(&self, longest: Duration) {
        self.longest.fetch_max(millis(longest), Ordering::AcqRel);
    }

    /// Whether a revocation says all that the list holds under its key.
    pub(crate) fn is_covered_by(&self, told: &Revocation) -> bool {
        match *told {
            Revocation::Session { id, entry } => {
                let held = self.sessions.get(&id);
                held.is_none_or(|held| entry.join(held) == entry)
            }
            Revocation::AnonymousSession { id, entry, .. } => {
                let held = self.anonymous.get(&id);
                held.is_none_or(|held| entry.join(held) == entry)
            }
            Revocation::Subject { key, entry } => {
                let held = self.subjects.get(&key);
                held.is_none_or(|held| entry.join(held.kept(self.longest())) == entry)
            }
            Revocation::Everyone { generation } => self.everyone() <= generation,
            Revocation::Anonymous { since } => self.anonymous.since() <= since,
        }
    }

    /// Shows everything: since when anonymous sessions live before their entries, which are fewer for it.
    pub(crate) fn for_each(&self, mut show: impl FnMut(Revocation)) {
        self.anonymous.refused().into_iter().for_each(&mut show);
        let generation = self.everyone();
        if generation > Generation::NONE {
            show(Revocation::Everyone { generation });
        }
        self.anonymous.for_each(&mut show);
        self.sessions
            .for_each(|id, entry| show(Revocation::Session { id, entry }));
        let longest = self.longest();
        self.subjects.for_each(|key, entry| {
            let entry = entry.kept(longest);
            show(Revocation::Subject { key, entry });
        });
    }

    /// How many entries are held.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len() + self.anonymous.len() + self.subjects.len()
    }

    /// Forgets what has expired, and returns how much that was.
    pub(crate) fn sweep(&self, now: UnixMillis) -> usize {
        let longest = self.longest();
        let of_subjects = self
            .subjects
            .sweep(|entry: SubjectEntry| entry.kept(longest).until < now);
        let of_sessions = self.sessions.sweep(|entry| entry.until < now);
        let forgot = of_sessions + of_subjects + self.anonymous.sweep(now);
        if forgot > 0 {
            self.forgot.fetch_max(now.as_millis(), Ordering::AcqRel);
        }
        forgot
    }

    /// Whether the clock stands before the time at which something was last forgotten. It was wrong then
    /// or is wrong now, and what was forgotten may still be needed.
    pub(crate) fn has_forgotten(&self, now: UnixMillis) -> bool {
        (now + SKEW).as_millis() < self.forgot.load(Ordering::Acquire)
    }

    /// Begins anew at `now`, because the clock was set back behind a sweep, which may have forgotten too early: the
    /// list cannot tell about sessions from before any more.
    pub(crate) fn begin_anew(&self, now: UnixMillis) {
        tracing::error!(
            %now,
            "the clock was set back behind a sweep of the revocation list; sessions from before now are refused"
        );
        self.anew.fetch_max(now.as_millis(), Ordering::AcqRel);
        self.forgot.store(0, Ordering::Release);
        self.bell.ring();
    }
}

/// What is known of a session of a target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TargetState {
    /// From which generation on it lives.
    pub(crate) least: Generation,
    pub(crate) marked: bool,
}

#[cfg(test)]
mod tests;
