//! `Session::current`: all facts of a session in one struct.

use serde::Serialize;

use crate::ids::{SessionId, SubjectKey};
use crate::session::Session;
use crate::session::before_login;
use crate::time::{Class, UnixMillis};

/// What is known of a session, without its entries. Serializes with the names of its fields; times are milliseconds
/// since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CurrentSession {
    /// The session's id: a new one from each login on.
    pub id: SessionId,
    /// How often it was renewed.
    pub renewals: u32,
    /// When it began.
    pub created_at: UnixMillis,
    /// When it ends at the latest, however busy it is.
    pub expires_at: UnixMillis,
    /// Whether the login asked to be remembered.
    pub is_remembered: bool,
    /// The names of the entries that are [from before the login](Session::is_from_before_login), sorted.
    pub from_before_login: Vec<String>,
    /// The login, if anyone is logged in.
    pub login: Option<CurrentLogin>,
}

/// What a login said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CurrentLogin {
    /// Who is logged in.
    pub subject: String,
    /// When the login was; 1970 where nobody knows, of a session that moved in from another library.
    pub authenticated_at: UnixMillis,
    /// What the user may do: sorted, each once.
    pub roles: Vec<String>,
    /// The keys of the groups that the session belongs to ([`SubjectKey::group`]).
    pub groups: Vec<SubjectKey>,
}

impl Session {
    /// All facts about the session; `None` before anything was written.
    pub fn current(&self) -> Option<CurrentSession> {
        let lifetimes = self.service().lifetimes;
        self.record(|record| CurrentSession {
            id: record.id,
            renewals: record.serial.get(),
            created_at: record.created,
            expires_at: lifetimes.end(record.class, record.created, record.expires),
            is_remembered: record.class == Class::Remembered,
            from_before_login: before_login::names(&record.entries),
            login: record.login.as_ref().map(|login| CurrentLogin {
                subject: login.subject.to_string(),
                authenticated_at: login.at,
                roles: login.roles.clone(),
                groups: login.groups.iter().map(|group| group.key).collect(),
            }),
        })
    }
}
