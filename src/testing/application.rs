//! Sessions for the tests of an application.
//!
//! 1. Whatever a test asks for is made by the path that requests take: a cookie from here is one that
//!    [`Sessions::commit`] rendered.
//! 2. What cannot be made is a panic: a test has nothing better to do.

use std::fmt;
use std::sync::Arc;

use crate::keys::KeyRing;
use crate::random::SystemRandom;
use crate::seal::token_cache::TokenCacheStats;
use crate::session::Session;
use crate::sessions::{Incoming, Loaded, Sessions};
use crate::store::Memory;

/// Sessions with a fresh key, a store in memory and default settings, for one test.
///
/// A test that depends on the application's settings uses [`Sessions::builder`]. So does one that lets something
/// expire: the builder and the store share a [`ManualClock`](crate::testing::ManualClock).
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use sealed_session::testing::{self, ManualClock};
/// use sealed_session::time::Clock;
/// use sealed_session::{KeyRing, Sessions, adapter::Incoming, store::Memory};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clock = ManualClock::default();
/// let shared: Arc<dyn Clock> = Arc::new(clock.clone());
/// let sessions = Sessions::builder("test")
///     .keys(KeyRing::generate()?)
///     .store(Memory::new())
///     .clock(shared)
///     .start()
///     .await?;
/// let (_, header) = testing::login(&sessions, "alice").await.header();
/// clock.advance(Duration::from_secs(2 * 3600));
/// let loaded = sessions.load(Incoming::new(std::iter::once(header.as_bytes())))?;
/// assert!(!loaded.session.is_authenticated()); // idle for too long
/// # Ok(()) }
/// ```
///
/// # Panics
/// When the operating system gives no random bytes.
pub async fn sessions() -> Sessions {
    let keys = KeyRing::generate().unwrap_or_else(|error| panic!("testing::sessions: {error}"));
    let started = Sessions::builder("test")
        .keys(keys)
        .store(Memory::new())
        // Says that this is a test: every one starts the same sessions, which is no mistake there.
        .random(Arc::new(SystemRandom))
        .start()
        .await;
    started.unwrap_or_else(|error| panic!("testing::sessions: {error}"))
}

/// How these sessions used their cache of opened tokens
/// ([`CookieSettings::cached_tokens`](crate::settings::CookieSettings::cached_tokens)). A test of what must end a
/// session shows by it that the token was cached at that moment. In production metrics say it. The cache is swept each
/// minute of real time, whatever clock the sessions have; [`Sessions::sweep`] does so at once.
///
/// ```
/// use sealed_session::{adapter::Incoming, testing};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sessions = testing::sessions().await;
/// let (_, header) = testing::login(&sessions, "alice").await.header();
/// for _ in 0..3 {
///     sessions.load(Incoming::new(std::iter::once(header.as_bytes())))?;
/// }
/// // It was sealed here, so it is cached from its first read on.
/// let stats = testing::token_cache_stats(&sessions);
/// assert_eq!((stats.hits, stats.misses, stats.entries), (2, 1, 1));
/// # Ok(()) }
/// ```
pub fn token_cache_stats(sessions: &Sessions) -> TokenCacheStats {
    sessions.token_cache_stats()
}

/// A session without a request, for calling a handler as a function. The handle reads, writes, logs in and out
/// as in an anonymous first request. No response follows, and so no cookie.
///
/// A handler whose argument is an `Authenticated` gets one by `Authenticated::try_from(session)`, after
/// [`Session::authenticate`].
///
/// ```
/// use actix_web::{Result, web::Path};
/// use sealed_session::{Session, testing};
///
/// async fn login(session: Session, user: Path<String>) -> Result<&'static str> {
///     session.authenticate(user.into_inner()).await?;
///     session.insert("theme", "dark")?;
///     Ok("welcome")
/// }
///
/// # #[actix_web::main]
/// # async fn main() -> Result<()> {
/// let session = testing::session().await;
/// login(session.clone(), Path::from("alice".to_owned())).await?;
/// assert_eq!(session.subject().as_deref(), Some("alice"));
/// assert_eq!(session.get::<String>("theme")?.as_deref(), Some("dark"));
/// # Ok(()) }
/// ```
///
/// # Panics
/// As [`sessions`].
pub async fn session() -> Session {
    begin(&sessions().await).session
}

