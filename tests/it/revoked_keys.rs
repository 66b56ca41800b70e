//! Keys that are revoked, or are too many, and the sessions that passed through them.

use std::fs;
use std::time::Duration;

use sealed_session::adapter::CommitError;
use sealed_session::key_files::Rotation;
use sealed_session::keys::{KeySource, KeyTables, SystemRandom};
use sealed_session::session::{ConfirmError, LogoutError, Rejected};
use sealed_session::testing::ManualClock;
use sealed_session::time::Clock;
use serde_json::json;
use support::faulty::Faulty;
use support::gate::during;
use support::{Browser, DAY, HOUR, MINUTE, SECOND, builder, log, memory, unhurried};

use super::direct::{load, login, sent, user};
use super::rotation::{Bench, key_of};
use super::site::{Site, routes};

/// A node with a key file, and a session that has passed through as many keys as a record can name but one.
struct Worn {
    site: Site,
    browser: Browser,
    folder: tempfile::TempDir,
}

impl Worn {
    async fn start() -> Self {
        let clock = ManualClock::default();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        let tables = KeyTables::fresh(clock.now(), &SystemRandom).unwrap();
        tables.create(&file).unwrap();
        let store = Faulty::new(log(&clock));
        let builder = unhurried(builder(&clock, store.clone())).key_source(KeySource::File(file));
        let sessions = builder.start().await.unwrap();
        let (url, _) = support::serve(&sessions, routes);
        let browser = Browser::new(&url);
        let site = Site {
            sessions,
            clock,
            store,
            url,
        };
        browser.post("/login/alice").await.is(200);
        let worn = Self {
            site,
            browser,
            folder,
        };
        for _ in 0..16 {
            worn.rotate();
            // Only a write seals a session anew.
            worn.browser.put("/entries/a", json!(1)).await.is(204);
            worn.browser.get("/me").await.is(200);
        }
        worn
    }

    fn rotate(&self) {
        let Site {
            clock, sessions, ..
        } = &self.site;
        clock.advance(2 * SECOND);
        let mut rotation = Rotation::default();
        rotation.distribute = Duration::ZERO;
        rotation.although_pending = true;
        let rotate = |tables: &mut KeyTables| tables.rotate(clock.now(), rotation, &SystemRandom);
        KeyTables::edit_file(self.folder.path().join("keys.toml"), rotate).unwrap();
        clock.advance(2 * SECOND);
        sessions.reload_keys().unwrap();
    }
}

#[actix_web::test]
async fn a_session_that_passed_through_too_many_keys_ends_with_a_reason_and_another_may_begin() {
    let worn = Worn::start().await;
    worn.rotate();
    let Worn {
        site: t, browser, ..
    } = &worn;
    let elsewhere = Browser::new(&t.url);
    elsewhere.post("/login/alice").await.is(200);
    let rejected = support::rejected(&t.sessions, browser);
    assert_eq!(rejected, Some(Rejected::TooManyKeys));
    browser.get("/me").await.leaves_alone();
    browser.copy().post("/renew").await.is(200);
    browser.copy().post("/logout-others").await.is(401);
    elsewhere.get("/me").await.is(200);
    let writes = browser.copy();
    writes.put("/entries/b", json!(1)).await.is(204);
    writes.get("/entries/b").await.is(200);
    writes.get("/entries/a").await.is(404);
    browser.post("/login/alice").await.is(200);
    browser.get("/me").await.is(200);
}

/// It ends with the next request whatever it does.
#[actix_web::test]
async fn logout_others_of_a_session_that_cannot_be_sealed_again_is_an_error_and_ends_the_others() {
    let worn = Worn::start().await;
    let elsewhere = Browser::new(&worn.site.url);
    elsewhere.post("/login/alice").await.is(200);
    let request = worn.browser.post("/late/f5/logout-others");
    let answer = during("f5", request, async { worn.rotate() }).await;
    let answer = answer.is(500);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    elsewhere.get("/me").await.is(401);
}

