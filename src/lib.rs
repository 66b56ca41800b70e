//! Sessions for actix-web that live in the browser's cookie, encrypted, and can still be revoked.
//!
//! # A tour
//!
//! **[`Sessions`]** is made once, from a file ([`SessionConfig`]) or in code ([`Sessions::builder`]). It
//! holds the keys, the list of revocations and the settings; clones are the same thing.
//!
//! **[`actix::SessionMiddleware`]** gives each request a **[`Session`]**: entries by name
//! ([`get`](Session::get), [`insert`](Session::insert)), a login
//! ([`authenticate`](Session::authenticate)), and its ends ([`logout`](Session::logout),
//! [`logout_all`](Session::logout_all), [`logout_others`](Session::logout_others)).
//! **[`actix::Authenticated`]** is the argument of a handler that wants a login, and **[`actix::Require`]** guards
//! pages by login, role, or how long ago the login was.
//!
//! ```
//! use actix_web::{Result, web::Path};
//! use sealed_session::{actix::Authenticated, Session};
//!
//! async fn login(session: Session, user: Path<String>) -> Result<&'static str> {
//!     session.authenticate(user.into_inner()).await?; // a new id; the cookie from before is dead
//!     session.insert("theme", "dark")?;
//!     Ok("welcome")
//! }
//!
//! async fn home(user: Authenticated) -> String {
//!     format!("Hello, {}", user.subject()) // 401 without a login
//! }
//!
//! async fn log_out_everywhere(session: Session) -> Result<&'static str> {
//!     session.logout_all().await?; // 503 if other nodes may not know yet
//!     Ok("bye, on all devices")
//! }
//! ```
//!
//! When the response is ready, the session is sealed into its cookie if anything changed, and a response
//! that does not touch it costs nothing. A request is checked against the node's own copy of the
//! revocations: no I/O. Only logins, logouts, renewals and [`confirm`](Session::confirm) speak to the **[`store`]**;
//! where sessions are listed ([`DeviceSettings`](settings::DeviceSettings)), lists and uses do too.
//!
//! **[Keys](keys)** come from a file that the command line `sealed-session keys` makes and rotates. A new
//! key opens before it seals, an old one opens until its last session has ended.
//!
//! # What an application with accounts gets
//!
//! Each part works without the others, and costs nothing where it is not used.
//!
//! ```
//! use {actix_web::web::Data, sealed_session::{Session, Sessions}}; // `.app_data(Data::new(sessions.clone()))`
//! async fn account(session: Session, sessions: Data<Sessions>) -> actix_web::Result<String> {
//!     session.authenticate("alice").remember(true).roles(["admin"]).group("org", "acme").await?;
//!     session.flash().success("Welcome.")?; // `session.flash().messages()` on the next page
//!     sessions.end_group("org", "globex").await?; // all sessions of that group, on every node
//!     let five = std::time::Duration::from_secs(300); // longer ago: ask again, then `session.reauthenticate().await?`
//!     Ok(format!("{}", session.has_role("admin") && session.authenticated_within(five)))
//! }
//! ```
//!
//! - [`TypedSession`](session::TypedSession): an entry as a type of the application's.
//! - [Roles and groups](Login::roles): what a user may do, and whose sessions end together ([`Sessions::end_group`]).
//! - [`actix::Require`]: middleware and guard for logins, roles and recent logins, with the way to the login page and back
//!   ([`next_path`]); [`actix::Identity`]: the application's own user as an argument.
//! - [`Session::flash`]: messages for the next page.
//! - [`settings::CsrfSettings`]: what other sites make a browser send is refused; [`CsrfToken`] for those who must have tokens.
//! - [`Session::ended`]: closes a WebSocket when its session ends; [`session::SessionObserver`]: an audit log.
//! - [`Session::list_sessions`], [`Session::revoke`] and [`settings::DeviceSettings`]: "your devices", and a limit of sessions.
//! - [`settings::ClientSettings`]: binding to what a client looks like, and its address behind proxies.
//!
//! # What a cookie cannot do
//!
//! Two requests that run at the same time each start from the cookie they carry, and the response that
//! arrives last wins. An older cookie of the same session can be presented again until
//! [`renew`](Session::renew), a logout or its limits end it. So what must not be lost or replayed belongs
//! in a database, and the session says which row.
//!
//! # Where to go on
//!
//! - [`SessionConfig`]: every setting.
//! - [`settings`]: the same in code, with what they mean.
//! - [`session`]: the errors of a session's methods. [`time`]: instants and clocks. [`inspect`]: looking at a cookie
//!   or a node. [`adapter`]: for other web frameworks.
//! - [`key_files`]: writing and planning key files, as the command line does.
//! - [`revoke`]: how revocation works, and the two contracts for stores of your own; [`index`]: the optional third.
//! - [`operations`]: sizes, settings of Redis, failures, upgrades, emergencies.
//! - In the repository: `SECURITY.md` (what is promised, trust boundaries), and in `docs/` the token format, how
//!   revocation holds in a fleet, and threats with their tests.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `actix` | yes | the middleware and extractors |
//! | `redb` | yes | [`store::Redb`], the durable store in one file |
//! | `redis` | no | [`store::Redis`], the store that nodes share |
//! | `ring` | yes | a faster implementation of the same cipher; without it, pure Rust, and the tokens are the same |
//! | `cli` | no | the command line, and [`key_files`]; includes `redb` and `redis` |
//! | `migrate-actix-session` | no | sessions of actix-session's cookies are taken over ([`migrate`]) |
//! | `user-agent` | yes | sessions are called "Firefox on Linux" in lists of devices |
//! | `flash-messages` | no | the crate actix-web-flash-messages keeps its messages in the session |
//! | `metrics` | no | counters and gauges through the crate `metrics`, for any exporter |
//! | `testing` | no | logins, cookies and a clock for tests of your application, the conformance suite for stores ([`testing`]) |
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc
)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// First: a macro is known only behind its definition.
#[macro_use]
mod redacted;

