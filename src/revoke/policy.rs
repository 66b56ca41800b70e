//! What counts when the revocation list cannot be trusted, or is younger than a session.

use std::time::Duration;

use crate::error::ConfigError;

/// How old a list may be, unless it is set.
pub(crate) const MAX_STALENESS: Duration = Duration::from_secs(10);
/// How long a store may have been away, unless it is set.
pub(crate) const MAX_OUTAGE: Duration = Duration::from_secs(300);

/// A store tells that it is there once a second, so a list that lacks nothing may be 1.5 s old.
const LEAST_STALENESS: Duration = Duration::from_secs(3);

/// What to do while this node's revocation list is older than it may be, or may lack what a lost store held
/// ([`SessionsBuilder::when_stale`](crate::SessionsBuilder::when_stale)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum WhenStale {
    /// A request that carries an authentic cookie is answered with 503 and keeps its cookie. Revoked
    /// sessions stay out; users may have to wait.
    #[default]
    Reject,
    /// Sessions are taken as the list has them. Users do not wait; a session that another node revoked
    /// meanwhile may come in.
    Accept,
}

/// What to do with sessions that began before the revocation list did
/// ([`SessionsBuilder::older_sessions`](crate::SessionsBuilder::older_sessions)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OlderSessions {
    /// They are no sessions: the list cannot tell which of them had been revoked.
    #[default]
    Reject,
    /// They count, those included that had been revoked before the list was lost.
    Accept,
}

/// How far a node trusts its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Trust {
    /// How old a list may be and still count as complete.
    pub(crate) max_staleness: Duration,
    /// How long the store may have been away if this node is to attest what it lost. A node cannot
    /// tell a store that is down from a network that is: behind it others may have gone on.
    pub(crate) max_outage: Duration,
}

impl Default for Trust {
    fn default() -> Self {
        Self {
            max_staleness: MAX_STALENESS,
            max_outage: MAX_OUTAGE,
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Policies {
    pub(crate) when_stale: WhenStale,
    pub(crate) older_sessions: OlderSessions,
    pub(crate) trust: Trust,
}

/// # Errors
/// When no anonymous session could be ended. Stores take zero for "not said".
pub(crate) fn check_capacity(anonymous_capacity: u64) -> Result<(), ConfigError> {
    if anonymous_capacity == 0 {
        let problem = "must be at least 1";
        return Err(ConfigError::setting(
            "revocation.anonymous_capacity",
            problem,
        ));
    }
    Ok(())
}

/// # Errors
/// When healthy nodes would answer 503.
pub(crate) fn check_staleness(is_shared: bool, max_staleness: Duration) -> Result<(), ConfigError> {
    if is_shared && max_staleness < LEAST_STALENESS {
        let problem =
            "must be at least 3 seconds: a list is a second or two old on a healthy node too";
        return Err(ConfigError::setting("revocation.max_staleness", problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capacity_of_zero_is_refused() {
        let error = check_capacity(0).unwrap_err().to_string();
        assert!(error.contains("revocation.anonymous_capacity"), "{error}");
        assert!(check_capacity(1).is_ok());
    }
}
