//! For tests: of an application, cookies and sessions ([`login`], [`cookie()`], [`session`]), and a clock moved
//! by hand; of a revocation store, the [`conformance`] suite.
//!
//! An application needs no server for its tests, and no login page:
//!
#![cfg_attr(feature = "actix", doc = "```")]
#![cfg_attr(not(feature = "actix"), doc = "```ignore")]
//! use actix_web::test::{TestRequest, call_service, init_service};
//! use actix_web::{App, Result, web};
//! use sealed_session::{actix::{Authenticated, SessionMiddleware}, Session, testing};
//!
//! async fn home(user: Authenticated) -> String { format!("Hello, {}", user.subject()) }
//! async fn dark(session: Session) -> Result<&'static str> {
//!     session.insert("theme", "dark")?;
//!     Ok("as you like it")
//! }
//!
//! #[actix_web::main] // in a test: #[actix_web::test]
//! async fn main() -> Result<()> {
//!     let sessions = testing::sessions().await; // in memory, with a fresh key
//!     let app = App::new().wrap(SessionMiddleware::new(&sessions)).route("/", web::get().to(home));
//!     let app = init_service(app).await;
//!
//!     let alice = testing::login(&sessions, "alice").await;
//!     let request = TestRequest::get().uri("/").insert_header(alice.header());
//!     assert_eq!(call_service(&app, request.to_request()).await.status(), 200);
//!
//!     let visitor = testing::cookie(&sessions, async |session| session.insert("cart", ["tea"]).unwrap()).await;
//!     let request = TestRequest::get().uri("/").insert_header(visitor.header());
//!     assert_eq!(call_service(&app, request.to_request()).await.status(), 401);
//!
//!     let session = testing::session().await; // a handler, called as a function
//!     dark(session.clone()).await?;
//!     assert_eq!(session.get::<String>("theme")?.as_deref(), Some("dark"));
//!     Ok(())
//! }
//! ```
//!
//! Each response that writes sets a new cookie, and the next request has to carry that one. What expires is tested
//! with [`Sessions::builder`](crate::Sessions::builder) and a [`ManualClock`] for its `clock`. A list
//! in [`Memory`](crate::store::Memory) begins by it when the sessions start, and knows of those that begin later: move
//! the clock before the first login.

mod application;
pub mod conformance;
mod memory_log;
#[cfg(test)]
pub(crate) use memory_log::{LogCall, LogServer};
mod revocation_list;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::keys::{Secret, published_bytes};
use crate::lock::lock;
use crate::random::{Random, RandomError};
use crate::time::{Clock, UnixMillis};

pub use crate::seal::token_cache::TokenCacheStats;
pub use application::{SessionCookie, cookie, login, session, sessions, token_cache_stats};
pub use memory_log::{LogCopy, MemoryLog};
pub use revocation_list::RevocationList;

/// A clock that stands still until it is moved. Clones share the time.
///
/// ```
/// use sealed_session::testing::ManualClock;
/// use sealed_session::time::{Clock, UnixMillis};
/// use std::time::Duration;
///
/// let clock = ManualClock::new(UnixMillis::from_secs(1_000));
/// let shared = clock.clone();
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(shared.now(), UnixMillis::from_secs(1_005));
/// assert_eq!(shared.monotonic(), Duration::from_secs(5));
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock {
    times: Arc<Mutex<Times>>,
}

#[derive(Debug)]
struct Times {
    now: UnixMillis,
    monotonic: Duration,
}

impl ManualClock {
    /// A clock that says `now`, and zero for its monotonic time.
    pub fn new(now: UnixMillis) -> Self {
        let monotonic = Duration::ZERO;
        Self {
            times: Arc::new(Mutex::new(Times { now, monotonic })),
        }
    }

    /// Lets time pass, on both clocks.
    pub fn advance(&self, by: Duration) {
        let mut times = self.lock();
        times.now = times.now + by;
        times.monotonic = times.monotonic.saturating_add(by);
    }

    /// Sets the time of day, also backwards, as an administrator would: the monotonic time stays.
    pub fn set(&self, now: UnixMillis) {
        self.lock().now = now;
    }

    fn lock(&self) -> MutexGuard<'_, Times> {
        lock(&self.times)
    }
}

/// Starts at 2026-11-21T08:00:00Z.
impl Default for ManualClock {
    fn default() -> Self {
        Self::new(UnixMillis::from_secs(1_795_248_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        self.lock().now
    }

    fn monotonic(&self) -> Duration {
        self.lock().monotonic
    }
}

/// One of the secrets that this project published: `number` 1 to 4. The same in every release, so test
/// vectors can be made with them; everywhere else they are refused, because everybody knows them.
pub fn published_secret(number: u8) -> Secret {
    Secret::unchecked(published_bytes(number))
}

/// A generator that never delivers.
#[derive(Debug, Clone, Copy, Default)]
pub struct FailingRandom;

impl Random for FailingRandom {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_time_is_what_it_says() {
        let text = ManualClock::default().now().to_string();
        assert_eq!(text, "2026-11-21T08:00:00Z");
    }
}
