//! Tokens against cross-site requests, for applications that must have them.
//!
//! 1. With the mode `token` they are demanded besides what the browser says of a request.
//! 2. A token is good for its session, cookie and audience, as often as it is sent, until a login, or until its key
//!    retires.
//! 3. Whatever is wrong with one, the answer is the same.

use actix_web::web::ServiceConfig;
use actix_web::{App, HttpResponse, Result, web};
use reqwest::Method;
use sealed_session::adapter::CrossSite;
use sealed_session::testing::{ManualClock, published_secret};
use sealed_session::time::{Clock, UnixMillis};
use sealed_session::{
    CsrfToken, KeyRing, Session, SessionMiddleware, Sessions, SessionsBuilder,
    settings::{CsrfMode, CsrfSettings},
};
use serde_json::json;
use support::faulty::{Call, Faulty, Mode};
use support::{
    Answer, Browser, HOUR, MINUTE, SECOND, builder, eventually, log, memory, refusals_as_pages,
    serve, serve_app,
};

/// Settings that demand tokens.
pub fn token_mode() -> CsrfSettings {
    let mut settings = CsrfSettings::default();
    settings.mode = CsrfMode::Token;
    settings.trusted_origins = vec!["https://accounts.example".into()];
    settings.exempt_paths = vec!["/hook".into()];
    settings
}

pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/token", web::get().to(token))
        .route("/login/{user}", web::post().to(login))
        .route("/logout", web::post().to(logout))
        .route("/change", web::to(change))
        .route("/hook", web::post().to(change))
        .route("/plain", web::to(async || "plain"));
}

async fn token(one: CsrfToken, two: CsrfToken) -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "token": one.token(),
        "again": two.to_string(),
        "header": one.header_name(),
        "field": one.field_name(),
    }))
}

async fn login(session: Session, user: web::Path<String>) -> Result<HttpResponse> {
    session.authenticate(user.into_inner()).await?;
    Ok(HttpResponse::Ok().json(session.csrf_token()?.token()))
}

/// And a token of the session that begins.
async fn logout(session: Session) -> Result<HttpResponse> {
    session.logout().await?;
    Ok(HttpResponse::Ok().json(session.csrf_token()?.token()))
}

async fn change(session: Session) -> Result<String> {
    let count = session.get::<u32>("count")?.unwrap_or_default() + 1;
    session.insert("count", count)?;
    Ok(count.to_string())
}

pub async fn started(
    change: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
) -> (Sessions, ManualClock) {
    let clock = ManualClock::default();
    let builder = builder(&clock, memory(&clock)).csrf(token_mode());
    (change(builder).start().await.unwrap(), clock)
}

/// A browser at an application that demands tokens.
pub async fn browser() -> (Browser, ManualClock) {
    let (sessions, clock) = started(|builder| builder).await;
    (Browser::new(&serve(&sessions, routes).0), clock)
}

/// A fresh token for what the browser holds.
pub async fn taken(browser: &Browser) -> String {
    let answer = browser.get("/token").await.is(200);
    answer.json()["token"].as_str().unwrap().to_owned()
}

async fn post(browser: &Browser, path: &str, token: &str) -> Answer {
    let headers = [("x-csrf-token", token)];
    browser.send_with(Method::POST, path, &headers).await
}

#[actix_web::test]
async fn a_token_is_demanded_besides_what_the_browser_says() {
    let (browser, _) = browser().await;
    let refused = browser.post("/change").await.is(403);
    assert!(refused.set_cookies().is_empty(), "{refused:?}");
    let token = taken(&browser).await;
    let own = ("sec-fetch-site", "same-origin");
    let cross = ("sec-fetch-site", "cross-site");
    let trusted = ("origin", "https://accounts.example");
    let good = ("x-csrf-token", token.as_str());
    for (headers, status) in [
        (&[][..], 403),
        (&[own], 403),
        (&[cross, trusted], 403),
        (&[good], 200),
        (&[own, good], 200),
        (&[cross, trusted, good], 200),
        (&[("X-CSRF-TOKEN", token.as_str())], 200),
        // It is no way around the rules.
        (&[cross, good], 403),
        (&[("origin", "null"), good], 403),
        (&[good, good], 403),
        // A cookie or another header is no place for it.
        (&[("x-xsrf-token", token.as_str())], 403),
        (&[("authorization", token.as_str())], 403),
    ] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            for path in ["/change", "/plain"] {
                let answer = browser.send_with(method.clone(), path, headers).await;
                let answer = answer.is(status);
                let changed = (status, path) == (200, "/change");
                assert_eq!(!answer.set_cookies().is_empty(), changed, "{answer:?}");
            }
        }
    }
    let nothing = browser.post("/change").await.is(403);
    assert!(nothing.body.contains("put it first"), "{nothing:?}");
    for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
        browser.send_with(method, "/change", &[]).await.is(200);
    }
}

