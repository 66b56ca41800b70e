//! Who may come in.
//!
//! 1. The rules are asked in this order: somebody is logged in, has the role, and logged in not long ago. So nobody is
//!    asked for a password for what they may not do anyway.
//! 2. A program is told by a status, 401 or 403. A browser that navigates is sent to a page (303), where one is set. It
//!    is not for a role that is missing: another login would not help.
//! 3. The page is told where to go on, `next`, if the request can be repeated by a link and
//!    [`next_path`](crate::next_path) takes its path and query.
//! 4. A request for that page itself is answered as a program's, else a page under its own guard would send the browser
//!    in a circle.
//! 5. Where nobody can say whether the cookie is a session the answer is 503, as everywhere.
//! 6. A guard says no in each of these cases, and the next route is tried.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Once;
use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::guard::{Guard, GuardContext};
use actix_web::http::header::LOCATION;
use actix_web::{Error, HttpResponse};

use crate::actix::error::{Forbidden, NoSession, ReauthenticationRequired, Unauthenticated};
use crate::actix::extract::SessionExt;
use crate::actix::navigation::{leading_back, navigates};
use crate::error::ConfigError;
use crate::next_path::{is_same_path, is_site_path};
use crate::session::Session;

/// Lets in whoever is logged in, has a role, or logged in not long ago: around an application, a scope or a resource as
/// middleware, and for one route as a guard.
///
/// As middleware it answers everyone else, with what [`Authenticated`](crate::actix::Authenticated) answers (401),
/// [`Forbidden`] (403) or [`ReauthenticationRequired`] (403). Browsers that go to a page are sent to
/// [`login_page`](Self::login_page) or [`reauthentication_page`](Self::reauthentication_page) instead (303), if these are set. They are
/// told by `Sec-Fetch-Mode: navigate`, or without that header by an `Accept` that lists `text/html`.
///
/// It has to be inside of [`SessionMiddleware`](crate::actix::SessionMiddleware), so it is wrapped before it, or around
/// a scope below it. Without one everybody is answered 500. Of several sessions the nearest counts. Made once, outside
/// the closure of `HttpServer::new`, it is cloned into it:
///
/// ```
/// use std::time::Duration;
/// use actix_web::{App, web};
/// use sealed_session::actix::{Authenticated, Require, SessionMiddleware};
/// use sealed_session::{ConfigError, Sessions};
///
/// # fn routes(sessions: Sessions) -> Result<(), ConfigError> {
/// let login = Require::login().login_page("/login")?;
/// let admin = Require::role("admin").login_page("/login")?;
/// let recent = Require::login()
///     .within(Duration::from_secs(300))
///     .login_page("/login")?
///     .reauthentication_page("/confirm")?;
///
/// let app = App::new()
///     .route("/login", web::get().to(async || "the form")) // outside of what leads to it
///     .service(web::scope("/admin").wrap(admin).route("/users", web::get().to(async || "all")))
///     .service(
///         web::scope("")
///             .wrap(login)
///             .route("/account", web::get().to(async |user: Authenticated| user.subject().to_owned()))
///             .route("/confirm", web::get().to(async || "the password, once more"))
///             .service(web::resource("/transfer").wrap(recent).to(async || "done")),
///     )
///     .wrap(SessionMiddleware::new(&sessions)); // the last one runs first
/// # Ok(()) }
/// ```
///
/// As a guard it answers nobody: whom it does not let in, and who has no session middleware around, gets what the next
/// route says, or 404. Its pages mean nothing then. The guards of a scope or resource run before its own middleware.
///
/// ```
/// use actix_web::{App, web};
/// use sealed_session::{Sessions, actix::{Require, SessionMiddleware}};
///
/// # fn routes(sessions: Sessions) {
/// let app = App::new()
///     .wrap(SessionMiddleware::new(&sessions))
///     .route("/", web::get().guard(Require::role("editor")).to(async || "drafts and articles"))
///     .route("/", web::get().to(async || "articles"));
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "it lets nobody in or out until it is wrapped around something"]
pub struct Require {
    roles: Roles,
    within: Option<Duration>,
    login_page: Option<String>,
    reauthentication_page: Option<String>,
    logout_path: String,
}

/// Which roles are wanted.
#[derive(Debug, Clone)]
enum Roles {
    OneOf(Vec<String>),
    AllOf(Vec<String>),
}

/// # Who
impl Require {
    /// Whoever is logged in.
    pub fn login() -> Self {
        Self::all_roles::<String>([])
    }

    /// Whoever has this role ([`Login::roles`](crate::Login::roles)), which is compared byte by byte.
    pub fn role(role: impl Into<String>) -> Self {
        Self::all_roles([role])
    }

    /// Whoever has one of these roles. Of none: nobody.
    pub fn any_role<R: Into<String>>(roles: impl IntoIterator<Item = R>) -> Self {
        Self::new(Roles::OneOf(roles.into_iter().map(Into::into).collect()))
    }

    /// Whoever is logged in and has all of these roles.
    pub fn all_roles<R: Into<String>>(roles: impl IntoIterator<Item = R>) -> Self {
        Self::new(Roles::AllOf(roles.into_iter().map(Into::into).collect()))
    }

