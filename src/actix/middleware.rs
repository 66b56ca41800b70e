//! The middleware: load, call, commit.
//!
//! 1. The session is committed when the response's head is ready, also for errors of handlers, of
//!    extractors and of inner middleware. A streaming body can still revoke later, not write.
//! 2. A response that sets a cookie is `Cache-Control: no-store` and `Vary: Cookie`, whatever the
//!    handler said: a cache that stored it would hand one user's session to another.
//! 3. A response that depends on the session is `Vary: Cookie`, and `private` unless the handler said `public`
//!    or `s-maxage`.
//! 4. While the revocation list cannot be trusted, a handler that asks for the session of an authentic cookie is
//!    answered with 503. A page that never asks is served.
//! 5. A handler that panics commits nothing. Its revocations stand.
//! 6. A request of another site that could change something reaches no handler (`csrf`): 403. Where tokens are demanded
//!    neither does one without the right token, nor one whose token cannot be judged now: 503.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::StatusCode;
use actix_web::http::header::{COOKIE, HeaderName, HeaderValue};
use actix_web::{Error, ResponseError};

use crate::actix::extract::NotLoaded;
use crate::actix::response::{finish, finish_error, refuse, replace, replaced};
use crate::actix::{csrf_token, extract, plain_http, source::source};
use crate::csrf::Verdict;
use crate::sessions::{Incoming, Loaded, Sessions, Unavailable};

/// The purpose of the request (Fetch Metadata, section 2.1).
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Gives every request below it a session.
///
/// ```
/// use actix_web::{App, HttpResponse, web};
/// use sealed_session::{actix::SessionMiddleware, Session, Sessions};
///
/// async fn count(session: Session) -> actix_web::Result<String> {
///     let visits = session.get::<u32>("visits")?.unwrap_or_default() + 1;
///     session.insert("visits", visits)?;
///     Ok(format!("visit number {visits}"))
/// }
///
/// # fn routes(sessions: Sessions) {
/// // `sessions` is made once, outside the closure of `HttpServer::new`, and is cheap to clone.
/// let app = App::new()
///     .wrap(SessionMiddleware::new(&sessions))
///     .route("/", web::get().to(count));
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SessionMiddleware {
    sessions: Sessions,
}

impl SessionMiddleware {
    /// The middleware for the cookie of `sessions`.
    pub fn new(sessions: &Sessions) -> Self {
        Self {
            sessions: sessions.clone(),
        }
    }
}

impl<S, B> Transform<S, ServiceRequest> for SessionMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = SessionService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(SessionService {
            sessions: self.sessions.clone(),
            service: Rc::new(service),
        }))
    }
}

/// The service that [`SessionMiddleware`] makes of another.
#[derive(Debug)]
pub struct SessionService<S> {
    sessions: Sessions,
    service: Rc<S>,
}

impl<S, B> Service<ServiceRequest> for SessionService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        if extract::is_attached(&request, &self.sessions) {
            // The same middleware further out commits this session.
            let inner = self.service.call(request);
            return Box::pin(async move { inner.await.map(ServiceResponse::map_into_left_body) });
        }
        let verdict = source(&request).map(|it| self.sessions.judge_source(&it));
        if let Some(Verdict::Refused(problem)) = verdict {
            return Box::pin(ready(Ok(refuse(request, problem))));
        }
        let lines = request.headers().get_all(COOKIE).map(HeaderValue::as_bytes);
        let destination = request.headers().get(SEC_FETCH_DEST);
        let destination = destination.map(HeaderValue::as_bytes);
        let peer = request.peer_addr().map(|peer| peer.ip());
        let headers = |name| request.headers().get_all(name).map(HeaderValue::as_bytes);
        let incoming = Incoming::new(lines)
            .fetch_dest(destination)
            .cross_site(verdict == Some(Verdict::Exempt))
            .client(self.sessions.fingerprint(headers))
            .device(self.sessions.device(peer, headers));
        let needs_token = verdict == Some(Verdict::NeedsToken);
        let loaded = match self.sessions.load(incoming) {
            Ok(loaded) if needs_token => return self.call_checked(request, loaded),
            Ok(loaded) => loaded,
            Err(unavailable) if needs_token => {
                self.sessions.note_unavailable();
                return Box::pin(ready(Ok(refuse(request, unavailable))));
            }
            Err(unavailable) => return self.call_without(request, unavailable),
        };
        Box::pin(call_with(&self.sessions, &*self.service, request, loaded))
    }
}

/// Calls the handler with its session, and commits.
fn call_with<S, B>(
    sessions: &Sessions,
    service: &S,
    request: ServiceRequest,
    Loaded { session, ticket }: Loaded,
) -> impl Future<Output = Result<ServiceResponse<EitherBody<B>>, Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    extract::attach(&request, sessions, Ok(session.clone()));
    let sessions = sessions.clone();
    let inner = service.call(request);
    async move {
        let result = inner.await;
        let outcome = sessions.commit(&session, ticket).await;
        match result {
            Ok(response) => {
                plain_http::warn_once(&sessions, response.request(), &outcome);
                Ok(finish(response, outcome))
            }
            Err(error) => Err(finish_error(error, outcome)),
        }
    }
}

impl<S> SessionService<S> {
    /// Calls the handler if the request carries a token of its session.
    fn call_checked<B>(
        &self,
        mut request: ServiceRequest,
        loaded: Loaded,
    ) -> <Self as Service<ServiceRequest>>::Future
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
        B: MessageBody + 'static,
    {
        let (sessions, service) = (self.sessions.clone(), Rc::clone(&self.service));
        Box::pin(async move {
            match csrf_token::check(&sessions, &loaded.session, &mut request).await {
                Ok(()) => call_with(&sessions, &*service, request, loaded).await,
                Err(problem) => Ok(refuse(request, problem)),
            }
        })
    }

    /// Calls the handler while its session cannot be loaded. One that does not ask for it gives its own answer.
    fn call_without<B>(
        &self,
        request: ServiceRequest,
        unavailable: Unavailable,
    ) -> <Self as Service<ServiceRequest>>::Future
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
        B: MessageBody + 'static,
    {
        let not_loaded = NotLoaded {
            unavailable,
            asked: Rc::default(),
        };
        let asked = Rc::clone(&not_loaded.asked);
        extract::attach(&request, &self.sessions, Err(not_loaded));
        let inner = self.service.call(request);
        Box::pin(async move {
            let result = inner.await;
            let turned_away = asked.get();
            // Also where the handler took it for "nobody is logged in", as `Option<Authenticated>` does.
            let says_otherwise = move |status: StatusCode| turned_away && !status.is_server_error();
            match result {
                Ok(response) if says_otherwise(response.status()) => {
                    Ok(replace(response, unavailable.error_response()))
                }
                Ok(response) => Ok(response.map_into_left_body()),
                Err(mut error) => {
                    error.add_response_mapper(move |response| {
                        match says_otherwise(response.status()) {
                            true => replaced(&response, unavailable.error_response()),
                            false => response,
                        }
                    });
                    Err(error)
                }
            }
        })
    }
}
