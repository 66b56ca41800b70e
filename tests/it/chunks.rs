//! Sessions that are spread over several cookies.

use sealed_session::session::Rejected;
use sealed_session::settings::CookieSettings;
use sealed_session::testing::ManualClock;
use serde_json::json;
use support::{Browser, MINUTE, Node, builder, memory, with};

use super::direct::{load, sent, user};

/// A node that allows three cookies.
async fn start() -> Node {
    Node::with(|builder| {
        builder.cookie(with(CookieSettings::plain_http(), |cookie| {
            cookie.max_chunks = 3;
        }))
    })
    .await
}

fn big(letter: &str) -> serde_json::Value {
    json!(letter.repeat(7200))
}

/// A browser with a session of three cookies.
async fn large(node: &Node, letter: &str) -> Browser {
    let browser = node.browser();
    let answer = browser.put("/entries/big", big(letter)).await.is(204);
    assert_eq!(browser.names(), ["session", "session.1", "session.2"]);
    assert!(
        answer
            .set_cookies()
            .iter()
            .all(|cookie| cookie.len() <= 3584)
    );
    browser
}

fn change(browser: &Browser, name: &str, value: impl FnOnce(String) -> String) {
    let old = browser.cookie(name).unwrap();
    browser.set_cookie(name, value(old));
}

#[actix_web::test]
async fn a_large_session_reads_back_from_its_cookies() {
    let node = start().await;
    let browser = large(&node, "x").await;
    assert_eq!(browser.get("/entries/big").await.is(200).json(), big("x"));
    assert!(browser.session().unwrap().starts_with("3."));
}

#[actix_web::test]
async fn chunks_of_two_sessions_do_not_mix() {
    let node = start().await;
    let (one, two) = (large(&node, "x").await, large(&node, "y").await);
    for name in ["session", "session.1", "session.2"] {
        let mixed = one.copy();
        mixed.set_cookie(name, two.cookie(name).unwrap());
        mixed.get("/entries/big").await.is(404);
        assert!(mixed.names().is_empty(), "all of them are removed");
    }
    // All of them are the other session.
    for name in ["session", "session.1", "session.2"] {
        one.set_cookie(name, two.cookie(name).unwrap());
    }
    assert_eq!(one.get("/entries/big").await.is(200).json(), big("y"));
}

#[actix_web::test]
async fn chunks_in_another_order_or_dropped_are_no_session() {
    let node = start().await;
    let whole = large(&node, "x").await;
    let swapped = whole.copy();
    swapped.set_cookie("session.1", whole.cookie("session.2").unwrap());
    swapped.set_cookie("session.2", whole.cookie("session.1").unwrap());
    swapped.get("/entries/big").await.is(404);
    assert!(swapped.names().is_empty());
    for name in ["session", "session.1", "session.2"] {
        let cut = whole.copy();
        cut.remove_cookie(name);
        let held = cut.names();
        let answer = cut.get("/entries/big").await.is(404);
        assert_eq!(answer.removed(), held, "whatever is left of it goes");
    }
    for name in ["session", "session.1", "session.2"] {
        let cut = whole.copy();
        change(&cut, name, |mut value| {
            value.pop();
            value
        });
        cut.get("/entries/big").await.is(404);
        let emptied = whole.copy();
        change(&emptied, name, |_| String::new());
        emptied.get("/entries/big").await.is(404);
    }
}

#[actix_web::test]
async fn the_number_of_chunks_is_sealed() {
    let node = start().await;
    let whole = large(&node, "x").await;
    let first = whole.session().unwrap();
    let rest = first.strip_prefix("3.").unwrap();
    for count in [
        "", "0.", "1.", "2.", "4.", "8.", "9.", "03.", "33.", "-1.", "٣.",
    ] {
        let changed = whole.copy();
        changed.set_cookie("session", format!("{count}{rest}"));
        changed.get("/entries/big").await.is(404);
    }
    // The same token in one cookie, and in two.
    let parts: Vec<_> = ["session.1", "session.2"]
        .map(|name| whole.cookie(name).unwrap())
        .into();
    let one = whole.holding(format!("{rest}{}", parts.concat()));
    one.get("/entries/big").await.is(404);
    let two = whole.holding(format!("2.{rest}"));
    two.set_cookie("session.1", parts.concat());
    two.get("/entries/big").await.is(404);
    // And one that was sealed for one cookie, in two.
    let small = node.browser();
    small.put("/entries/a", json!(1)).await.is(204);
    let token = small.session().unwrap();
    let (start, end) = token.split_at(50);
    let two = whole.holding(format!("2.{start}"));
    two.set_cookie("session.1", end);
    two.get("/entries/a").await.is(404);
}

