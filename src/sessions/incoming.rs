//! What goes into loading a session, and what comes out.

use super::scope::Ticket;
use crate::session::Session;

/// What a session is found by: parts of a request's head.
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
}

impl<'h, L: Iterator<Item = &'h [u8]> + Clone> Incoming<'h, L> {
    /// By the values of all Cookie header lines: HTTP/2 splits the header.
    pub fn new(lines: L) -> Self {
        Self {
            lines,
            fetch_dest: None,
        }
    }

    /// The value of `Sec-Fetch-Dest`, if there is one: what a page loads beside it does not tell the browser that
    /// the session was used before half of the idle limit has passed.
    #[must_use]
    pub fn fetch_dest(self, fetch_dest: Option<&'h [u8]>) -> Self {
        Self { fetch_dest, ..self }
    }
}

/// A session, and what the response needs to know of the request.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The handle for the handlers.
    pub session: Session,
    /// To be given back with the session when the response is ready.
    pub ticket: Ticket,
}

/// This node cannot say whether an authentic cookie is a session: its list is too old, or too young.
/// Answer 503 with Retry-After, and leave the cookie alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the revocation list cannot be trusted at the moment")]
#[non_exhaustive]
pub struct Unavailable;
