//! Several nodes, lists that are old, and stores that are new.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use sealed_session::revoke::{Published, Purpose, ReplicatedLog, Revocation, Store};
use sealed_session::store::Memory;
use sealed_session::testing::{ManualClock, MemoryLog};
use sealed_session::{
    revoke::{OlderSessions, SessionId, WhenStale},
    time::{Clock, UnixMillis},
};
use serde_json::json;
use support::faulty::{Call, Faulty, Mode};
use support::gate::gate;
use support::{Browser, MINUTE, Node, SECOND, builder, ended_entry, eventually, log};

/// A node on a store that others may write to, heard of within milliseconds.
struct Remote {
    clock: ManualClock,
    store: Faulty,
    node: Node,
}

impl Remote {
    async fn start(when_stale: WhenStale) -> Self {
        let clock = ManualClock::default();
        let store = Faulty::new(log(&clock));
        let builder = builder(&clock, store.clone()).when_stale(when_stale, 10 * SECOND);
        let node = Node::serve(clock.clone(), builder).await;
        Self { clock, store, node }
    }

    /// From here on the node hears nothing.
    async fn cut(&self, mode: Mode) {
        self.store.set_call(Call::Follow, Mode::Hanging);
        eventually(|| async { self.store.waiting() >= 1 }).await;
        for call in [Call::Publish, Call::Raise, Call::Read] {
            self.store.set_call(call, mode);
        }
    }

    /// Waits until the node knows its list to be complete.
    async fn hears(&self) {
        eventually(|| async { self.node.sessions.health().staleness.is_zero() }).await;
    }

    async fn logged_in(&self) -> Browser {
        let browser = self.node.browser();
        browser.post("/login/alice").await.is(200);
        browser
    }
}

#[actix_web::test]
async fn a_node_that_hears_nothing_answers_only_requests_without_an_authentic_cookie() {
    let remote = Remote::start(WhenStale::Reject).await;
    let (browser, ended) = (remote.logged_in().await, remote.logged_in().await);
    let dead = ended.copy();
    ended.post("/logout").await.is(204);
    remote.cut(Mode::Down).await;
    remote.clock.advance(10 * SECOND);
    browser.get("/me").await.is(200);
    remote.clock.advance(SECOND / 1000);
    for browser in [&browser, &dead] {
        for (path, status) in [("/me", 503), ("/plain", 200), ("/nowhere", 404)] {
            let answer = browser.get(path).await.is(status);
            assert!(answer.set_cookies().is_empty(), "the cookie is kept");
            if status == 503 {
                assert_eq!(answer.header("retry-after"), Some("2"));
                assert_eq!(answer.header("cache-control"), Some("no-store"));
            }
        }
    }
    let stranger = remote.node.browser();
    stranger.get("/plain").await.is(200);
    stranger.get("/me").await.is(401);
    stranger.holding("junk").get("/me").await.removes();
    stranger.post("/login/dave").await.is(503);
    // An anonymous session's first write is refused rather than lost.
    let write = stranger.put("/entries/a", json!(1)).await.is(503);
    assert!(write.set_cookies().is_empty(), "{write:?}");

    remote.store.set(Mode::Up);
    eventually(|| async { browser.get("/me").await.status == 200 }).await;
    stranger.post("/login/dave").await.is(200);
}

#[actix_web::test]
async fn a_node_may_be_told_to_trust_its_old_list() {
    let remote = Remote::start(WhenStale::Accept).await;
    let (browser, ended) = (remote.logged_in().await, remote.logged_in().await);
    let dead = ended.copy();
    ended.post("/logout").await.is(204);
    remote.cut(Mode::Down).await;
    remote.clock.advance(6 * MINUTE);
    let answer = browser.get("/me").await.is(200);
    assert_eq!(answer.set_cookies().len(), 1, "refreshed");
    browser.put("/entries/a", json!(1)).await.is(204);
    browser.get("/entries/a").await.is(200);
    dead.get("/me").await.is(401);
    remote.node.browser().post("/login/bob").await.is(503);
}

