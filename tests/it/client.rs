//! Sessions that are bound to what their client looks like.
//!
//! 1. Off, no header is looked at, and no fingerprint is sealed.
//! 2. `signal` tells the application, `reject` refuses the cookie.
//! 3. A header that is missing, comes twice, is huge or no text is as good as any other.

use actix_web::{App, HttpResponse, Result, web};
use reqwest::Method;
use sealed_session::adapter::{Incoming, Loaded};
use sealed_session::inspect;
use sealed_session::session::Rejected;
use sealed_session::testing::ManualClock;
use sealed_session::time::Clock;
use sealed_session::{
    Session, Sessions, SessionsBuilder,
    settings::{ClientBinding, ClientSettings},
};
use support::{
    Answer, Browser, MINUTE, Node, builder, memory, raw, ring, routes, serve, serve_app,
};

use super::direct::sent;

/// What browsers of one kind send.
const HERS: [(&str, &str); 3] = [
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    ),
    ("accept-language", "en-GB,en;q=0.8"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
];

fn bound(binding: ClientBinding) -> impl FnOnce(SessionsBuilder) -> SessionsBuilder {
    let mut settings = ClientSettings::default();
    settings.binding = binding;
    |builder| builder.client(settings)
}

async fn node(binding: ClientBinding) -> Node {
    Node::with(bound(binding)).await
}

async fn sessions(binding: ClientBinding) -> (Sessions, ManualClock) {
    let clock = ManualClock::default();
    let builder = builder(&clock, memory(&clock));
    (bound(binding)(builder).start().await.unwrap(), clock)
}

/// As the client with this name, and no other of the headers.
fn load(sessions: &Sessions, cookie: &str, agent: &str) -> Loaded {
    let agents = |name| {
        let agent = (name == "user-agent").then_some(agent.as_bytes());
        agent.into_iter()
    };
    let client = sessions.fingerprint(agents);
    let line = cookie.as_bytes();
    let incoming = Incoming::new([line].into_iter()).client(client);
    sessions.load(incoming).unwrap()
}

async fn login(sessions: &Sessions, over: &str, agent: &str, user: &str) -> String {
    let loaded = load(sessions, over, agent);
    loaded.session.authenticate(user).await.unwrap();
    sent(sessions, loaded).await
}

async fn get(browser: &Browser, path: &str, headers: &[(&str, &str)]) -> Answer {
    browser.send_with(Method::GET, path, headers).await
}

async fn post(browser: &Browser, path: &str, headers: &[(&str, &str)]) -> Answer {
    browser.send_with(Method::POST, path, headers).await
}

fn sealed(sessions: &Sessions, cookie: &str, clock: &ManualClock) -> Option<[u8; 16]> {
    let inspected = inspect::token(cookie, sessions.cookie_name(), "test", &ring(), clock.now());
    inspected.unwrap().login.unwrap().fingerprint
}

/// Each with one header other than hers, or without it, or with it twice, or in another form.
fn others() -> Vec<Vec<(&'static str, &'static str)>> {
    let mut others = vec![vec![]];
    for (place, (name, value)) in HERS.into_iter().enumerate() {
        for odd in ["", "x", "\u{e4}\u{f6}"] {
            let mut other = HERS.to_vec();
            other[place].1 = odd;
            others.push(other);
        }
        let mut absent = HERS.to_vec();
        absent.remove(place);
        others.push(absent);
        let mut twice = HERS.to_vec();
        twice.push((name, value));
        others.push(twice);
    }
    let mut swapped = HERS.to_vec();
    (swapped[0].1, swapped[1].1) = (HERS[1].1, HERS[0].1);
    others.push(swapped);
    others
}

#[actix_web::test]
async fn a_cookie_that_comes_from_another_client_is_no_session_under_reject() {
    let node = node(ClientBinding::Reject).await;
    let browser = node.browser();
    post(&browser, "/login/alice", &HERS).await.is(200);
    for headers in others() {
        let answer = get(&browser, "/me", &headers).await.is(401);
        // It is alive for its own client, so nothing is removed.
        answer.leaves_alone();
    }
    // In another order, and beside others.
    let mut same = HERS.to_vec();
    same.reverse();
    same.push(("accept", "text/html"));
    get(&browser, "/me", &same).await.is(200);
}

