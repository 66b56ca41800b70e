//! A revocation store that fails, hangs or loses its replies, and a generator that fails.
//!
//! 1. A logout holds on its node at once, is an error to the handler, and reaches the store when that is back.
//! 2. There is no login without a store. Whoever does not ask for a session is served.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use sealed_session::revoke::{ReplicatedLog, SessionId};
use sealed_session::testing::ManualClock;
use serde_json::json;
use support::faulty::{Call, Faulty, Mode, Switched};
use support::{Answer, Browser, MINUTE, Node, SECOND, builder, eventually, log, serve, unhurried};

use super::site::target;

#[actix_web::test]
async fn the_retry_of_a_logout_that_failed_is_no_success_while_the_store_is_down() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    let again = browser.copy();
    t.store.set_call(Call::Publish, Mode::Down);
    browser.post("/logout").await.is(503);
    again.post("/logout").await.is(503);
}

#[actix_web::test]
async fn one_logout_that_is_never_taken_holds_up_no_others() {
    let clock = ManualClock::default();
    let log = log(&clock);
    let store = Faulty::new(log.clone());
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let [poison, other] = [1, 2].map(|number| SessionId::from_bytes([number; 16]));
    store.never_takes(poison);
    store.set_call(Call::Publish, Mode::Down);
    sessions.end_session(poison).await.unwrap_err();
    sessions.end_session(other).await.unwrap_err();
    store.set(Mode::Up);
    let taken = || async { log.find(other, &[]).await.unwrap().revocations.len() };
    eventually(|| async { taken().await == 1 }).await;
}

/// The conversation of a request with a list that cannot be trusted: who does not ask is served, and who
/// takes the refusal for "nobody" is not.
#[actix_web::test]
async fn an_option_does_not_turn_an_unavailable_list_into_a_logout() {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let routes = |config: &mut web::ServiceConfig| {
        support::routes(config);
        config.route(
            "/maybe",
            web::get().to(
                |user: Option<sealed_session::actix::Authenticated>| async move {
                    user.map_or("nobody", |_| "somebody")
                },
            ),
        );
    };
    let (url, _server) = serve(&sessions, routes);
    let browser = Browser::new(&url);
    browser.post("/login/alice").await.is(200);
    assert_eq!(browser.get("/maybe").await.is(200).body, "somebody");
    store.set_call(Call::Follow, Mode::Hanging);
    support::eventually(|| async { store.waiting() >= 1 }).await;
    clock.advance(11 * SECOND);
    browser.get("/maybe").await.is(503);
    browser.get("/plain").await.is(200);
}

/// A node whose way to the store can be disturbed, and another on the same store.
pub struct Fleet {
    pub clock: ManualClock,
    pub store: Faulty,
    pub node: Node,
    pub other: Node,
}

impl Fleet {
    pub async fn start() -> Self {
        let clock = ManualClock::default();
        let log = log(&clock);
        let store = Faulty::new(log.clone());
        let node = Node::serve(clock.clone(), unhurried(builder(&clock, store.clone()))).await;
        let other = Node::serve(clock.clone(), unhurried(builder(&clock, log))).await;
        // What begins now began after the nodes met the server.
        clock.advance(SECOND);
        Self {
            node,
            other,
            clock,
            store,
        }
    }

    pub async fn logged_in(&self, user: &str) -> Browser {
        let browser = self.node.browser();
        browser.post(&format!("/login/{user}")).await.is(200);
        browser
    }

    /// Whether the other node takes the browser's cookie.
    pub async fn other_takes(&self, browser: &Browser) -> bool {
        browser.copy().at(&self.other).get("/me").await.status == 200
    }

    pub async fn other_refuses(&self, browser: &Browser) {
        eventually(|| async { !self.other_takes(browser).await }).await;
    }
}