#[actix_web::test]
async fn a_list_that_grew_old_during_a_request_sets_no_cookie() {
    let remote = Remote::start(WhenStale::Reject).await;
    for (held, status) in [
        ("write", 503),
        ("read", 200),
        ("renew", 503),
        ("login/bob", 503),
    ] {
        let browser = remote.logged_in().await;
        let before = browser.session();
        remote.clock.advance(6 * MINUTE);
        remote.hears().await;
        let name = format!("stale-{}", held.replace('/', "-"));
        let (at, path) = (gate(&name), format!("/held/{name}/{held}"));
        let request = async {
            match held {
                "read" => browser.get(&path).await,
                _ => browser.post(&path).await,
            }
        };
        let (answer, ()) = tokio::join!(request, async {
            at.entered().await;
            remote.cut(Mode::Up).await;
            remote.clock.advance(11 * SECOND);
            at.open();
        });
        let answer = answer.is(status);
        assert!(answer.set_cookies().is_empty(), "{held}: {answer:?}");
        remote.store.set(Mode::Up);
        remote.hears().await;
        if status != 503 {
            remote.clock.advance(11 * SECOND);
            remote.hears().await;
            assert_eq!(browser.session(), before);
            let answer = browser.get("/me").await;
            assert_eq!(answer.status, 200, "{held}: the session is as it was");
        }
    }
}

#[actix_web::test]
async fn what_one_node_ends_another_refuses() {
    let clock = ManualClock::default();
    let log = log(&clock);
    let (one, two) = (
        Node::on(&clock, log.clone()).await,
        Node::on(&clock, log.clone()).await,
    );
    for path in [
        "/logout",
        "/purge",
        "/logout-all",
        "/logout-everyone",
        "/login/bob",
    ] {
        let browser = one.browser();
        browser.post("/login/alice").await.is(200);
        let stolen = browser.copy().at(&two);
        stolen.get("/me").await.is(200);
        browser.post(path).await;
        eventually(|| async { stolen.copy().get("/me").await.status == 401 }).await;
        // A login right after it holds.
        stolen.post("/login/alice").await.is(200);
        stolen.get("/me").await.is(200);
        stolen.at(&one).get("/me").await.is(200);
        // A node that starts later knows as well.
        let late = Node::on(&clock, log.clone()).await;
        stolen.at(&late).get("/me").await.is(200);
    }
}

