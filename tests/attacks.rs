//! Attacks that worked once.
#![allow(clippy::unwrap_used, dead_code)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, Result, web};
use async_trait::async_trait;
use common::faulty::{Call, Faulty, Mode};
use common::gate::gate;
use common::{Answer, Browser, DAY, MINUTE, SECOND, builder, eventually, memory};
use sealed_session::revoke::*;
use sealed_session::store::Memory;
use sealed_session::testing::ManualClock;
use sealed_session::{Clock, Session, SessionId, Sessions, StoreError, SubjectKey};

async fn during<T>(
    name: &str,
    request: impl Future<Output = Answer>,
    meanwhile: impl Future<Output = T>,
) -> Answer {
    let at = gate(name);
    let (answer, _) = tokio::join!(request, async {
        at.entered().await;
        meanwhile.await;
        at.open();
    });
    answer
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .route(
            "/late/{gate}/logout-others",
            web::post().to(late_logout_others),
        )
        .route("/late/{gate}/logout-all", web::post().to(late_logout_all))
        .route("/late/{gate}/login/{user}", web::post().to(late_login))
        .route("/timeout-login/{user}", web::post().to(timeout_login))
        .route("/clear-logout", web::post().to(clear_logout))
        .route("/clear-login/{user}", web::post().to(clear_login))
        .route("/flash", web::get().to(flash))
        .route("/cdn", web::get().to(cdn))
        .configure(common::routes);
}

/// What any handler does that reads its body (slowly) before it acts.
async fn late_logout_others(session: Session, name: web::Path<String>) -> Result<HttpResponse> {
    gate(&name).pass().await;
    session.logout_others().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn late_logout_all(session: Session, name: web::Path<String>) -> Result<HttpResponse> {
    gate(&name).pass().await;
    session.logout_all().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn late_login(session: Session, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (name, user) = path.into_inner();
    gate(&name).pass().await;
    session.authenticate(user).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn timeout_login(session: Session, user: web::Path<String>) -> HttpResponse {
    let login = session.authenticate(user.into_inner());
    match actix_web::rt::time::timeout(Duration::from_millis(200), async { login.await }).await {
        Ok(Ok(())) => HttpResponse::Ok().finish(),
        _ => HttpResponse::GatewayTimeout().body("you are not logged in"),
    }
}

async fn clear_logout(session: Session) -> Result<HttpResponse> {
    session.clear();
    session.logout().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn clear_login(session: Session, user: web::Path<String>) -> Result<HttpResponse> {
    session.clear();
    session.authenticate(user.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn flash(session: Session) -> String {
    match session.remove_as::<String>("flash") {
        Some(Ok(text)) => text,
        _ => "no message".into(),
    }
}

async fn cdn(session: Session) -> Result<HttpResponse> {
    session.insert("seen", true)?;
    Ok(HttpResponse::Ok()
        .insert_header(("CDN-Cache-Control", "max-age=600"))
        .insert_header(("Surrogate-Control", "max-age=600"))
        .body("page"))
}

struct Site {
    sessions: Sessions,
    clock: ManualClock,
    store: Arc<Faulty>,
    url: String,
}

async fn target() -> Site {
    let clock = ManualClock::default();
    let store = Faulty::new(memory(&clock), Reach::Process);
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let (url, _) = common::serve(&sessions, routes);
    Site {
        sessions,
        clock,
        store,
        url,
    }
}

#[actix_web::test]
async fn logout_others_in_flight_revives_nothing_that_logout_all_ended() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    let thief = victim.copy();
    let answer = during("a01", thief.post("/late/a01/logout-others"), async {
        victim.post("/logout-all").await.is(204); // acknowledged: all of alice's sessions are dead
        t.clock.advance(30 * SECOND);
    })
    .await;
    thief.get("/me").await.is(401);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
}

#[actix_web::test]
async fn logout_others_in_flight_does_not_outlive_the_end_of_its_subject_nor_end_a_later_login() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    let thief = victim.copy();
    during("a01b", thief.post("/late/a01b/logout-others"), async {
        t.sessions.end_subject("alice").await.unwrap(); // the password was changed
        t.clock.advance(30 * SECOND);
        victim.post("/login/alice").await.is(200);
    })
    .await;
    let owner = victim.get("/me").await.status;
    let thief = thief.get("/me").await.status;
    assert_eq!((owner, thief), (200, 401), "(owner, thief)");
}

#[actix_web::test]
async fn logout_others_in_flight_lifts_no_mark_of_a_logout_that_the_store_did_not_take() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    let thief = victim.copy();
    during("a01c", thief.post("/late/a01c/logout-others"), async {
        t.store.set_call(Call::Raise, Mode::Down);
        victim.post("/logout-all").await.is(503);
        t.store.set_call(Call::Raise, Mode::Up);
    })
    .await;
    thief.get("/me").await.is(401);
}

#[actix_web::test]
async fn a_clock_that_the_store_refuses_makes_the_list_forget_nothing() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    let stolen = victim.copy();
    victim.post("/logout").await.is(204);
    stolen.copy().get("/me").await.is(401);
    let right = t.clock.now();
    t.clock.set(right + 401 * DAY);
    let swept = t.sessions.sweep().await;
    assert!(
        matches!(swept, Err(StoreError::Clock(_))),
        "the store forgot nothing: {swept:?}"
    );
    t.clock.set(right);
    t.sessions.sweep().await.unwrap();
    stolen.get("/me").await.is(401);
}

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
async fn of_two_renewals_at_once_without_a_store_one_wins() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    let thief = victim.copy();
    during("a05", thief.post("/held/a05/renew"), async {
        t.store.set_call(Call::Publish, Mode::Down);
        victim.post("/renew").await.is(503);
    })
    .await;
    t.clock.advance(20 * SECOND);
    let both = (
        victim.get("/me").await.status,
        thief.get("/me").await.status,
    );
    assert_eq!(both, (200, 401), "(winner, loser)");
}

#[actix_web::test]
async fn debug_output_shows_neither_tokens_nor_entries() {
    let t = target().await;
    let loaded = t.sessions.load(std::iter::empty()).unwrap();
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
        "Outcome shows a live token: {outcome}"
    );
    assert!(
        !shown.contains("65, 66, 67"),
        "Login shows entries: {shown}"
    );
}

