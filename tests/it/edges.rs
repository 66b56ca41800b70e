//! The edges of a session's life: what stands around a cookie that is no session, or no longer the newest.
#![allow(clippy::unwrap_used)]

use actix_web::{HttpResponse, Result, web};
use common::faulty::{Call, Faulty, Mode};
use common::{Answer, Browser, HOUR, MINUTE, Node, SECOND, builder, memory, serve, with};
use sealed_session::actix::SessionExt;
use sealed_session::adapter::Incoming;
use sealed_session::revoke::Reach;
use sealed_session::testing::ManualClock;
use sealed_session::{
    CookieSettings, PreviousCookie, Session, Sessions,
    session::{LogoutError, NotWritable, Rejected},
};
use serde_json::json;

async fn logged_in(node: &Node) -> Browser {
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    browser
}

fn load(sessions: &Sessions, browser: &Browser) -> Session {
    let header = format!("session={}", browser.session().unwrap());
    let lines = std::iter::once(header.as_bytes());
    sessions.load(Incoming::new(lines)).unwrap().session
}

#[actix_web::test]
async fn the_reason_why_there_is_no_session_can_be_asked_for() {
    let node = Node::start().await;
    let rejected = |browser: &Browser| load(&node.sessions, browser).rejected();
    assert_eq!(rejected(&logged_in(&node).await), None);
    let everywhere = logged_in(&node).await;
    logged_in(&node).await.post("/logout-all").await.is(204);
    assert_eq!(rejected(&everywhere), Some(Rejected::SubjectEnded));
    for (path, reason) in [
        ("/logout", Rejected::Ended),
        ("/login/bob", Rejected::Succeeded),
    ] {
        let browser = logged_in(&node).await;
        let old = browser.copy();
        browser.post(path).await;
        assert_eq!(rejected(&old), Some(reason));
    }
    let idle = logged_in(&node).await;
    node.clock.advance(HOUR + SECOND);
    assert_eq!(rejected(&idle), Some(Rejected::Idle));
    assert_eq!(rejected(&idle.holding("?")), Some(Rejected::Malformed));
}

#[actix_web::test]
async fn a_page_that_must_store_something_starts_over_where_a_write_would_be_refused() {
    let node = Node::start().await;
    let browser = logged_in(&node).await;
    let old = browser.copy();
    browser.post("/logout").await.is(204);
    let session = load(&node.sessions, &old);
    let refused = session.insert("state", 1).unwrap_err();
    assert_eq!(refused, NotWritable::Replaced.into());
    session.start_over().unwrap();
    session.insert("state", 1).unwrap();
    assert_eq!(session.get::<u8>("state"), Ok(Some(1)));
}

