//! What passes between the engine and an adapter to a web framework.
//!
//! 1. An [`Incoming`] goes in, and a [`Loaded`] comes out: the session and a [`Ticket`]. Or the node is
//!    [`Unavailable`].
//! 2. The ticket goes back with the session, once, and the response gets what is [`Committed`].

use std::fmt;
use std::sync::Arc;

use super::candidates::{FoundCookies, Indexes};
use crate::client::{ClientDevice, ClientFingerprint};
use crate::error::StoreError;
use crate::ids::KeyId;
use crate::random::RandomError;
use crate::seal::SealError;
use crate::session::{NotWritable, Session, TooLarge};

/// The parts of a request's head that a session is found by.
///
/// ```
/// use sealed_session::adapter::Incoming;
///
/// let lines = [b"theme=dark; session=..".as_slice()];
/// let incoming = Incoming::new(lines.into_iter()).fetch_dest(Some(b"image"));
/// # drop(incoming);
/// ```
#[derive(Debug, Clone)]
pub struct Incoming<'h, L> {
    pub(super) lines: L,
    pub(super) fetch_dest: Option<&'h [u8]>,
    pub(super) is_cross_site: bool,
    pub(super) client: Option<ClientFingerprint>,
    pub(super) device: Option<Box<ClientDevice>>,
}

impl<'h, L: Iterator<Item = &'h [u8]> + Clone> Incoming<'h, L> {
    /// By the values of all Cookie header lines: HTTP/2 splits the header.
    pub fn new(lines: L) -> Self {
        Self {
            lines,
            fetch_dest: None,
            is_cross_site: false,
            client: None,
            device: None,
        }
    }

    /// The value of `Sec-Fetch-Dest`, if there is one: what a page loads beside it does not tell the browser that
    /// the session was used before half of the idle limit has passed.
    #[must_use]
    pub fn fetch_dest(self, fetch_dest: Option<&'h [u8]>) -> Self {
        Self { fetch_dest, ..self }
    }

    /// Whether another site sent the request to an exempt path ([`Verdict::Exempt`](crate::csrf::Verdict::Exempt)): it
    /// begins no session but by a login.
    #[must_use]
    pub fn cross_site(self, is_cross_site: bool) -> Self {
        Self {
            is_cross_site,
            ..self
        }
    }

    /// What the client looks like, by [`Sessions::fingerprint`](crate::Sessions::fingerprint). Without it no session is
    /// compared with its client, and none is bound to it, whatever the settings say.
    #[must_use]
    pub fn client(self, client: Option<ClientFingerprint>) -> Self {
        Self { client, ..self }
    }

    /// What the request tells of its device, by [`Sessions::device`](crate::Sessions::device). Without it sessions are
    /// called by what the application says, or not at all.
    #[must_use]
    pub fn device(self, device: Option<ClientDevice>) -> Self {
        let device = device.map(Box::new);
        Self { device, ..self }
    }
}

/// A session, and what the response needs to know of the request.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The handle for the handlers.
    pub session: Session,
    /// Goes back with the session when the response is ready.
    pub ticket: Ticket,
}

/// The cookies that the browser holds: made by [`Sessions::load`](crate::Sessions::load) and used up by
/// [`Sessions::commit`](crate::Sessions::commit), so that no session is committed twice.
#[derive(Debug)]
pub struct Ticket {
    /// What the request carried of the cookie that is written.
    pub(crate) current: HeldCookies,
    /// What it carried of the cookies that are only read, in their order.
    pub(crate) earlier: Vec<HeldCookies>,
    /// What removes the cookie of another library, if the request carried a session in it.
    pub(crate) old: Option<String>,
    /// Whether the response is a part of a page, which others load beside it.
    pub(crate) is_asset: bool,
}

impl Ticket {
    /// Marks which cookies can be no session. They are numbered as they are read, the current one 0.
    pub(super) fn mark_worthless(&mut self, is_worthless: impl Fn(usize) -> bool) {
        let all = std::iter::once(&mut self.current).chain(&mut self.earlier);
        for (index, cookies) in all.enumerate() {
            cookies.worthless = !cookies.indexes.is_empty() && is_worthless(index);
        }
    }
}

/// What the request carried of one cookie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldCookies {
    pub(crate) indexes: Indexes,
    pub(crate) activity: bool,
    /// Whether it may be removed unasked: none of it can be a session.
    pub(crate) worthless: bool,
}

impl HeldCookies {
    pub(super) fn of(found: &FoundCookies<'_>) -> Self {
        Self {
            indexes: found.indexes(),
            activity: found.activity().next().is_some(),
            worthless: false,
        }
    }
}

/// This node cannot say whether an authentic cookie is a session: its list is too old, or too young.
/// Answer 503 with Retry-After, and leave the cookie alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the revocation list cannot be trusted at the moment")]
#[non_exhaustive]
pub struct Unavailable;

/// What a response gets.
#[derive(Clone)]
#[must_use = "the browser must get these cookies: older ones may be dead already"]
#[non_exhaustive]
pub struct Committed {
    /// Values of Set-Cookie headers. With any of them goes `Cache-Control: no-store`.
    pub cookies: Vec<String>,
    /// Whether the response depends on the session: it then varies by cookie, and is private unless the
    /// handler said otherwise.
    pub looked: bool,
    /// The value of the header Clear-Site-Data, after a logout where
    /// [`CookieSettings::clear_site_data`](crate::settings::CookieSettings::clear_site_data) asks for it. It goes out with an
    /// error, too.
    pub clear_site_data: Option<Arc<str>>,
    /// What the response has to be instead. The cookies still go out.
    pub error: Option<CommitError>,
}

/// Tells how many cookies there are and not what they are: each is a live session.
impl fmt::Debug for Committed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committed")
            .field("cookies", &self.cookies.len())
            .field("looked", &self.looked)
            .field("clear_site_data", &self.clear_site_data)
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
    /// sessions during a login, by its absolute limit, or because more logins ran at once than
    /// [`DeviceSettings::max_sessions`](crate::settings::DeviceSettings::max_sessions) allows. What was written is lost.
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
