//! Anonymous sessions. A store keeps a limited number of their ends: a full list can end more of them, and revives
//! none.

use futures_util::future::join_all;
use sealed_session::testing::ManualClock;
use sealed_session::time::Clock;
use serde_json::json;
use support::{Browser, DAY, HOUR, Node, SECOND, builder, log};

/// How many ends are remembered.
const CAPACITY: u64 = 5;

/// Logs in as an application does that came from actix-session: by an entry and a renewal.
async fn insert_login(node: &Node) -> Browser {
    let browser = node.browser();
    browser
        .put("/entries/user_id", json!("alice"))
        .await
        .is(204);
    browser.post("/renew").await.is(200);
    browser.get("/entries/user_id").await.is(200);
    browser
}

/// One more anonymous session begins and ends than are remembered.
async fn flood(node: &Node) {
    for _ in 0..=CAPACITY {
        node.clock.advance(SECOND);
        let anonymous = node.browser();
        anonymous.put("/entries/a", json!(1)).await.is(204);
        anonymous.post("/purge").await.is(204);
    }
}

#[actix_web::test]
async fn a_logout_without_a_login_holds_however_many_anonymous_sessions_end() {
    let node = Node::with(|builder| builder.anonymous_capacity(CAPACITY)).await;
    let user = insert_login(&node).await;
    let copy = user.copy();
    user.post("/purge").await.is(204);
    copy.get("/entries/user_id").await.is(404);
    flood(&node).await;
    copy.get("/entries/user_id").await.is(404);
    // Whoever comes now is not touched, nor is a login.
    insert_login(&node).await;
    let login = node.browser();
    login.post("/login/bob").await.is(200);
    flood(&node).await;
    login.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_logout_without_a_login_outlives_the_store_that_took_it() {
    let clock = ManualClock::default();
    let store = log(&clock);
    let settings = |store| builder(&clock, store).anonymous_capacity(CAPACITY);
    let node = Node::serve(clock.clone(), settings(store.clone())).await;
    let user = insert_login(&node).await;
    let copy = user.copy();
    user.post("/purge").await.is(204);
    flood(&node).await;
    clock.advance(SECOND);
    let kept = insert_login(&node).await;
    let lost = clock.now();
    store.lose_everything();
    // The node that was there restores what it holds, and attests since when that is all.
    support::eventually(|| async { store.state().complete_since < lost }).await;
    store.settle();
    let other = Node::serve(clock.clone(), settings(store.clone())).await;
    let (kept, copy) = (kept.at(&other), copy.at(&other));
    kept.get("/entries/user_id").await.is(200);
    copy.get("/entries/user_id").await.is(404);
}

/// Purges and renewals in turn, many times as many as are remembered.
#[actix_web::test]
async fn a_flood_fills_no_list_revives_nobody_and_touches_no_login() {
    let node = Node::with(|builder| builder.anonymous_capacity(CAPACITY)).await;
    let (login, logged_out) = (node.browser(), node.browser());
    login.post("/login/alice").await.is(200);
    logged_out.post("/login/bob").await.is(200);
    let mut dead = vec![logged_out.copy()];
    logged_out.post("/logout").await.is(204);
    let logins = u64::try_from(node.sessions.health().entries).unwrap();
    for number in 0..20 * CAPACITY {
        node.clock.advance(SECOND);
        let stranger = node.browser();
        stranger.put("/entries/a", json!(1)).await.is(204);
        dead.push(stranger.copy());
        match number % 2 {
            0 => stranger.post("/purge").await.is(204),
            _ => stranger.post("/renew").await.is(200),
        };
        let entries = u64::try_from(node.sessions.health().entries).unwrap();
        assert!(entries <= logins + CAPACITY, "{number}: {entries}");
    }
    // A cookie that was renewed reads during its grace.
    node.clock.advance(11 * SECOND);
    for copy in &dead {
        copy.get("/entries/a").await.is(404);
        copy.get("/me").await.is(401);
    }
    login.get("/me").await.is(200);
}

/// A clock that is ahead for a moment has nothing forgotten before its time, also where room is needed.
#[actix_web::test]
async fn room_that_is_made_by_a_clock_ahead_revives_nobody() {
    let node = Node::with(|builder| builder.anonymous_capacity(2)).await;
    let users = [insert_login(&node).await, insert_login(&node).await];
    let copies = users.each_ref().map(Browser::copy);
    for user in &users {
        user.post("/purge").await.is(204);
    }
    let right = node.clock.now();
    node.clock.set(right + DAY + HOUR);
    let stranger = insert_login(&node).await;
    stranger.post("/purge").await.is(204);
    node.clock.set(right + SECOND);
    for copy in copies {
        copy.get("/entries/user_id").await.is(404);
    }
}

#[actix_web::test]
async fn three_hundred_logouts_at_once_are_all_done() {
    let node = Node::start().await;
    let mut users = Vec::new();
    for _ in 0..300 {
        users.push(insert_login(&node).await);
    }
    let copies: Vec<_> = users.iter().map(Browser::copy).collect();
    let answers = join_all(users.iter().map(|user| user.post("/purge"))).await;
    assert!(answers.iter().all(|answer| answer.status == 204));
    for copy in copies {
        copy.get("/entries/user_id").await.is(404);
    }
}
