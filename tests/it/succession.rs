//! A cookie that a login replaced, in several tabs of one browser.
//!
//! 1. A login succeeds over a dead cookie, over one that was succeeded, and five times at once.
//! 2. Anonymous entries are in every session that a double click makes.
//! 3. The succession of a cookie counts from its login, whenever a node hears of it.
//! 4. A logout over it is an error, for its successor lives.

use actix_web::{HttpResponse, Result, web};
use futures_util::future::join_all;
use sealed_session::Session;
use sealed_session::testing::ManualClock;
use serde_json::json;
use support::faulty::{Call, Faulty, Mode};
use support::gate::{during, gate};
use support::{Answer, Browser, HOUR, MINUTE, Node, SECOND, eventually, log, logged_in, node_at};

use super::site::alice_at;

/// A cookie that another tab's login has replaced: its successor must neither be ended nor removed.
#[actix_web::test]
async fn a_logout_over_a_succeeded_session_is_an_error_and_removes_nothing() {
    let node = Node::start().await;
    let browser = alice_at(&node).await;
    let old = browser.copy();
    browser.post("/login/alice").await.is(200);
    for pause in [SECOND, 3 * MINUTE] {
        node.clock.advance(pause);
        for path in ["/logout", "/purge"] {
            let answer = old.post(path).await.is(409);
            assert!(answer.set_cookies().is_empty(), "{answer:?}");
        }
        browser.get("/me").await.is(200);
    }
}

/// The same on a node that has not heard of the login: the store tells it.
#[actix_web::test]
async fn a_logout_on_a_node_that_had_not_heard_of_the_login_removes_nothing_either() {
    let (_clock, here, there, deaf) = fleet().await;
    for path in ["/logout", "/purge"] {
        let browser = alice_at(&here).await;
        let old = browser.copy().at(&there);
        stops_listening(&deaf).await;
        browser.post("/login/alice").await.is(200);
        old.get("/me").await.is(200);
        let answer = old.post(path).await.is(409);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        browser.get("/me").await.is(200);
        deaf.set_call(Call::Follow, Mode::Up);
    }
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .configure(support::routes)
        .route("/page", web::get().to(page))
        .route("/logout-and-insert", web::post().to(logout_and_insert));
}

/// Sends whoever is not logged in to the single sign-on, and remembers where they wanted to go.
async fn page(session: Session) -> Result<HttpResponse> {
    if session.subject().is_some() {
        return Ok(HttpResponse::Ok().finish());
    }
    session.start_over()?;
    session.insert("return_to", "/page")?;
    Ok(HttpResponse::SeeOther().finish())
}

