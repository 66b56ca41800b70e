//! What a visitor had stored before the login.
//!
//! 1. A login takes over the entries of its browser's anonymous session, or drops them: a setting. Those of the same
//!    user's session stay in any case.
//! 2. Whoever planted an anonymous session's cookie in the browser has stored what is in it. So what is taken over is
//!    marked, and stays so over further logins of the user.
//! 3. A write of an entry takes its mark, for what was written is the user's. So does a removal.
//! 4. The marks are one entry of the library's own: the names, sorted. There is none where nothing is marked. An
//!    anonymous session leaves room for them.
//! 5. The library's own entries, such as messages, are not marked.

use serde::Deserialize;

use crate::record::{Entries, Record};
use crate::session::value::is_reserved;
use crate::wire::pairs::Pair;
use crate::wire::value;
use crate::wire::write::ByteCount;

/// The entry's name.
const ENTRY: &str = "\0before-login";

/// What a login does to what was there before it: the table `[login]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LoginSettings {
    /// Whether a login keeps the entries of its browser's anonymous session. Default: it does.
    pub anonymous_entries: AnonymousEntries,
}

/// Whether a login keeps the entries of its browser's anonymous session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AnonymousEntries {
    /// The user's session takes them over, and tells them from its own
    /// ([`Session::is_from_before_login`](crate::Session::is_from_before_login)).
    #[default]
    Keep,
    /// They are dropped, and messages for the next page ([`Session::flash`](crate::Session::flash)) with them.
    Drop,
}

/// The entries that a new session starts with: those of the session before, and what the login adds. `None` if they
/// cannot be marked.
pub(super) fn inherited(old: &Record, added: &Entries) -> Option<Entries> {
    let entries = old.entries.with_all(added);
    let mut names = match old.login {
        Some(_) => names(&old.entries),
        None => own(&old.entries).map(str::to_owned).collect(),
    };
    names.retain(|name| added.get(name).is_none());
    marked(entries, &names)
}

/// The names of the entries that are from before the login, sorted.
pub(super) fn names(entries: &Entries) -> Vec<String> {
    let names: Option<Vec<String>> = marks(entries).and_then(|bytes| value::decode(bytes).ok());
    let mut names = names.unwrap_or_default();
    // A release that knows of no marks leaves them behind.
    names.retain(|name| entries.get(name).is_some());
    names
}

/// Without the mark of one entry, which was written or removed.
pub(super) fn unmarked(entries: Entries, key: &str) -> Entries {
    if marks(&entries).is_none() {
        return entries;
    }
    let mut names = names(&entries);
    names.retain(|name| name != key);
    marked(entries.clone(), &names).unwrap_or(entries)
}

/// How many bytes the marks take that a login of an anonymous session's user makes.
pub(super) fn room_for_marks(entries: &Entries) -> usize {
    let names = Vec::from_iter(own(entries));
    let mark = (!names.is_empty()).then(|| value::encode(&names).ok());
    let mut count = ByteCount::default();
    if let Some(mark) = mark.flatten() {
        Pair::write(ENTRY.as_bytes(), &mark, &mut count);
    }
    count.0
}

/// Removes an entry of the application's, and its mark.
pub(super) fn remove(entries: &mut Entries, key: &str) -> Option<Vec<u8>> {
    let removed = entries.remove(key);
    *entries = unmarked(std::mem::take(entries), key);
    removed
}

/// Removes all entries of the application's, and their marks.
pub(super) fn clear(entries: &mut Entries) {
    let others = entries
        .iter()
        .filter(|(name, _)| is_reserved(name) && *name != ENTRY);
    *entries = others.collect();
}

/// The names of the application's entries.
fn own(entries: &Entries) -> impl Iterator<Item = &str> {
    let names = entries.iter().map(|(name, _)| name);
    names.filter(|name| !is_reserved(name))
}

fn marks(entries: &Entries) -> Option<&[u8]> {
    // The library's own come first.
    let mut reserved = entries.iter().take_while(|(name, _)| is_reserved(name));
    let found = reserved.find(|(name, _)| *name == ENTRY);
    found.map(|(_, value)| value)
}

fn marked(mut entries: Entries, names: &[String]) -> Option<Entries> {
    if names.is_empty() {
        entries.remove(ENTRY);
        return Some(entries);
    }
    Some(entries.with(ENTRY, &value::encode(names).ok()?))
}
