//! A login: a new id, the entries from before, and the end of every cookie that the request carried.

use actix_web::{Result, web};
use sealed_session::Session;
use sealed_session::adapter::Incoming;
use sealed_session::testing::ManualClock;
use sealed_session::time::Clock;
use serde_json::{Value, json};
use support::faulty::{Call, Mode};
use support::forge::{Forge, Record};
use support::{Browser, Node, SECOND};

use super::direct::{anonymous, load, login, sessions, user};
use super::site::{done, handler, start_at, target};

#[actix_web::test]
async fn a_login_that_was_cancelled_is_none() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser
        .put("/entries/a", serde_json::json!(1))
        .await
        .is(204); // there is an anonymous session to end
    t.store.set_call(Call::Publish, Mode::Hanging);
    browser.post("/timeout-login/alice").await.is(504);
    browser.get("/me").await.is(401);
}

#[actix_web::test]
async fn a_login_after_a_refused_write_holds() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    let tab = browser.copy();
    browser.post("/renew").await.is(200);
    tab.post("/clear-login/alice").await.is(204);
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

/// However many entries a login is given, of which no session could hold a hundredth.
#[actix_web::test]
async fn a_login_with_entries_that_do_not_fit_is_refused_before_they_cost_much() {
    let browser = handler!(async |session: Session| {
        let entries = (0..200_000).map(|number| (format!("entry-{number}"), number));
        let refused = session.authenticate_with("alice", entries).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("bytes of cookies"), "{refused}");
        done()
    });
    browser.post("/do").await.is(204);
    browser.get("/me").await.is(401);
}

#[actix_web::test]
async fn of_two_entries_of_a_login_the_last_counts() {
    let browser = handler!(async |session: Session| {
        session.insert("a", 0)?;
        let login = session.authenticate("alice").entry("b", 1).entry("a", 1);
        login.entry("b", 2).await?;
        Result::<_>::Ok(done())
    });
    browser.post("/do").await.is(204);
    assert_eq!(browser.get("/entries/a").await.is(200).json(), 1);
    assert_eq!(browser.get("/entries/b").await.is(200).json(), 2);
}

#[actix_web::test]
async fn a_login_after_a_purge_in_one_handler_holds() {
    let browser = handler!(async |session: Session| {
        session.purge();
        session.insert("lost", 1)?;
        session.authenticate("alice").await?;
        session.insert("kept", 1)?;
        Result::<_>::Ok(done())
    });
    for _ in 0..2 {
        let before = browser.copy();
        browser.post("/do").await.is(204);
        assert_eq!(browser.get("/me").await.is(200).json()["user"], "alice");
        browser.get("/entries/kept").await.is(200);
        browser.get("/entries/lost").await.is(404);
        before.get("/me").await.is(401);
        browser.put("/entries/before", json!(1)).await.is(204);
    }
    browser.post("/do").await.is(204);
    browser.get("/entries/before").await.is(404);
}

#[actix_web::test]
async fn a_purge_or_renewal_before_a_login_does_not_stand_in_its_way() {
    for purge in [true, false] {
        let clock = ManualClock::default();
        let browser = start_at(&clock, |config| {
            let handler = async |session: Session, purge: web::Path<bool>| {
                match *purge {
                    true => session.purge(),
                    false => session.renew(),
                }
                session.authenticate("alice").await?;
                Result::<_>::Ok(done())
            };
            config.route("/fresh-login/{purge}", web::post().to(handler));
        })
        .await;
        let path = format!("/fresh-login/{purge}");
        let now = clock.now();
        let stranger = Forge {
            secret: 2,
            ..Forge::at(now)
        };
        let foreign = stranger.seal(&Record::of_alice(now));
        let ended = browser.copy();
        ended.post("/login/bob").await.is(200);
        let just_ended = ended.session().unwrap();
        ended.post("/logout").await.is(204);
        for held in [foreign, just_ended] {
            let browser = browser.holding(held);
            browser.post(&path).await.is(204);
            browser.get("/me").await.is(200);
        }
    }
}

