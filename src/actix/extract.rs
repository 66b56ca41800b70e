//! [`SessionExt`] and the extractors [`Session`], [`TypedSession`] and [`Authenticated`]; how the middleware attaches a
//! session, or that there is none to be had (503).

use std::cell::Cell;
use std::future::{Ready, ready};
use std::iter;
use std::rc::Rc;

use actix_web::dev::{Extensions, Payload, ServiceRequest, ServiceResponse};
use actix_web::guard::GuardContext;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};

use crate::actix::error::{MissingMiddleware, NoSession, Unauthenticated};
use crate::session::{Peek, Session, SessionData, TypedSession};
use crate::sessions::{Sessions, Unavailable};

/// The session of one cookie, and how it is asked for.
struct Attached {
    sessions: Sessions,
    loaded: Result<Session, NotLoaded>,
    /// What other middleware attached before. Mostly there is none.
    outer: Option<Box<Attached>>,
}

/// Why there is no session.
pub(super) struct NotLoaded {
    pub(super) unavailable: Unavailable,
    /// Whether anyone asked for it nevertheless.
    pub(super) asked: Rc<Cell<bool>>,
}

/// Attaches the session, or the reason why there is none.
pub(super) fn attach(
    request: &ServiceRequest,
    sessions: &Sessions,
    loaded: Result<Session, NotLoaded>,
) {
    let mut extensions = request.extensions_mut();
    let outer = extensions.remove::<Attached>().map(Box::new);
    let sessions = sessions.clone();
    extensions.insert(Attached {
        sessions,
        loaded,
        outer,
    });
}

/// Whether a middleware further out has attached the session of the same cookie. One of the same name
/// and another audience is not the same: a user of one is nobody in the other.
pub(super) fn is_attached(request: &ServiceRequest, sessions: &Sessions) -> bool {
    find(&request.extensions(), |it| {
        it.shares_sessions_with(sessions)
    })
    .is_ok()
}

/// The nearest of those sessions.
fn find(
    extensions: &Extensions,
    is_it: impl Fn(&Sessions) -> bool,
) -> Result<&Attached, MissingMiddleware> {
    let innermost = extensions.get::<Attached>();
    let mut inside_out = iter::successors(innermost, |it| it.outer.as_deref());
    inside_out
        .find(|it| is_it(&it.sessions))
        .ok_or(MissingMiddleware)
}

/// What the nearest session was loaded with, whether or not it could be.
pub(super) fn sessions(request: &HttpRequest) -> Result<Sessions, MissingMiddleware> {
    find(&request.extensions(), |_| true).map(|it| it.sessions.clone())
}

impl Attached {
    fn session(&self) -> Result<Session, NoSession> {
        match &self.loaded {
            Ok(session) => Ok(session.clone()),
            Err(not_loaded) => {
                if !not_loaded.asked.replace(true) {
                    self.sessions.note_unavailable();
                }
                Err(not_loaded.unavailable.into())
            }
        }
    }

    fn peek(&self) -> Result<Peek, NoSession> {
        match &self.loaded {
            Ok(session) => Ok(session.peek()),
            Err(not_loaded) => Err(not_loaded.unavailable.into()),
        }
    }
}

/// The session of whatever carries a request: for guards and for other middleware.
pub trait SessionExt {
    /// The session of the nearest [`SessionMiddleware`](crate::actix::SessionMiddleware) around.
    ///
    /// # Errors
    /// When there is none around, or the revocation list cannot be trusted at the moment.
    fn get_session(&self) -> Result<Session, NoSession>;

    /// The session whose cookie has this name; of several the nearest.
    ///
    /// # Errors
    /// As [`get_session`](Self::get_session).
    fn session_named(&self, cookie: &str) -> Result<Session, NoSession>;

    /// Looks at the nearest session without a trace: the response does not come to depend on it (no `Vary`,
    /// no `private`), it is no use of the session, and one that cannot be loaded turns nobody away. For
    /// middleware that logs or counts.
    ///
    /// # Errors
    /// As [`get_session`](Self::get_session).
    fn peek_session(&self) -> Result<Peek, NoSession>;
}

macro_rules! session_ext {
    ($(($($generic:tt)*) $carrier:ty: |$it:ident| $extensions:expr;)*) => {$(
        impl $($generic)* SessionExt for $carrier {
            fn get_session(&self) -> Result<Session, NoSession> {
                let $it = self;
                find(&$extensions, |_| true)?.session()
            }

            fn session_named(&self, cookie: &str) -> Result<Session, NoSession> {
                let $it = self;
                find(&$extensions, |it| it.cookie_name() == cookie)?.session()
            }

            fn peek_session(&self) -> Result<Peek, NoSession> {
                let $it = self;
                find(&$extensions, |_| true)?.peek()
            }
        }
    )*};
}

session_ext! {
    () HttpRequest: |it| it.extensions();
    () ServiceRequest: |it| it.extensions();
    (<B>) ServiceResponse<B>: |it| it.request().extensions();
    () GuardContext<'_>: |it| it.req_data();
}

/// Fails when no middleware is around (500), or the revocation list cannot be trusted at the moment (503).
impl FromRequest for Session {
    type Error = NoSession;
    type Future = Ready<Result<Self, NoSession>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.get_session())
    }
}

/// Fails as [`Session`] does.
impl<T: SessionData> FromRequest for TypedSession<T> {
    type Error = NoSession;
    type Future = Ready<Result<Self, NoSession>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.get_session().map(|session| Self::of(&session)))
    }
}

/// A session that somebody is logged in to. As an argument of a handler it answers 401 without a login.
///
/// `Option<Authenticated>` leaves the answer to the handler, to send people to a page for instance:
///
/// ```
/// use actix_web::{Either, web::Redirect};
/// use sealed_session::actix::Authenticated;
///
/// async fn account(user: Option<Authenticated>) -> Either<String, Redirect> {
///     match user {
///         Some(user) => Either::Left(format!("Hello, {}", user.subject())),
///         None => Either::Right(Redirect::to("/login").see_other()),
///     }
/// }
/// ```
///
/// For several pages at once wrap [`Require`](crate::actix::Require) around them.
///
/// ```
/// use sealed_session::actix::Authenticated;
///
/// async fn home(user: Authenticated) -> String {
///     format!("Hello, {}", user.subject())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Authenticated {
    session: Session,
    subject: String,
}

impl Authenticated {
    /// Who is logged in.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

/// For a session that was got otherwise than as an argument, and for unit tests of handlers.
impl TryFrom<Session> for Authenticated {
    type Error = Unauthenticated;

    fn try_from(session: Session) -> Result<Self, Unauthenticated> {
        let subject = session.subject().ok_or(Unauthenticated)?;
        Ok(Self { session, subject })
    }
}

impl FromRequest for Authenticated {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let session = request.get_session().map_err(Error::from);
        ready(session.and_then(|session| Ok(Self::try_from(session)?)))
    }
}