#[actix_web::test]
async fn higher_chunks_are_ignored_and_go_with_the_next_write() {
    let node = start().await;
    let browser = large(&node, "x").await;
    for name in [
        "session.3",
        "session.7",
        "session.8",
        "session.00",
        "session.",
    ] {
        browser.set_cookie(name, "junk");
    }
    let answer = browser.get("/entries/big").await.is(200);
    assert!(answer.set_cookies().is_empty());
    let answer = browser.put("/entries/a", json!(1)).await.is(204);
    assert_eq!(answer.removed(), ["session.3", "session.7"]);
    let small = browser.delete("/entries/big").await.is(204);
    assert_eq!(small.removed(), ["session.1", "session.2"]);
    browser.get("/entries/a").await.is(200);
}

#[actix_web::test]
async fn chunks_without_their_first_are_removed() {
    let node = start().await;
    let browser = node.browser();
    browser.set_cookie("session.2", "junk");
    let answer = browser.get("/me").await.is(401);
    assert_eq!(answer.removed(), ["session.2"]);
    browser.get("/me").await.leaves_alone();
}

#[actix_web::test]
async fn an_ended_session_is_removed_with_all_its_cookies() {
    let node = start().await;
    let browser = large(&node, "x").await;
    let stolen = browser.copy();
    let purge = browser.post("/purge").await.is(204);
    assert_eq!(purge.removed(), ["session", "session.1", "session.2"]);
    let kept = stolen.get("/entries/big").await.is(404);
    assert!(kept.set_cookies().is_empty(), "{kept:?}");
    node.clock.advance(MINUTE);
    let logout = stolen.post("/logout").await.is(204);
    assert_eq!(logout.removed(), ["session", "session.1", "session.2"]);
}

#[actix_web::test]
async fn a_bad_cookie_before_the_good_one_does_not_hide_a_large_session() {
    let node = start().await;
    let browser = large(&node, "x").await;
    let value = |name| browser.cookie(name).unwrap();
    let (first, second, third) = (value("session"), value("session.1"), value("session.2"));
    for header in [
        format!("session=junk; session={first}; session.1={second}; session.2={third}"),
        format!("session.2={third}; session.1={second}; session={first}"),
        format!("session=3.junk; session={first}; session.1={second}; session.2={third}"),
    ] {
        let answer = browser.send_raw(
            reqwest::Method::GET,
            "/entries/big",
            None,
            Some(header.into_bytes()),
        );
        assert_eq!(answer.await.is(200).json(), big("x"));
    }
}

#[actix_web::test]
async fn what_does_not_fit_is_an_error_and_changes_nothing() {
    let node = start().await;
    let browser = large(&node, "x").await;
    let before = browser.session();
    let answer = browser.put("/entries/more", big("y")).await.is(413);
    assert!(answer.set_cookies().is_empty());
    assert_eq!(browser.session(), before);
    browser.get("/entries/big").await.is(200);
    browser.get("/entries/more").await.is(404);
}

/// Up to the last byte that is accepted, every cookie is one that browsers and proxies take.
#[actix_web::test]
async fn no_cookie_that_is_sent_is_larger_than_it_may_be() {
    let default = CookieSettings::default().max_bytes;
    assert_eq!(default, 3584);
    for (max_bytes, max_chunks) in [(default, 1), (default, 2), (4096, 1), (4096, 2), (512, 3)] {
        let node = Node::with(|builder| {
            builder.cookie(with(CookieSettings::plain_http(), |cookie| {
                cookie.max_bytes = max_bytes;
                cookie.max_chunks = max_chunks;
            }))
        })
        .await;
        let (mut accepted, mut refused) = (0, 0);
        // Three of four characters are the session's, after the attributes.
        let limit = (max_bytes - 70) * usize::from(max_chunks) * 3 / 4 - 450;
        for length in (limit.saturating_sub(150)..limit + 300).step_by(7) {
            let browser = node.browser();
            let answer = browser.put("/entries/a", json!("x".repeat(length))).await;
            if answer.status == 413 {
                refused += 1;
                assert!(answer.set_cookies().is_empty(), "{answer:?}");
                continue;
            }
            accepted += 1;
            let written = answer.is(204);
            let renewed = browser.post("/renew").await.is(200);
            for answer in [written, renewed] {
                let cookies = answer.set_cookies();
                assert!(
                    cookies.iter().all(|cookie| cookie.len() <= max_bytes),
                    "{answer:?}"
                );
            }
            browser.get("/entries/a").await.is(200);
        }
        assert!(accepted > 0 && refused > 0, "the limit was in the range");
    }
}

