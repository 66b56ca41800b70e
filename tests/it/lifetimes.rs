//! How long a session lives: the idle and the absolute limit, remembered logins, and the cookie's Max-Age.
//!
//! 1. Both limits are the server's; Max-Age is the time to the absolute end.
//! 2. A request is a use of its session however long it takes.

use sealed_session::adapter::{Incoming, Loaded};
use sealed_session::settings::CookieSettings;
use serde_json::json;
use support::faulty::{Call, Mode};
use support::gate::during;
use support::upload::Upload;
use support::{DAY, HOUR, MINUTE, Node, SECOND, eventually, logged_in, node_at, with};

use super::store_down::Fleet;

/// The renewal is a use of the session: that it would have been idle by the time the store answers is no end.
#[actix_web::test]
async fn a_renewal_during_which_the_idle_limit_passes_keeps_the_session() {
    let fleet = Fleet::start().await;
    let browser = fleet.logged_in("alice").await;
    fleet.clock.advance(HOUR - SECOND);
    fleet.store.set_call(Call::Publish, Mode::Hanging);
    let (answer, ()) = tokio::join!(browser.post("/renew"), async {
        eventually(|| async { fleet.store.waiting() > 0 }).await;
        fleet.clock.advance(2 * SECOND);
        fleet.store.set_call(Call::Publish, Mode::Up);
    });
    assert_eq!(answer.is(200).set_cookies().len(), 1);
    browser.get("/me").await.is(200);
}

/// What a response waits for is no part of the time for which a session is idle.
#[actix_web::test]
async fn a_login_that_waits_for_the_store_is_used_when_it_is_sealed() {
    let fleet = Fleet::start().await;
    let sessions = &fleet.node.sessions;
    let load = |header: &str| {
        sessions
            .load(Incoming::new(std::iter::once(header.as_bytes())))
            .unwrap()
    };
    let Loaded {
        session, ticket, ..
    } = load("");
    session.authenticate("alice").await.unwrap();
    let outcome = sessions.commit(&session, ticket).await;
    let Loaded {
        session, ticket, ..
    } = load(outcome.cookies[0].split(';').next().unwrap());
    fleet.store.set_call(Call::Publish, Mode::Hanging);
    session.purge();
    session.authenticate("alice").await.unwrap();
    let (outcome, ()) = tokio::join!(sessions.commit(&session, ticket), async {
        eventually(|| async { fleet.store.waiting() > 0 }).await;
        fleet.clock.advance(30 * MINUTE);
        fleet.store.set_call(Call::Publish, Mode::Up);
    });
    assert_eq!(outcome.error, None);
    fleet.clock.advance(45 * MINUTE);
    let Loaded { session, .. } = load(outcome.cookies[0].split(';').next().unwrap());
    assert!(session.is_authenticated());
}

#[actix_web::test]
async fn an_upload_that_takes_longer_than_the_idle_limit_is_kept() {
    let (node, nobody) = node_at(support::routes).await;
    let browser = logged_in(&nobody).await;
    let upload = Upload::begin(&browser, "long", json!("large")).await;
    node.clock.advance(3 * HOUR);
    upload.finish().await.is(204);
    let uploaded = browser.get("/entries/uploaded").await.is(200);
    assert_eq!(uploaded.json(), "large");
    browser.get("/me").await.is(200);
}

/// A handler that clears the ground before its login logs in, whatever cookie the browser holds.
#[actix_web::test]
async fn a_remembered_login_that_is_only_read_lives_to_its_absolute_end() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/remember/alice").await.is(200);
    node.clock.advance(4 * MINUTE);
    let answer = browser.get("/me").await.is(200);
    assert!(answer.set_cookies().is_empty(), "used 5 minutes ago");
    node.clock.advance(MINUTE);
    let answer = browser.get("/plain").await.is(200);
    assert!(answer.set_cookies().is_empty(), "nobody looked");
    let answer = browser.get("/me").await.is(200);
    let [seen] = answer.set_cookies()[..] else {
        panic!("{answer:?}")
    };
    assert!(seen.starts_with("session.seen="), "{seen}");
    assert!(seen.contains("Max-Age=2591700"), "{seen}");
    for _ in 0..29 {
        node.clock.advance(DAY);
        browser.get("/me").await.is(200);
    }
    node.clock.advance(DAY);
    browser.get("/me").await.is(401);
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
async fn the_idle_and_the_absolute_limit_are_the_servers() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    let unused = browser.copy();
    let anonymous = node.browser();
    anonymous.put("/entries/a", json!(1)).await.is(204);
    node.clock.advance(HOUR - MINUTE);
    let answer = browser.get("/me").await.is(200);
    assert_eq!(
        answer.set_cookies().len(),
        1,
        "used, so the idle limit moves"
    );
    node.clock.advance(MINUTE);
    unused.get("/me").await.is(401);
    for _ in 0..45 {
        node.clock.advance(HOUR / 2);
        browser.get("/me").await.is(200);
    }
    node.clock.advance(HOUR / 2);
    browser.get("/me").await.is(401);
    anonymous.get("/entries/a").await.is(404);
}

#[actix_web::test]
async fn a_remembered_session_outlives_the_browser_and_ends_all_the_same() {
    let node = Node::start().await;
    let browser = node.browser();
    let login = browser.post("/remember/alice").await.is(200);
    assert!(login.set_cookies()[0].contains("Max-Age="), "{login:?}");
    for day in 1..=29 {
        node.clock.advance(DAY);
        assert_eq!(
            browser.get("/me").await.is(200).json()["remembered"],
            true,
            "{day}"
        );
    }
    node.clock.advance(DAY);
    browser.get("/me").await.is(401);
}

/// The Max-Age of the cookie that an answer sets, in seconds.
fn max_age(answer: &support::Answer) -> Option<u64> {
    let [cookie] = answer.set_cookies()[..] else {
        panic!("{answer:?}")
    };
    let (_, rest) = cookie.split_once("Max-Age=")?;
    Some(rest.split(';').next().unwrap().parse().unwrap())
}

#[actix_web::test]
async fn max_age_is_the_time_to_the_absolute_end() {
    let node = Node::start().await;
    let browser = node.browser();
    let login = browser.post("/remember/alice").await.is(200);
    assert_eq!(max_age(&login), Some(30 * DAY.as_secs()));
    node.clock.advance(DAY);
    let write = browser.put("/entries/a", json!(1)).await.is(204);
    assert_eq!(max_age(&write), Some(29 * DAY.as_secs()));
}

#[actix_web::test]
async fn a_persistent_cookie_outlives_the_browser_for_every_session() {
    let node = Node::with(|builder| {
        builder.cookie(with(CookieSettings::plain_http(), |cookie| {
            cookie.persistent = true;
        }))
    })
    .await;
    let anonymous = node.browser();
    let write = anonymous.put("/entries/a", json!(1)).await.is(204);
    assert_eq!(max_age(&write), Some(DAY.as_secs()));
    node.clock.advance(MINUTE);
    let write = anonymous.put("/entries/a", json!(2)).await.is(204);
    assert_eq!(max_age(&write), Some((DAY - MINUTE).as_secs()));
    let login = anonymous.post("/login/alice").await.is(200);
    assert_eq!(max_age(&login), Some(DAY.as_secs()));
    let login = node.browser().post("/remember/bob").await.is(200);
    assert_eq!(max_age(&login), Some(30 * DAY.as_secs()));
    // The class, and with it the limits, stay what they were.
    let me = anonymous.get("/me").await.is(200).json();
    assert_eq!(me["remembered"], false);
    node.clock.advance(HOUR);
    anonymous.get("/me").await.is(401);
}
