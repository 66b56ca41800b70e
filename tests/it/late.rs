//! What arrives late: requests that a proxy or a slow body held up, and answers that other tabs overtook.
//!
//! 1. Nothing late replaces or removes what a login has set since.
//! 2. A request is a use of its session however long it takes.
#![allow(clippy::unwrap_used)]

use actix_web::{HttpResponse, Result, web};
use common::gate::{during, gate};
use common::upload::Upload;
use common::{Answer, Browser, HOUR, MINUTE, SECOND, logged_in, node_at};
use sealed_session::Session;
use serde_json::json;

fn routes(config: &mut web::ServiceConfig) {
    config
        .configure(common::routes)
        .route("/late/{gate}/logout", web::post().to(late_logout));
}

/// Waits, then logs out.
async fn late_logout(session: Session, name: web::Path<String>) -> Result<HttpResponse> {
    gate(&name).pass().await;
    session.logout().await?;
    Ok(HttpResponse::NoContent().finish())
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
    let (node, nobody) = node_at(routes).await;
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
    let (node, nobody) = node_at(routes).await;
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
async fn what_began_live_and_was_succeeded_while_it_ran_replaces_nothing() {
    let (_node, nobody) = node_at(routes).await;
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
async fn an_upload_that_takes_longer_than_the_idle_limit_is_kept() {
    let (node, nobody) = node_at(routes).await;
    let browser = logged_in(&nobody).await;
    let upload = Upload::begin(&browser, "long", json!("large")).await;
    node.clock.advance(3 * HOUR);
    upload.finish().await.is(204);
    let uploaded = browser.get("/entries/uploaded").await.is(200);
    assert_eq!(uploaded.json(), "large");
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn an_answer_about_a_dead_cookie_takes_no_login_with_it() {
    let (node, nobody) = node_at(routes).await;
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
    let (_node, nobody) = node_at(routes).await;
    let browser = logged_in(&nobody).await;
    let tab = browser.copy();
    let logout = tab.post("/late/logout/logout");
    let answer = during("logout", logout, browser.post("/login/bob")).await;
    harmless(answer, 409, &browser);
    browser.get("/me").await.is(200);
}
