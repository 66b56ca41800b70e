//! How a browser keeps and drops our cookies.
//!
//! The requests are those of a page's JavaScript. The browser decides when they leave, over which connections, and in
//! which order it takes their answers' cookies.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use support::{HOUR, MINUTE, SECOND};

use super::{Chromium, Site};

/// Longer than until a read is told to the browser again, by default.
const QUIET: Duration = Duration::from_secs(301);
const ME: Request<'_> = ("GET", "/api/me", Value::Null);
const ENTRIES: Request<'_> = ("GET", "/api/entries", Value::Null);

/// Sends all requests at once and waits for all answers, with a limit, as the page that is open.
const FETCH: &str = "
    return Promise.all(arguments[0].map(async ([method, path, value]) => {
        const options = { method, signal: AbortSignal.timeout(20000) };
        if (value !== null) {
            options.headers = { 'content-type': 'application/json' };
            options.body = JSON.stringify(value);
        }
        const response = await fetch(path, options);
        return [response.status, await response.text()];
    }));";

/// A request of the page: the method, the path, and the JSON to send, if any.
type Request<'a> = (&'a str, &'a str, Value);

/// A cookie that the browser would send to the page that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cookie {
    value: String,
    secure: bool,
    http_only: bool,
    same_site: String,
}

impl Site {
    /// Opens a page that sends nothing by itself, under a name of this machine.
    async fn show(&self, browser: &Chromium, host: &str) {
        // Pages of ours run no scripts, so their policy lets none connect.
        let bypass = json!({ "enabled": true });
        browser.devtools("Page.setBypassCSP", bypass).await;
        let url = self.at("/healthz").replace("127.0.0.1", host);
        browser.client.goto(&url).await.unwrap();
    }
}