/// A store that never takes one session (a damaged value in its file, say).
#[derive(Debug)]
struct Poisoned {
    memory: Arc<Memory>,
    down: std::sync::atomic::AtomicBool,
    poison: std::sync::Mutex<Option<SessionId>>,
    taken: std::sync::Mutex<Vec<SessionId>>,
}

#[async_trait]
impl RevocationStore for Poisoned {
    fn name(&self) -> &'static str {
        "poisoned"
    }
    fn reach(&self) -> Reach {
        Reach::Process
    }
    async fn announce(&self, longest: Duration) -> Result<(), StoreError> {
        self.memory.announce(longest).await
    }
    async fn publish(&self, revocations: &[Revocation]) -> Result<Vec<Published>, StoreError> {
        let ids: Vec<_> = revocations
            .iter()
            .filter_map(|r| match r {
                Revocation::Session { id, .. } => Some(*id),
                _ => None,
            })
            .collect();
        let poisoned = self
            .poison
            .lock()
            .unwrap()
            .is_some_and(|p| ids.contains(&p));
        if poisoned || self.down.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(StoreError::Unavailable("poison".into()));
        }
        let published = self.memory.publish(revocations).await?;
        self.taken.lock().unwrap().extend(ids);
        Ok(published)
    }
    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError> {
        self.memory.raise(raise).await
    }
    async fn read(&self, subject: SubjectKey) -> Result<Reading, StoreError> {
        self.memory.read(subject).await
    }
    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        self.memory.snapshot(receive).await
    }
    async fn follow(&self, position: Position) -> Result<Followed, StoreError> {
        self.memory.follow(position).await
    }
    async fn sweep(&self) -> Result<usize, StoreError> {
        self.memory.sweep().await
    }
}

