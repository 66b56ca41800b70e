//! The table `[revocation]`: which store, and what to do when its list cannot be trusted.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::tables::Span;
use crate::error::ConfigError;
use crate::revoke::policy::{MAX_OUTAGE, MAX_STALENESS, OlderSessions, WhenStale};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevocationTable {
    pub(crate) store: StoreText,
    #[serde(default)]
    pub(crate) create: bool,
    pub(crate) list: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    /// A PEM file.
    pub(crate) root_certificate: Option<PathBuf>,
    #[serde(default)]
    pub(crate) wait_for_replicas: usize,
    #[serde(default)]
    pub(crate) older_sessions: OlderSessions,
    max_staleness: Option<Span>,
    #[serde(default)]
    pub(crate) when_stale: WhenStale,
    max_outage: Option<Span>,
    /// How many ended anonymous sessions are remembered.
    pub(crate) anonymous_capacity: Option<u64>,
}

/// What names the store. That of a server may hold its password, which is not shown.
#[derive(Clone, Deserialize)]
pub(crate) struct StoreText(pub(crate) String);

impl std::fmt::Debug for StoreText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.split_once(':') {
            None | Some(("redb", _)) => write!(f, "{:?}", self.0),
            Some((kind, _)) => write!(f, "\"{kind}:..\""),
        }
    }
}

impl RevocationTable {
    pub(crate) fn max_staleness(&self) -> Duration {
        self.max_staleness.map_or(MAX_STALENESS, |span| span.0)
    }

    pub(crate) fn max_outage(&self) -> Duration {
        self.max_outage.map_or(MAX_OUTAGE, |span| span.0)
    }

    pub(crate) fn is_on_a_server(&self) -> bool {
        let kind = self.store.0.split_once(':');
        matches!(kind, Some(("redis" | "rediss", _)))
    }

    /// Settings that only a server has.
    pub(crate) fn check_local(&self) -> Result<(), ConfigError> {
        let (password, certificate) = (&self.password_file, &self.root_certificate);
        let settings = [
            ("revocation.list", self.list.is_some(), "several lists"),
            ("revocation.password_file", password.is_some(), "a password"),
            (
                "revocation.root_certificate",
                certificate.is_some(),
                "a certificate",
            ),
            (
                "revocation.wait_for_replicas",
                self.wait_for_replicas > 0,
                "replicas",
            ),
        ];
        match settings.into_iter().find(|(_, is_set, _)| *is_set) {
            Some((setting, _, what)) => {
                let problem = format!("only a store on a server has {what}");
                Err(ConfigError::setting(setting, problem))
            }
            None => Ok(()),
        }
    }
}