#[actix_web::test]
async fn exempt_paths_and_sockets_need_no_token() {
    let (browser, _) = browser().await;
    let cross = ("sec-fetch-site", "cross-site");
    let forged = browser.send_with(Method::POST, "/hook", &[cross]).await;
    assert!(forged.is(403).body.contains("begins no session"));
    browser.post("/hook").await.is(200);
    browser.post("/change").await.is(403);
    let socket = [("upgrade", "websocket"), ("connection", "upgrade")];
    let own = [&socket[..], &[("sec-fetch-site", "same-origin")]].concat();
    browser.send_with(Method::GET, "/plain", &own).await.is(200);
    let theirs = [&socket[..], &[cross]].concat();
    browser
        .send_with(Method::GET, "/plain", &theirs)
        .await
        .is(403);
    // With a body it is no socket.
    browser
        .send_with(Method::POST, "/plain", &own)
        .await
        .is(403);
}

#[actix_web::test]
async fn whatever_is_wrong_with_a_token_the_answer_is_the_same() {
    let (sessions, _) = started(|builder| builder).await;
    let browser = Browser::new(&serve(&sessions, routes).0);
    let good = taken(&browser).await;
    let other = taken(&Browser::new(browser.url())).await;
    // The same session's id under another cookie or audience is shown in the unit tests and vectors.
    let unknown = format!("AAAAAA{}", &good[6..]);
    let mut flipped = good.clone();
    let last = if good.ends_with('A') { "B" } else { "A" };
    flipped.replace_range(47.., last);
    let mut answers = Vec::new();
    for bad in [
        &other,
        &unknown,
        &flipped,
        "",
        "A",
        &good[..47],
        &format!("{good}A"),
        &format!("{good}="),
        &format!("{}+", &good[..47]),
        &format!("{good}, {good}"),
        &format!("\"{good}\""),
        &"A".repeat(48),
        &"A".repeat(4000),
    ] {
        let answer = post(&browser, "/change", bad).await.is(403);
        answers.push((answer.body, answer.headers.get("content-type").cloned()));
    }
    // Without the session no token is right, and neither is none.
    let nobody = Browser::new(browser.url());
    for answer in [
        post(&nobody, "/change", &good).await,
        nobody.post("/change").await,
    ] {
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        let answer = answer.is(403);
        answers.push((answer.body, answer.headers.get("content-type").cloned()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(answers[0].0.contains("load the page again"));
    // As often as it is sent.
    for count in ["1", "2", "3"] {
        assert_eq!(post(&browser, "/change", &good).await.is(200).body, count);
    }
}

#[actix_web::test]
async fn a_login_and_a_logout_end_the_tokens_from_before() {
    let (browser, clock) = browser().await;
    let before = taken(&browser).await;
    let login = post(&browser, "/login/alice", &before).await.is(200);
    let after = login.json().as_str().unwrap().to_owned();
    post(&browser, "/change", &before).await.is(403);
    post(&browser, "/change", &after).await.is(200);
    clock.advance(50 * MINUTE);
    post(&browser, "/change", &after).await.is(200);
    let logout = post(&browser, "/logout", &after).await.is(200);
    post(&browser, "/change", &after).await.is(403);
    // Taken in the same request, it is of the session that began.
    let next = logout.json().as_str().unwrap().to_owned();
    post(&browser, "/change", &next).await.is(200);
    clock.advance(HOUR);
    post(&browser, "/change", &next).await.is(403);
}

#[actix_web::test]
async fn an_older_key_will_do_until_it_retires() {
    let start = ManualClock::default().now();
    let ring = KeyRing::builder()
        .key(
            published_secret(1),
            UnixMillis::EPOCH,
            Some(start + 40 * MINUTE),
        )
        .key(published_secret(2), start + 10 * MINUTE, None);
    let ring = ring.build().unwrap();
    let (sessions, clock) = started(|builder| builder.keys(ring)).await;
    let browser = Browser::new(&serve(&sessions, routes).0);
    let old = taken(&browser).await;
    clock.set(start + 11 * MINUTE);
    let new = taken(&browser).await;
    assert_ne!(old[..5], new[..5], "the key is named");
    // The session is sealed under the new key from here on.
    post(&browser, "/change", &old).await.is(200);
    post(&browser, "/change", &new).await.is(200);
    clock.set(start + (40 * MINUTE - SECOND));
    post(&browser, "/change", &old).await.is(200);
    clock.set(start + 40 * MINUTE);
    post(&browser, "/change", &old).await.is(403);
    post(&browser, "/change", &new).await.is(200);
}

#[actix_web::test]
async fn no_two_tokens_look_alike_and_the_response_is_the_users_own() {
    let (browser, _) = browser().await;
    let first = browser.get("/token").await.is(200);
    assert_eq!(first.set_cookies().len(), 1, "{first:?}");
    assert_eq!(first.header("cache-control"), Some("no-store"));
    let second = browser.get("/token").await.is(200);
    assert!(second.set_cookies().is_empty(), "{second:?}");
    assert_eq!(second.header("vary"), Some("Cookie"));
    assert_eq!(second.header("cache-control"), Some("private"));
    let mut all = Vec::new();
    for answer in [first.json(), second.json()] {
        assert_eq!(answer["header"], "x-csrf-token");
        assert_eq!(answer["field"], "csrf_token");
        for name in ["token", "again"] {
            let token = answer[name].as_str().unwrap().to_owned();
            post(&browser, "/plain", &token).await.is(200);
            assert!(!all.iter().any(|it: &String| it[6..26] == token[6..26]));
            assert!(!all.iter().any(|it: &String| it[28..] == token[28..]));
            all.push(token);
        }
    }
    // A page that takes none begins no session.
    let plain = Browser::new(browser.url()).get("/plain").await;
    assert!(plain.set_cookies().is_empty(), "{plain:?}");
}

#[actix_web::test]
async fn other_modes_make_tokens_and_demand_none() {
    for mode in [CsrfMode::Headers, CsrfMode::Off] {
        let mut csrf = token_mode();
        csrf.mode = mode;
        csrf.header = "X-XSRF".into();
        csrf.field = "xsrf".into();
        let (sessions, _) = started(|builder| builder.csrf(csrf)).await;
        let browser = Browser::new(&serve(&sessions, routes).0);
        let answer = browser.get("/token").await.is(200).json();
        assert_eq!(answer["header"], "x-xsrf");
        assert_eq!(answer["field"], "xsrf");
        browser.post("/change").await.is(200);
        post(&browser, "/change", "rubbish").await.is(200);
    }
}

/// No token can be judged then, so no handler is reached, not even one that asks for no session.
#[actix_web::test]
async fn a_request_whose_session_cannot_be_judged_is_answered_503() {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    let sessions = builder(&clock, store.clone()).csrf(token_mode());
    let sessions = sessions.start().await.unwrap();
    let browser = Browser::new(&serve(&sessions, routes).0);
    let token = taken(&browser).await;
    store.set_call(Call::Follow, Mode::Hanging);
    eventually(|| async { store.waiting() >= 1 }).await;
    clock.advance(11 * SECOND);
    for path in ["/change", "/plain"] {
        post(&browser, path, &token).await.is(503);
    }
    browser.get("/plain").await.is(200);
    browser.get("/token").await.is(503);
    // Whoever has no cookie has no session that could not be judged.
    Browser::new(browser.url()).post("/plain").await.is(403);
}

#[actix_web::test]
async fn a_refusal_for_its_token_can_be_rendered() {
    let (sessions, _) = started(|builder| builder).await;
    let (url, _server) = serve_app!(
        1,
        App::new()
            .wrap(SessionMiddleware::new(&sessions))
            .wrap(refusals_as_pages::<CrossSite, _>())
            .configure(routes)
    );
    let refused = post(&Browser::new(&url), "/change", "x").await;
    assert_eq!(refused.body, "<p>Some(WrongToken)</p>");
}
