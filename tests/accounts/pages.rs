//! The pages as a browser gets them, and what their forms answer to whoever makes them up.

use reqwest::Method;
use serde_json::json;

use support::accounts::{Errors, Server, Steps, folder};
use support::{Answer, Browser};

/// What a browser says when somebody will see the answer.
const SEEN: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

type Headers<'a> = &'a [(&'a str, &'a str)];

/// Sends a form with the browser's cookies, and keeps those that come.
async fn send(server: &Server, browser: &Browser, path: &str, form: &str) -> Answer {
    let cookie = browser.header().unwrap_or_default();
    let headers = [SEEN, FORM, ("cookie", cookie.as_str())];
    let answer = server
        .raw(Method::POST, path, &headers, form.to_owned())
        .await;
    browser.keep(&answer);
    answer
}

async fn look(browser: &Browser, path: &str) -> Answer {
    browser.send_with(Method::GET, path, &[SEEN]).await
}

#[actix_web::test]
async fn pages_run_nothing_and_load_nothing_but_their_own_files() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let away = look(&browser, "/").await.is(303);
    assert_eq!(away.header("location"), Some("/login?next=/"));
    let login = look(&browser, "/login").await.is(200);
    let body = json!({ "user": "<b>alice</b>", "roles": ["admin"] });
    let answer = browser.send(Method::POST, "/api/login", Some(body)).await;
    answer.is(200);
    browser.set("<i>", json!("</table><script>")).await.is(204);
    let away = look(&browser, "/login").await.is(303);
    assert_eq!(away.header("location"), Some("/"));
    let mut pages = vec![login];
    let of_alice = "/admin?user=%3Cb%3Ealice%3C/b%3E";
    for path in [
        "/",
        "/devices",
        "/admin",
        of_alice,
        "/sensitive",
        "/confirm",
    ] {
        let page = look(&browser, path).await.is(200);
        assert!(page.body.contains("&lt;b&gt;alice&lt;/b&gt;"), "{page:?}");
        pages.push(page);
    }
    for page in &pages {
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(page.header("cache-control"), Some("no-store"));
        for markup in [
            "<b>",
            "<i>",
            "<script",
            "<style",
            " style=",
            " onclick",
            " onsubmit",
        ] {
            assert!(!page.body.contains(markup), "{markup}: {page:?}");
        }
        let assets = page.body.split('"');
        for asset in assets.filter(|text| text.starts_with("/assets/")) {
            browser.get(asset).await.is(200);
        }
        assert!(page.body.contains("\"/assets/style.css\""));
        assert!(!page.body.contains("://"), "nothing comes from elsewhere");
    }
    for path in ["/", "/login", "/assets/style.css", "/api/me", "/nothing"] {
        for answer in [browser.get(path).await, look(&browser, path).await] {
            let policy = answer.header("content-security-policy").unwrap();
            assert!(policy.starts_with("default-src 'none'; script-src 'none'"));
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        }
    }
}

#[actix_web::test]
async fn a_login_form_leads_nowhere_but_to_pages_of_the_site() {
    let data = folder();
    let server = Server::on(data.path());
    for (next, leads) in [
        ("/admin", "/admin"),
        ("/sensitive", "/sensitive"),
        ("/admin%3Fa%3D1", "/admin?a=1"),
        ("", "/"),
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/%5Cevil.example", "/"),
        ("/admin/../logout", "/"),
        ("/logout", "/"),
        ("/admin%0d%0aset-cookie:%20a=b", "/"),
        ("javascript:alert(1)", "/"),
    ] {
        let browser = server.browser();
        let form = format!("user=alice&next={next}");
        let answer = send(&server, &browser, "/login", &form).await.is(303);
        assert_eq!(answer.header("location"), Some(leads), "{next}");
        assert_eq!(browser.user().await.as_deref(), Some("alice"));
        let page = format!("/login?next={next}");
        let answer = look(&browser, &page).await.is(303);
        assert_eq!(answer.header("location"), Some(leads), "{next}");
        let page = format!("/confirm?next={next}");
        let page = look(&browser, &page).await.is(200);
        assert!(page.body.contains(&format!("value=\"{leads}\"")), "{next}");
    }
}