/// The cookie of a user who has just logged in. [`cookie()`] makes that of a user with entries, or of one who is
/// remembered.
///
/// ```
/// use actix_web::test::{TestRequest, call_service, init_service};
/// use actix_web::{App, web};
/// use sealed_session::actix::{Authenticated, SessionMiddleware};
/// use sealed_session::testing;
///
/// async fn home(user: Authenticated) -> String {
///     format!("Hello, {}", user.subject())
/// }
///
/// # #[actix_web::main]
/// # async fn main() {
/// let sessions = testing::sessions().await;
/// let app = App::new()
///     .wrap(SessionMiddleware::new(&sessions))
///     .route("/", web::get().to(home));
/// let app = init_service(app).await;
///
/// let alice = testing::login(&sessions, "alice").await;
/// let request = TestRequest::get().uri("/").insert_header(alice.header());
/// assert_eq!(call_service(&app, request.to_request()).await.status(), 200);
/// # }
/// ```
///
/// # Panics
/// When the login fails: the subject is empty or longer than 255 bytes, the store or the keys do not work.
pub async fn login(sessions: &Sessions, subject: &str) -> SessionCookie {
    cookie(sessions, async |session| {
        let login = session.authenticate(subject).await;
        login.unwrap_or_else(|error| panic!("testing::login: {error}"));
    })
    .await
}

/// The cookie of a session that `prepare` has written to, as the response to a browser's first request sets it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use sealed_session::testing;
///
/// let sessions = testing::sessions().await;
/// let visitor = testing::cookie(&sessions, async |session| {
///     session.insert("cart", ["tea", "cups"]).unwrap();
/// })
/// .await;
/// let admin = testing::cookie(&sessions, async |session| {
///     session.authenticate("alice").remember(true).await.unwrap();
///     session.insert("role", "admin").unwrap();
/// })
/// .await;
/// # assert_ne!(visitor, admin);
/// # }
/// ```
///
/// # Panics
/// When there is no cookie: `prepare` wrote nothing, it ended the session again, or the session could not be
/// sealed.
pub async fn cookie(sessions: &Sessions, prepare: impl AsyncFnOnce(Session)) -> SessionCookie {
    let Loaded { session, ticket } = begin(sessions);
    prepare(session.clone()).await;
    let outcome = sessions.commit(&session, ticket).await;
    if let Some(error) = outcome.error {
        panic!("testing::cookie: {error}");
    }
    let pairs: Vec<_> = outcome.cookies.iter().filter_map(|set| pair(set)).collect();
    assert!(
        !pairs.is_empty(),
        "testing::cookie: nothing was written to the session, so it has no cookie"
    );
    SessionCookie { pairs }
}

/// What a browser sends back of a session. A large one may be spread over several cookies.
///
/// [`header`](Self::header) is a whole Cookie header. A test that sends other cookies too takes
/// [`pairs`](Self::pairs), because `TestRequest::cookie` replaces that header.
///
/// ```
/// use actix_web::cookie::Cookie;
/// use actix_web::test::TestRequest;
/// # use sealed_session::testing;
///
/// # #[actix_web::main]
/// # async fn main() {
/// # let sessions = testing::sessions().await;
/// let alice = testing::login(&sessions, "alice").await;
/// let request = TestRequest::get().insert_header(alice.header());
/// # assert!(request.to_request().head().headers().contains_key("cookie"));
///
/// let mut request = TestRequest::get().cookie(Cookie::new("theme", "dark"));
/// for (name, value) in alice.pairs() {
///     request = request.cookie(Cookie::new(name, value));
/// }
/// # let request = request.to_request();
/// # let sent = request.head().headers().get("cookie").and_then(|value| value.to_str().ok());
/// # assert!(sent.is_some_and(|sent| sent.contains("theme=dark") && sent.contains("session=")));
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SessionCookie {
    pairs: Vec<(String, String)>,
}

impl SessionCookie {
    /// Name and value of a request's Cookie header, as `TestRequest::insert_header` takes them.
    pub fn header(&self) -> (&'static str, String) {
        let pairs = self.pairs().map(|(name, value)| format!("{name}={value}"));
        ("cookie", pairs.collect::<Vec<_>>().join("; "))
    }

    /// Name and value of each cookie. Mostly it is one.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.pairs.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Tells the names and not the values, as everywhere.
impl fmt::Debug for SessionCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.pairs().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

/// What a request without cookies begins with.
fn begin(sessions: &Sessions) -> Loaded {
    let loaded = sessions.load(Incoming::new(std::iter::empty()));
    // Only an authentic cookie can be one that cannot be judged, and there is none.
    loaded.unwrap_or_else(|error| panic!("testing: {error}"))
}

/// Name and value of what a Set-Cookie sets.
fn pair(set_cookie: &str) -> Option<(String, String)> {
    let pair = set_cookie.split(';').next()?;
    let (name, value) = pair.split_once('=')?;
    Some((name.to_owned(), value.to_owned()))
}
