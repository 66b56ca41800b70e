//! An application's own user type as an argument of a handler.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpRequest};

use crate::actix::error::Unauthenticated;
use crate::actix::extract::SessionExt;
use crate::session::Session;

/// What an application makes of a session: its own type of user, from a database for instance. [`Identity`] is the
/// extractor.
pub trait FromSession: Sized {
    /// Why nobody could find out.
    type Error: Into<Error>;

    /// Who it is; `None` for nobody. The request tells where to look: `request.app_data::<Data<_>>()`.
    ///
    /// It is called for every session, also one that nobody is logged in to.
    fn from_session(
        session: &Session,
        request: &HttpRequest,
    ) -> impl Future<Output = Result<Option<Self>, Self::Error>>;
}

/// The user of the request, as a type of the application's. As an argument of a handler it answers 401 where there is
/// nobody, and what [`FromSession`] says where that fails.
///
/// `Option<Identity<T>>` leaves the first to the handler. It takes an error of the application for nobody too, as every
/// `Option` of an extractor does, and logs it nowhere but at debug: where a database may fail,
/// `Result<Identity<T>, actix_web::Error>` tells one from the other. That the session itself cannot be judged at the
/// moment is 503 either way.
///
/// [`Require`](crate::actix::Require) knows nothing of it: who is logged in and no user any more is let in there and
/// answered 401 here. Log such a session out, and let the login page show to it.
///
/// ```
/// use std::collections::HashMap;
/// use actix_web::{HttpRequest, error::ErrorInternalServerError, web::Data};
/// use sealed_session::{Session, actix::{FromSession, Identity}};
///
/// struct Database(HashMap<String, String>);
///
/// struct User {
///     full_name: String,
/// }
///
/// impl FromSession for User {
///     type Error = actix_web::Error;
///
///     async fn from_session(session: &Session, request: &HttpRequest) -> Result<Option<Self>, Self::Error> {
///         let Some(id) = session.subject() else {
///             return Ok(None);
///         };
///         let database = request.app_data::<Data<Database>>();
///         let database = database.ok_or_else(|| ErrorInternalServerError("no database"))?;
///         Ok(database.0.get(&id).map(|name| User { full_name: name.clone() }))
///     }
/// }
///
/// async fn home(user: Identity<User>) -> String {
///     format!("Hello, {}", user.full_name)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Identity<T>(pub T);

impl<T> Identity<T> {
    /// The user.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Identity<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: FromSession + 'static> FromRequest for Identity<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let session = request.get_session()?;
            let user = T::from_session(&session, &request).await;
            let user = user.map_err(Into::into)?.ok_or(Unauthenticated)?;
            Ok(Self(user))
        })
    }
}