#[actix_web::test]
async fn a_form_that_is_wrong_is_shown_again_with_the_reason() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let long = "x".repeat(256);
    for user in ["", "+%0a", &long] {
        let form = format!("user={user}&next=/admin");
        let answer = send(&server, &browser, "/login", &form).await.is(200);
        assert!(answer.body.contains("Please enter a name"), "{answer:?}");
        assert!(answer.body.contains("value=\"/admin\""), "{answer:?}");
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
    let large = format!("name=a&value={}", "x".repeat(1_000_000));
    for (form, problem) in [
        ("name=&value=1", "An entry needs a name."),
        ("", "An entry needs a name."),
        ("name=a&value=[1", "This looks like JSON, and is not."),
        ("name=a&value=%22", "This looks like JSON, and is not."),
        ("name=%00a&value=1", "This cannot be stored: "),
        (&large, "This does not fit: "),
    ] {
        let answer = send(&server, &browser, "/entries", form).await.is(200);
        assert!(answer.body.contains(problem), "{answer:?}");
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
    assert_eq!(browser.get("/api/entries").await.json(), json!({}));
}

#[actix_web::test]
async fn a_row_names_any_entry_as_it_is() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    browser.login("alice").await;
    browser.set("a%0Ab%22", json!(1)).await.is(204);
    let page = look(&browser, "/").await.is(200);
    let name = r"&quot;a\nb\&quot;&quot;";
    assert!(page.body.contains(name), "{page:?}");
    let form = "key=%22a%5Cnb%5C%22%22&value=2";
    send(&server, &browser, "/entries", form).await.is(303);
    let all = browser.get("/api/entries").await.json();
    assert_eq!(all, json!({ "a\nb\"": 2 }));
    send(&server, &browser, "/entries/remove", form)
        .await
        .is(303);
    assert_eq!(browser.get("/api/entries").await.json(), json!({}));
}

#[actix_web::test]
async fn errors_are_pages_for_people_and_json_for_programs() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    browser.login("alice").await;
    let cookie = browser.header().unwrap();
    let cookie = ("cookie", cookie.as_str());
    let foreign = ("origin", "http://evil.example");
    let text = ("content-type", "text/plain");
    let huge = "a".repeat(2 << 20);
    let cases: [(&str, &str, Headers<'_>, &str, u16, &str); 8] = [
        ("GET", "/nothing", &[], "", 404, "not_found"),
        ("GET", "/assets/nothing", &[], "", 404, "not_found"),
        ("GET", "/logout", &[], "", 405, "method_not_allowed"),
        (
            "POST",
            "/entries",
            &[foreign, FORM],
            "name=a&value=1",
            403,
            "cross_site",
        ),
        ("GET", "/admin", &[cookie], "", 403, "forbidden"),
        ("POST", "/login", &[text], "user=alice", 415, "bad_request"),
        (
            "POST",
            "/entries",
            &[FORM],
            "key=[&value=1",
            400,
            "invalid_key",
        ),
        ("POST", "/entries", &[FORM], &huge, 413, "body_too_large"),
    ];
    for (method, path, headers, body, status, error) in cases {
        let method: Method = method.parse().unwrap();
        let seen = [headers, &[SEEN]].concat();
        let page = server.raw(method.clone(), path, &seen, body.to_owned());
        let page = page.await.is(status);
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert!(page.body.starts_with("<!DOCTYPE html>"), "{page:?}");
        assert!(!page.body.contains("alice"), "{page:?}");
        let answer = server.raw(method, path, headers, body.to_owned()).await;
        answer.is(status).error(error);
    }
    // The interface stays one for programs.
    let seen = browser
        .send_with(Method::GET, "/api/nothing", &[SEEN])
        .await;
    seen.is(404).error("not_found");
}

#[actix_web::test]
async fn roles_that_nobody_can_have_are_refused_of_a_form_too() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let form = format!("user=alice&role=admin&role={}", "x".repeat(65));
    let answer = send(&server, &browser, "/login", &form).await.is(400);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    let answer = send(
        &server,
        &browser,
        "/login",
        "user=alice&role=editor&role=admin",
    );
    answer.await.is(303);
    look(&browser, "/admin").await.is(200);
}

/// Where the library's own answer to a program is 401.
#[actix_web::test]
async fn without_a_login_people_are_led_to_it_and_programs_told() {
    let data = folder();
    let server = Server::on(data.path());
    let nobody = server.browser();
    for (path, leads) in [
        ("/", "/login?next=/"),
        ("/devices", "/login?next=/devices"),
        ("/admin", "/login?next=/admin"),
        ("/sensitive", "/login?next=/sensitive"),
        ("/admin?a=1%26b", "/login?next=/admin%3Fa%3D1%2526b"),
        ("/confirm", "/login?next=/confirm"),
    ] {
        let answer = look(&nobody, path).await.is(303);
        assert_eq!(answer.header("location"), Some(leads));
        assert_eq!(answer.header("www-authenticate"), None);
        nobody.get(path).await.is(401).error("not_authenticated");
    }
    for path in [
        "/renew",
        "/confirm",
        "/logout-all",
        "/logout-others",
        "/devices/end",
        "/admin/end-session",
    ] {
        let answer = send(&server, &nobody, path, "").await.is(303);
        assert_eq!(answer.header("location"), Some("/login"), "{path}");
    }
    let answer = send(&server, &nobody, "/logout", "").await.is(303);
    assert_eq!(answer.header("location"), Some("/login"));
}