/// The key leaked, and a request with its cookie was held open until after the revocation.
#[actix_web::test]
async fn a_key_that_is_revoked_ends_the_say_of_a_request_under_way() {
    let clock = ManualClock::default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    let tables = KeyTables::fresh(clock.now(), &SystemRandom).unwrap();
    tables.create(&file).unwrap();
    let builder = builder(&clock, memory(&clock)).key_source(KeySource::File(file.clone()));
    let sessions = builder.start().await.unwrap();
    let leaked = sessions.health().sealing.unwrap();
    let forged = login(&sessions, "", "alice").await;
    let [confirms, ends] = [load(&sessions, &forged), load(&sessions, &forged)];
    clock.advance(SECOND);
    let now = clock.now();
    KeyTables::edit_file(&file, |tables| tables.revoke(leaked, now, &SystemRandom)).unwrap();
    sessions.reload_keys().unwrap();
    let later = login(&sessions, "", "alice").await;
    assert_eq!(confirms.session.confirm().await, Err(ConfirmError::Ended));
    let ended = ends.session.logout_all().await;
    assert_eq!(ended, Err(LogoutError::NotAuthenticated));
    assert!(user(&sessions, &later).is_some());
}

#[actix_web::test]
async fn a_revoked_key_ends_its_sessions_and_all_that_followed_from_them() {
    let bench = Bench::start().await;
    let leaked = bench.sealing();
    let stays = bench.logged_in("/remember/alice").await;
    let sealed_anew = stays.copy();
    let logged_in_since = bench.node.browser();
    logged_in_since
        .put("/entries/forged", json!(1))
        .await
        .is(204);
    let renewed = bench.logged_in("/remember/bob").await;
    let unused = bench.logged_in("/remember/carol").await;

    let new = bench.rotate();
    bench.reload();
    bench.clock.advance(HOUR - MINUTE);
    logged_in_since.get("/entries/forged").await.is(200);
    bench.clock.advance(MINUTE);
    sealed_anew.put("/entries/a", json!(1)).await.is(204);
    logged_in_since.post("/remember/dave").await.is(200);
    renewed.post("/renew").await.is(200);
    let honest = bench.logged_in("/remember/erin").await;
    for browser in [&sealed_anew, &logged_in_since, &renewed, &honest] {
        assert_eq!(key_of(browser), new);
    }
    // Again sealed with the good key, several times.
    bench.clock.advance(DAY);
    for browser in [&sealed_anew, &logged_in_since, &renewed, &honest] {
        browser.get("/me").await.is(200);
        browser.put("/entries/b", json!(1)).await.is(204);
    }
    logged_in_since.get("/entries/forged").await.is(200);

    bench.revoke(leaked);
    unused.copy().get("/me").await.is(200);
    bench.reload();
    for browser in [&stays, &sealed_anew, &logged_in_since, &renewed, &unused] {
        browser.get("/me").await.leaves_alone();
    }
    honest.get("/me").await.is(200);
    bench.clock.advance(MINUTE);
    for browser in [&stays, &sealed_anew, &logged_in_since, &renewed, &unused] {
        browser.get("/me").await.leaves_alone();
    }
}

/// The cookie of a session as whoever has the key could forge it, with nothing in it but a role. Another key seals by now.
async fn forged(bench: &Bench) -> String {
    let sessions = &bench.node.sessions;
    let loaded = load(sessions, "");
    let login = loaded.session.authenticate("mallory").remember(true);
    login.roles(["admin"]).await.unwrap();
    let cookie = sent(sessions, loaded).await;
    bench.rotate();
    bench.reload();
    bench.clock.advance(HOUR);
    cookie
}

#[actix_web::test]
async fn what_a_repeated_login_keeps_ends_with_the_key_that_it_came_through() {
    let bench = Bench::start().await;
    let sessions = &bench.node.sessions;
    let leaked = bench.sealing();
    let again = load(sessions, &forged(&bench).await);
    again.session.reauthenticate().await.unwrap();
    let again = sent(sessions, again).await;
    assert!(load(sessions, &again).session.has_role("admin"));
    let honest = login(sessions, "", "alice").await;
    bench.revoke(leaked);
    bench.reload();
    let session = load(sessions, &again).session;
    assert!(!session.has_role("admin"));
    assert_eq!(session.rejected(), Some(Rejected::RevokedKey));
    assert!(user(sessions, &honest).is_some());
}

