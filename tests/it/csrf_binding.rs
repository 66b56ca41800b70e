//! What a token against cross-site requests is bound to: a session, which begins where there is none.

use actix_web::{App, HttpRequest, Result, web};
use reqwest::Method;
use sealed_session::actix::{SessionExt, SessionMiddleware};
use sealed_session::adapter::Incoming;
use sealed_session::keys::{Random, RandomError};
use sealed_session::session::{CsrfTokenError, NotWritable};
use sealed_session::testing::ManualClock;
use sealed_session::{CsrfToken, Session, Sessions};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{Browser, MINUTE, builder, cookie, memory, ring, serve_app};

use super::csrf_tokens::{routes, token_mode};
use super::direct::{load, login, sent, sessions};

/// A token, and the cookie of the session that it began.
async fn begun(sessions: &Sessions) -> (CsrfToken, String) {
    let loaded = load(sessions, "");
    let token = loaded.session.csrf_token().unwrap();
    assert!(!loaded.session.is_authenticated());
    (token, sent(sessions, loaded).await)
}

#[actix_web::test]
async fn a_token_begins_an_empty_session_which_is_sent_although_it_is_empty() {
    let (sessions, _) = sessions().await;
    let (token, cookie) = begun(&sessions).await;
    let loaded = load(&sessions, &cookie);
    assert!(loaded.session.entries().is_empty());
    assert!(loaded.session.is_csrf_token(token.token()));
    assert_eq!(
        sessions
            .commit(&loaded.session, loaded.ticket)
            .await
            .cookies,
        [""; 0]
    );

    // Also one that a write had begun, of which nothing is left.
    let loaded = load(&sessions, "");
    loaded.session.insert("a", 1).unwrap();
    let token = loaded.session.csrf_token().unwrap();
    loaded.session.remove("a");
    let cookie = sent(&sessions, loaded).await;
    assert!(
        load(&sessions, &cookie)
            .session
            .is_csrf_token(token.token())
    );
    assert!(!load(&sessions, "").session.is_csrf_token(token.token()));
}

#[actix_web::test]
async fn a_login_begins_other_tokens_and_a_renewal_keeps_them() {
    let (sessions, clock) = sessions().await;
    let (token, cookie) = begun(&sessions).await;
    let loaded = load(&sessions, &cookie);
    loaded.session.renew();
    let cookie = sent(&sessions, loaded).await;
    clock.advance(MINUTE);
    let loaded = load(&sessions, &cookie);
    assert!(loaded.session.is_csrf_token(token.token()));
    loaded.session.authenticate("alice").await.unwrap();
    assert!(!loaded.session.is_csrf_token(token.token()));
    let token = loaded.session.csrf_token().unwrap();
    let cookie = sent(&sessions, loaded).await;
    assert!(
        load(&sessions, &cookie)
            .session
            .is_csrf_token(token.token())
    );
}

/// The same session's id, under another name or audience.
#[actix_web::test]
async fn a_token_is_of_one_cookie_and_one_audience() {
    let clock = ManualClock::default();
    let generator = Arc::new(Repeating::default());
    let made = async |audience: &str, name: &str| {
        let sessions = Sessions::builder(audience)
            .keys(ring())
            .store(memory(&clock))
            .cookie(cookie(name, "/"))
            .clock(Arc::new(clock.clone()))
            .random(generator.clone());
        let session = load(&sessions.start().await.unwrap(), "").session;
        let token = session.csrf_token().unwrap();
        (session, token)
    };
    let (one, token) = made("shop", "session").await;
    let (two, of_audience) = made("shop2", "session").await;
    let (three, of_name) = made("shop", "session2").await;
    assert_eq!(
        [one.id(); 2],
        [two.id(), three.id()],
        "the generator repeats itself"
    );
    assert!(one.is_csrf_token(token.token()));
    assert!(!two.is_csrf_token(token.token()) && !three.is_csrf_token(token.token()));
    assert!(!one.is_csrf_token(of_audience.token()) && !one.is_csrf_token(of_name.token()));
}

/// Gives the same bytes again and again.
#[derive(Debug, Default)]
struct Repeating {
    is_broken: AtomicBool,
}

impl Random for Repeating {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        (0..).zip(bytes).for_each(|(at, byte)| *byte = at);
        match self.is_broken.load(Ordering::Relaxed) {
            true => Err(RandomError),
            false => Ok(()),
        }
    }
}