async fn logout_and_insert(session: Session) -> Result<HttpResponse> {
    session.logout().await?;
    session.insert("flash", "logged out")?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sends five requests whose handlers all have their sessions before any of them logs in.
async fn five_logins(browser: &Browser, name: &str) -> Vec<Answer> {
    let path = format!("/late/{name}/login/alice");
    let tabs: Vec<_> = (0..5).map(|_| browser.copy()).collect();
    let requests = join_all(tabs.iter().map(|tab| tab.post(&path)));
    let at = gate(name);
    let (answers, ()) = tokio::join!(requests, async {
        for _ in 0..5 {
            at.entered().await;
        }
        for _ in 0..5 {
            at.open();
        }
    });
    answers
}

/// Each tab is sent to the single sign-on and comes back by itself, whatever cookie the browser had kept.
#[actix_web::test]
async fn five_tabs_that_are_restored_at_once_with_single_sign_on_all_end_logged_in() {
    let (node, nobody) = node_at(routes).await;
    for held in [
        "none",
        "anonymous",
        "idle",
        "/logout",
        "/login/bob",
        "/renew",
    ] {
        for through_a_page in [false, true] {
            let browser = Browser::new(nobody.url());
            match held {
                "none" => (),
                "anonymous" => {
                    browser.put("/entries/cart", json!("tea")).await.is(204);
                }
                _ => {
                    browser.post("/login/alice").await.is(200);
                    match held {
                        "idle" => node.clock.advance(HOUR),
                        _ => {
                            browser.copy().post(held).await;
                            node.clock.advance(11 * SECOND);
                        }
                    }
                }
            }
            if through_a_page {
                let tabs: Vec<_> = (0..5).map(|_| browser.copy()).collect();
                for answer in join_all(tabs.iter().map(|tab| tab.get("/page"))).await {
                    browser.keep(&answer.is(303));
                }
            }
            let name = format!("{}-{through_a_page}", held.replace('/', "-"));
            for answer in five_logins(&browser, &name).await {
                // Whichever answer comes last: the browser has what it set.
                browser.keep(&answer.is(204));
                browser.get("/me").await.is(200);
                browser.get("/page").await.is(200);
                if held == "anonymous" {
                    let cart = browser.get("/entries/cart").await.is(200);
                    assert_eq!(cart.json(), "tea", "{name}");
                }
                if through_a_page {
                    browser.get("/entries/return_to").await.is(200);
                }
            }
        }
    }
}

/// Of a login that comes long after, it is another person's.
#[actix_web::test]
async fn a_login_that_waited_for_longer_than_a_double_click_takes_over_no_entries() {
    let (node, nobody) = node_at(routes).await;
    for (pause, status) in [(9 * SECOND, 200), (10 * SECOND, 404)] {
        let browser = Browser::new(nobody.url());
        browser.put("/entries/cart", json!("tea")).await.is(204);
        let late = browser.copy();
        let name = format!("click-{}", pause.as_secs());
        let path = format!("/late/{name}/login/alice");
        let meanwhile = async {
            browser.post("/login/alice").await.is(200);
            node.clock.advance(pause);
        };
        during(&name, late.post(&path), meanwhile).await.is(204);
        late.get("/entries/cart").await.is(status);
        browser.get("/entries/cart").await.is(200);
    }
}

#[actix_web::test]
async fn a_login_over_a_succeeded_cookie_ends_nobody() {
    let (node, nobody) = node_at(routes).await;
    let browser = logged_in(&nobody).await;
    let (soon, late) = (browser.copy(), browser.copy());
    browser.post("/login/alice").await.is(200);
    soon.post("/login/bob").await.is(200);
    node.clock.advance(3 * MINUTE);
    late.post("/login/carol").await.is(200);
    for (tab, user) in [(&browser, "alice"), (&soon, "bob"), (&late, "carol")] {
        assert_eq!(tab.get("/me").await.is(200).json()["user"], user);
    }
}

#[actix_web::test]
async fn what_is_inserted_after_a_logout_is_in_a_new_session_and_the_old_one_is_dead() {
    let (_node, nobody) = node_at(routes).await;
    let browser = logged_in(&nobody).await;
    let old = browser.copy();
    let answer = browser.post("/logout-and-insert").await.is(204);
    assert_eq!(answer.removed(), [""; 0]);
    assert_eq!(answer.set_cookies().len(), 1, "{answer:?}");
    browser.get("/me").await.is(401);
    let flash = browser.get("/entries/flash").await.is(200);
    assert_eq!(flash.json(), "logged out");
    old.get("/me").await.is(401);
    old.get("/entries/flash").await.is(404);
}

/// Two nodes of a fleet. The second hears nothing until it is told to.
async fn fleet() -> (ManualClock, Node, Node, Faulty) {
    let clock = ManualClock::default();
    let store = log(&clock);
    let here = Node::on(&clock, Faulty::new(store.clone())).await;
    let deaf = Faulty::new(store);
    let there = Node::on(&clock, deaf.clone()).await;
    (clock, here, there, deaf)
}

async fn stops_listening(store: &Faulty) {
    store.set_call(Call::Follow, Mode::Hanging);
    eventually(|| async { store.waiting() >= 1 }).await;
}

#[actix_web::test]
async fn a_node_that_hears_of_a_succession_late_counts_from_the_login() {
    let (clock, here, there, deaf) = fleet().await;
    let browser = logged_in(&here.browser()).await;
    let old = browser.copy().at(&there);
    stops_listening(&deaf).await;
    browser.post("/login/alice").await.is(200);
    old.get("/me").await.is(200);
    clock.advance(5 * SECOND);
    old.get("/me").await.is(200);
    deaf.set_call(Call::Follow, Mode::Up);
    eventually(|| async { old.copy().get("/me").await.status == 401 }).await;
    old.get("/me").await.leaves_alone();
    let hears = || async { there.sessions.health().staleness.is_zero() };
    clock.advance(114 * SECOND);
    eventually(hears).await;
    old.put("/entries/a", json!(1)).await.is(409);
    clock.advance(SECOND);
    eventually(hears).await;
    old.put("/entries/a", json!(1)).await.is(204);
    browser.at(&there).get("/me").await.is(200);
}

#[actix_web::test]
async fn a_double_click_over_two_nodes_keeps_the_anonymous_entries_in_both_answers() {
    let (clock, here, there, deaf) = fleet().await;
    let anonymous = here.browser();
    anonymous.put("/entries/cart", json!("tea")).await.is(204);
    let second = anonymous.copy().at(&there);
    stops_listening(&deaf).await;
    anonymous.post("/login/alice").await.is(200);
    clock.advance(2 * SECOND);
    second.post("/login/alice").await.is(200);
    deaf.set_call(Call::Follow, Mode::Up);
    eventually(|| async { there.sessions.health().staleness.is_zero() }).await;
    for node in [&here, &there] {
        for browser in [anonymous.at(node), second.at(node)] {
            browser.get("/me").await.is(200);
            assert_eq!(browser.get("/entries/cart").await.is(200).json(), "tea");
        }
    }
}
