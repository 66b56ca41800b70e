//! Cookies whose key this server does not know: from before its folder was lost, and of a neighbour on another port,
//! which browsers do not tell apart.

use std::fs;

use serde_json::json;

use support::accounts::{Errors, Server, Steps, folder};

/// Keys and list are gone, and with them every session; the cookies of then are in nobody's way.
#[actix_web::test]
async fn a_cookie_from_before_the_keys_and_the_list_were_lost_is_no_obstacle() {
    let folder = folder();
    let server = Server::on(folder.path());
    let browser = server.browser();
    browser.set("a", json!(1)).await.is(204);
    server.kill();
    for file in ["keys.toml", "revocations.redb"] {
        fs::remove_file(folder.path().join(file)).unwrap();
    }
    let server = Server::on(folder.path());
    let browser = server.resume(&browser);

    let writes = browser.copy();
    writes.set("b", json!(2)).await.is(204);
    assert_eq!(writes.get("/api/entries").await.json(), json!({ "b": 2 }));

    let logout = browser.post("/api/logout").await.is(204);
    assert_eq!(logout.removed(), ["session"]);
    assert_eq!(browser.session(), None);
    browser.set("c", json!(3)).await.is(204);
    assert_eq!(browser.get("/api/entries").await.json(), json!({ "c": 3 }));
}

/// Two servers at `localhost`, used in turn by one browser.
#[actix_web::test]
async fn a_neighbour_on_another_port_replaces_the_cookie_by_writing_and_not_by_reading() {
    let (one, two) = (folder(), folder());
    let (one, two) = (Server::on(one.path()), Server::on(two.path()));
    let here = one.browser();
    let there = here.to(&two.url);
    here.login("alice").await;
    let alices = here.session();

    // Read there, in passing.
    let answer = there.get("/api/me").await.is(401);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    let nothing = there.get("/api/entries/a").await.is(404);
    assert!(nothing.set_cookies().is_empty(), "{nothing:?}");
    assert_eq!(here.session(), alices);
    assert_eq!(here.user().await.as_deref(), Some("alice"));

    // Write there, and then here, again and again.
    for round in 0..3 {
        for browser in [&there, &here] {
            let before = browser.session();
            browser
                .get("/api/entries/a")
                .await
                .is(404)
                .error("no_such_entry");
            assert_eq!(browser.session(), before);
            browser.set("a", json!(round)).await.is(204);
            assert_ne!(browser.session(), before);
            let kept = browser.get("/api/entries/a").await.is(200);
            assert_eq!(kept.json(), json!(round));
        }
    }
    there.login("bob").await;
    assert_eq!(there.user().await.as_deref(), Some("bob"));
    assert_eq!(here.user().await, None);
    here.login("alice").await;
    assert_eq!(here.user().await.as_deref(), Some("alice"));
}
