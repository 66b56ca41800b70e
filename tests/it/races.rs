//! Requests of one session that overlap, and requests that are cut off.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use common::faulty::{Call, Faulty, Mode};
use common::gate::{during, gate};
use common::{Answer, Browser, MINUTE, Node, SECOND, eventually, memory};
use sealed_session::revoke::Reach;
use sealed_session::testing::ManualClock;
use serde_json::json;

#[actix_web::test]
async fn a_response_in_flight_does_not_resurrect_an_ended_session() {
    let node = Node::start().await;
    for end in [
        "/logout",
        "/purge",
        "/logout-all",
        "/logout-everyone",
        "/login/bob",
    ] {
        for held in ["write", "late-write", "renew"] {
            let browser = node.browser();
            browser.post("/login/alice").await.is(200);
            let tab = browser.copy();
            let name = format!("ended{end}{held}").replace('/', "-");
            let path = format!("/held/{name}/{held}");
            // Whoever wrote gets to know that it was in vain.
            let answer = during(&name, tab.post(&path), browser.post(end))
                .await
                .is(409);
            assert!(answer.set_cookies().is_empty(), "{end} {held}: {answer:?}");
            tab.get("/me").await.is(401);
        }
    }
}

/// A session is in use until its response is ready, however long that takes.
#[actix_web::test]
async fn a_response_that_took_long_moves_the_idle_limit() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    node.clock.advance(6 * MINUTE);
    let answer = during("slow", browser.get("/held/slow/read"), async {
        node.clock.advance(55 * MINUTE);
    });
    let answer = answer.await;
    assert_eq!(answer.set_cookies().len(), 1, "{answer:?}");
    node.clock.advance(59 * MINUTE);
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_request_during_which_the_idle_limit_passes_keeps_the_session() {
    for (method, what) in [("GET", "read"), ("POST", "write"), ("POST", "renew")] {
        let node = Node::start().await;
        let browser = node.browser();
        browser.post("/login/alice").await.is(200);
        node.clock.advance(59 * MINUTE);
        let name = format!("idle-{what}");
        let path = format!("/held/{name}/{what}");
        let request = async {
            match method {
                "GET" => browser.get(&path).await,
                _ => browser.post(&path).await,
            }
        };
        let answer = during(&name, request, async { node.clock.advance(2 * MINUTE) }).await;
        assert_eq!(answer.set_cookies().len(), 1, "{what}: {answer:?}");
        browser.get("/me").await.is(200);
    }
}

#[actix_web::test]
async fn a_refresh_in_flight_does_not_resurrect_an_ended_session() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    let tab = browser.copy();
    node.clock.advance(6 * MINUTE);
    let answer = during(
        "refresh",
        tab.get("/held/refresh/read"),
        browser.post("/logout"),
    );
    let answer = answer.await.is(200);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
}

/// Whoever empties a session ends nothing: a request under way has what was in it.
#[actix_web::test]
async fn a_request_under_way_brings_back_what_was_cleared_and_not_what_was_purged() {
    let node = Node::start().await;
    for (path, written, status) in [("/clear", 204, 200), ("/purge", 409, 404)] {
        let browser = node.browser();
        browser.put("/entries/user_id", json!(7)).await.is(204);
        let tab = browser.copy();
        let name = format!("emptied{}", path.replace('/', "-"));
        let write = format!("/held/{name}/write");
        let answer = during(&name, tab.post(&write), browser.post(path)).await;
        let answer = answer.is(written);
        browser.keep(&answer);
        browser.get("/entries/user_id").await.is(status);
    }
}

#[actix_web::test]
async fn a_login_in_flight_does_not_survive_a_logout_everywhere() {
    let node = Node::start().await;
    let (browser, other) = (node.browser(), node.browser());
    browser.post("/login/alice").await.is(200);
    let request = other.post("/held/login/login/alice");
    let answer = during("login", request, browser.post("/logout-all")).await;
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    other.get("/me").await.is(401);
}

#[actix_web::test]
async fn a_write_in_flight_does_not_overwrite_a_renewed_cookie() {
    let node = Node::start().await;
    for held in ["write", "late-write"] {
        let browser = node.browser();
        browser.post("/login/alice").await.is(200);
        let tab = browser.copy();
        let name = format!("renewed-{held}");
        let path = format!("/held/{name}/{held}");
        let answer = during(&name, tab.post(&path), browser.post("/renew")).await;
        let answer = answer.is(409);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        tab.get("/me").await.is(200);
        node.clock.advance(10 * SECOND);
        tab.get("/me").await.is(401);
        browser.get("/me").await.is(200);
    }
}

#[actix_web::test]
async fn of_two_renewals_at_once_on_one_node_one_wins() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    let tab = browser.copy();
    let request = tab.post("/held/two-renewals/renew");
    let answer = during("two-renewals", request, browser.post("/renew")).await;
    let loser = answer.is(204);
    assert!(loser.set_cookies().is_empty(), "{loser:?}");
    node.clock.advance(10 * SECOND);
    tab.get("/me").await.is(401);
    browser.get("/me").await.is(200);
}

