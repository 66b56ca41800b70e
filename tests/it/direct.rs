//! Sessions without a server: a Cookie header goes in, and the next one comes out.

use sealed_session::Sessions;
use sealed_session::adapter::{Incoming, Loaded};
use sealed_session::testing::ManualClock;
use support::{builder, memory};

pub async fn sessions() -> (Sessions, ManualClock) {
    let clock = ManualClock::default();
    let store = memory(&clock);
    (builder(&clock, store).start().await.unwrap(), clock)
}

pub fn load(sessions: &Sessions, cookie: &str) -> Loaded {
    let line = cookie.as_bytes();
    sessions.load(Incoming::new([line].into_iter())).unwrap()
}

/// The Cookie header of a browser that was sent the response.
pub async fn sent(sessions: &Sessions, loaded: Loaded) -> String {
    let outcome = sessions.commit(&loaded.session, loaded.ticket).await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let all = outcome.cookies.iter();
    let all = all.filter(|it| !it.contains("Max-Age=0"));
    let all: Vec<_> = all.map(|it| it.split(';').next().unwrap()).collect();
    all.join("; ")
}

/// The cookie of an anonymous session with this in the cart.
pub async fn anonymous(sessions: &Sessions, value: &str) -> String {
    let loaded = load(sessions, "");
    loaded.session.insert("cart", value).unwrap();
    sent(sessions, loaded).await
}

/// The cookie that a login over another, or over none, sends.
pub async fn login(sessions: &Sessions, over: &str, user: &str) -> String {
    let loaded = load(sessions, over);
    loaded.session.authenticate(user).await.unwrap();
    sent(sessions, loaded).await
}

pub fn cart(sessions: &Sessions, cookie: &str) -> Option<String> {
    load(sessions, cookie).session.get("cart").unwrap()
}

pub fn user(sessions: &Sessions, cookie: &str) -> Option<String> {
    load(sessions, cookie).session.subject()
}

/// The future of each request contains it.
#[actix_web::test]
async fn the_future_of_a_commit_is_small() {
    let (sessions, _) = sessions().await;
    let loaded = load(&sessions, "");
    let size = size_of_val(&sessions.commit(&loaded.session, loaded.ticket));
    assert!(size <= 512, "{size} bytes");
}
