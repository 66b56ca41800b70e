//! A renewal: the same session under a new cookie; the old one reads through the grace, and then is dead.

use std::time::Duration;

use actix_web::Result;
use sealed_session::Session;
use sealed_session::testing::ManualClock;
use serde_json::json;
use support::faulty::{Call, Faulty, Mode};
use support::gate::during;
use support::{Answer, Browser, Node, SECOND, builder, eventually, log, unhurried};

use super::site::{done, handler, target};
use super::store_down::{Fleet, is_unavailable};

#[actix_web::test]
async fn of_two_renewals_at_once_without_a_store_one_wins() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    let thief = victim.copy();
    during("a05", thief.post("/held/a05/renew"), async {
        t.store.set_call(Call::Publish, Mode::Down);
        victim.post("/renew").await.is(503);
    })
    .await;
    t.clock.advance(20 * SECOND);
    let both = (
        victim.get("/me").await.status,
        thief.get("/me").await.status,
    );
    assert_eq!(both, (200, 401), "(winner, loser)");
}

#[actix_web::test]
async fn a_renewal_that_the_store_does_not_take_sends_the_new_cookie_with_its_error() {
    let fleet = Fleet::start().await;
    let browser = fleet.logged_in("alice").await;
    let old = browser.copy();
    fleet.store.set(Mode::Down);
    let answer = is_unavailable(browser.post("/renew").await);
    assert_eq!(answer.set_cookies().len(), 1);
    assert!(!answer.removes_cookie());
    browser.get("/me").await.is(200);
    old.put("/entries/a", json!(1)).await.is(409);
    fleet.store.set(Mode::Up);
    fleet.clock.advance(10 * SECOND);
    old.get("/me").await.is(401);
    browser.get("/me").await.is(200);
    fleet.other_refuses(&old).await;
    assert!(fleet.other_takes(&browser).await);
}

#[actix_web::test]
async fn what_is_inserted_after_a_renewal_is_in_the_renewed_session() {
    let browser = handler!(async |session: Session| {
        session.renew();
        session.insert("after", session.id().map(|id| id.to_string()))?;
        Result::<_>::Ok(done())
    });
    for _ in 0..3 {
        let old = browser.copy();
        let answer = browser.post("/do").await.is(204);
        assert_eq!(answer.set_cookies().len(), 1);
        browser.get("/entries/after").await.is(200);
        // Nobody had a session before the first round.
        if old.session().is_some() {
            old.put("/entries/a", json!(1)).await.is(409);
        }
    }
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
pub async fn fleet() -> (ManualClock, [(Faulty, Node); 2]) {
    let clock = ManualClock::default();
    let log = log(&clock);
    let stores = [(); 2].map(|()| Faulty::new(log.clone()));
    let [one, two] = stores;
    let nodes = [
        (one.clone(), patient(&clock, one).await),
        (two.clone(), patient(&clock, two).await),
    ];
    (clock, nodes)
}

async fn patient(clock: &ManualClock, store: Faulty) -> Node {
    Node::serve(clock.clone(), unhurried(builder(clock, store))).await
}

/// Sends both while neither node's publication arrives, then lets them arrive.
async fn at_once(
    nodes: &[(Faulty, Node); 2],
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
async fn a_renewal_and_a_logout_at_once_on_two_nodes_end_in_a_logout() {
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
async fn a_renewed_session_keeps_its_id_and_its_old_cookie_reads_for_the_grace() {
    let node = Node::start().await;
    let browser = node.browser();
    let id = browser.post("/login/alice").await.is(200).json();
    let old = browser.copy();
    assert_eq!(browser.post("/renew").await.is(200).json(), id);
    assert_eq!(browser.get("/me").await.is(200).json()["session"], id);
    old.copy().get("/me").await.is(200);
    old.copy().put("/entries/a", json!(1)).await.is(409);
    old.copy().post("/renew").await.is(409);
    node.clock.advance(Duration::from_secs(10));
    old.get("/me").await.is(401);
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn older_copy_of_a_session_is_dead_after_a_renewal() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    let mut copies = Vec::new();
    for attempt in 0..3 {
        browser
            .put("/entries/attempts", json!(attempt))
            .await
            .is(204);
        copies.push(browser.copy());
    }
    browser.post("/renew").await.is(200);
    node.clock.advance(10 * SECOND);
    for copy in copies {
        copy.get("/entries/attempts").await.is(404);
    }
    assert_eq!(browser.get("/entries/attempts").await.is(200).json(), 2);
}