#[actix_web::test]
async fn the_application_is_told_under_signal_and_the_session_goes_on() {
    let node = node(ClientBinding::Signal).await;
    let (url, _server) = serve(&node.sessions, |config| {
        config
            .configure(routes)
            .route("/changed", web::get().to(changed));
    });
    let browser = Browser::new(&url);
    assert_eq!(get(&browser, "/changed", &HERS).await.body, "false");
    post(&browser, "/login/alice", &HERS).await.is(200);
    assert_eq!(get(&browser, "/changed", &HERS).await.body, "false");
    for headers in others() {
        assert_eq!(
            get(&browser, "/changed", &headers).await.body,
            "true",
            "{headers:?}"
        );
        get(&browser, "/me", &headers).await.is(200);
    }
    // Writing binds it to nobody else, nor does a renewal.
    post(&browser, "/renew", &[]).await.is(200);
    assert_eq!(get(&browser, "/changed", &HERS).await.body, "false");
    assert_eq!(get(&browser, "/changed", &[]).await.body, "true");
}

async fn changed(session: Session) -> String {
    session.client_changed().to_string()
}

#[actix_web::test]
async fn headers_that_are_huge_or_no_text_bind_like_any_other() {
    let node = node(ClientBinding::Reject).await;
    let long = "a".repeat(100_000);
    for agent in [long.as_bytes(), b"\xff\xfe\x80", b"", b"\"; drop\t"] {
        let header = [b"User-Agent: ".as_slice(), agent].concat();
        let request = [b"POST /login/alice HTTP/1.1".to_vec(), header.clone()];
        let reply = raw::request(&node.url, request).await;
        assert_eq!(reply.status(), 200);
        let cookie = reply.header("set-cookie").remove(0);
        let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
        let same = [
            b"GET /me HTTP/1.1".to_vec(),
            cookie.clone().into(),
            header.clone(),
        ];
        assert_eq!(raw::request(&node.url, same).await.status(), 200);
        let other = [header.as_slice(), b"b"].concat();
        let other = [b"GET /me HTTP/1.1".to_vec(), cookie.into(), other];
        assert_eq!(raw::request(&node.url, other).await.status(), 401);
    }
}

#[actix_web::test]
async fn a_rejected_client_may_begin_anew_and_its_login_ends_the_session() {
    let (sessions, _) = sessions(ClientBinding::Reject).await;
    let hers = login(&sessions, "", "hers", "alice").await;
    let loaded = load(&sessions, &hers, "updated");
    assert_eq!(loaded.session.rejected(), Some(Rejected::ClientChanged));
    assert_eq!(loaded.session.subject(), None);
    // No obstacle to a session of its own.
    loaded.session.insert("theme", "dark").unwrap();
    let anonymous = sent(&sessions, loaded).await;
    let loaded = load(&sessions, &anonymous, "updated");
    assert_eq!(
        loaded.session.get("theme").unwrap(),
        Some("dark".to_owned())
    );
    // That ended nothing.
    let session = load(&sessions, &hers, "hers").session;
    assert_eq!(session.subject().as_deref(), Some("alice"));
    assert_eq!(session.rejected(), None);

    let mallory = login(&sessions, &hers, "updated", "mallory").await;
    let session = load(&sessions, &hers, "hers").session;
    assert_eq!(session.rejected(), Some(Rejected::Succeeded));
    let session = load(&sessions, &mallory, "updated").session;
    assert_eq!(session.subject().as_deref(), Some("mallory"));
    assert_eq!(session.entries().len(), 0, "nothing of hers");
}

#[actix_web::test]
async fn a_logout_over_a_rejected_cookie_ends_its_session() {
    let (sessions, clock) = sessions(ClientBinding::Reject).await;
    let hers = login(&sessions, "", "hers", "alice").await;
    let loaded = load(&sessions, &hers, "updated");
    loaded.session.logout().await.unwrap();
    let outcome = sessions.commit(&loaded.session, loaded.ticket).await;
    assert!(outcome.cookies.iter().any(|it| it.contains("Max-Age=0")));
    clock.advance(MINUTE);
    let session = load(&sessions, &hers, "hers").session;
    assert_eq!(session.rejected(), Some(Rejected::Ended));
}

#[actix_web::test]
async fn a_session_that_ended_says_so_to_another_client_too() {
    let (sessions, _) = sessions(ClientBinding::Reject).await;
    let hers = login(&sessions, "", "hers", "alice").await;
    sessions.end_subject("alice").await.unwrap();
    let session = load(&sessions, &hers, "updated").session;
    assert_eq!(session.rejected(), Some(Rejected::SubjectEnded));
}

