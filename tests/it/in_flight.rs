//! Requests that overlap with others of their session, or arrive late: held up by a proxy or a slow body, overtaken by
//! another tab, or cut off.
//!
//! 1. Nothing that is late revives a session, or replaces or removes what a login has set since.
//! 2. What a request was told to revoke is revoked, whether or not somebody waits for the answer.

use sealed_session::session::{LogoutError, NotWritable, Rejected};
use serde_json::json;
use support::faulty::{Call, Mode};
use support::gate::{during, gate};
use support::upload::Upload;
use support::{Answer, Browser, HOUR, MINUTE, Node, SECOND, eventually, logged_in, node_at};

use super::renew::fleet;
use super::site::{alice_at, session_of};

#[actix_web::test]
async fn a_session_that_ended_while_its_request_ran_begins_no_other_but_by_login() {
    let node = Node::start().await;
    let browser = alice_at(&node).await;
    let session = session_of(&node.sessions, &browser);
    browser.post("/logout-all").await.is(204);
    assert_eq!(
        session.logout_all().await,
        Err(LogoutError::NotAuthenticated)
    );
    assert_eq!(session.rejected(), Some(Rejected::SubjectEnded));
    let refused = session.insert("a", 1).unwrap_err();
    assert_eq!(refused, NotWritable::EndedMeanwhile.into());
    assert_eq!(session.start_over(), Err(NotWritable::EndedMeanwhile));
    session.authenticate("alice").await.unwrap();
    session.insert("a", 1).unwrap();
}

/// An answer that must not touch what the browser holds by now.
#[track_caller]
fn harmless(answer: Answer, status: u16, browser: &Browser) {
    let answer = answer.is(status);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    browser.keep(&answer);
}

/// A proxy holds the upload back, cookies and all, until it is complete.
#[actix_web::test]
async fn an_upload_that_was_buffered_while_another_tab_logged_in_or_renewed_replaces_nothing() {
    let (node, nobody) = node_at(support::routes).await;
    for meanwhile in ["/login/alice", "/login/bob", "/renew"] {
        let browser = logged_in(&nobody).await;
        let upload = browser.copy();
        browser.post(meanwhile).await.is(200);
        for pause in [SECOND, 30 * SECOND, 29 * SECOND, 59 * SECOND] {
            node.clock.advance(pause);
            let answer = upload.put("/entries/a", json!(1)).await;
            harmless(answer, 409, &browser);
            browser.get("/me").await.is(200);
        }
        // Three minutes later no answer to a request from before is under way any more.
        node.clock.advance(MINUTE);
        upload.put("/entries/a", json!(1)).await.is(204);
        browser.get("/me").await.is(200);
        browser.get("/entries/a").await.is(404);
    }
}

#[actix_web::test]
async fn an_upload_that_was_buffered_while_another_tab_logged_out_and_in_replaces_nothing() {
    let (node, nobody) = node_at(support::routes).await;
    for out in ["/logout", "/purge"] {
        let browser = logged_in(&nobody).await;
        let upload = browser.copy();
        browser.post(out).await.is(204);
        browser.post("/login/bob").await.is(200);
        for pause in [SECOND, 8 * SECOND] {
            node.clock.advance(pause);
            let answer = upload.put("/entries/a", json!(1)).await;
            harmless(answer, 409, &browser);
        }
        assert_eq!(browser.get("/me").await.is(200).json()["user"], "bob");
        browser.get("/entries/a").await.is(404);
    }
}

/// The server had the head, and so the live session, before the other tab did it.
#[actix_web::test]
async fn a_request_whose_session_was_succeeded_while_it_ran_replaces_nothing() {
    let (_node, nobody) = node_at(support::routes).await;
    for (number, meanwhile) in [
        ["/login/alice", ""],
        ["/login/bob", ""],
        ["/logout", "/login/bob"],
    ]
    .into_iter()
    .enumerate()
    {
        let browser = logged_in(&nobody).await;
        let upload = Upload::begin(&browser, &format!("succeeded-{number}"), json!(1)).await;
        for path in meanwhile.into_iter().filter(|path| !path.is_empty()) {
            browser.post(path).await;
        }
        let session = browser.session();
        let answer = upload.finish().await;
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        assert_eq!(browser.session(), session);
        browser.get("/me").await.is(200);
        browser.get("/entries/uploaded").await.is(404);
    }
}

#[actix_web::test]
async fn an_answer_about_a_dead_cookie_takes_no_login_with_it() {
    let (node, nobody) = node_at(support::routes).await;
    for death in ["idle", "/logout-all", "/logout", "/login/alice", "/renew"] {
        let browser = logged_in(&nobody).await;
        match death {
            "idle" => node.clock.advance(HOUR),
            _ => {
                browser.copy().post(death).await;
            }
        }
        node.clock.advance(15 * SECOND);
        let name = format!("dead-{}", death.trim_start_matches('/').replace('/', "-"));
        let tab = browser.copy();
        let path = format!("/held/{name}/read");
        let answer = during(&name, tab.get(&path), browser.post("/login/bob")).await;
        assert_eq!(answer.body, "null", "{death}");
        harmless(answer, 200, &browser);
        browser.get("/me").await.is(200);
    }
}

#[actix_web::test]
async fn a_logout_that_waited_while_another_tab_logged_in_removes_nothing() {
    let (_node, nobody) = node_at(support::routes).await;
    let browser = logged_in(&nobody).await;
    let tab = browser.copy();
    let logout = tab.post("/late/logout/logout");
    let answer = during("logout", logout, browser.post("/login/bob")).await;
    harmless(answer, 409, &browser);
    browser.get("/me").await.is(200);
}

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