/// What a test does again and again.
impl Chromium {
    /// What the page's JavaScript is answered when it sends all of these at once: status and body.
    async fn fetch_all(&self, requests: &[Request<'_>]) -> Vec<(u16, String)> {
        let answers = self.client.execute(FETCH, vec![json!(requests)]).await;
        serde_json::from_value(answers.unwrap()).unwrap()
    }

    /// The same for one request.
    async fn fetch(&self, request: Request<'_>) -> (u16, String) {
        let mut answers = self.fetch_all(&[request]).await;
        answers.pop().unwrap()
    }

    /// The cookies that the browser holds for the page that is open, by their names.
    async fn cookies(&self) -> BTreeMap<String, Cookie> {
        let cookies = self.client.get_all_cookies().await.unwrap().into_iter();
        cookies
            .map(|cookie| {
                let held = Cookie {
                    value: cookie.value().to_owned(),
                    secure: cookie.secure() == Some(true),
                    http_only: cookie.http_only() == Some(true),
                    same_site: cookie
                        .same_site()
                        .map(|it| it.to_string())
                        .unwrap_or_default(),
                };
                (cookie.name().to_owned(), held)
            })
            .collect()
    }

    async fn log_in(&self, user: &str) {
        let body = json!({ "user": user });
        let (status, answer) = self.fetch(("POST", "/api/login", body)).await;
        assert_eq!(status, 200, "{answer}");
    }

    async fn put(&self, key: &str, value: &str) {
        let path = format!("/api/entries/{key}");
        let (status, answer) = self.fetch(("PUT", &path, json!(value))).await;
        assert_eq!(status, 204, "{answer}");
    }

    async fn entries(&self) -> Value {
        let (status, answer) = self.fetch(ENTRIES).await;
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str(&answer).unwrap()
    }

    /// Who is logged in.
    async fn user(&self) -> Option<String> {
        let (status, answer) = self.fetch(ME).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(status == 401, answer["error"] == "not_authenticated");
        answer["user"].as_str().map(str::to_owned)
    }

    async fn names(&self) -> Vec<String> {
        self.cookies().await.into_keys().collect()
    }
}

#[actix_web::test]
async fn a_write_among_reads_is_kept_whatever_arrives_last() {
    let mut site = Site::start();
    let browser = Chromium::start().await;
    site.show(&browser, "127.0.0.1").await;
    let mut raced = 0;
    for round in 0..25 {
        browser.log_in(&format!("user{round}")).await;
        let told = browser.cookies().await.remove("session.seen");
        site.advance(QUIET);
        let value = format!("of round {round}");
        let mut requests = vec![ME, ENTRIES];
        requests.insert(round % 3, ("PUT", "/api/entries/y", json!(value)));
        let answers = browser.fetch_all(&requests).await;
        let refused = answers
            .iter()
            .find(|(status, _)| ![200, 204].contains(status));
        assert_eq!(refused, None, "round {round}");
        assert_eq!(
            browser.entries().await,
            json!({ "y": value }),
            "round {round}"
        );
        let tells = browser.cookies().await.remove("session.seen");
        raced += usize::from(tells.is_some() && tells != told);
    }
    // Otherwise the write had been answered before the reads left. It left first every third time.
    assert!(
        raced > 8,
        "in {raced} rounds only a read told the browser anything"
    );
}

#[actix_web::test]
async fn a_page_that_only_reads_stays_logged_in_for_hours() {
    let mut site = Site::start();
    let browser = Chromium::start().await;
    site.show(&browser, "127.0.0.1").await;
    browser.log_in("alice").await;
    let sealed = browser.cookies().await.remove("session").unwrap();
    for step in 1..=25 {
        site.advance(50 * MINUTE);
        assert_eq!(
            browser.user().await.as_deref(),
            Some("alice"),
            "step {step}"
        );
        assert_eq!(browser.cookies().await["session"], sealed, "step {step}");
    }
    // Not because nothing is judged.
    site.advance(HOUR + SECOND);
    assert_eq!(browser.user().await, None);
}

#[actix_web::test]
async fn a_logout_leaves_no_cookie_behind() {
    let mut site = Site::start();
    let browser = Chromium::start().await;
    site.show(&browser, "127.0.0.1").await;
    browser.log_in("alice").await;
    site.advance(QUIET);
    assert_eq!(browser.user().await.as_deref(), Some("alice"));
    assert_eq!(browser.names().await, ["session", "session.seen"]);
    let (status, answer) = browser.fetch(("POST", "/api/logout", Value::Null)).await;
    assert_eq!(status, 204, "{answer}");
    assert_eq!(browser.names().await, [""; 0]);
}

/// A browser keeps cookies for a host, whatever the port.
#[actix_web::test]
async fn two_applications_on_two_ports_replace_each_others_cookie_by_writing_alone() {
    let [one, other] = [Site::start(), Site::start()];
    let browser = Chromium::start().await;
    site_and_entries(&one, &browser, json!({})).await;
    browser.log_in("alice").await;
    browser.put("x", "first").await;

    let held = browser.cookies().await;
    site_and_entries(&other, &browser, json!({})).await;
    assert_eq!(browser.user().await, None);
    assert_eq!(browser.cookies().await, held, "a read took it away");
    site_and_entries(&one, &browser, json!({ "x": "first" })).await;
    assert_eq!(browser.user().await.as_deref(), Some("alice"));

    site_and_entries(&other, &browser, json!({})).await;
    browser.put("x", "other").await;
    site_and_entries(&other, &browser, json!({ "x": "other" })).await;
    site_and_entries(&one, &browser, json!({})).await;
    assert_eq!(browser.user().await, None);
    browser.log_in("bob").await;
    browser.put("x", "second").await;
    site_and_entries(&other, &browser, json!({})).await;
    site_and_entries(&one, &browser, json!({ "x": "second" })).await;
}

/// What the browser finds in its session when it goes there.
async fn site_and_entries(site: &Site, browser: &Chromium, entries: Value) {
    site.show(browser, "localhost").await;
    assert_eq!(browser.entries().await, entries);
}

#[actix_web::test]
async fn the_default_cookie_is_kept_over_plain_http_on_this_machine_alone() {
    let mut site = Site::secure();
    let browser = Chromium::start().await;
    for host in ["localhost", "127.0.0.1"] {
        site.show(&browser, host).await;
        browser.log_in("alice").await;
        site.advance(QUIET);
        assert_eq!(browser.user().await.as_deref(), Some("alice"), "{host}");
        let cookies = browser.cookies().await;
        let names: Vec<_> = cookies.keys().collect();
        assert_eq!(names, ["__Host-session", "__Host-session.seen"], "{host}");
        for (name, cookie) in cookies {
            let kept = Cookie {
                value: cookie.value.clone(),
                secure: true,
                http_only: true,
                same_site: "Lax".to_owned(),
            };
            assert_eq!(cookie, kept, "{name} at {host}");
        }
        let (status, answer) = browser.fetch(("POST", "/api/logout", Value::Null)).await;
        assert_eq!(status, 204, "{answer}");
        assert_eq!(browser.names().await, [""; 0], "{host}");
    }
    site.show(&browser, "elsewhere.test").await;
    browser.log_in("alice").await;
    assert_eq!(browser.names().await, [""; 0]);
    assert_eq!(browser.user().await, None);
}
