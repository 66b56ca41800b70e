//! An application's own user as an argument of a handler.

use std::collections::BTreeMap;
use std::sync::Mutex;

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, Error, HttpRequest, Result, error};
use sealed_session::actix::{Authenticated, FromSession, Identity};
use sealed_session::testing::ManualClock;
use sealed_session::{Session, SessionMiddleware, Sessions};
use support::faulty::{Call, Faulty, Mode};
use support::{Browser, SECOND, builder, eventually, log, memory, serve_app};

use super::store_down::is_unavailable;

/// Names by id; `None` while it cannot be reached.
type Users = Mutex<Option<BTreeMap<String, String>>>;

struct Member {
    name: String,
    visits: u32,
}

impl FromSession for Member {
    type Error = Error;

    async fn from_session(session: &Session, request: &HttpRequest) -> Result<Option<Self>> {
        let Some(id) = session.subject() else {
            return Ok(None);
        };
        // As a look-up over the network does.
        tokio::task::yield_now().await;
        let users = request.app_data::<Data<Users>>();
        let users = users.ok_or_else(|| error::ErrorInternalServerError("no database"))?;
        let users = users.lock().unwrap();
        let users = users
            .as_ref()
            .ok_or_else(|| error::ErrorBadGateway("no answer"))?;
        let name = users.get(&id).cloned();
        let visits = session.get::<u32>("visits")?.unwrap_or_default() + 1;
        session.insert("visits", visits)?;
        Ok(name.map(|name| Self { name, visits }))
    }
}

fn routes(config: &mut ServiceConfig) {
    config
        .configure(support::routes)
        .route(
            "/member",
            web::get()
                .to(async |member: Identity<Member>| format!("{} {}", member.name, member.visits)),
        )
        .route(
            "/owned",
            web::get().to(async |member: Identity<Member>| member.into_inner().name),
        )
        .route(
            "/maybe",
            web::get().to(async |member: Option<Identity<Member>>| match member {
                Some(Identity(member)) => member.name,
                None => "nobody".to_owned(),
            }),
        )
        .route(
            "/which",
            web::get().to(async |member: Result<Identity<Member>>| match member {
                Ok(member) => Ok(member.name.clone()),
                Err(error) if error.as_response_error().status_code() == 401 => {
                    Ok("nobody".to_owned())
                }
                Err(error) => Err(error),
            }),
        )
        .route(
            "/maybe-authenticated",
            web::get().to(async |user: Option<Authenticated>| match user {
                Some(user) => user.subject().to_owned(),
                None => "nobody".to_owned(),
            }),
        );
}

fn serve(sessions: &Sessions) -> (Browser, Data<Users>) {
    let alice = ("alice".to_owned(), "Alice Liddell".to_owned());
    let users = Data::new(Mutex::new(Some(BTreeMap::from([alice]))));
    let (sessions, data) = (sessions.clone(), users.clone());
    let (url, _server) = serve_app!(
        1,
        App::new()
            .app_data(data.clone())
            .configure(routes)
            .wrap(SessionMiddleware::new(&sessions))
    );
    (Browser::new(&url), users)
}

#[actix_web::test]
async fn an_identity_is_the_user_that_the_application_makes_of_the_session() {
    let clock = ManualClock::default();
    let sessions = builder(&clock, memory(&clock)).start().await.unwrap();
    let (browser, users) = serve(&sessions);
    let nobody = async |browser: &Browser| {
        let authenticated = browser.get("/me").await;
        for path in ["/member", "/owned"] {
            let answer = browser.get(path).await.is(401);
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Cookie realm=\"session\"")
            );
            assert_eq!(answer.header("vary"), Some("Cookie"), "{authenticated:?}");
        }
        for path in ["/maybe", "/which"] {
            assert_eq!(browser.get(path).await.is(200).body, "nobody");
        }
    };
    nobody(&browser).await;
    browser.post("/login/alice").await.is(200);
    // What it writes to the session is kept.
    assert_eq!(browser.get("/member").await.is(200).body, "Alice Liddell 1");
    assert_eq!(browser.get("/member").await.is(200).body, "Alice Liddell 2");
    for path in ["/owned", "/maybe", "/which"] {
        assert_eq!(browser.get(path).await.is(200).body, "Alice Liddell");
    }
    // Logged in, and deleted from the database.
    users.lock().unwrap().as_mut().unwrap().clear();
    nobody(&browser).await;
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn an_identity_that_cannot_be_looked_up_is_the_applications_error() {
    let clock = ManualClock::default();
    let sessions = builder(&clock, memory(&clock)).start().await.unwrap();
    let (browser, users) = serve(&sessions);
    browser.post("/login/alice").await.is(200);
    *users.lock().unwrap() = None;
    for path in ["/member", "/owned", "/which"] {
        assert_eq!(browser.get(path).await.is(502).body, "no answer");
    }
    // As it is with every `Option` of an extractor.
    assert_eq!(browser.get("/maybe").await.is(200).body, "nobody");
    let (url, _server) = serve_app!(1, App::new().configure(routes));
    let without = Browser::new(&url);
    for path in ["/member", "/which"] {
        without.get(path).await.is(500);
    }
}

#[actix_web::test]
async fn an_option_of_an_identity_does_not_turn_an_unavailable_list_into_nobody() {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let (browser, _) = serve(&sessions);
    browser.post("/login/alice").await.is(200);
    assert_eq!(browser.get("/maybe").await.is(200).body, "Alice Liddell");
    store.set_call(Call::Follow, Mode::Hanging);
    eventually(|| async { store.waiting() >= 1 }).await;
    clock.advance(11 * SECOND);
    for path in ["/maybe", "/maybe-authenticated", "/which", "/member", "/me"] {
        is_unavailable(browser.get(path).await);
    }
    browser.get("/plain").await.is(200);
    // Without a cookie there is nothing to judge.
    let stranger = Browser::new(browser.url());
    for path in ["/maybe", "/maybe-authenticated"] {
        assert_eq!(stranger.get(path).await.is(200).body, "nobody");
    }
}
