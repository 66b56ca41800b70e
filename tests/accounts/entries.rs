//! Entries: any JSON value under any name, within the size of a cookie.

use reqwest::Method;
use serde_json::{Value, json};

use support::accounts::{Errors, Server, Steps, folder};

const AS_JSON: &[(&str, &str)] = &[("content-type", "application/json")];

#[actix_web::test]
async fn every_json_value_comes_back_as_it_was() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let deep = (0..100).fold(json!(null), |inner, _| json!([inner]));
    let deep_objects = (0..100).fold(json!(1), |inner, _| json!({ "a": inner }));
    let values = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(0.1),
        json!(-0.0),
        json!(1.0),
        json!(f64::MAX),
        json!(f64::MIN_POSITIVE),
        json!(5e-324),
        json!(""),
        json!("\u{0}\"\\\u{7f}\u{2028}"),
        json!("Grüße, 🦀 ﷽"),
        json!([]),
        json!({}),
        json!([null, [null], {"": null}]),
        json!({"a": {"b": [1, -2, 3.5, "x", false, null]}, "": [], "ключ": "z"}),
        deep,
        deep_objects,
    ];
    for value in values {
        browser.set("value", value.clone()).await.is(204);
        let answer = browser.get("/api/entries/value").await.is(200);
        // As text, so that 1 and 1.0 are two.
        assert_eq!(answer.body, value.to_string());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let all = browser.get("/api/entries").await.is(200);
        assert_eq!(all.body, json!({ "value": value }).to_string());
    }
}

#[actix_web::test]
async fn a_stored_null_is_not_a_missing_entry() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let missing = browser.get("/api/entries/nothing").await.is(404);
    missing.error("no_such_entry");
    browser.set("nothing", Value::Null).await.is(204);
    let stored = browser.get("/api/entries/nothing").await.is(200);
    assert_eq!(stored.body, "null");
    browser.delete("/api/entries/nothing").await.is(204);
    browser.get("/api/entries/nothing").await.is(404);
    browser.delete("/api/entries/nothing").await.is(204);
    assert_eq!(browser.get("/api/entries").await.is(200).json(), json!({}));
}

#[actix_web::test]
async fn an_entrys_name_is_the_decoded_path() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    let spellings = [
        ("a%2Fb", "a/b"),
        ("..%2F..%2Fetc", "../../etc"),
        ("%25", "%"),
        ("%252F", "%2F"),
        ("a+b", "a+b"),
        ("a%20b", "a b"),
        ("%3Fq%3D1%23x", "?q=1#x"),
        ("a;b=c", "a;b=c"),
        ("%F0%9F%A6%80", "🦀"),
        ("__proto__", "__proto__"),
        ("%3Cscript%3E", "<script>"),
    ];
    for (spelled, _) in spellings {
        browser.set(spelled, json!(spelled)).await.is(204);
    }
    let all = browser.get("/api/entries").await.is(200).json();
    assert_eq!(all.as_object().unwrap().len(), spellings.len(), "{all}");
    for (spelled, name) in spellings {
        assert_eq!(all[name], spelled);
        let path = format!("/api/entries/{spelled}");
        assert_eq!(browser.get(&path).await.is(200).json(), spelled);
        browser.delete(&path).await.is(204);
        browser.get(&path).await.is(404);
    }
    assert_eq!(browser.get("/api/entries").await.json(), json!({}));
}

#[actix_web::test]
async fn names_that_say_nothing_are_refused() {
    let data = folder();
    let server = Server::on(data.path());
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        for (path, error) in [
            ("", "empty_key"),
            ("%FF", "invalid_key"),
            ("%C3", "invalid_key"),
            ("a%2", "invalid_key"),
            ("%zz", "invalid_key"),
            ("%+1", "invalid_key"),
        ] {
            let path = format!("/api/entries/{path}");
            let answer = server.raw(method.clone(), &path, AS_JSON, "1").await;
            answer.is(400).error(error);
        }
    }
    let answer = server.raw(Method::PUT, "/api/entries/a/b", AS_JSON, "1");
    answer.await.is(404).error("not_found");
}