/// nginx reads the whole head of a response into one buffer (`proxy_buffer_size`, 4 KiB), and answers 502
/// where it does not fit.
#[actix_web::test]
async fn a_full_session_fits_into_the_buffer_of_a_proxy() {
    let node = Node::start().await;
    let mut largest = 0;
    for length in 1900..2700 {
        let browser = node.browser();
        let answer = browser.put("/entries/a", json!("x".repeat(length))).await;
        if answer.status == 413 {
            assert!(length > 2100, "that much is for the application");
            break;
        }
        browser.get("/entries/a").await.is(200);
        for answer in [answer.is(204), browser.post("/renew").await.is(200)] {
            // Each with ": " and a line's end, and the status line.
            let head = answer.headers.iter();
            let head: usize = head
                .map(|(name, value)| name.as_str().len() + value.len() + 4)
                .sum();
            largest = largest.max(head + "HTTP/1.1 204 No Content\r\n\r\n".len());
        }
    }
    assert!(
        largest + 300 < 4096,
        "{largest} leave too little for other headers"
    );
    assert!(largest > 3100, "{largest}: it was full");
}

#[actix_web::test]
async fn a_session_that_a_lowered_limit_could_not_seal_again_ends() {
    let clock = ManualClock::default();
    let store = memory(&clock);
    let with = |max_bytes, max_chunks| {
        builder(&clock, store.clone()).cookie(with(CookieSettings::plain_http(), |cookie| {
            cookie.max_bytes = max_bytes;
            cookie.max_chunks = max_chunks;
        }))
    };
    for (before, after, length) in [
        ((4096, 8), (1024, 1), 20_000),
        ((3584, 2), (3584, 1), 3_400),
    ] {
        let before = Node::serve(clock.clone(), with(before.0, before.1)).await;
        let browser = before.browser();
        browser.post("/login/alice").await.is(200);
        let value = json!("x".repeat(length));
        browser.put("/entries/a", value).await.is(204);
        let after = Node::serve(clock.clone(), with(after.0, after.1)).await;
        let elsewhere = after.browser();
        elsewhere.post("/login/alice").await.is(200);
        // What could be read and never written again is no session, and another one may begin over it.
        let browser = browser.at(&after);
        let rejected = support::rejected(&after.sessions, &browser);
        assert_eq!(rejected, Some(Rejected::TooLarge));
        browser.get("/me").await.leaves_alone();
        browser.copy().post("/renew").await.is(200);
        browser.copy().post("/logout-others").await.is(401);
        elsewhere.get("/me").await.is(200);
        let writes = browser.copy();
        writes.put("/entries/b", json!(1)).await.is(204);
        assert_eq!(writes.names(), ["session"]);
        writes.get("/entries/a").await.is(404);
        browser.post("/login/alice").await.is(200);
        browser.get("/me").await.is(200);
        assert_eq!(browser.names(), ["session"]);
    }
}

/// A sibling domain may set one of the cookies over which a session is spread.
#[actix_web::test]
async fn a_part_of_somebody_elses_hides_no_session() {
    let clock = ManualClock::default();
    let settings = with(CookieSettings::plain_http(), |cookie| cookie.max_chunks = 3);
    let sessions = builder(&clock, memory(&clock)).cookie(settings);
    let sessions = sessions.start().await.unwrap();
    let loaded = load(&sessions, "");
    loaded.session.authenticate("alice").await.unwrap();
    loaded.session.insert("big", "x".repeat(4000)).unwrap();
    let alice = sent(&sessions, loaded).await;
    for planted in ["session.1=x", "session.1=x; session.1=y", "session.1="] {
        for header in [format!("{planted}; {alice}"), format!("{alice}; {planted}")] {
            let loaded = load(&sessions, &header);
            assert_eq!(
                loaded.session.subject().as_deref(),
                Some("alice"),
                "{header}"
            );
            let outcome = sessions.commit(&loaded.session, loaded.ticket).await;
            assert!(outcome.cookies.is_empty(), "{:?}", outcome.cookies);
        }
    }
    load(&sessions, &alice).session.logout().await.unwrap();
    assert_eq!(user(&sessions, &alice), None);
}