#[actix_web::test]
async fn one_logout_that_is_never_taken_holds_up_no_others() {
    use std::sync::atomic::Ordering;
    let clock = ManualClock::default();
    let store = Arc::new(Poisoned {
        memory: memory(&clock),
        down: true.into(),
        poison: std::sync::Mutex::new(Some(SessionId::from_bytes([1; 16]))),
        taken: std::sync::Mutex::default(),
    });
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let other = SessionId::from_bytes([2; 16]);
    sessions
        .end_session(SessionId::from_bytes([1; 16]))
        .await
        .unwrap_err();
    sessions.end_session(other).await.unwrap_err();
    store.down.store(false, Ordering::SeqCst);
    eventually(|| async { store.taken.lock().unwrap().contains(&other) }).await;
}

#[actix_web::test]
async fn a_login_that_was_cancelled_is_none() {
    let t = target().await;
    let browser = Browser::new(&t.url);
    browser
        .put("/entries/a", serde_json::json!(1))
        .await
        .is(204); // a visitor: there is a session to end
    t.store.set_call(Call::Publish, Mode::Hanging);
    browser.post("/timeout-login/alice").await.is(504);
    browser.get("/me").await.is(401);
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

/// A store whose raises wait where the test says.
#[derive(Debug)]
struct SlowRaise {
    memory: Arc<Memory>,
    down: std::sync::atomic::AtomicBool,
    slow: std::sync::Mutex<Option<SubjectKey>>,
    slow_calls: std::sync::atomic::AtomicUsize,
}

#[async_trait]
impl RevocationStore for SlowRaise {
    fn name(&self) -> &'static str {
        "slow"
    }
    fn reach(&self) -> Reach {
        Reach::Process
    }
    async fn announce(&self, longest: Duration) -> Result<(), StoreError> {
        self.memory.announce(longest).await
    }
    async fn publish(&self, revocations: &[Revocation]) -> Result<Vec<Published>, StoreError> {
        self.memory.publish(revocations).await
    }
    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError> {
        use std::sync::atomic::Ordering::SeqCst;
        if self.down.load(SeqCst) {
            return Err(StoreError::Unavailable("down".into()));
        }
        let slow = *self.slow.lock().unwrap();
        if let (Some(slow), Target::Subject(key)) = (slow, raise.target)
            && key == slow
        {
            self.slow_calls.fetch_add(1, SeqCst);
            tokio::time::sleep(SECOND).await;
            return Err(StoreError::Unavailable("slow".into()));
        }
        self.memory.raise(raise).await
    }
    async fn read(&self, subject: SubjectKey) -> Result<Reading, StoreError> {
        self.memory.read(subject).await
    }
    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        self.memory.snapshot(receive).await
    }
    async fn follow(&self, position: Position) -> Result<Followed, StoreError> {
        self.memory.follow(position).await
    }
    async fn sweep(&self) -> Result<usize, StoreError> {
        self.memory.sweep().await
    }
}

#[actix_web::test]
async fn a_retry_of_what_was_replaced_ends_no_later_login() {
    use std::sync::atomic::Ordering::SeqCst;
    let mut killed = 0;
    // The order of the outbox is random: several rounds.
    for _ in 0..4 {
        let clock = ManualClock::default();
        let store = Arc::new(SlowRaise {
            memory: memory(&clock),
            down: true.into(),
            slow: std::sync::Mutex::default(),
            slow_calls: 0.into(),
        });
        let sessions = builder(&clock, store.clone()).start().await.unwrap();
        let (url, _) = common::serve(&sessions, routes);
        // Outstanding: mallory's, whose raise is slow, and alice's.
        sessions.end_subject("mallory").await.unwrap_err();
        sessions.end_subject("alice").await.unwrap_err();
        *store.slow.lock().unwrap() = Some(SubjectKey::new("test", "mallory"));
        store.down.store(false, SeqCst);
        eventually(|| async { store.slow_calls.load(SeqCst) >= 1 }).await;
        // The retry loop waits for mallory's raise, and may hold alice's old one in its copy.
        clock.advance(SECOND);
        sessions.end_subject("alice").await.unwrap();
        clock.advance(SECOND);
        let alice = Browser::new(&url);
        alice.post("/login/alice").await.is(200);
        clock.advance(SECOND);
        *store.slow.lock().unwrap() = None;
        sessions.close(30 * SECOND).await;
        killed += usize::from(alice.get("/me").await.status != 200);
    }
    assert_eq!(killed, 0, "of 4 logins");
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
async fn a_request_of_a_dead_session_ends_no_later_logins() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    let thief = victim.copy();
    during("a15", thief.post("/late/a15/logout-all"), async {
        victim.post("/logout-all").await.is(204);
        t.clock.advance(SECOND);
        victim.post("/login/alice").await.is(200);
    })
    .await;
    victim.get("/me").await.is(200);
}