#[actix_web::test]
async fn a_login_after_a_logout_and_a_logout_after_a_login_hold_in_one_handler() {
    let browser = handler!(async |session: Session| {
        session.logout().await?;
        session.authenticate("alice").await?;
        session.logout_others().await?;
        session.renew();
        session.insert("a", 1)?;
        Result::<_>::Ok(done())
    });
    for _ in 0..2 {
        let before = browser.copy();
        browser.post("/do").await.is(204);
        browser.get("/me").await.is(200);
        browser.get("/entries/a").await.is(200);
        before.get("/me").await.is(401);
    }
    let browser = handler!(async |session: Session| {
        session.authenticate("alice").await?;
        session.authenticate("bob").await?;
        session.logout().await?;
        assert!(!session.is_authenticated());
        Result::<_>::Ok(done())
    });
    browser.post("/login/carol").await.is(200);
    let before = browser.copy();
    let answer = browser.post("/do").await.is(204);
    assert_eq!(answer.removed(), ["session"]);
    before.get("/me").await.is(401);
}

#[actix_web::test]
async fn a_clients_id_is_never_adopted() {
    let node = Node::start().await;
    let anonymous = node.browser();
    anonymous.put("/entries/a", json!(1)).await.is(204);
    let planted = anonymous.copy();
    let login = anonymous.post("/login/alice").await.is(200).json();
    let again = anonymous.post("/login/alice").await.is(200).json();
    assert_ne!(login, again);
    assert!(matches!(login, Value::String(id) if id.len() == 32));
    planted.get("/entries/a").await.is(404);
}

#[actix_web::test]
async fn a_login_ends_every_session_that_the_request_carried() {
    let (sessions, _) = sessions().await;
    let mallory = [
        login(&sessions, "", "mallory").await,
        login(&sessions, "", "mallory").await,
        anonymous(&sessions, "mallory's").await,
    ];
    let planted = mallory.join("; ");
    let alice = login(&sessions, &planted, "alice").await;
    for cookie in mallory {
        assert!(load(&sessions, &cookie).session.id().is_none());
        let both = format!("{cookie}; {alice}");
        assert_eq!(user(&sessions, &both).as_deref(), Some("alice"));
    }
}

#[actix_web::test]
async fn a_login_is_remembered_by_the_cookie_alone() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.get("/me").await.is(401);
    let login = browser.post("/login/alice").await.is(200);
    let [cookie] = login.set_cookies()[..] else {
        panic!("{login:?}")
    };
    for part in ["session=", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(
        !cookie.contains("Max-Age"),
        "a standard session ends with the browser: {cookie}"
    );
    assert_eq!(browser.get("/me").await.is(200).json()["user"], "alice");
    assert!(
        browser.get("/me").await.set_cookies().is_empty(),
        "nothing changed"
    );
}

#[actix_web::test]
async fn a_login_keeps_the_entries_and_kills_the_cookie_from_before() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.put("/entries/cart", json!(["book"])).await.is(204);
    let before = browser.copy();
    browser.post("/login/alice").await.is(200);
    assert_eq!(
        browser.get("/entries/cart").await.is(200).json(),
        json!(["book"])
    );
    before.get("/entries/cart").await.is(404);
}

#[actix_web::test]
async fn session_fixation_a_planted_session_is_worth_nothing_after_the_login() {
    let node = Node::start().await;
    let attacker = node.browser();
    attacker.put("/entries/planted", json!(1)).await.is(204);
    let victim = attacker.copy();
    victim.post("/login/alice").await.is(200);
    attacker.get("/me").await.is(401);
    attacker.get("/entries/planted").await.is(404);
    // A privilege change makes the cookie from before useless as well.
    let seen = victim.copy();
    victim.post("/renew").await.is(200);
    node.clock.advance(10 * SECOND);
    seen.get("/me").await.is(401);
    victim.get("/me").await.is(200);
}
