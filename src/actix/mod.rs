//! Sessions for actix-web.
//!
//! [`SessionMiddleware`] puts a [`Session`](crate::Session) into each request and its cookie into the
//! response. Handlers take it as an argument ([`Session`](crate::Session), or [`Authenticated`], which
//! demands a login, or [`Identity`], a user type of the application's), guards and other middleware get it from the
//! request ([`SessionExt`]). [`Require`] is such a guard and middleware: who may come in.
//!
//! A middleware that asks for the session has to be inside: of several `wrap` calls actix-web runs the
//! last one first, so [`SessionMiddleware`] is wrapped after it.
//!
//! Several cookies in one application are several [`Sessions`](crate::Sessions), each with a middleware
//! of its own, on the application or on a scope. The nearest is what a handler's argument means; the
//! others are found by name ([`SessionExt::session_named`]).
//!
//! # Testing handlers
//!
//! With the feature `testing`, `testing::login` and `testing::cookie` make cookies for actix-web's
//! `TestRequest`, and `testing::session` a handle to call a handler with. What a response sets goes into the
//! next request by hand:
//!
//! ```
//! use actix_web::http::header::{COOKIE, SET_COOKIE};
//! use actix_web::test::{TestRequest, call_service, init_service};
//! use actix_web::{App, Result, web};
//! use sealed_session::actix::{Authenticated, SessionMiddleware};
//! use sealed_session::{Session, testing};
//!
//! async fn login(session: Session) -> Result<&'static str> {
//!     session.authenticate("alice").await?;
//!     Ok("welcome")
//! }
//!
//! async fn home(user: Authenticated) -> String {
//!     format!("Hello, {}", user.subject())
//! }
//!
//! # #[actix_web::main]
//! # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! let sessions = testing::sessions().await;
//! let app = App::new()
//!     .wrap(SessionMiddleware::new(&sessions))
//!     .route("/login", web::post().to(login))
//!     .route("/", web::get().to(home));
//! let app = init_service(app).await;
//!
//! let response = call_service(&app, TestRequest::post().uri("/login").to_request()).await;
//! let cookie = response.headers().get(SET_COOKIE).ok_or("no cookie")?.to_str()?;
//! let cookie = cookie.split(';').next().unwrap_or_default();
//! let request = TestRequest::get().uri("/").insert_header((COOKIE, cookie));
//! assert_eq!(call_service(&app, request.to_request()).await.status(), 200);
//! let stranger = TestRequest::get().uri("/").to_request();
//! assert_eq!(call_service(&app, stranger).await.status(), 401);
//! # Ok(()) }
//! ```

mod address;
mod csrf_token;
mod error;
mod extract;
#[cfg(feature = "flash-messages")]
mod flash_store;
mod form_field;
mod identity;
mod middleware;
mod navigation;
mod plain_http;
mod require;
mod response;
mod source;

pub use crate::csrf::CrossSite;
pub use address::ClientAddress;
pub use error::{
    Forbidden, MissingMiddleware, NoClientAddress, NoSession, ReauthenticationRequired,
    Unauthenticated,
};
pub use extract::{Authenticated, SessionExt};
#[cfg(feature = "flash-messages")]
#[cfg_attr(docsrs, doc(cfg(feature = "flash-messages")))]
pub use flash_store::SealedMessageStore;
pub use identity::{FromSession, Identity};
pub use middleware::SessionMiddleware;
pub use require::Require;
