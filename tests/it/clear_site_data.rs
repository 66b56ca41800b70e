//! `Clear-Site-Data` where it is asked for: with a browser's own logout, and with nothing else.

use actix_web::{HttpResponse, Result, web};
use sealed_session::testing::ManualClock;
use sealed_session::{
    Session,
    settings::{CookieSettings, SiteData},
};
use support::faulty::{Call, Faulty, Mode};
use support::{Answer, Browser, MINUTE, Node, builder, log, serve, unhurried, with};

fn clearing(what: &[SiteData]) -> CookieSettings {
    with(CookieSettings::plain_http(), |cookie| {
        cookie.clear_site_data = what.to_vec();
    })
}

fn extra(config: &mut web::ServiceConfig) {
    config
        .configure(support::routes)
        .route("/switch", web::post().to(switch))
        .route("/own", web::post().to(own));
}

/// A logout after which the response carries another session.
async fn switch(session: Session) -> Result<HttpResponse> {
    session.logout().await?;
    session.insert("seen", true)?;
    Ok(HttpResponse::Ok().finish())
}

/// A logout whose handler clears something itself.
async fn own(session: Session) -> Result<HttpResponse> {
    session.logout().await?;
    let header = ("Clear-Site-Data", "\"cookies\"");
    Ok(HttpResponse::Ok().insert_header(header).finish())
}

struct Clearing {
    node: Node,
    store: Faulty,
    url: String,
}

impl Clearing {
    async fn start(what: &[SiteData]) -> Self {
        let clock = ManualClock::default();
        let store = Faulty::new(log(&clock));
        let builder = unhurried(builder(&clock, store.clone())).cookie(clearing(what));
        let node = Node::serve(clock, builder).await;
        let (url, _) = serve(&node.sessions, extra);
        Self { node, store, url }
    }

    async fn alice(&self) -> Browser {
        let browser = Browser::new(&self.url);
        let answer = browser.post("/login/alice").await.is(200);
        assert_eq!(cleared(&answer), None);
        browser
    }
}

fn cleared(answer: &Answer) -> Option<&str> {
    answer.header("clear-site-data")
}

const BOTH: [SiteData; 2] = [SiteData::Cache, SiteData::Storage];

#[actix_web::test]
async fn every_logout_of_the_browser_itself_clears_what_was_asked_for() {
    let t = Clearing::start(&BOTH).await;
    for path in ["/logout", "/purge", "/logout-all", "/logout-everyone"] {
        let browser = t.alice().await;
        let answer = browser.post(path).await.is(204);
        assert!(answer.removes_cookie());
        assert_eq!(cleared(&answer), Some("\"cache\", \"storage\""), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        // Nothing is left to log out.
        let answer = browser.post("/logout").await.is(204);
        assert_eq!(cleared(&answer), None, "{path}");
    }
}

/// Such as a message about the logout.
#[actix_web::test]
async fn a_logout_clears_also_where_the_answer_begins_another_session() {
    let t = Clearing::start(&BOTH).await;
    let browser = t.alice().await;
    let answer = browser.post("/switch").await.is(200);
    assert!(browser.session().is_some());
    assert_eq!(cleared(&answer), Some("\"cache\", \"storage\""));
    // Of a browser that held nothing there is nothing to clear.
    let stranger = Browser::new(&t.url).post("/switch").await.is(200);
    assert_eq!(cleared(&stranger), None);
}

#[actix_web::test]
async fn nothing_is_cleared_where_it_is_not_asked_for() {
    let t = Clearing::start(&[]).await;
    let answer = t.alice().await.post("/logout").await.is(204);
    assert!(answer.removes_cookie());
    assert_eq!(cleared(&answer), None);
}

#[actix_web::test]
async fn no_other_answer_clears_anything() {
    let t = Clearing::start(&BOTH).await;
    let browser = t.alice().await;
    for path in ["/renew", "/logout-others", "/clear", "/login/alice"] {
        let answer = browser.post(path).await;
        assert!(answer.status < 300, "{answer:?}");
        assert_eq!(cleared(&answer), None, "{path}");
    }
    // Ended by somebody else, and by time.
    let browser = t.alice().await;
    t.node.sessions.end_subject("alice").await.unwrap();
    assert_eq!(cleared(&browser.get("/me").await.is(401)), None);
    let browser = t.alice().await;
    t.node.clock.advance(61 * MINUTE);
    assert_eq!(cleared(&browser.get("/me").await.is(401)), None);
    // What cannot be a session is removed by whoever looks.
    let answer = Browser::new(&t.url).holding("junk").get("/me").await;
    assert!(answer.removes_cookie());
    assert_eq!(cleared(&answer), None);
}

#[actix_web::test]
async fn a_login_that_fails_ends_its_session_and_clears_nothing() {
    let t = Clearing::start(&BOTH).await;
    let browser = t.alice().await;
    t.store.set_call(Call::Publish, Mode::Down);
    let answer = browser.post("/login/bob").await.is(503);
    assert!(answer.removes_cookie(), "{answer:?}");
    assert_eq!(cleared(&answer), None);
}

#[actix_web::test]
async fn a_logout_that_only_this_node_knows_clears_too_because_the_cookie_is_gone() {
    let t = Clearing::start(&BOTH).await;
    for path in ["/logout", "/purge"] {
        let browser = t.alice().await;
        t.store.set_call(Call::Publish, Mode::Down);
        let answer = browser.post(path).await.is(503);
        assert!(answer.removes_cookie(), "{answer:?}");
        assert_eq!(cleared(&answer), Some("\"cache\", \"storage\""));
        t.store.set(Mode::Up);
    }
}

#[actix_web::test]
async fn what_the_handler_clears_itself_stays() {
    let t = Clearing::start(&[SiteData::Everything]).await;
    let answer = t.alice().await.post("/own").await.is(200);
    let all = answer.headers.get_all("clear-site-data");
    let all: Vec<_> = all.iter().map(|it| it.to_str().unwrap()).collect();
    assert_eq!(all, ["\"cookies\"", "\"*\""]);
}
