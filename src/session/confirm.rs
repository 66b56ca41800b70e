//! Asking the store itself.

use crate::error::StoreError;
use crate::session::Session;
use crate::time::UnixMillis;

/// Why a session is not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfirmError {
    /// There is no session, or it was ended, here or on another node. Answer 401.
    #[error("there is no session, or it was ended")]
    Ended,
    /// Nobody could find out. Answer 503.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Session {
    /// Asks the store whether the session still counts, for what must not happen in a session that
    /// another node ended a moment ago: a transfer, a change of password.
    ///
    /// Without it a node relies on its own list, which may lack the others' latest revocations, at worst those of the
    /// last `max_staleness`. This costs a round trip. With a store in this process it costs nothing, because the
    /// list is never behind.
    ///
    /// ```no_run
    /// use sealed_session::{session::ConfirmError, Session};
    ///
    /// async fn transfer(session: &Session) -> Result<(), ConfirmError> {
    ///     session.confirm().await?;
    ///     // move the money
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// See [`ConfirmError`].
    pub async fn confirm(&self) -> Result<(), ConfirmError> {
        let service = self.service();
        let known = self.look(|state| {
            let record = state.record()?;
            let subject = record.login.as_ref().map(|login| login.key);
            Some((record.id, subject))
        });
        let (id, subject) = known.ok_or(ConfirmError::Ended)?;
        let since = match service.node.is_shared() {
            true => service.node.find(id, subject).await?,
            false => UnixMillis::EPOCH,
        };
        self.with(|state| {
            let rules = service.rules(service.now());
            if let Some(record) = state.record()
                && !rules.covers(since, record)
            {
                let problem = "it has lost its data, and does not have it back yet";
                return Err(StoreError::unavailable(problem).into());
            }
            let counts = state.still_counts(service);
            counts.then_some(()).ok_or(ConfirmError::Ended)
        })
    }
}