#[actix_web::test]
async fn a_session_from_before_the_setting_counts_until_it_is_bound() {
    let clock = ManualClock::default();
    let store = memory(&clock);
    let start = |binding| bound(binding)(builder(&clock, store.clone())).start();
    let before = start(ClientBinding::Off).await.unwrap();
    let cookie = login(&before, "", "hers", "alice").await;
    assert_eq!(sealed(&before, &cookie, &clock), None);
    for binding in [ClientBinding::Signal, ClientBinding::Reject] {
        let sessions = start(binding).await.unwrap();
        for agent in ["hers", "another's"] {
            let session = load(&sessions, &cookie, agent).session;
            assert_eq!(session.subject().as_deref(), Some("alice"), "{binding:?}");
            assert!(!session.client_changed());
        }
    }
    // The repeated login binds it.
    let sessions = start(ClientBinding::Reject).await.unwrap();
    let loaded = load(&sessions, &cookie, "hers");
    loaded.session.reauthenticate().await.unwrap();
    let cookie = sent(&sessions, loaded).await;
    assert!(sealed(&sessions, &cookie, &clock).is_some());
    let session = load(&sessions, &cookie, "another's").session;
    assert_eq!(session.rejected(), Some(Rejected::ClientChanged));
    // Off again, nobody looks.
    let off = start(ClientBinding::Off).await.unwrap();
    let session = load(&off, &cookie, "another's").session;
    assert_eq!(session.subject().as_deref(), Some("alice"));
    assert!(!session.client_changed());
}

#[actix_web::test]
async fn a_repeated_login_binds_the_session_to_the_client_that_repeats_it() {
    let (sessions, _) = sessions(ClientBinding::Signal).await;
    let cookie = login(&sessions, "", "old", "alice").await;
    let loaded = load(&sessions, &cookie, "new");
    assert!(loaded.session.client_changed());
    loaded.session.reauthenticate().await.unwrap();
    assert!(!loaded.session.client_changed(), "in the same request");
    let cookie = sent(&sessions, loaded).await;
    assert!(!load(&sessions, &cookie, "new").session.client_changed());
    assert!(load(&sessions, &cookie, "old").session.client_changed());
}

#[actix_web::test]
async fn a_session_without_a_login_is_bound_to_nobody() {
    let (sessions, _) = sessions(ClientBinding::Reject).await;
    let loaded = load(&sessions, "", "one");
    loaded.session.insert("cart", "tea").unwrap();
    let cookie = sent(&sessions, loaded).await;
    let session = load(&sessions, &cookie, "another").session;
    assert_eq!(session.get("cart").unwrap(), Some("tea".to_owned()));
    assert!(!session.client_changed());
}

/// Of two cookies, the one of another client stands in nobody's way.
#[actix_web::test]
async fn a_cookie_of_another_client_in_front_hides_no_session() {
    let (sessions, _) = sessions(ClientBinding::Reject).await;
    let planted = login(&sessions, "", "another", "mallory").await;
    let hers = login(&sessions, "", "hers", "alice").await;
    let session = load(&sessions, &format!("{planted}; {hers}"), "hers").session;
    assert_eq!(session.subject().as_deref(), Some("alice"));
}

#[actix_web::test]
async fn an_adapter_that_does_not_say_what_the_client_looks_like_binds_nothing() {
    let (sessions, clock) = sessions(ClientBinding::Reject).await;
    let cookie = super::direct::login(&sessions, "", "alice").await;
    assert_eq!(sealed(&sessions, &cookie, &clock), None);
    let bound = login(&sessions, "", "hers", "bob").await;
    assert_eq!(
        super::direct::user(&sessions, &bound).as_deref(),
        Some("bob")
    );
}

/// As an application asks for the password once more.
#[actix_web::test]
async fn what_must_not_be_done_from_another_client_is_guarded_by_the_signal() {
    async fn pay(session: Session) -> HttpResponse {
        match session.client_changed() {
            true => HttpResponse::Forbidden().finish(),
            false => HttpResponse::Ok().finish(),
        }
    }
    async fn confirm(session: Session) -> Result<HttpResponse> {
        session.reauthenticate().await?;
        Ok(HttpResponse::Ok().finish())
    }
    let (sessions, _) = sessions(ClientBinding::Signal).await;
    let (url, _server) = serve_app!(
        1,
        App::new()
            .wrap(sealed_session::SessionMiddleware::new(&sessions))
            .route("/pay", web::post().to(pay))
            .route("/confirm", web::post().to(confirm))
            .configure(routes)
    );
    let browser = Browser::new(&url);
    post(&browser, "/login/alice", &HERS).await.is(200);
    post(&browser, "/pay", &HERS).await.is(200);
    let updated = [("user-agent", "Firefox/146.0"), HERS[1], HERS[2]];
    post(&browser, "/pay", &updated).await.is(403);
    post(&browser, "/confirm", &updated).await.is(200);
    post(&browser, "/pay", &updated).await.is(200);
}
