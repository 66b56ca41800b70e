//! Sessions for actix-web.
//!
//! [`SessionMiddleware`] puts a [`Session`](crate::Session) into each request and its cookie into the
//! response. Handlers take it as an argument ([`Session`](crate::Session), or [`Authenticated`], which
//! demands a login), guards and other middleware get it from the request ([`SessionExt`]).
//!
//! Several cookies in one application are several [`Sessions`](crate::Sessions), each with a middleware
//! of its own, on the application or on a scope. The nearest is what a handler's argument means; the
//! others are found by name ([`SessionExt::session_named`]).

mod error;
mod extract;
mod middleware;

pub use error::{MissingMiddleware, Unauthenticated};
pub use extract::{Authenticated, SessionExt};
pub use middleware::SessionMiddleware;
