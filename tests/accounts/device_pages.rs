//! The pages with somebody's devices, for themselves and for administrators.

use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use reqwest::Method;
use sealed_session::keys::KeySource;
use sealed_session::settings::{CookieSettings, DeviceSettings};
use sealed_session::store::Redb;
use sealed_session::{Session, SessionMiddleware, Sessions};
use serde_json::json;

use crate::devices::{ANDROID, FIREFOX, NOON, ids, listed, log_in, start};
use crate::kill::configure;
use crate::places::{look, send};
use support::accounts::{Errors, Server, Steps, folder};
use support::moved_clock::MovedClock;
use support::{Browser, DAY, HOUR, MINUTE, SECOND};

/// The rows of the page: the text of each, a blank between its parts.
async fn rows(browser: &Browser, path: &str) -> Vec<String> {
    let page = look(browser, path).await.is(200).body;
    let list = page.split_once("<ul class=\"devices\"").unwrap().1;
    let list = list.split("</ul>").next().unwrap();
    let rows = list.split("<li").skip(1);
    rows.map(|row| {
        let parts = row.split('<').filter_map(|part| part.split_once('>'));
        let texts = parts.map(|(_, text)| text.trim());
        let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
        texts.join(" ")
    })
    .collect()
}

#[actix_web::test]
async fn the_page_of_devices_shows_each_session_and_ends_the_one_that_is_chosen() {
    let data = folder();
    let server = Server::on(data.path());
    let (laptop, phone) = (server.browser(), server.browser());
    let own = log_in(&laptop, json!({ "user": "alice" }), FIREFOX).await;
    let body = json!({ "user": "alice", "remember": true });
    let other = log_in(&phone, body, ANDROID).await;
    let account = look(&laptop, "/").await.is(200).body;
    assert_eq!(account.matches("href=\"/devices\"").count(), 2, "{account}");

    let found = rows(&laptop, "/devices").await;
    let [newest, oldest] = &found[..] else {
        panic!("{found:?}")
    };
    for (row, starts, ends) in [
        (
            newest,
            "Chrome on Android Last seen just now Began 20",
            "Remembered yes Log out",
        ),
        (
            oldest,
            "Firefox on Linux This device Last seen just now Began 20",
            "Remembered no Log out",
        ),
    ] {
        assert!(row.starts_with(starts) && row.ends_with(ends), "{row}");
    }
    let page = look(&laptop, "/devices").await.is(200).body;
    assert_eq!(
        page.matches("<li aria-current=\"true\">").count(),
        1,
        "{page}"
    );
    for id in [&own, &other] {
        let field = format!("<input type=\"hidden\" name=\"session\" value=\"{id}\">");
        assert_eq!(page.matches(&field).count(), 1, "{page}");
    }
    let name = "aria-label=\"Log out Chrome on Android, last seen just now\"";
    assert_eq!(page.matches(name).count(), 1, "{page}");

    let form = format!("session={other}");
    let answer = send(&server, &laptop, "/devices/end", &form).await.is(303);
    assert_eq!(answer.header("location"), Some("/devices"));
    assert_eq!(phone.user().await, None);
    let page = look(&laptop, "/devices").await.body;
    assert!(page.contains("That device is logged out."), "{page}");
    assert_eq!(rows(&laptop, "/devices").await.len(), 1);

    let form = format!("session={own}");
    let answer = send(&server, &laptop, "/devices/end", &form).await.is(303);
    assert_eq!(answer.header("location"), Some("/login"));
    let page = look(&laptop, "/login").await.body;
    assert!(page.contains("You are logged out."), "{page}");
    assert_eq!(laptop.user().await, None);
}

#[actix_web::test]
async fn a_form_that_names_no_device_of_the_user_ends_none() {
    let data = folder();
    let server = Server::on(data.path());
    let [laptop, phone, bob] = [(); 3].map(|()| server.browser());
    let own = log_in(&laptop, json!({ "user": "alice" }), FIREFOX).await;
    let ended = log_in(&phone, json!({ "user": "alice" }), ANDROID).await;
    phone.post("/api/logout").await.is(204);
    let foreign = log_in(&bob, json!({ "user": "bob" }), ANDROID).await;
    let mut told = Vec::new();
    for form in [
        "",
        "session=",
        "session=x",
        &format!("session={}", own.to_uppercase()),
        &format!("session=+{own}"),
        &format!("id={own}"),
        &format!("session=x&session={own}"),
        &format!("session={}", "0".repeat(100_000)),
        &format!("session={ended}"),
        &format!("session={foreign}"),
    ] {
        let answer = send(&server, &laptop, "/devices/end", form).await.is(303);
        assert_eq!(answer.header("location"), Some("/devices"));
        let page = look(&laptop, "/devices").await.is(200).body;
        let message = page.split_once("role=\"status\"").unwrap().1;
        told.push(message.split("</div>").next().unwrap().to_owned());
    }
    assert!(told[0].contains("That device was logged out already."));
    assert!(told.iter().all(|it| *it == told[0]), "{told:?}");
    assert_eq!(ids(&laptop).await, std::slice::from_ref(&own));
    assert_eq!(ids(&bob).await, [foreign]);
    // Another site makes the browser send it.
    let form = format!("session={own}");
    let cookie = laptop.header().unwrap();
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("cookie", &cookie),
        ("origin", "http://evil.example"),
    ];
    let refused = server.raw(Method::POST, "/devices/end", &headers, form);
    refused.await.is(403).error("cross_site");
    assert_eq!(laptop.user().await.as_deref(), Some("alice"));
}