    /// Whose login was at most so long ago, too: for what must not be done with a session that was left open (ASVS
    /// 7.5.1 and 7.5.3). Others confirm that it is them, by [`Session::reauthenticate`], and come back. Default: however long ago.
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }

    fn new(roles: Roles) -> Self {
        Self {
            roles,
            within: None,
            login_page: None,
            reauthentication_page: None,
            logout_path: "/logout".to_owned(),
        }
    }
}

/// # Pages
///
/// A page is a path of this site as browsers see it, such as `"/login"`, perhaps with a query. It gets the parameter
/// `next`: the path and query of what was asked for, which it hands to [`next_path`](crate::next_path) before it
/// redirects there. A form that was posted, what is a logout, a path that `next_path` refuses, and an
/// address that would get longer than 2,048 bytes have no `next`. So guard the page of a form as well as what it posts to, and let a
/// page's query name the way back where that is not enough; what was typed is lost.
///
/// Behind a proxy that takes a prefix off the path neither works: paths have to be the same on both sides of it.
///
/// The page itself has to be outside of what leads to it. Inside, its own requests are answered 401 or 403, for a
/// redirect would lead in a circle.
impl Require {
    /// Where browsers log in. Default: nowhere, they are answered 401.
    ///
    /// # Errors
    /// When it is no path of this site.
    pub fn login_page(mut self, page: impl Into<String>) -> Result<Self, ConfigError> {
        self.login_page = Some(site_path("Require::login_page", page.into())?);
        Ok(self)
    }

    /// Where users whose login is too old confirm that it is them. Default: nowhere, they are answered 403.
    ///
    /// # Errors
    /// When it is no path of this site.
    pub fn reauthentication_page(mut self, page: impl Into<String>) -> Result<Self, ConfigError> {
        let page = site_path("Require::reauthentication_page", page.into())?;
        self.reauthentication_page = Some(page);
        Ok(self)
    }

    /// The path that logs out, to which no login leads back. Default: `/logout`.
    ///
    /// # Errors
    /// When it is no path of this site.
    pub fn logout_path(mut self, path: impl Into<String>) -> Result<Self, ConfigError> {
        self.logout_path = site_path("Require::logout_path", path.into())?;
        Ok(self)
    }
}

fn site_path(setting: &'static str, path: String) -> Result<String, ConfigError> {
    let problem = format!("{path:?} is no path of this site, such as \"/login\"");
    match is_site_path(&path) {
        true => Ok(path),
        false => Err(ConfigError::setting(setting, problem)),
    }
}

/// Once in a process: that a guard stands where no session is.
static UNGUARDED: Once = Once::new();

impl Require {
    /// Fails for who is not let in, with the error and the page where they could change that, if one is set.
    fn judge(&self, session: &Session) -> Result<(), (Error, Option<&str>)> {
        let has = |role: &String| session.has_role(role);
        let has_roles = match &self.roles {
            Roles::OneOf(roles) => roles.iter().any(has),
            Roles::AllOf(roles) => roles.iter().all(has),
        };
        if !session.is_authenticated() {
            return Err((Unauthenticated.into(), self.login_page.as_deref()));
        }
        if !has_roles {
            return Err((Forbidden.into(), None));
        }
        match self.within {
            Some(limit) if !session.authenticated_within(limit) => {
                let page = self.reauthentication_page.as_deref();
                Err((ReauthenticationRequired.into(), page))
            }
            _ => Ok(()),
        }
    }

    /// What who is not let in gets instead: the address of the page, or the error.
    fn answer(
        &self,
        error: Error,
        page: Option<&str>,
        request: &ServiceRequest,
    ) -> Result<String, Error> {
        match page {
            Some(page) if navigates(request) && !is_same_path(request.path(), page) => {
                Ok(leading_back(page, request, &self.logout_path))
            }
            _ => Err(error),
        }
    }
}

impl Guard for Require {
    fn check(&self, context: &GuardContext<'_>) -> bool {
        let session = context.get_session();
        if let Err(NoSession::MissingMiddleware(_)) = &session {
            // It has no answer of its own to say so, and anyone can ask.
            UNGUARDED.call_once(|| {
                tracing::error!("a guard has no SessionMiddleware around it, and lets nobody in")
            });
        }
        session.is_ok_and(|session| self.judge(&session).is_ok())
    }
}

impl<S, B> Transform<S, ServiceRequest> for Require
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = RequireService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let require = self.clone();
        ready(Ok(RequireService { require, service }))
    }
}

/// The service that [`Require`] makes of another.
#[derive(Debug)]
pub struct RequireService<S> {
    require: Require,
    service: S,
}

impl<S, B> Service<ServiceRequest> for RequireService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let answer = match request.get_session() {
            Err(no_session) => Err(no_session.into()),
            Ok(session) => match self.require.judge(&session) {
                Err((error, page)) => self.require.answer(error, page, &request),
                Ok(()) => {
                    let inner = self.service.call(request);
                    return Box::pin(async move {
                        inner.await.map(ServiceResponse::map_into_left_body)
                    });
                }
            },
        };
        // A response that knows its error, and not an error alone: `ErrorHandlers` see only responses.
        let refused = match answer {
            Err(error) => request.error_response(error),
            Ok(page) => {
                let mut redirect = HttpResponse::SeeOther();
                request.into_response(redirect.insert_header((LOCATION, page)).finish())
            }
        };
        Box::pin(ready(Ok(refused.map_into_right_body())))
    }
}
