//! Organisations: groups of sessions, which an administrator can end at once.
//!
//! The session holds the group's key and not its name. The name is an entry beside it, which anybody can write into; so
//! it is shown only where the group bears it out.

use sealed_session::Session;
use sealed_session::session::Login;

/// What kind of group they are.
pub const KIND: &str = "org";
/// The entry with the name, and the field of forms.
pub const ENTRY: &str = "organisation";

/// What is told of a name that no organisation can have.
pub const NO_NAME: &str = "Please enter a name of at most 255 bytes.";

/// A login of this organisation's.
pub fn join(login: Login, name: &str) -> Login {
    login.group(KIND, name).entry(ENTRY, name)
}

pub fn of(session: &Session) -> Option<String> {
    let name: String = session.get(ENTRY).ok().flatten()?;
    session.is_in_group(KIND, &name).then_some(name)
}
