//! The token that a request has to carry, where the mode is `token`.
//!
//! 1. The header decides where it is there: of several lines none counts. Otherwise a field of a form does, in the first
//!    64 KiB of the body.
//! 2. The handler gets the body as it came: the same bytes, the same errors, and read no faster than it reads.
//! 3. Nothing of the body is read where there is no session, because no token can be right.
//! 4. A body with a `Content-Encoding` is not decoded. Its token comes in the header.

use std::future::{Ready, ready};
use std::iter;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use futures_util::{StreamExt, stream};

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
    let mut lines = request.headers().get_all(sessions.csrf_header_name());
    match (lines.next(), lines.next()) {
        (Some(line), None) => return sessions.judge_token(session, Some(line.as_bytes())),
        (Some(_), Some(_)) => return sessions.judge_token(session, Some(b"")),
        (None, _) => (),
    }
    let search = FieldSearch::new(request.content_type(), sessions.csrf_field_name());
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
    let mut behind = None;
    let outcome = loop {
        match payload.next().await {
            Some(Ok(mut piece)) => {
                // A server cuts bodies into pieces, but an adapter may hand over a large one.
                let looked_at = piece.split_to(piece.len().min(left));
                left -= looked_at.len();
                let outcome = search.take(&looked_at).map(|token| judge(Some(token)));
                behind = (!piece.is_empty()).then_some(Ok(piece));
                match outcome {
                    Some(outcome) => break outcome,
                    None if left == 0 => break judge(None),
                    None => (),
                }
            }
            Some(Err(error)) => {
                behind = Some(Err(error));
                break judge(None);
            }
            None => {
                payload = Payload::None;
                break judge(search.end());
            }
        }
    };
    let looked_at = iter::once(Ok(search.into_body())).chain(behind);
    let body = Box::pin(stream::iter(looked_at).chain(payload));
    (outcome, Payload::Stream { payload: body })
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

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::error::PayloadError;
    use actix_web::web::Bytes;
    use futures_util::FutureExt;
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::rc::Rc;
    use std::task::Poll;

    type Item = Result<Bytes, PayloadError>;

    /// A body of these pieces, and how many of them were asked for.
    fn payload(pieces: Vec<Item>) -> (Payload, Rc<Cell<usize>>) {
        let asked = Rc::new(Cell::new(0));
        let counter = Rc::clone(&asked);
        let mut pieces = pieces.into_iter();
        let mut has_ended = false;
        let payload = Box::pin(stream::poll_fn(move |_| {
            assert!(!has_ended, "asked behind its end");
            let piece = pieces.next();
            has_ended = piece.is_none();
            counter.set(counter.get() + usize::from(!has_ended));
            Poll::Ready(piece)
        }));
        (Payload::Stream { payload }, asked)
    }

    fn pieces(all: &[&str]) -> Vec<Item> {
        let all = all.iter();
        all.map(|piece| Ok(Bytes::copy_from_slice(piece.as_bytes())))
            .collect()
    }

    fn looked_at(payload: Payload) -> (Option<Vec<u8>>, Payload) {
        let search = FieldSearch::new("application/x-www-form-urlencoded", "t").unwrap();
        let look = look(search, payload, |token| token.map(<[u8]>::to_vec));
        look.now_or_never().unwrap()
    }

    #[test]
    fn no_more_of_a_body_is_asked_for_than_is_looked_at_or_read() {
        let (body, asked) = payload(pieces(&["a=1", "&t=abc", "&b", "=2", "&c=3"]));
        let (token, mut body) = looked_at(body);
        assert_eq!(token.unwrap(), b"abc");
        // The next piece says that the value has ended.
        assert_eq!(asked.get(), 3);
        for (read, text) in [(3, "a=1&t=abc&b"), (4, "=2"), (5, "&c=3")] {
            let piece = body.next().now_or_never().unwrap().unwrap().unwrap();
            assert_eq!(piece, text);
            assert_eq!(asked.get(), read);
        }
        assert!(body.next().now_or_never().unwrap().is_none());
    }

    #[test]
    fn an_error_of_the_body_reaches_the_handler_in_its_place() {
        let broken = || Err(PayloadError::Overflow);
        let mut all = pieces(&["t=abc&", "x"]);
        all.push(broken());
        let (token, body) = looked_at(payload(all).0);
        assert_eq!(token.unwrap(), b"abc");
        let read = body.collect::<Vec<_>>().now_or_never().unwrap();
        assert_eq!(read.len(), 3);
        assert!(matches!(read[2], Err(PayloadError::Overflow)));
        // Before the token has come, there is none.
        let mut all = pieces(&["t=abc"]);
        all.push(broken());
        let (token, body) = looked_at(payload(all).0);
        assert_eq!(token, None);
        let read = body.collect::<Vec<_>>().now_or_never().unwrap();
        assert!(matches!(read[..], [Ok(_), Err(PayloadError::Overflow)]));
    }

    #[test]
    fn one_piece_larger_than_what_is_looked_at_is_handed_on_whole() {
        let before = "a=".to_owned() + &"x".repeat(LIMIT - 9);
        for (body, is_found) in [
            (before.clone() + "&t=abc&", true),
            (before + "x&t=abc&", false),
        ] {
            let body = body + &"y".repeat(LIMIT);
            let (token, rest) = looked_at(payload(pieces(&[&body])).0);
            assert_eq!(token.is_some(), is_found);
            let read = rest.collect::<Vec<_>>().now_or_never().unwrap();
            let read: Vec<u8> = read.into_iter().flat_map(|piece| piece.unwrap()).collect();
            assert_eq!(read, body.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn the_handler_reads_the_same_bytes_whatever_the_pieces(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..20),
            large in 0..3 * LIMIT, at in 0..20usize, token_at in 0..20usize,
        ) {
            let mut pieces = pieces;
            pieces.insert(at.min(pieces.len()), vec![b'x'; large]);
            pieces.insert(token_at.min(pieces.len()), b"&t=abc&".to_vec());
            let whole = pieces.concat();
            let body = pieces.into_iter().map(|piece| Ok(Bytes::from(piece))).collect();
            let (token, body) = looked_at(payload(body).0);
            let read = body.collect::<Vec<_>>().now_or_never().unwrap();
            let read: Vec<u8> = read.into_iter().flat_map(|piece| piece.unwrap()).collect();
            prop_assert!(read == whole);
            let at = whole.windows(7).position(|it| it == b"&t=abc&").unwrap();
            // Rarely the random bytes hold such a field themselves.
            let own = whole.windows(3).position(|it| it == b"&t=").unwrap();
            if own == at && !whole.starts_with(b"t=") {
                prop_assert_eq!(token.is_some(), at + 7 <= LIMIT);
            }
        }
    }
}