#[actix_web::test]
async fn what_can_be_bound_to_nothing_is_an_error_and_no_token() {
    let clock = ManualClock::default();
    let generator = Arc::new(Repeating::default());
    let made = builder(&clock, memory(&clock)).random(generator.clone());
    let sessions = made.csrf(token_mode()).start().await.unwrap();
    let not_writable = |session: &Session| match session.csrf_token() {
        Err(CsrfTokenError::NotWritable(problem)) => problem,
        other => panic!("{other:?}"),
    };

    let purged = load(&sessions, "").session;
    purged.purge();
    assert_eq!(not_writable(&purged), NotWritable::EndedMeanwhile);

    let incoming = Incoming::new(std::iter::empty()).cross_site(true);
    let from_elsewhere = sessions.load(incoming).unwrap().session;
    assert_eq!(not_writable(&from_elsewhere), NotWritable::CrossSite);

    // A body that is still streaming can begin none, and has none that was begun for nothing.
    for begins in [false, true] {
        let loaded = load(&sessions, "");
        if begins {
            loaded.session.insert("a", 1).unwrap();
            loaded.session.remove("a");
        }
        let committed = sessions.commit(&loaded.session, loaded.ticket).await;
        assert_eq!(committed.cookies, [""; 0]);
        assert_eq!(not_writable(&loaded.session), NotWritable::AlreadyCommitted);
    }
    // It can take one of a session that was sent.
    let loaded = load(&sessions, "");
    loaded.session.insert("a", 1).unwrap();
    let session = loaded.session.clone();
    let cookie = sent(&sessions, loaded).await;
    let token = session.csrf_token().unwrap();
    assert!(
        load(&sessions, &cookie)
            .session
            .is_csrf_token(token.token())
    );

    generator.is_broken.store(true, Ordering::Relaxed);
    for cookie in ["", cookie.as_str()] {
        let problem = load(&sessions, cookie).session.csrf_token().unwrap_err();
        assert_eq!(problem, CsrfTokenError::Random(RandomError));
    }
}

/// The browser gave the cookie up a moment ago, and may hold another by now.
#[actix_web::test]
async fn a_cookie_that_was_replaced_is_not_overwritten_for_a_token() {
    let (sessions, _) = sessions().await;
    let cookie = login(&sessions, "", "alice").await;
    let loaded = load(&sessions, &cookie);
    loaded.session.logout().await.unwrap();
    sent(&sessions, loaded).await;
    let loaded = load(&sessions, &cookie);
    let problem = loaded.session.csrf_token().unwrap_err();
    assert_eq!(problem, NotWritable::Replaced.into());
    let committed = sessions.commit(&loaded.session, loaded.ticket).await;
    assert_eq!(committed.cookies, [""; 0]);
}

/// One cookie's middleware around another's, each with names of its own, and one beside them.
#[actix_web::test]
async fn each_of_several_cookies_has_its_own_tokens() {
    let clock = ManualClock::default();
    let with = |name: &str, header: &str| {
        let mut csrf = token_mode();
        csrf.header = header.into();
        csrf.field = header.into();
        let builder = builder(&clock, memory(&clock)).cookie(cookie(name, "/"));
        builder.csrf(csrf).start()
    };
    let outer = with("outer", "x-outer").await.unwrap();
    let inner = with("inner", "x-inner").await.unwrap();
    async fn both(request: HttpRequest) -> Result<web::Json<Value>> {
        let token = |name: &str| -> Result<String> {
            let token = request.session_named(name)?.csrf_token()?;
            Ok(token.to_string())
        };
        Ok(web::Json(json!([token("outer")?, token("inner")?])))
    }
    let (url, _server) = serve_app!(
        1,
        App::new().wrap(SessionMiddleware::new(&outer)).service(
            web::scope("/in")
                .wrap(SessionMiddleware::new(&inner))
                .route("/both", web::get().to(both))
                .configure(routes)
        )
    );
    let browser = Browser::new(&url);
    let tokens = browser.get("/in/both").await.is(200).json();
    let [one, two] = [0, 1].map(|number| tokens[number].as_str().unwrap());
    for (headers, status) in [
        ([("x-outer", one), ("x-inner", two)], 200),
        ([("x-outer", two), ("x-inner", one)], 403),
        ([("x-outer", one), ("x-inner", one)], 403),
        ([("x-outer", one), ("x-other", two)], 403),
    ] {
        let answer = browser.send_with(Method::POST, "/in/plain", &headers).await;
        answer.is(status);
    }
    // Both look at the same form.
    for (form, status) in [
        (format!("x-inner={two}&x-outer={one}&a=1"), 200),
        (format!("x-outer={one}&a=1"), 403),
        (format!("x-inner={two}&a=1"), 403),
    ] {
        let content_type = "application/x-www-form-urlencoded";
        let answer = browser
            .post_body("/in/plain", content_type, form, &[])
            .await;
        answer.is(status);
    }
}