/// Two nodes, each with a way to the same store.
async fn fleet() -> (ManualClock, [(Arc<Faulty>, Node); 2]) {
    let clock = ManualClock::default();
    let memory = memory(&clock);
    let stores = [(); 2].map(|()| Faulty::new(memory.clone(), Reach::Process));
    let [one, two] = stores;
    let nodes = [
        (one.clone(), Node::on(&clock, one).await),
        (two.clone(), Node::on(&clock, two).await),
    ];
    (clock, nodes)
}

/// Sends both while neither node's publication arrives, then lets them arrive.
async fn at_once(
    nodes: &[(Arc<Faulty>, Node); 2],
    paths: [&str; 2],
    browsers: [&Browser; 2],
) -> [Answer; 2] {
    let [(one, _), (two, _)] = nodes;
    for store in [one, two] {
        store.set_call(Call::Publish, Mode::Hanging);
    }
    let (first, second, ()) = tokio::join!(
        browsers[0].post(paths[0]),
        browsers[1].post(paths[1]),
        async {
            eventually(|| async { one.waiting() == 1 && two.waiting() == 1 }).await;
            one.set(Mode::Up);
            two.set(Mode::Up);
        }
    );
    [first, second]
}

#[actix_web::test]
async fn of_two_renewals_at_once_on_two_nodes_one_wins() {
    let (clock, nodes) = fleet().await;
    let browser = nodes[0].1.browser();
    browser.post("/login/alice").await.is(200);
    let (here, there) = (browser.copy(), browser.copy().at(&nodes[1].1));
    let [first, second] = at_once(&nodes, ["/renew"; 2], [&here, &there]).await;
    let cookies = [
        first.is(200).set_cookies().len(),
        second.is(200).set_cookies().len(),
    ];
    assert!(cookies == [0, 1] || cookies == [1, 0], "{cookies:?}");
    clock.advance(10 * SECOND);
    let winner = if cookies[0] == 1 { here } else { there };
    for (_, node) in &nodes {
        winner.at(node).get("/me").await.is(200);
        browser.copy().at(node).get("/me").await.is(401);
    }
}

#[actix_web::test]
async fn a_renewal_on_one_node_and_a_logout_on_another_end_in_a_logout() {
    for renewed in [0, 1] {
        let (_, nodes) = fleet().await;
        let ended = 1 - renewed;
        let browser = nodes[0].1.browser();
        browser.post("/login/alice").await.is(200);
        let tabs = [0, 1].map(|index: usize| browser.copy().at(&nodes[index].1));
        let mut paths = ["/renew"; 2];
        paths[ended] = "/logout";
        at_once(&nodes, paths, [&tabs[0], &tabs[1]]).await;
        for (_, node) in &nodes {
            let (old, new) = (browser.copy().at(node), tabs[renewed].copy().at(node));
            eventually(|| async {
                old.copy().get("/me").await.status == 401
                    && new.copy().get("/me").await.status == 401
            })
            .await;
        }
    }
}

#[actix_web::test]
async fn a_session_that_ends_while_its_renewal_is_published_gets_no_cookie() {
    let (_, nodes) = fleet().await;
    let [(store, node), _] = &nodes;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    let tab = browser.copy();
    store.set_call(Call::Publish, Mode::Hanging);
    let (renewal, _) = tokio::join!(tab.post("/renew"), async {
        eventually(|| async { store.waiting() == 1 }).await;
        tokio::join!(browser.post("/logout"), async {
            eventually(|| async { store.waiting() == 2 }).await;
            store.set(Mode::Up);
        })
    });
    assert!(renewal.set_cookies().is_empty(), "{renewal:?}");
    tab.get("/me").await.is(401);
}

#[actix_web::test]
async fn a_request_that_is_cut_off_still_revokes() {
    for path in [
        "/logout",
        "/purge",
        "/logout-all",
        "/logout-everyone",
        "/renew",
        "/login/bob",
    ] {
        let (clock, [(store, node), (_, other)]) = fleet().await;
        let browser = node.browser();
        browser.post("/login/alice").await.is(200);
        let stolen = browser.copy();
        store.set_call(Call::Publish, Mode::Hanging);
        store.set_call(Call::Raise, Mode::Hanging);
        let request = actix_web::rt::spawn(async move { browser.post(path).await });
        eventually(|| async { store.waiting() == 1 }).await;
        // The client goes away while the store has not answered.
        request.abort();
        assert!(request.await.is_err(), "{path}");
        store.set(Mode::Up);
        clock.advance(10 * SECOND);
        stolen.get("/me").await.is(401);
        let elsewhere = stolen.at(&other);
        eventually(|| async { elsewhere.copy().get("/me").await.status == 401 }).await;
    }
}

#[actix_web::test]
async fn a_handler_that_is_cut_off_after_its_logout_has_logged_out() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    let stolen = browser.copy();
    let at = gate("cut-off");
    let request = actix_web::rt::spawn(async move { browser.post("/held/cut-off/logout").await });
    at.entered().await;
    request.abort();
    assert!(request.await.is_err());
    stolen.get("/me").await.is(401);
}
