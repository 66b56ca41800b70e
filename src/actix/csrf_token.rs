//! The token that a request has to carry, where the mode is `token`.
//!
//! 1. The header decides where it is there: of several lines none counts. Otherwise a field of a form does, in the first
//!    64 KiB of the body.
//! 2. The handler gets the body as it came: the same bytes, the same errors, and read no faster than it reads.
//! 3. Nothing of the body is read where there is no session, because no token can be right.
//! 4. A body with a `Content-Encoding` is not decoded. Its token comes in the header.

use std::collections::VecDeque;
use std::future::{Ready, poll_fn, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use futures_core::Stream;

use crate::actix::extract::SessionExt;
use crate::actix::form_field::FieldSearch;
use crate::csrf::CrossSite;
use crate::session::{CsrfToken, Session};
use crate::sessions::Sessions;

/// How much of a body is looked at.
const LIMIT: usize = 64 * 1024;

/// Fails unless the request carries a token of its session.
pub(super) async fn check(
    sessions: &Sessions,
    session: &Session,
    request: &mut ServiceRequest,
) -> Result<(), CrossSite> {
    let mut lines = request.headers().get_all(sessions.csrf_header());
    match (lines.next(), lines.next()) {
        (Some(line), None) => return sessions.judge_token(session, Some(line.as_bytes())),
        (Some(_), Some(_)) => return sessions.judge_token(session, Some(b"")),
        (None, _) => (),
    }
    let search = FieldSearch::new(request.content_type(), sessions.csrf_field());
    let Some(search) = search.filter(|_| session.peek().id().is_some()) else {
        return sessions.judge_token(session, None);
    };
    let (outcome, payload) = look(search, request.take_payload(), |token| {
        sessions.judge_token(session, token)
    })
    .await;
    request.set_payload(payload);
    outcome
}

/// Judges the value of a form's field, and gives the body back.
async fn look<T>(
    mut search: FieldSearch,
    mut payload: Payload,
    judge: impl Fn(Option<&[u8]>) -> T,
) -> (T, Payload) {
    let mut left = LIMIT;
    let mut behind = VecDeque::new();
    let outcome = loop {
        match poll_fn(|context| Pin::new(&mut payload).poll_next(context)).await {
            Some(Ok(mut piece)) => {
                // A server cuts bodies into pieces, but an adapter may hand over a large one.
                let looked_at = piece.split_to(piece.len().min(left));
                left -= looked_at.len();
                let outcome = search.take(&looked_at).map(|token| judge(Some(token)));
                if !piece.is_empty() {
                    behind.push_back(Ok(piece));
                }
                match outcome {
                    Some(outcome) => break outcome,
                    None if left == 0 => break judge(None),
                    None => (),
                }
            }
            Some(Err(error)) => {
                behind.push_back(Err(error));
                break judge(None);
            }
            None => {
                payload = Payload::None;
                break judge(search.end());
            }
        }
    };
    behind.push_front(Ok(search.into_body()));
    let body = Box::pin(Peeked {
        before: behind,
        rest: payload,
    });
    (outcome, Payload::Stream { payload: body })
}

/// A body whose beginning was looked at.
struct Peeked {
    before: VecDeque<Result<Bytes, PayloadError>>,
    rest: Payload,
}

impl Stream for Peeked {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.before.pop_front() {
            Some(piece) => Poll::Ready(Some(piece)),
            None => Pin::new(&mut self.rest).poll_next(context),
        }
    }
}

/// Begins a session where there is none. Fails when none can begin now (409, or 403 for another site's request), no
/// middleware is around (500), or the revocation list cannot be trusted at the moment (503).
impl FromRequest for CsrfToken {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let session = request.get_session().map_err(Error::from);
        ready(session.and_then(|session| Ok(session.csrf_token()?)))
    }
}