#[cfg(feature = "actix")]
#[cfg_attr(docsrs, doc(cfg(feature = "actix")))]
pub mod actix;
mod client;
mod config;
mod cookie;
mod csrf;
mod error;
mod file;
mod ids;
pub mod index;
#[cfg(any(test, feature = "cli", feature = "testing"))]
#[cfg_attr(docsrs, doc(cfg(feature = "cli")))]
pub mod key_files;
pub mod keys;
mod lock;
#[cfg(feature = "migrate-actix-session")]
#[cfg_attr(docsrs, doc(cfg(feature = "migrate-actix-session")))]
pub mod migrate;
mod next_path;
mod observe;
#[doc = include_str!("../docs/OPERATIONS.md")]
pub mod operations {}
mod random;
mod record;
mod replicate;
pub mod revoke;
mod seal;
pub mod session;
mod sessions;
mod start;
pub mod store;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
pub mod time;
mod wire;

#[cfg(feature = "actix")]
#[cfg_attr(docsrs, doc(cfg(feature = "actix")))]
pub use actix::{SessionExt, SessionMiddleware};
pub use config::SessionConfig;
pub use error::ConfigError;
#[doc(inline)]
pub use keys::KeyRing;
pub use next_path::next_path;
#[doc(inline)]
pub use session::{
    CsrfToken, LoggedIn, Login, Session, SessionGetError, SessionInsertError, SessionStatus,
    SessionUpdateError,
};
pub use sessions::{Sessions, SessionsBuilder};

/// Tables of the configuration, and what they choose from, for who sets them in code.
pub mod settings {
    pub use crate::client::{ClientBinding, ClientSettings, ProxyHeader};
    pub use crate::cookie::{CookieSettings, PreviousCookie, SameSite, SiteData};
    pub use crate::csrf::{CsrfMode, CsrfSettings};
    pub use crate::revoke::{OlderSessions, WhenStale};
    pub use crate::session::{AnonymousEntries, DeviceSettings, LoginSettings, WhenFull};
    pub use crate::time::lifetime::Lifetimes;
}

/// For adapters to other web frameworks: [`Sessions::judge_source`], which refuses what another site sends,
/// [`Sessions::load`] and perhaps [`Sessions::judge_token`] before the handler, [`Sessions::commit`] after it, and what passes between them and the adapter.
pub mod adapter {
    pub use crate::client::{ClientDevice, ClientFingerprint};
    pub use crate::csrf::{CrossSite, RequestSource, Verdict};
    pub use crate::sessions::{CommitError, Committed, Incoming, Loaded, Ticket, Unavailable};
    pub use crate::wire::chunks::{MAX_CHUNKS, MAX_COOKIE};
}

/// What a cookie holds, and how a node is, without changing anything.
pub mod inspect {
    pub use crate::sessions::{Health, Inspected, InspectedLogin, token};
}

/// The examples of the README and of the guide for moving in, as tests.
#[cfg(all(doctest, feature = "actix"))]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;

    #[cfg(feature = "migrate-actix-session")]
    #[doc = include_str!("../docs/MIGRATION.md")]
    struct Migration;
}
