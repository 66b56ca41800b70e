//! How logins last and end: over restarts of the browser, by logouts elsewhere, and where a recent one is asked for.

use support::{MINUTE, SECOND};

use super::{Chromium, Settings, Site};

#[actix_web::test]
async fn a_login_outlives_the_browser_if_that_was_asked_for() {
    let site = Site::start();
    let profile = tempfile::tempdir().unwrap();
    let start = || {
        let profile = Some(profile.path());
        Chromium::with(Settings {
            profile,
            ..Settings::default()
        })
    };
    // Each name of this machine has cookies of its own.
    let (kept, forgotten) = (site.at("/"), site.at("/").replace("127.0.0.1", "localhost"));
    let browser = start().await;
    browser.client.goto(&kept).await.unwrap();
    let remember = browser.element("[name=remember]").await;
    remember.click().await.unwrap();
    browser.log_in_as("alice", &[]).await;
    browser.client.goto(&forgotten).await.unwrap();
    browser.log_in_as("alice", &[]).await;
    for url in [&kept, &forgotten] {
        browser.client.goto(url).await.unwrap();
        assert_eq!(browser.heading().await, "Account", "{url}");
    }
    browser.close().await;

    let browser = start().await;
    browser.client.goto(&kept).await.unwrap();
    assert_eq!(browser.heading().await, "Account");
    browser.client.goto(&forgotten).await.unwrap();
    assert_eq!(browser.heading().await, "Log in");
    browser.close().await;
}

#[actix_web::test]
async fn a_logout_elsewhere_is_told_with_its_reason() {
    let site = Site::start();
    let (laptop, phone) = (Chromium::start().await, Chromium::start().await);
    for browser in [&laptop, &phone] {
        browser.open(&site, "/login").await;
        browser.log_in_as("alice", &[]).await;
    }
    laptop.press("Log out other devices").await;
    assert_eq!(laptop.heading().await, "Account");
    let told = ["Your other devices are logged out."];
    assert_eq!(laptop.messages().await, told);
    let why = ["You were logged out on another device."];
    phone.press("Account").await;
    assert_eq!(phone.heading().await, "Log in");
    assert_eq!(phone.messages().await, why);

    phone.log_in_as("alice", &[]).await;
    assert_eq!(phone.messages().await, ["You are logged in."]);
    phone.press("Log out everywhere").await;
    assert_eq!(phone.heading().await, "Log in");
    assert_eq!(phone.messages().await, ["You are logged out everywhere."]);
    laptop.client.refresh().await.unwrap();
    assert_eq!(laptop.heading().await, "Log in");
    assert_eq!(laptop.messages().await, why);
    laptop.close().await;
    phone.close().await;
}

#[actix_web::test]
async fn an_idle_session_is_told_so() {
    let mut site = Site::start();
    let browser = Chromium::start().await;
    browser.open(&site, "/login").await;
    browser.log_in_as("alice", &[]).await;
    site.advance(61 * MINUTE);
    browser.client.refresh().await.unwrap();
    assert_eq!(browser.heading().await, "Log in");
    let told = browser.messages().await;
    assert!(
        told.len() == 1 && told[0].contains("not used for long"),
        "{told:?}"
    );
    browser.close().await;
}

#[actix_web::test]
async fn what_needs_a_recent_login_asks_again_and_leads_back() {
    let mut site = Site::start();
    let browser = Chromium::start().await;
    browser.open(&site, "/login").await;
    browser.log_in_as("alice", &[]).await;
    browser.store("colour", "green").await;
    site.advance(5 * MINUTE - 30 * SECOND);
    browser.press("Danger zone").await;
    assert_eq!(browser.heading().await, "Danger zone");

    // The page was left open.
    site.advance(MINUTE);
    browser.press("Delete all entries").await;
    // What was posted is not done later by a link.
    assert_eq!(browser.path().await, "/confirm");
    browser.press("Account").await;
    assert_eq!(browser.rows().await.len(), 1);

    browser.press("Danger zone").await;
    assert_eq!(browser.heading().await, "Confirm that it is you");
    assert_eq!(browser.path().await, "/confirm?next=/sensitive");
    browser.press("It is me").await;
    assert_eq!(browser.path().await, "/sensitive");
    browser.press("Delete all entries").await;
    assert_eq!(browser.messages().await, ["All entries are deleted."]);
    assert_eq!(browser.rows().await, []);
    browser.close().await;
}

#[actix_web::test]
async fn going_back_after_a_logout_shows_nothing_private() {
    let site = Site::start();
    let browser = Chromium::start().await;
    browser.open(&site, "/login").await;
    browser.log_in_as("alice", &["admin"]).await;
    browser.store("secret", "4711").await;
    browser.press("Admin").await;
    browser.press("Account").await;
    browser.press("Log out").await;
    for _ in 0..4 {
        browser.client.back().await.unwrap();
        assert_eq!(browser.heading().await, "Log in");
        let source = browser.client.source().await.unwrap();
        for private in ["alice", "4711", "secret"] {
            assert!(!source.contains(private), "{private}: {source}");
        }
    }
    browser.close().await;
}