/// A handler that still streams its answer holds the session that was sent.
#[actix_web::test]
async fn what_logged_others_out_has_no_say_once_the_key_is_revoked_that_it_came_by() {
    let bench = Bench::start().await;
    let sessions = &bench.node.sessions;
    let leaked = bench.sealing();
    let loaded = load(sessions, &forged(&bench).await);
    let streams = loaded.session.clone();
    streams.logout_others().await.unwrap();
    sent(sessions, loaded).await;
    streams.confirm().await.unwrap();
    bench.revoke(leaked);
    bench.reload();
    assert_eq!(streams.confirm().await, Err(ConfirmError::Ended));
}

/// Nothing is sealed that would be dead when it comes back.
#[actix_web::test]
async fn a_request_whose_key_is_revoked_meanwhile_is_sent_no_cookie() {
    let bench = Bench::start().await;
    let sessions = &bench.node.sessions;
    let leaked = bench.sealing();
    let cookie = forged(&bench).await;
    let [written, renewed, seen] = [(); 3].map(|()| load(sessions, &cookie));
    written.session.insert("a", 1).unwrap();
    renewed.session.renew();
    assert!(seen.session.has_role("admin"));
    bench.revoke(leaked);
    bench.reload();
    for (loaded, error) in [
        (written, Some(CommitError::Ended)),
        (renewed, Some(CommitError::Ended)),
        (seen, None),
    ] {
        let committed = sessions.commit(&loaded.session, loaded.ticket).await;
        assert!(committed.cookies.is_empty(), "{committed:?}");
        assert_eq!(committed.error, error);
    }
}

#[actix_web::test]
async fn revoking_a_key_that_is_retired_and_pruned_reaches_the_sessions_that_passed_through_it() {
    let bench = Bench::start().await;
    let leaked = bench.sealing();
    let browser = bench.logged_in("/remember/alice").await;
    bench.rotate();
    bench.reload();
    for _ in 0..29 {
        bench.clock.advance(DAY);
        browser.put("/entries/a", json!(1)).await.is(204);
    }
    // With a shorter plan than this the key could be gone by now.
    let text = fs::read_to_string(bench.file()).unwrap();
    let pruned = text.replace("retire = \"2026-12-21", "retire = \"2026-12-01");
    assert_ne!(pruned, text);
    fs::write(bench.file(), pruned).unwrap();
    let now = bench.clock.now();
    bench.edit(|tables| {
        assert_eq!(tables.prune(now), [leaked]);
        Ok(())
    });
    bench.reload();
    browser.get("/me").await.is(200);
    bench.revoke(leaked);
    bench.reload();
    browser.get("/me").await.is(401);
}

#[actix_web::test]
async fn everyone_before_ends_the_sessions_from_before_and_no_later_ones() {
    let bench = Bench::start().await;
    let (user, anonymous) = (
        bench.logged_in("/remember/alice").await,
        bench.node.browser(),
    );
    anonymous.put("/entries/a", json!(1)).await.is(204);
    bench.clock.advance(SECOND);
    let at = bench.clock.now();
    bench.edit(|tables| tables.end_everyone(at, at));
    user.get("/me").await.is(200);
    let same_moment = bench.logged_in("/login/bob").await;
    bench.reload();
    user.get("/me").await.leaves_alone();
    anonymous.get("/entries/a").await.is(404);
    same_moment.get("/me").await.is(401);
    // Whoever logs in now knows of the order, so it is after it, whatever the clock says.
    let after = bench.logged_in("/login/bob").await;
    after.get("/me").await.is(200);
    let anonymous = bench.node.browser();
    anonymous.put("/entries/a", json!(1)).await.is(204);
    anonymous.get("/entries/a").await.is(200);
    bench.clock.advance(MINUTE);
    user.get("/me").await.leaves_alone();
    after.get("/me").await.is(200);
}