#[actix_web::test]
async fn entries_of_an_ended_session_do_not_follow_into_a_login_in_flight() {
    let t = target().await;
    let victim = Browser::new(&t.url);
    victim.post("/login/alice").await.is(200);
    victim
        .put("/entries/card", serde_json::json!("4111"))
        .await
        .is(204);
    let thief = victim.copy();
    during(
        "a16",
        thief.post("/late/a16/login/mallory"),
        victim.post("/logout-all"),
    )
    .await;
    thief.get("/me").await.is(200);
    thief.get("/entries/card").await.is(404);
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

#[actix_web::test]
async fn a_thief_who_hammers_does_not_survive_logout_all() {
    let t = target().await;
    let mut survived = 0;
    for round in 0..150 {
        let victim = Browser::new(&t.url);
        victim.post(&format!("/login/alice{round}")).await.is(200);
        let thieves: Vec<_> = (0..12).map(|_| victim.copy()).collect();
        let tries: Vec<_> = thieves
            .iter()
            .map(|thief| {
                let thief = thief.clone();
                actix_web::rt::spawn(async move { thief.post("/logout-others").await.status })
            })
            .collect();
        let acknowledged = victim.post("/logout-all").await.status == 204;
        for each in tries {
            let _ = each.await;
        }
        for thief in &thieves {
            if thief.get("/me").await.status == 200 && acknowledged {
                survived += 1;
                break;
            }
        }
    }
    assert_eq!(survived, 0, "of 150 rounds");
}

/// A node whose sessions have passed through as many keys as a record can name.
async fn worn() -> (Site, Browser, tempfile::TempDir) {
    use sealed_session::key::Rotation;
    use sealed_session::{Clock, KeySource, KeyTables, SystemRandom};
    let clock = ManualClock::default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    KeyTables::fresh(clock.now(), &SystemRandom)
        .unwrap()
        .create(&file)
        .unwrap();
    let store = Faulty::new(memory(&clock), Reach::Process);
    let sessions = builder(&clock, store.clone())
        .key_source(KeySource::File(file.clone()))
        .start()
        .await
        .unwrap();
    let (url, _) = common::serve(&sessions, routes);
    let t = Site {
        sessions,
        clock,
        store,
        url,
    };
    let browser = Browser::new(&t.url);
    browser.post("/login/alice").await.is(200);
    for _ in 0..17 {
        t.clock.advance(2 * SECOND);
        let rotation = Rotation {
            distribute: Duration::ZERO,
            although_pending: true,
            ..Rotation::default()
        };
        KeyTables::edit_file(&file, |tables| {
            tables.rotate(t.clock.now(), rotation, &SystemRandom)
        })
        .unwrap();
        t.clock.advance(2 * SECOND);
        t.sessions.reload_keys().unwrap();
        browser.get("/me").await.is(200);
    }
    (t, browser, folder)
}

#[actix_web::test]
async fn a_renewal_that_can_not_be_sealed_changes_nothing() {
    let (t, browser, _folder) = worn().await;
    browser.post("/renew").await.is(500);
    t.clock.advance(20 * SECOND);
    browser.get("/me").await.is(200); // nothing was changed by what failed
}

#[actix_web::test]
async fn a_login_over_a_session_of_too_many_keys_starts_anew() {
    let (_t, browser, _folder) = worn().await;
    browser.post("/login/alice").await.is(200);
}