#[track_caller]
pub fn is_unavailable(answer: Answer) -> Answer {
    let answer = answer.is(503);
    assert_eq!(answer.header("retry-after"), Some("2"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.body, "Service Unavailable");
    answer
}

#[actix_web::test]
async fn a_logout_that_the_store_does_not_take_holds_here_and_reaches_it_later() {
    for (path, mode) in [
        ("/logout", Mode::Down),
        ("/purge", Mode::Down),
        ("/logout", Mode::LosesReplies),
    ] {
        let fleet = Fleet::start().await;
        let browser = fleet.logged_in("alice").await;
        let stolen = browser.copy();
        fleet.store.set(mode);
        let answer = is_unavailable(browser.post(path).await);
        assert!(answer.removes_cookie(), "{answer:?}");
        stolen.get("/me").await.is(401);
        if mode == Mode::Down {
            assert!(fleet.other_takes(&stolen).await, "nobody told it");
        }
        fleet.store.set(Mode::Up);
        fleet.other_refuses(&stolen).await;
    }
}

#[actix_web::test]
async fn a_logout_that_hangs_is_given_up_and_told_later() {
    let fleet = Fleet::start().await;
    let browser = fleet.logged_in("alice").await;
    let stolen = browser.copy();
    fleet.store.set(Mode::Hanging);
    assert!(is_unavailable(browser.post("/logout").await).removes_cookie());
    stolen.get("/me").await.is(401);
    fleet.store.set(Mode::Up);
    fleet.other_refuses(&stolen).await;
}

#[actix_web::test]
async fn logout_all_without_a_store_marks_the_user_on_this_node_until_it_is_back() {
    for mode in [Mode::Down, Mode::LosesReplies] {
        let fleet = Fleet::start().await;
        let (laptop, phone) = (
            fleet.logged_in("alice").await,
            fleet.logged_in("alice").await,
        );
        let other = fleet.logged_in("bob").await;
        fleet.store.set(mode);
        let stolen = laptop.copy();
        assert!(is_unavailable(laptop.post("/logout-all").await).removes_cookie());
        stolen.get("/me").await.is(401);
        phone.get("/me").await.is(401);
        other.get("/me").await.is(200);
        is_unavailable(phone.post("/login/alice").await);

        fleet.store.set(Mode::Up);
        laptop.post("/login/alice").await.is(200);
        laptop.get("/me").await.is(200);
        fleet.other_refuses(&phone).await;
        // What the node tells the store once more is what the login came after.
        assert_eq!(fleet.node.sessions.close(10 * SECOND).await, 0);
        laptop.get("/me").await.is(200);
        assert!(fleet.other_takes(&laptop).await);
    }
}

#[actix_web::test]
async fn logout_others_without_a_store_holds_on_this_node_and_keeps_this_session() {
    let fleet = Fleet::start().await;
    let (laptop, phone) = (
        fleet.logged_in("alice").await,
        fleet.logged_in("alice").await,
    );
    fleet.store.set(Mode::Down);
    for _ in 0..2 {
        let stolen = laptop.copy();
        let answer = is_unavailable(laptop.post("/logout-others").await);
        assert_eq!(answer.set_cookies().len(), 1, "{answer:?}");
        stolen.get("/me").await.is(401);
        laptop.get("/me").await.is(200);
        phone.copy().get("/me").await.is(401);
    }
    fleet.store.set(Mode::Up);
    fleet.other_refuses(&phone).await;
    assert!(fleet.other_takes(&laptop).await);
    let stolen = laptop.copy();
    laptop.post("/logout-others").await.is(204);
    laptop.get("/me").await.is(200);
    stolen.get("/me").await.is(401);
}

#[actix_web::test]
async fn logout_everyone_without_a_store_holds_on_this_node() {
    let fleet = Fleet::start().await;
    let (alice, bob) = (fleet.logged_in("alice").await, fleet.logged_in("bob").await);
    fleet.store.set(Mode::Down);
    is_unavailable(alice.post("/logout-everyone").await);
    bob.get("/me").await.is(401);
    fleet.store.set(Mode::Up);
    bob.post("/login/bob").await.is(200);
    bob.get("/me").await.is(200);
}

#[actix_web::test]
async fn there_is_no_login_without_a_store_and_nothing_changes() {
    let fleet = Fleet::start().await;
    let anonymous = fleet.node.browser();
    anonymous.put("/entries/cart", json!(1)).await.is(204);
    let before = anonymous.session();
    fleet.store.set(Mode::Down);
    let answer = is_unavailable(anonymous.post("/login/alice").await);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    assert_eq!(anonymous.session(), before);
    anonymous.get("/entries/cart").await.is(200);
    anonymous.get("/me").await.is(401);
}

#[actix_web::test]
async fn a_login_that_cannot_end_the_session_from_before_fails() {
    let fleet = Fleet::start().await;
    let browser = fleet.logged_in("mallory").await;
    let before = browser.copy();
    fleet.store.set_call(Call::Publish, Mode::Down);
    let answer = is_unavailable(browser.post("/login/alice").await);
    assert_eq!(answer.removed(), ["session"]);
    browser.get("/me").await.is(401);
    before.get("/me").await.is(401);
}

#[actix_web::test]
async fn one_revocation_that_is_never_taken_does_not_hold_up_the_others() {
    let fleet = Fleet::start().await;
    let (alice, bob) = (fleet.logged_in("alice").await, fleet.logged_in("bob").await);
    let stolen = bob.copy();
    fleet.store.set(Mode::Down);
    is_unavailable(alice.post("/logout-all").await);
    is_unavailable(bob.post("/logout").await);
    fleet.store.set(Mode::Up);
    fleet.store.set_call(Call::Raise, Mode::Down);
    fleet.other_refuses(&stolen).await;
}

#[actix_web::test]
async fn closing_waits_for_what_is_under_way_and_counts_what_is_left() {
    let fleet = Fleet::start().await;
    let sessions = &fleet.node.sessions;
    assert_eq!(sessions.close(10 * SECOND).await, 0);

    let browser = fleet.logged_in("alice").await;
    let stolen = browser.copy();
    fleet.store.set(Mode::Hanging);
    let logout = actix_web::rt::spawn(async move { browser.post("/logout").await });
    eventually(|| async { fleet.store.waiting() >= 2 }).await;
    assert_eq!(sessions.close(Duration::from_millis(50)).await, 1);
    let (left, ()) = tokio::join!(sessions.close(10 * SECOND), async {
        fleet.store.set(Mode::Up);
    });
    assert_eq!(left, 0);
    logout.await.unwrap();
    fleet.other_refuses(&stolen).await;
}

#[actix_web::test]
async fn closing_tells_the_store_what_it_did_not_take_before() {
    let fleet = Fleet::start().await;
    let browser = fleet.logged_in("alice").await;
    let stolen = browser.copy();
    fleet.store.set(Mode::Down);
    is_unavailable(browser.post("/logout").await);
    let sessions = &fleet.node.sessions;
    assert_eq!(sessions.close(Duration::ZERO).await, 1);
    fleet.store.set(Mode::Up);
    assert_eq!(sessions.close(10 * SECOND).await, 0);
    fleet.other_refuses(&stolen).await;
}

/// Whoever stops waiting leaves nothing behind that goes on telling the store.
#[actix_web::test]
async fn a_close_that_nobody_waits_for_any_more_keeps_no_node() {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    store.set_call(Call::Publish, Mode::Down);
    let session = SessionId::from_bytes([1; 16]);
    sessions.end_session(session).await.unwrap_err();
    let hour = 60 * MINUTE;
    let closed = tokio::time::timeout(Duration::from_millis(50), sessions.close(hour));
    closed.await.unwrap_err();
    drop(sessions);
    eventually(|| async { store.holders() == 1 }).await;
}

#[actix_web::test]
async fn without_random_bytes_nothing_is_sealed() {
    let random = Arc::new(Switched::default());
    let node = Node::with({
        let random = random.clone();
        |builder| builder.random(random)
    })
    .await;
    let (anonymous, user) = (node.browser(), node.browser());
    user.post("/login/alice").await.is(200);
    random.fail(true);
    for answer in [
        anonymous.put("/entries/a", json!(1)).await,
        anonymous.post("/login/bob").await,
        user.put("/entries/a", json!(1)).await,
    ] {
        let answer = answer.is(500);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        assert_eq!(answer.body, "Internal Server Error");
    }
    // A renewal that cannot be sealed renews nothing.
    let answer = user.post("/renew").await.is(500);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    // An activity cookie needs none.
    node.clock.advance(6 * MINUTE);
    let answer = user.get("/me").await.is(200);
    assert!(answer.set_cookies()[0].starts_with("session.seen="));
    // A logout needs none.
    let stolen = user.copy();
    user.post("/logout").await.is(204);
    stolen.get("/me").await.is(401);
}

#[actix_web::test]
async fn logging_out_everywhere_needs_no_random_bytes() {
    let random = Arc::new(Switched::default());
    let node = Node::with({
        let random = random.clone();
        |builder| builder.random(random)
    })
    .await;
    let (laptop, phone) = (node.browser(), node.browser());
    laptop.post("/login/alice").await.is(200);
    phone.post("/login/alice").await.is(200);
    random.fail(true);
    laptop.post("/logout-all").await.is(204);
    phone.get("/me").await.is(401);
    random.fail(false);
    laptop.post("/login/alice").await.is(200);
    laptop.get("/me").await.is(200);
    phone.get("/me").await.is(401);
}

#[actix_web::test]
async fn a_node_does_not_start_without_its_store() {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    for call in [Call::Publish, Call::Follow] {
        store.set(Mode::Up);
        store.set_call(call, Mode::Down);
        let started = builder(&clock, store.clone()).start().await;
        assert!(started.is_err(), "{call:?}");
    }
}