#[actix_web::test]
async fn a_session_that_ended_while_its_request_ran_begins_no_other_but_by_login() {
    let node = Node::start().await;
    let browser = logged_in(&node).await;
    let session = load(&node.sessions, &browser);
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

#[actix_web::test]
async fn after_a_logout_a_write_begins_anew_and_after_a_purge_it_is_ignored() {
    let node = Node::start().await;
    let browser = logged_in(&node).await;
    let session = load(&node.sessions, &browser);
    let before = session.id();
    session.logout().await.unwrap();
    session.insert("flash", "logged out").unwrap();
    assert_ne!(session.id(), before);
    assert_eq!(session.subject(), None);
    assert_eq!(
        session.get::<String>("flash"),
        Ok(Some("logged out".into()))
    );

    let session = load(&node.sessions, &logged_in(&node).await);
    session.purge();
    session.insert("flash", "ignored").unwrap();
    assert_eq!(session.get::<String>("flash"), Ok(None));
}

/// A cookie that another tab's login has replaced: its successor must neither be ended nor removed.
#[actix_web::test]
async fn a_logout_over_a_succeeded_session_is_an_error_and_removes_nothing() {
    let node = Node::start().await;
    let browser = logged_in(&node).await;
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
    let clock = ManualClock::default();
    let store = memory(&clock);
    let here = Node::on(&clock, Faulty::new(store.clone(), Reach::Network)).await;
    let deaf = Faulty::new(store, Reach::Network);
    let there = Node::on(&clock, deaf.clone()).await;
    for path in ["/logout", "/purge"] {
        let browser = logged_in(&here).await;
        let old = browser.copy().at(&there);
        deaf.set_call(Call::Follow, Mode::Hanging);
        common::eventually(|| async { deaf.waiting() >= 1 }).await;
        browser.post("/login/alice").await.is(200);
        old.get("/me").await.is(200);
        let answer = old.post(path).await.is(409);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        browser.get("/me").await.is(200);
        deaf.set_call(Call::Follow, Mode::Up);
    }
}

#[actix_web::test]
async fn a_double_click_on_a_login_keeps_a_visitors_entries_in_both_answers() {
    let node = Node::start().await;
    let visitor = node.browser();
    visitor.put("/entries/cart", json!(["tea"])).await.is(204);
    let (second, late) = (visitor.copy(), visitor.copy());
    visitor.post("/login/alice").await.is(200);
    node.clock.advance(9 * SECOND);
    second.post("/login/alice").await.is(200);
    for browser in [&visitor, &second] {
        browser.get("/me").await.is(200);
        browser.get("/entries/cart").await.is(200);
    }
    node.clock.advance(SECOND);
    late.post("/login/alice").await.is(200);
    late.get("/entries/cart").await.is(404);
}

#[actix_web::test]
async fn of_several_cookies_of_a_session_the_newest_counts_in_either_order() {
    let node = Node::start().await;
    let browser = logged_in(&node).await;
    let first = browser.session().unwrap();
    node.clock.advance(SECOND);
    browser.put("/entries/a", json!(1)).await.is(204);
    let written = browser.session().unwrap();
    browser.post("/renew").await.is(200);
    node.clock.advance(SECOND);
    browser.put("/entries/a", json!(2)).await.is(204);
    let renewed = browser.session().unwrap();
    let ask = async |cookies: &[&String]| {
        let pairs = cookies.iter().map(|it| format!("session={it}"));
        let header = pairs.collect::<Vec<_>>().join("; ").into_bytes();
        let get = reqwest::Method::GET;
        let other = browser.copy();
        let answer = other.send_raw(get, "/entries/a", None, Some(header)).await;
        answer.is(200).json()
    };
    for order in [[&first, &written, &renewed], [&renewed, &written, &first]] {
        assert_eq!(ask(&order).await, 2);
    }
    for order in [[&first, &written], [&written, &first]] {
        assert_eq!(ask(&order).await, 1);
    }
}

fn settings(name: &str, domain: Option<&str>, previous: &[PreviousCookie]) -> CookieSettings {
    with(CookieSettings::plain_http(), |cookie| {
        cookie.name = name.into();
        cookie.domain = domain.map(str::to_owned);
        cookie.previous = previous.to_vec();
    })
}

fn previous(name: &str, domain: Option<&str>, path: &str) -> PreviousCookie {
    with(PreviousCookie::new(name), |cookie| {
        cookie.domain = domain.map(str::to_owned);
        cookie.path = path.into();
    })
}

#[actix_web::test]
async fn a_session_moves_from_a_previous_cookie_with_its_next_write() {
    let clock = ManualClock::default();
    let store = memory(&clock);
    let old = settings("old", None, &[]);
    let old = Node::serve(clock.clone(), builder(&clock, store.clone()).cookie(old)).await;
    let browser = logged_in(&old).await;
    let new = settings("session", None, &[previous("old", None, "/")]);
    let new = Node::serve(clock.clone(), builder(&clock, store).cookie(new)).await;
    let browser = browser.at(&new);
    clock.advance(50 * MINUTE);
    // It is read, with the activity cookie that belongs to it, and not moved by reading.
    let answer = browser.get("/me").await.is(200);
    assert!(
        answer.set_cookies()[0].starts_with("old.seen="),
        "{answer:?}"
    );
    clock.advance(50 * MINUTE);
    browser.get("/me").await.is(200);
    assert_eq!(browser.names(), ["old", "old.seen"]);
    browser.put("/entries/a", json!(1)).await.is(204);
    assert_eq!(browser.names(), ["session"]);
    browser.get("/entries/a").await.is(200);
    browser.get("/me").await.is(200);
}

/// A request does not tell two cookies of one name apart.
#[actix_web::test]
async fn a_previous_cookie_of_the_same_name_goes_with_its_own_attributes() {
    let clock = ManualClock::default();
    let was = [previous("session", None, "/")];
    let settings = settings("session", Some("example.org"), &was);
    let builder = builder(&clock, memory(&clock)).cookie(settings);
    let node = Node::serve(clock.clone(), builder).await;
    let browser = logged_in(&node).await;
    let removals = |answer: &Answer| {
        let cookies = answer.set_cookies().into_iter();
        let removals = cookies.filter(|it| it.contains("Max-Age=0"));
        removals
            .map(|it| it.contains("Domain="))
            .collect::<Vec<_>>()
    };
    let sent = browser.copy();
    let write = sent.put("/entries/a", json!(1)).await.is(204);
    assert_eq!(removals(&write), [false], "{write:?}");
    let logout = browser.post("/logout").await.is(204);
    assert_eq!(removals(&logout), [true, false], "{logout:?}");
}

#[actix_web::test]
async fn a_previous_cookie_that_contradicts_the_current_one_is_refused() {
    let clock = ManualClock::default();
    let same = previous("session", Some("Example.org"), "/");
    let twice = previous("old", None, "/");
    for (bad, why) in [
        (vec![same], "in use"),
        (vec![twice.clone(), twice], "twice"),
        (
            vec![previous("__Host-x", Some("example.org"), "/")],
            "__Host-",
        ),
        (vec![previous("x", Some("localhost"), "/")], "domain"),
        (vec![previous("a b", None, "/")], "name"),
        (vec![previous("x.seen", None, "/")], ".seen"),
    ] {
        let settings = settings("session", Some("example.org"), &bad);
        let builder = builder(&clock, memory(&clock)).cookie(settings);
        let error = builder.start().await.unwrap_err().to_string();
        assert!(error.contains("cookie.previous"), "{error}");
        assert!(error.contains(why), "{error}");
    }
}

#[actix_web::test]
async fn a_login_never_fails_over_entries_from_before_and_says_what_it_left() {
    let node = Node::start().await;
    let sessions = &node.sessions;
    let session = sessions
        .load(Incoming::new(std::iter::empty()))
        .unwrap()
        .session;
    let mut size = 2500;
    while session.insert("fill", "x".repeat(size)).is_err() {
        size -= 1;
    }
    // What it was given itself does not leave room for the rest.
    let login = session
        .authenticate("a".repeat(255))
        .entry("more", "y".repeat(200));
    let login = login.remember(true).await.unwrap();
    assert!(login.entries_dropped);
    assert_eq!(session.get::<String>("fill"), Ok(None));
    assert_eq!(session.get::<String>("more"), Ok(Some("y".repeat(200))));
    let login = session.authenticate("a".repeat(255)).await.unwrap();
    assert!(!login.entries_dropped);
}

#[actix_web::test]
async fn peeking_leaves_no_trace() {
    let node = Node::start().await;
    let browser = logged_in(&node).await;
    browser.put("/entries/a", json!(1)).await.is(204);
    let routes = |config: &mut web::ServiceConfig| {
        config.route("/peek", web::get().to(peek));
    };
    let (url, _server) = serve(&node.sessions, routes);
    node.clock.advance(10 * MINUTE);
    let peeking = Browser::new(&url);
    peeking.set_cookie("session", browser.session().unwrap());
    let answer = peeking.get("/peek").await.is(200);
    assert_eq!(answer.json(), json!(["alice", 1]));
    for header in ["set-cookie", "vary", "cache-control"] {
        assert_eq!(answer.header(header), None, "{answer:?}");
    }
}

async fn peek(request: actix_web::HttpRequest) -> Result<HttpResponse> {
    let peek = request.peek_session()?;
    Ok(HttpResponse::Ok().json((peek.subject(), peek.get::<u8>("a")?)))
}

/// The conversation of a request with a list that cannot be trusted: who does not ask is served, and who
/// takes the refusal for "nobody" is not.
#[actix_web::test]
async fn an_option_does_not_turn_an_unavailable_list_into_a_logout() {
    let clock = ManualClock::default();
    let store = Faulty::new(memory(&clock), Reach::Network);
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let routes = |config: &mut web::ServiceConfig| {
        common::routes(config);
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
    common::eventually(|| async { store.waiting() >= 1 }).await;
    clock.advance(11 * SECOND);
    browser.get("/maybe").await.is(503);
    browser.get("/plain").await.is(200);
}
