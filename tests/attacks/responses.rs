//! What a response, a log line or a removed cookie gives away or takes.

use std::sync::Arc;

use sealed_session::adapter::Incoming;
use sealed_session::time::Clock;

use crate::common::{Browser, MINUTE};
use crate::target;

#[actix_web::test]
async fn a_clock_that_is_behind_for_a_moment_takes_no_session_from_a_browser() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    let right = t.clock.now();
    t.clock.set(right.minus(2 * MINUTE));
    let answer = browser.get("/me").await;
    t.clock.set(right);
    assert!(!answer.removes_cookie(), "{answer:?}");
    browser.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_session_that_was_not_tried_is_not_removed() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    let good = browser.session().unwrap();
    let mut bad = good.clone().into_bytes();
    bad[40] = if bad[40] == b'A' { b'B' } else { b'A' };
    let bad = String::from_utf8(bad).unwrap();
    let header =
        format!("session={bad}; session={bad}; session={bad}; session={bad}; session={good}");
    let answer = browser
        .send_raw(reqwest::Method::GET, "/me", None, Some(header.into_bytes()))
        .await;
    assert!(!answer.removes_cookie(), "{answer:?}");
}

#[actix_web::test]
async fn debug_output_shows_neither_tokens_nor_entries() {
    let t = target().await;
    let loaded = t.sessions.load(Incoming::new(std::iter::empty())).unwrap();
    let login = loaded.session.authenticate("alice").entry("iban", "ABC");
    let shown = format!("{login:?}");
    login.await.unwrap();
    let outcome = t.sessions.commit(&loaded.session, loaded.ticket).await;
    let token = outcome.cookies[0]
        .split(['=', ';'])
        .nth(1)
        .unwrap()
        .to_owned();
    let outcome = format!("{outcome:?}");
    assert!(
        !outcome.contains(&token),
        "Committed shows a live token: {outcome}"
    );
    assert!(
        !shown.contains("65, 66, 67"),
        "Login shows entries: {shown}"
    );
}

#[actix_web::test]
async fn a_logout_after_a_refused_write_removes_the_cookie() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    let tab = browser.copy();
    browser.post("/renew").await.is(200);
    let answer = tab.post("/clear-logout").await; // a superseded cookie may log out
    browser.get("/me").await.is(401);
    assert!(answer.removes_cookie(), "{answer:?}");
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
async fn an_answer_that_depends_on_remove_is_private() {
    let t = target().await;
    let answer = Browser::new(&t.url).get("/flash").await.is(200);
    assert_eq!(answer.header("vary"), Some("Cookie"), "{answer:?}");
}

#[actix_web::test]
async fn no_targeted_cache_control_stands_beside_a_set_cookie() {
    let t = target().await;
    let answer = Browser::new(&t.url).get("/cdn").await.is(200);
    assert_eq!(answer.set_cookies().len(), 1);
    assert_eq!(answer.header("cdn-cache-control"), None, "{answer:?}");
}

#[actix_web::test]
async fn nobody_can_fill_the_error_log() {
    use std::io::Write;
    use std::sync::Mutex;
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let _ = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::ERROR)
        .with_writer(move || writer.clone())
        .try_init();
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    // No session, no key: a token of another version, sealed now.
    let head = &browser.session().unwrap()[..28];
    let foreign = format!("B{}", &head[1..]);
    let stranger = browser.holding(foreign);
    for _ in 0..100 {
        stranger.post("/renew").await.is(409);
    }
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let written = text
        .lines()
        .filter(|line| line.contains("could not be committed"))
        .count();
    assert!(written <= 20, "{written} lines of 100 requests");
}

#[actix_web::test]
async fn entries_of_one_user_do_not_become_anothers() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    browser
        .put("/entries/card", serde_json::json!("4111"))
        .await
        .is(204);
    browser.post("/login/bob").await.is(200);
    browser.get("/entries/card").await.is(404);
}
