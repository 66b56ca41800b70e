//! What a response gets, and why it may differ from what the handler made.

use std::fmt;

use crate::error::StoreError;
use crate::ids::KeyId;
use crate::random::RandomError;
use crate::seal::SealError;
use crate::session::{NotWritable, TooLarge};

/// What a response gets.
#[must_use = "the browser must get these cookies: older ones may be dead already"]
#[non_exhaustive]
pub struct Committed {
    /// Values of Set-Cookie headers. With any of them goes `Cache-Control: no-store`.
    pub cookies: Vec<String>,
    /// Whether the response depends on the session: it then varies by cookie, and is private unless the
    /// handler said otherwise.
    pub looked: bool,
    /// What the response has to be instead. The cookies still go out.
    pub error: Option<CommitError>,
}

/// Tells how many cookies there are and not what they are: each is a live session.
impl fmt::Debug for Committed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committed")
            .field("cookies", &self.cookies.len())
            .field("looked", &self.looked)
            .field("error", &self.error)
            .finish()
    }
}

/// Why a response cannot be what the handler made of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A write without an error of its own (`remove`, `clear`, `renew`, `purge`) was refused.
    #[error(transparent)]
    NotWritable(#[from] NotWritable),
    /// A revocation may not have reached the other nodes.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No key of the ring seals now.
    #[error("the session could not be sealed: no key is active")]
    NoActiveKey,
    /// The session passed through as many keys as a record can name, and a further one seals now.
    #[error("the session could not be sealed: it passed through too many keys")]
    TooManyKeys,
    /// The session was renewed as often as its serial can count.
    #[error("the session could not be sealed: it was renewed too often")]
    TooManyRenewals,
    /// The session does not fit into its cookies any more: a setting allows less than before.
    #[error("the session could not be sealed: {0}")]
    TooLarge(#[from] TooLarge),
    /// The operating system gave no random bytes.
    #[error("the session could not be sealed: {0}")]
    Random(#[from] RandomError),
    /// The cipher refused the record. Does not happen to what fits into cookies.
    #[error("the session could not be sealed: key {0} cannot seal")]
    Cipher(KeyId),
    /// The session was ended while the request ran: by its own logout elsewhere, by that of all its user's
    /// sessions during a login, or by its absolute limit. What was written is lost.
    #[error("the session was ended while the request ran")]
    Ended,
    /// A write, a login or a renewal on a node whose list cannot be trusted any more. What was written is lost.
    #[error("the revocation list cannot be trusted at the moment")]
    Stale,
}

impl From<SealError> for CommitError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::TooLarge(error) => Self::TooLarge(error),
            SealError::Random(error) => Self::Random(error),
            SealError::Cipher(key) => Self::Cipher(key),
        }
    }
}
