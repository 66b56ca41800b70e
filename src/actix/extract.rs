//! Getting at the session of a request.

use std::future::{Ready, ready};
use std::mem;

use actix_web::dev::{Extensions, Payload, ServiceRequest, ServiceResponse};
use actix_web::guard::GuardContext;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};

use crate::actix::error::{MissingMiddleware, Unauthenticated};
use crate::flow::Sessions;
use crate::session::Session;

/// The sessions of one request, each with what it came from.
struct Attached {
    nearest: (Sessions, Session),
    /// The outermost first. Mostly there are none.
    others: Vec<(Sessions, Session)>,
}

pub(super) fn attach(request: &ServiceRequest, sessions: &Sessions, session: Session) {
    let mut extensions = request.extensions_mut();
    let nearest = (sessions.clone(), session);
    match extensions.get_mut::<Attached>() {
        Some(attached) => {
            let outer = mem::replace(&mut attached.nearest, nearest);
            attached.others.push(outer);
        }
        None => {
            let others = Vec::new();
            extensions.insert(Attached { nearest, others });
        }
    }
}

/// Whether a middleware further out has attached the session of the same cookie. One of the same name
/// and another audience is not the same: a user of one is nobody in the other.
pub(super) fn is_attached(request: &ServiceRequest, sessions: &Sessions) -> bool {
    let extensions = request.extensions();
    let attached = extensions.get::<Attached>();
    attached.is_some_and(|attached| {
        attached
            .inside_out()
            .any(|(other, _)| other.is_twin_of(sessions))
    })
}

impl Attached {
    fn inside_out(&self) -> impl Iterator<Item = &(Sessions, Session)> {
        std::iter::once(&self.nearest).chain(self.others.iter().rev())
    }

    fn nearest(extensions: &Extensions) -> Result<Session, MissingMiddleware> {
        let attached = extensions.get::<Self>().ok_or(MissingMiddleware)?;
        let (_, session) = &attached.nearest;
        Ok(session.clone())
    }

    fn named(extensions: &Extensions, cookie: &str) -> Result<Session, MissingMiddleware> {
        let attached = extensions.get::<Self>().ok_or(MissingMiddleware)?;
        let mut all = attached.inside_out();
        let named = all.find(|(sessions, _)| sessions.cookie_name() == cookie);
        named
            .map(|(_, session)| session.clone())
            .ok_or(MissingMiddleware)
    }
}

/// The session of whatever carries a request: for guards and for other middleware.
pub trait SessionExt {
    /// The session of the nearest [`SessionMiddleware`](crate::actix::SessionMiddleware) around.
    ///
    /// # Errors
    /// When there is none around.
    fn get_session(&self) -> Result<Session, MissingMiddleware>;

    /// The session whose cookie has this name; of several the nearest.
    ///
    /// # Errors
    /// When no middleware for this cookie is around.
    fn session_named(&self, cookie: &str) -> Result<Session, MissingMiddleware>;
}

impl SessionExt for HttpRequest {
    fn get_session(&self) -> Result<Session, MissingMiddleware> {
        Attached::nearest(&self.extensions())
    }

    fn session_named(&self, cookie: &str) -> Result<Session, MissingMiddleware> {
        Attached::named(&self.extensions(), cookie)
    }
}

impl SessionExt for ServiceRequest {
    fn get_session(&self) -> Result<Session, MissingMiddleware> {
        Attached::nearest(&self.extensions())
    }

    fn session_named(&self, cookie: &str) -> Result<Session, MissingMiddleware> {
        Attached::named(&self.extensions(), cookie)
    }
}

impl<B> SessionExt for ServiceResponse<B> {
    fn get_session(&self) -> Result<Session, MissingMiddleware> {
        Attached::nearest(&self.request().extensions())
    }

    fn session_named(&self, cookie: &str) -> Result<Session, MissingMiddleware> {
        Attached::named(&self.request().extensions(), cookie)
    }
}

impl SessionExt for GuardContext<'_> {
    fn get_session(&self) -> Result<Session, MissingMiddleware> {
        Attached::nearest(&self.req_data())
    }

    fn session_named(&self, cookie: &str) -> Result<Session, MissingMiddleware> {
        Attached::named(&self.req_data(), cookie)
    }
}

/// Fails (500) only when no middleware is around.
impl FromRequest for Session {
    type Error = MissingMiddleware;
    type Future = Ready<Result<Self, MissingMiddleware>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.get_session())
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
/// For all pages at once, actix-web's `ErrorHandlers` replace the 401.
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

impl FromRequest for Authenticated {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authenticated(request))
    }
}

fn authenticated(request: &HttpRequest) -> Result<Authenticated, Error> {
    let session = request.get_session()?;
    let subject = session.subject().ok_or(Unauthenticated)?;
    Ok(Authenticated { session, subject })
}