#[actix_web::test]
async fn an_entry_that_does_not_fit_changes_nothing() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    browser.login("alice").await;
    browser.set("small", json!("before")).await.is(204);
    let cookie = browser.session();
    for (key, size) in [("large", 4000), ("large", 40_000), ("small", 4000)] {
        let refused = browser.set(key, json!("x".repeat(size))).await.is(413);
        assert!(refused.set_cookies().is_empty(), "{refused:?}");
        let error = refused.error("session_too_large");
        assert_eq!(error["limit"], 3584);
        assert!(error["bytes"].as_u64().unwrap() > 3584, "{error}");
        assert_eq!(error.as_object().unwrap().len(), 3, "{error}");
    }
    let long_key = "k".repeat(5000);
    browser.set(&long_key, json!(1)).await.is(413);
    assert_eq!(browser.session(), cookie);
    assert_eq!(
        browser.get("/api/entries").await.is(200).json(),
        json!({ "small": "before" })
    );
}

#[actix_web::test]
async fn a_session_can_be_filled_to_its_limit_and_still_be_used() {
    let data = folder();
    let server = Server::on(data.path());
    let browser = server.browser();
    browser.login("alice").await;
    let mut size = 2000;
    while browser.set("fill", json!("x".repeat(size))).await.status == 204 {
        size += 8;
    }
    assert!(size > 2200, "{size}: it was not the first that did not fit");
    for path in ["/api/renew", "/api/logout-others", "/api/renew"] {
        let answer = browser.post(path).await;
        assert!(answer.status < 300, "{answer:?}");
    }
    assert_eq!(browser.user().await.as_deref(), Some("alice"));

    // And the same user may log in once more, be it to be remembered.
    for remember in [false, true] {
        while browser.set("fill", json!("x".repeat(size))).await.status == 413 {
            size -= 1;
        }
        let body = json!({ "user": "alice", "remember": remember });
        let answer = browser.send(Method::POST, "/api/login", Some(body)).await;
        answer.is(200);
        assert_eq!(browser.user().await.as_deref(), Some("alice"));
        browser.get("/api/entries/fill").await.is(200);
    }

    // An anonymous session leaves room for the longest name.
    let anonymous = server.browser();
    while anonymous.set("fill", json!("x".repeat(size))).await.status == 413 {
        size -= 8;
    }
    let body = json!({ "user": "alice".repeat(51) });
    let answer = anonymous.send(Method::POST, "/api/login", Some(body)).await;
    answer.is(200);
    anonymous.get("/api/entries/fill").await.is(200);
}

#[actix_web::test]
async fn bodies_that_are_not_json_or_too_large_are_refused() {
    let data = folder();
    let server = Server::on(data.path());
    let put = |headers, body: Vec<u8>| server.raw(Method::PUT, "/api/entries/a", headers, body);
    for body in [
        &b""[..],
        b"{",
        b"nul",
        b"1 2",
        b"'a'",
        b"NaN",
        b"1e999",
        b"\xff",
        b"\"\\ud800\"",
        b"{\"a\":1,}",
    ] {
        put(AS_JSON, body.to_vec())
            .await
            .is(400)
            .error("invalid_json");
    }
    for open in ["[", "{\"a\":"] {
        let nested = open.repeat(60_000 / open.len());
        put(AS_JSON, nested.into())
            .await
            .is(400)
            .error("invalid_json");
        let closed = format!("{}1{}", "[".repeat(30_000), "]".repeat(30_000));
        put(AS_JSON, closed.into())
            .await
            .is(400)
            .error("invalid_json");
    }
    for size in [(64 << 10) + 1, 1 << 20] {
        put(AS_JSON, vec![b' '; size])
            .await
            .is(413)
            .error("body_too_large");
    }
    let blank = [vec![b' '; (64 << 10) - 1], b"1".to_vec()].concat();
    put(AS_JSON, blank).await.is(204);

    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
    ] {
        let kind = [("content-type", kind)];
        let answer = server.raw(Method::PUT, "/api/entries/a", &kind, "1").await;
        answer.is(415).error("not_json");
        let login = server.raw(Method::POST, "/api/login", &kind, r#"{"user":"a"}"#);
        login.await.is(415).error("not_json");
    }
    for headers in [
        &[][..],
        &[("content-type", "Application/JSON; charset=utf-8")],
    ] {
        put(headers, b"1".to_vec()).await.is(204);
    }
}
