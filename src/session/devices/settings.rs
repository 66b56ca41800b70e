//! The table `[devices]`.

use serde::Deserialize;

use crate::error::ConfigError;
use crate::index::MOST_ROWS;

/// An index of sessions, for a list of somebody's devices and a limit of sessions: the table `[devices]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DeviceSettings {
    /// Whether the store remembers which sessions a user has, for [`Session::list_sessions`](crate::Session::list_sessions).
    /// Default: no. The stores of this crate can; with a store that cannot, sessions do not start.
    pub index: bool,
    /// How many sessions a user may have at a time: 1 to 100. Default: as many as they like. Needs `index`. Users who have
    /// more already keep them until their next login.
    ///
    /// Enforced at logins, also by several nodes at once: a user never has more sessions than these and the logins in
    /// flight. Where more log in at once than may, a login can be ended before its answer, which is then 409
    /// ([`CommitError::Ended`](crate::adapter::CommitError::Ended)). With this a login fails where the index cannot be written
    /// ([`LoginError::Store`](crate::session::LoginError::Store), 503). An index that was lost counts only what it has seen
    /// since.
    ///
    /// With a store that nodes share, a login of a user who has as many takes three round trips instead of one: the rows are
    /// judged, one makes room, and the end of its session is published.
    pub max_sessions: Option<usize>,
    /// What happens to a login beyond `max_sessions`. Default: the session that was not used for the longest time ends.
    pub when_full: WhenFull,
    /// Whether a session's label ends with the address of the client
    /// ([`Sessions::client_address`](crate::Sessions::client_address)): that of the request which wrote the label, so of the
    /// login, or of the use that brought a lost row back. Where nothing else is known it is the whole label; to one that the
    /// application gives ([`Login::label`](crate::Login::label)) it is not added. Default: no. It is sealed as the rest of the
    /// label, and shown to whoever may see the list.
    pub address: bool,
}

/// What happens to a login of somebody who has as many sessions as they may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum WhenFull {
    /// Of the user's sessions the one that was not used for the longest time ends
    /// ([`LogoutScope::Evicted`](crate::session::LogoutScope::Evicted)). A use is a request that reads the session. An open
    /// stream or WebSocket is none: a player that has nothing to ask for sends such a request now and then.
    #[default]
    Evict,
    /// The login fails ([`LoginError::TooManySessions`](crate::session::LoginError::TooManySessions), 409). A login page can
    /// offer the choice, once the password was checked: [`Sessions::list_sessions`](crate::Sessions::list_sessions) shows the
    /// user's sessions, [`Sessions::revoke`](crate::Sessions::revoke) ends the one that the user picks, and
    /// [`authenticate`](crate::Session::authenticate) follows once more.
    Refuse,
}

impl DeviceSettings {
    /// # Errors
    /// When a setting contradicts another, or has no meaning.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let problem = match self.max_sessions {
            Some(_) if !self.index => "needs `devices.index = true`",
            Some(most) if !(1..=MOST_ROWS).contains(&most) => "must be 1 to 100",
            _ => return Ok(()),
        };
        Err(ConfigError::setting("devices.max_sessions", problem))
    }

    /// # Errors
    /// When the index is to be kept by a store that has none.
    pub(crate) fn check_store(&self, name: &str, has_index: bool) -> Result<(), ConfigError> {
        if !self.index || has_index {
            return Ok(());
        }
        let setting = match self.max_sessions {
            Some(_) => "devices.max_sessions",
            None => "devices.index",
        };
        let problem = format!("needs a store that keeps an index of sessions; \"{name}\" does not");
        Err(ConfigError::setting(setting, problem))
    }
}