#[actix_web::test]
async fn a_login_holds_although_its_node_has_not_heard_of_a_logout_everywhere() {
    let clock = ManualClock::default();
    let log = log(&clock);
    let store = Faulty::new(log.clone());
    let (deaf, other) = (
        Node::on(&clock, store.clone()).await,
        Node::on(&clock, log.clone()).await,
    );
    store.set_call(Call::Follow, Mode::Hanging);
    eventually(|| async { store.waiting() == 1 }).await;
    let (laptop, phone) = (other.browser(), deaf.browser());
    laptop.post("/login/alice").await.is(200);
    laptop.post("/logout-all").await.is(204);
    phone.post("/login/alice").await.is(200);
    phone.get("/me").await.is(200);
    phone.at(&other).get("/me").await.is(200);
    store.set(Mode::Up);
    phone.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_new_store_knows_of_no_session_from_before() {
    let clock = ManualClock::default();
    let old = Node::on(&clock, log(&clock)).await;
    let (user, anonymous) = (old.browser(), old.browser());
    user.post("/login/alice").await.is(200);
    anonymous.put("/entries/a", json!(1)).await.is(204);
    let new = Node::on(&clock, log(&clock)).await;
    user.copy().at(&new).get("/me").await.is(401);
    anonymous.copy().at(&new).get("/entries/a").await.is(404);
    let trusting = builder(&clock, log(&clock)).older_sessions(OlderSessions::Accept);
    let trusting = Node::serve(clock.clone(), trusting).await;
    user.copy().at(&trusting).get("/me").await.is(200);
    // What is made in the millisecond in which it begins counts.
    let newborn = builder(&clock, Memory::new()).start().await.unwrap();
    let (url, _server) = support::serve(&newborn, support::routes);
    let browser = Browser::new(&url);
    browser.put("/entries/a", json!(1)).await.is(204);
    browser.get("/entries/a").await.is(200);
    browser.post("/login/alice").await.is(200);
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_new_store_of_a_fleet_removes_no_cookie() {
    let clock = ManualClock::default();
    let old = Node::on(&clock, log(&clock)).await;
    let browser = old.browser();
    browser.post("/login/alice").await.is(200);
    let store = Faulty::new(MemoryLog::new(Arc::new(clock.clone())));
    let new = Node::on(&clock, store).await;
    let browser = browser.at(&new);
    let fresh = || async { new.sessions.health().staleness.is_zero() };
    browser.get("/me").await.is(503);
    clock.advance(29 * SECOND);
    eventually(fresh).await;
    browser.get("/me").await.is(503);
    clock.advance(SECOND);
    eventually(fresh).await;
    browser.get("/me").await.leaves_alone();
    // Nor later: nothing authentic is removed unasked.
    clock.advance(30 * SECOND);
    eventually(fresh).await;
    browser.get("/me").await.leaves_alone();
}

#[actix_web::test]
async fn anonymous_sessions_do_not_fill_the_list() {
    let clock = ManualClock::default();
    let log = log(&clock);
    let builder = builder(&clock, log.clone()).anonymous_capacity(1_000);
    let node = Node::serve(clock.clone(), builder).await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    let stolen = browser.copy();
    browser.post("/logout").await.is(204);
    let anonymous = node.browser();
    anonymous.put("/entries/a", json!(1)).await.is(204);
    let kept = anonymous.copy();
    anonymous.post("/purge").await.is(204);
    kept.get("/entries/a").await.is(404);

    // As many purges as it takes, without the requests.
    let flood: Vec<_> = (0..1_500)
        .map(|number| Revocation::AnonymousSession {
            id: SessionId::from_bytes((u128::from(number) << 3 | 1).to_le_bytes()),
            created: clock.now() + SECOND / 1000 * number,
            entry: ended_entry(clock.now(), UnixMillis::MAX),
        })
        .collect();
    log.publish(&flood, Purpose::Revoke).await.unwrap();
    // The last thousand, and alice's.
    eventually(|| async { node.sessions.health().entries == 1_000 + 1 }).await;
    let again = log.publish(&flood[..1], Purpose::Revoke).await.unwrap();
    assert_eq!(again.published, [Published::Ended]);
    let late = Node::on(&clock, log).await;
    for node in [&node, &late] {
        stolen.copy().at(node).get("/me").await.is(401);
        kept.copy().at(node).get("/entries/a").await.is(404);
    }
}

#[actix_web::test]
async fn the_end_of_an_anonymous_session_is_kept_for_a_store_that_is_away() {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    let node = Node::on(&clock, store.clone()).await;
    let anonymous = node.browser();
    anonymous.put("/entries/a", json!(1)).await.is(204);
    let stolen = anonymous.copy();
    store.set(Mode::Down);
    assert!(anonymous.post("/purge").await.is(503).removes_cookie());
    stolen.get("/entries/a").await.is(404);
    assert_eq!(node.sessions.close(std::time::Duration::ZERO).await, 1);
    store.set(Mode::Up);
    eventually(|| async { node.sessions.health().outstanding == 0 }).await;
}

/// Each would miss what the store tells the other.
#[actix_web::test]
async fn a_store_of_several_nodes_is_followed_by_one_in_a_process() {
    let clock = ManualClock::default();
    let store: Store = Faulty::new(log(&clock)).into();
    let first = builder(&clock, store.clone()).start().await.unwrap();
    let refused = builder(&clock, store.clone()).start().await.unwrap_err();
    assert!(
        refused.to_string().contains("each opens its own"),
        "{refused}"
    );
    drop(first);
    builder(&clock, store).start().await.unwrap();
}

/// Its reply was lost, and then the replicas were; meanwhile the node has heard of it.
#[actix_web::test]
async fn a_raise_that_was_heard_of_keeps_nobody_out_while_there_are_no_replicas() {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    clock.advance(SECOND);
    let node = Node::on(&clock, store.clone()).await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    let entries = node.sessions.health().entries;
    store.set_call(Call::Raise, Mode::LosesReplies);
    browser.post("/logout-all").await.is(503);
    eventually(|| async { node.sessions.health().entries > entries }).await;
    store.set_call(Call::Raise, Mode::Alone);
    store.set_call(Call::Publish, Mode::Alone);
    let logged_in = || async {
        clock.advance(SECOND);
        let again = node.browser();
        again.post("/login/alice").await.status == 200 && again.get("/me").await.status == 200
    };
    eventually(logged_in).await;
    assert_eq!(node.sessions.health().outstanding, 1);
    store.set(Mode::Up);
    eventually(|| async { node.sessions.health().outstanding == 0 }).await;
}