#[actix_web::test]
async fn when_a_device_was_last_seen_is_told_in_words() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let data = folder();
    // The list begins before the sessions do.
    clock.stop_at(NOON.as_millis() - 1_000);
    let server = start(&clock, data.path());
    clock.stop_at(NOON.as_millis());
    let (laptop, phone) = (server.browser(), server.browser());
    let body = json!({ "user": "alice", "remember": true });
    log_in(&phone, body.clone(), ANDROID).await;
    log_in(&laptop, body, FIREFOX).await;
    let seen = async || {
        let rows = rows(&laptop, "/devices").await;
        let row = rows.iter().find(|row| row.starts_with("Chrome")).unwrap();
        let words = row.split_once(" Last seen ").unwrap().1;
        words.split_once(" Began ").unwrap().0.to_owned()
    };
    // The phone was seen at noon.
    for (later, words) in [
        (MINUTE - SECOND, "just now"),
        (MINUTE, "1 minute ago"),
        (2 * MINUTE, "2 minutes ago"),
        (5 * MINUTE + 59 * SECOND, "5 minutes ago"),
        (HOUR - SECOND, "59 minutes ago"),
        (HOUR, "1 hour ago"),
        (2 * HOUR, "2 hours ago"),
        (12 * HOUR - SECOND, "11 hours ago"),
        (12 * HOUR, "yesterday"),
        (36 * HOUR - SECOND, "yesterday"),
        (36 * HOUR, "on 1 March 2027"),
        (13 * DAY, "on 1 March 2027"),
    ] {
        clock.stop_at((NOON + later).as_millis());
        assert_eq!(seen().await, words, "{later:?}");
    }
}

#[actix_web::test]
async fn yesterday_begins_at_midnight_of_where_somebody_is() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let data = folder();
    // The list begins before the sessions do.
    clock.stop_at(NOON.as_millis() - 1_000);
    let server = start(&clock, data.path());
    clock.stop_at(NOON.as_millis());
    let (laptop, phone) = (server.browser(), server.browser());
    let body = json!({ "user": "alice", "remember": true });
    log_in(&phone, body.clone(), ANDROID).await;
    log_in(&laptop, body, FIREFOX).await;
    for (offset, later, words) in [
        // In the small hours nobody says yesterday of the last few.
        (10 * 60, 3 * HOUR, "3 hours ago"),
        (10 * 60, 6 * HOUR, "yesterday"),
        // Noon is two o'clock there.
        (14 * 60, 21 * HOUR, "21 hours ago"),
        (14 * 60, 22 * HOUR, "yesterday"),
        // Noon is midnight there.
        (-12 * 60, 23 * HOUR, "23 hours ago"),
        (-12 * 60, 24 * HOUR, "yesterday"),
        (14 * 60, 46 * HOUR, "on 2 March 2027"),
        (-11 * 60, 47 * HOUR, "on 1 March 2027"),
    ] {
        clock.stop_at((NOON + later).as_millis());
        let form = format!("offset={offset}");
        send(&server, &laptop, "/preferences", &form).await.is(303);
        let rows = rows(&laptop, "/devices").await;
        let row = rows.iter().find(|row| row.starts_with("Chrome")).unwrap();
        let seen = format!(" Last seen {words} Began ");
        assert!(row.contains(&seen), "{offset}, {later:?}: {row}");
    }
}

