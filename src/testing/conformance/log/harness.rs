//! What the suite needs of whoever runs it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::revoke::{ReplicatedLog, SessionId};

/// How the suite gets at a log, and what it can do to the server behind it. What it cannot is skipped.
#[async_trait]
pub trait LogHarness: Send + Sync {
    /// A new, empty log, which shares nothing with those from before.
    ///
    /// # Errors
    /// When there is none; the check that asked for it then fails with this message.
    async fn fresh(&self) -> Result<Arc<dyn ReplicatedLog>, String>;

    /// Moves the clock of all logs forward. False, the default, says that it cannot be moved.
    fn advance(&self, by: Duration) -> bool {
        let _ = by;
        false
    }

    /// Puts another server in the place of that of the last log, which has all that it held: restarts it, or
    /// promotes a copy. The log finds the new one by itself. False, the default, says that it cannot be replaced.
    async fn replace_server(&self) -> bool {
        false
    }

    /// Lets the server of the last log lose everything. False, the default, says that it cannot.
    async fn lose_everything(&self) -> bool {
        false
    }

    /// Makes something of the last log's entry of this session that it does not understand, as a later release
    /// could have written. False, the default, says that it cannot.
    async fn damage(&self, session: SessionId) -> bool {
        let _ = session;
        false
    }
}