#[actix_web::test]
async fn an_administrator_sees_the_devices_of_a_user_and_ends_one_of_them() {
    let data = folder();
    let server = Server::on(data.path());
    let [admin, laptop, phone, bob] = [(); 4].map(|()| server.browser());
    let name = "a&b=<i>";
    log_in(&laptop, json!({ "user": name }), FIREFOX).await;
    let other = log_in(&phone, json!({ "user": name }), ANDROID).await;
    let bobs = log_in(&bob, json!({ "user": "bob" }), ANDROID).await;
    let own = json!({ "user": "root", "roles": ["admin"] });
    let own = log_in(&admin, own, FIREFOX).await;
    let (end, path) = ("/admin/end-session", "/admin?user=a%26b%3D%3Ci%3E");
    let form = format!("session={other}&user=a%26b%3D%3Ci%3E");
    look(&bob, path).await.is(403);
    send(&server, &bob, end, &form).await.is(403);
    assert_eq!(phone.user().await.as_deref(), Some(name));

    assert!(
        !look(&admin, "/admin")
            .await
            .body
            .contains("class=\"devices\"")
    );
    let found = rows(&admin, path).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(!found.concat().contains("This device"), "{found:?}");
    let answer = send(&server, &admin, end, &form).await.is(303);
    assert_eq!(answer.header("location"), Some(path));
    let page = look(&admin, path).await.body;
    let told = "“a&amp;b=&lt;i&gt;” is logged out of “Chrome on Android”.";
    assert!(page.contains(told), "{page}");
    assert_eq!(rows(&admin, path).await.len(), 1);
    assert_eq!(phone.user().await, None);
    assert_eq!(listed(&laptop).await.len(), 1);

    // What is told of a user is true of that user.
    for form in [
        form,
        format!("session={bobs}&user=a%26b%3D%3Ci%3E"),
        "session=x&user=bob".to_owned(),
        "user=bob".to_owned(),
    ] {
        send(&server, &admin, end, &form).await.is(303);
        let page = look(&admin, "/admin").await.body;
        assert!(
            page.contains("That device was logged out already."),
            "{page}"
        );
    }
    let long = "x".repeat(256);
    for user in ["", "&user=", "&user=+", &format!("&user={long}")] {
        let form = format!("session={bobs}{user}");
        send(&server, &admin, end, &form).await.is(400);
    }
    assert_eq!(ids(&bob).await, [bobs]);

    for (user, told) in [
        ("nobody", "Nobody of this name is logged in."),
        (&long, "Please enter a name of"),
        ("+", "Please enter a name of"),
    ] {
        let page = look(&admin, &format!("/admin?user={user}")).await.is(200);
        assert!(page.body.contains(told), "{page:?}");
    }
    let mine = rows(&admin, "/admin?user=root").await;
    assert!(
        mine.len() == 1 && mine[0].contains("This device"),
        "{mine:?}"
    );
    let form = format!("session={own}&user=root");
    let answer = send(&server, &admin, end, &form).await.is(303);
    assert_eq!(answer.header("location"), Some("/login"));
    assert_eq!(admin.user().await, None);
}

#[actix_web::test]
async fn a_server_that_keeps_no_list_or_has_no_place_says_so() {
    let data = folder();
    let file = configure(data.path());
    let text = std::fs::read_to_string(&file).unwrap();
    let server = Server::configured(&file);
    let alice = server.browser();
    let body = json!({ "user": "alice", "roles": ["admin"] });
    let id = log_in(&alice, body, FIREFOX).await;
    let path = format!("/api/sessions/{id}");
    alice.get("/api/sessions").await.is(500).error("no_devices");
    alice.delete(&path).await.is(500).error("no_devices");
    for path in ["/devices", "/admin?user=alice"] {
        let page = look(&alice, path).await.is(500);
        assert!(page.body.contains("No list of devices"), "{page:?}");
    }
    look(&alice, "/admin").await.is(200);
    assert_eq!(alice.user().await.as_deref(), Some("alice"));
    server.kill();

    let limited = "[devices]\nindex = true\nmax_sessions = 1\nwhen_full = \"refuse\"\n";
    std::fs::write(&file, format!("{text}{limited}")).unwrap();
    let server = Server::configured(&file);
    let (laptop, phone) = (server.browser(), server.browser());
    log_in(&laptop, json!({ "user": "bob" }), FIREFOX).await;
    let body = json!({ "user": "bob" });
    let answer = phone.send(Method::POST, "/api/login", Some(body)).await;
    answer.is(409).error("too_many_sessions");
    let page = send(&server, &phone, "/login", "user=bob").await.is(409);
    assert!(page.body.contains("Log out on one of them first."));
    assert_eq!(phone.user().await, None);
    laptop.post("/api/logout").await.is(204);
    phone.login("bob").await;
}

/// The example takes labels from browsers alone. An application may take them from anybody.
#[actix_web::test]
async fn a_label_with_markup_is_text_on_the_page() {
    const LABEL: &str = "<script>alert(1)</script> & \"Kiosk\"";
    let data = folder();
    Server::on(data.path()).kill();
    {
        let mut devices = DeviceSettings::default();
        devices.index = true;
        let list = Redb::open(data.path().join("revocations.redb")).unwrap();
        let sessions = Sessions::builder("sealed-session/accounts")
            .key_source(KeySource::File(data.path().join("keys.toml")))
            .cookie(CookieSettings::plain_http())
            .devices(devices)
            .store(list);
        let sessions = sessions.start().await.unwrap();
        let log_in = |session: Session| async move {
            session.authenticate("alice").label(LABEL).await.map(|_| "")
        };
        let app = App::new()
            .wrap(SessionMiddleware::new(&sessions))
            .route("/", web::post().to(log_in));
        let app = init_service(app).await;
        let login = TestRequest::post().to_request();
        assert!(call_service(&app, login).await.status().is_success());
        sessions.close(MINUTE).await;
    }
    let server = Server::on(data.path());
    let browser = server.browser();
    log_in(&browser, json!({ "user": "alice" }), FIREFOX).await;
    let list = listed(&browser).await;
    assert!(list.iter().any(|it| it["label"] == LABEL), "{list:?}");
    let page = look(&browser, "/devices").await.is(200).body;
    let escaped = "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;Kiosk&quot;";
    // As its name and as that of its button.
    assert_eq!(page.matches(escaped).count(), 2, "{page}");
    assert!(!page.contains("<script"), "{page}");
}
