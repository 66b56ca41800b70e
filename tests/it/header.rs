//! The Cookie header: of all that it may hold, the right session counts or none, and nothing breaks.
//!
//! 1. Names are compared byte for byte; nothing is decoded; a bad cookie hides no good one.
//! 2. A few cookies of our name are tried. What was not tried is neither overwritten nor removed.
//! 3. Of several cookies of one session the newest counts.

use sealed_session::settings::CookieSettings;
use sealed_session::time::Clock;
use serde_json::json;
use support::forge::{Forge, Record};
use support::raw::{Reply, request};
use support::{Browser, Node, SECOND, with};

use super::site::{alice_at, target};

pub fn crowded(good: &str, malformed: bool) -> Vec<u8> {
    let mut bad = good.to_owned().into_bytes();
    bad[40] = if bad[40] == b'A' { b'B' } else { b'A' };
    let bad = String::from_utf8(bad).unwrap();
    if malformed {
        return format!("{}session={good}", "session=x; ".repeat(16)).into_bytes();
    }
    format!("{}session={good}", format!("session={bad}; ").repeat(4)).into_bytes()
}

#[actix_web::test]
async fn a_session_that_was_not_tried_is_not_overwritten() {
    for malformed in [false, true] {
        let t = target().await;
        let browser = Browser::new(&t.url);
        browser.post("/login/alice").await.is(200);
        let header = crowded(&browser.session().unwrap(), malformed);
        let answer = browser
            .send_raw(
                reqwest::Method::PUT,
                "/entries/a",
                Some(serde_json::json!(1)),
                Some(header),
            )
            .await;
        assert!(answer.set_cookies().is_empty(), "{malformed} {answer:?}");
    }
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
async fn of_several_cookies_of_a_session_the_newest_counts_in_either_order() {
    let node = Node::start().await;
    let browser = alice_at(&node).await;
    let first = browser.session().unwrap();
    node.clock.advance(SECOND);
    browser.put("/entries/a", json!(1)).await.is(204);
    let written = browser.session().unwrap();
    browser.post("/renew").await.is(200);
    node.clock.advance(SECOND);
    browser.put("/entries/a", json!(2)).await.is(204);
    let renewed = browser.session().unwrap();
    let ask = async |cookies: &[&String]| {
        let pairs = cookies.iter().map(|it| format!("session={it}"));
        let header = pairs.collect::<Vec<_>>().join("; ").into_bytes();
        let get = reqwest::Method::GET;
        let other = browser.copy();
        let answer = other.send_raw(get, "/entries/a", None, Some(header)).await;
        answer.is(200).json()
    };
    for order in [[&first, &written, &renewed], [&renewed, &written, &first]] {
        assert_eq!(ask(&order).await, 2);
    }
    for order in [[&first, &written], [&written, &first]] {
        assert_eq!(ask(&order).await, 1);
    }
}

/// A node with a user who is logged in.
struct Bench {
    node: Node,
    browser: Browser,
    token: String,
}

impl Bench {
    async fn start() -> Self {
        Self::with(CookieSettings::plain_http()).await
    }

    async fn with(settings: CookieSettings) -> Self {
        let name = settings.name.clone();
        let node = Node::with(|builder| builder.cookie(settings)).await;
        let browser = node.browser();
        browser.post("/login/alice").await.is(200);
        let token = browser.cookie(&name).unwrap();
        Self {
            node,
            browser,
            token,
        }
    }

    /// Asks who is logged in, with these Cookie header lines.
    async fn ask<L: AsRef<[u8]>>(&self, lines: impl IntoIterator<Item = L>) -> Reply {
        let mut head = vec![b"GET /me HTTP/1.1".to_vec()];
        for line in lines {
            head.push([b"Cookie: ", line.as_ref()].concat());
        }
        request(&self.node.url, head).await
    }

    async fn is_alice<L: AsRef<[u8]>>(&self, lines: impl IntoIterator<Item = L>) {
        let reply = self.ask(lines).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        assert!(reply.body().contains("alice"), "{}", reply.text());
        // One of several is good, so that nothing is removed.
        assert!(reply.header("set-cookie").is_empty(), "{}", reply.text());
    }

    async fn is_nobody<L: AsRef<[u8]>>(&self, lines: impl IntoIterator<Item = L>) -> Reply {
        let reply = self.ask(lines).await;
        assert_eq!(reply.status(), 401, "{}", reply.text());
        reply
    }

    async fn still_works(&self) {
        self.browser.get("/me").await.is(200);
    }
}

#[actix_web::test]
async fn a_very_long_cookie_header_is_no_session_and_no_harm() {
    let bench = Bench::start().await;
    for filler in [
        "A",
        "session=",
        ";",
        "; ",
        "=",
        "session=A;",
        "session.1=A;",
        "\"",
        "\u{e9}",
    ] {
        let long = filler.repeat(100_000 / filler.len());
        bench.is_nobody([&long]).await;
        bench.is_nobody([format!("session={long}")]).await;
    }
    // Beyond what the server reads at all.
    let reply = bench.ask(["x".repeat(200_000)]).await;
    assert!([0, 400, 431].contains(&reply.status()), "{}", reply.text());
    bench.still_works().await;
}

#[actix_web::test]
async fn of_a_thousand_cookies_of_our_name_the_first_few_are_tried() {
    let bench = Bench::start().await;
    let good = format!("session={}", bench.token);
    let flipped = {
        // Of a known key, so that refusing it takes a run of the cipher.
        let mut flipped = bench.token.clone().into_bytes();
        let last = flipped.len() - 3;
        flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
        format!("session={}", String::from_utf8(flipped).unwrap())
    };
    let header = |bad: &str, at: usize, count: usize| {
        let mut all = vec![bad; count];
        all.insert(at, &good);
        all.join("; ")
    };
    for (bad, tried) in [
        ("session=junk", 16),
        ("session=", 16),
        (flipped.as_str(), 4),
    ] {
        let many = 80_000 / bad.len().max(80);
        for at in [0, 1, tried - 1] {
            bench.is_alice([header(bad, at, many)]).await;
        }
        for at in [tried, many] {
            bench.is_nobody([header(bad, at, many)]).await;
        }
    }
    // Those of a key that this node does not know cost nothing, so more of them are passed over.
    let stranger = Forge {
        secret: 2,
        ..Forge::at(bench.node.clock.now())
    };
    let foreign = stranger.seal(&Record::of_alice(bench.node.clock.now()));
    bench
        .is_alice([header(&format!("session={foreign}"), 15, 50)])
        .await;
    bench.still_works().await;
}

#[actix_web::test]
async fn a_bad_cookie_before_the_good_one_does_not_hide_it() {
    let bench = Bench::start().await;
    let token = &bench.token;
    for bad in [
        "", "junk", "\"\"", "%00", "\u{e9}", "====", "2.junk", "9.junk", "a=b",
    ] {
        bench
            .is_alice([format!("session={bad}; session={token}")])
            .await;
        bench
            .is_alice([format!("session={token}; session={bad}")])
            .await;
        bench
            .is_alice([format!("other={bad}; session={token};")])
            .await;
    }
    // A dead session of the same user first.
    let ended = bench.node.browser();
    ended.post("/login/bob").await.is(200);
    let dead = ended.session().unwrap();
    ended.post("/logout").await.is(204);
    bench
        .is_alice([format!("session={dead}; session={token}")])
        .await;
    // Of two good ones the first counts, as browsers put the more specific first.
    let bob = bench.node.browser();
    bob.post("/login/bob").await.is(200);
    let bob = bob.session().unwrap();
    bench
        .is_alice([format!("session={token}; session={bob}")])
        .await;
}

#[actix_web::test]
async fn all_lines_of_the_header_are_read() {
    let bench = Bench::start().await;
    let good = format!("session={}", bench.token);
    bench.is_alice(["a=1", &good, "b=2"]).await;
    bench.is_alice(["session=junk", &good]).await;
    bench.is_alice(["", &good, ""]).await;
    let (start, end) = good.split_at(60);
    bench.is_nobody([start, end]).await;
}

#[actix_web::test]
async fn bytes_that_are_no_text_do_not_hide_the_session() {
    let bench = Bench::start().await;
    for bytes in [
        b"\xff".as_slice(),
        b"\xc3\x28",
        b"\xed\xa0\x80",
        b"\x80\x81",
    ] {
        let good = format!("session={}", bench.token);
        let other = [b"other=", bytes, b"; ", good.as_bytes()].concat();
        bench.is_alice([other]).await;
        let bad = [b"session=", bytes, b"; ", good.as_bytes()].concat();
        bench.is_alice([bad]).await;
        let inside = [good.as_bytes(), bytes].concat();
        bench.is_nobody([inside]).await;
    }
    for control in [b"\0".as_slice(), b"\x01", b"\x7f", b"\r", b"\x0b"] {
        let header = [b"session=", bench.token.as_bytes(), control, b"x"].concat();
        let reply = bench.ask([header]).await;
        assert!([400, 401].contains(&reply.status()), "{}", reply.text());
    }
    bench.still_works().await;
}

#[actix_web::test]
async fn only_the_exact_name_is_ours() {
    for name in ["session", "__Host-session"] {
        let settings = with(CookieSettings::default(), |cookie| {
            cookie.name = name.into();
        });
        let bench = Bench::with(settings).await;
        let token = &bench.token;
        bench.is_alice([format!("{name}={token}")]).await;
        bench.is_alice([format!("a=1;{name}={token};b=2")]).await;
        // Browsers trim blanks and tabs before a name, and nothing else.
        for blanks in [" \t", "  ", "\t"] {
            bench
                .is_alice([format!("a=1;{blanks}{name}={token}")])
                .await;
        }
        for other in [
            format!("={name}={token}"),
            format!("=={name}={token}"),
            format!("{}={token}", name.to_uppercase()),
            format!("__host-{}={token}", name.trim_start_matches("__Host-")),
            format!("{name} ={token}"),
            format!("{name}\t={token}"),
            format!("a=1,{name}={token}"),
            format!("a=\"; {name}={token}\"; b=1"),
            format!("\"{name}\"={token}"),
            format!("x{name}={token}"),
            format!("{name}x={token}"),
            format!("{name}.0={token}"),
            format!("{name}.1={token}"),
            format!("{name}.={token}"),
            name.to_owned(),
            format!("{name}%3D{token}"),
            format!("%73{}={token}", &name[1..]),
            format!("a={name}={token}"),
            format!("$Version=1; ${name}={token}"),
            format!("\u{200b}{name}={token}"),
            format!("{name}= {token}"),
            format!("{name}=\"{token}\""),
            format!("{name}={token}\""),
            format!("{name}={token} ; a=1"),
            format!("{name}=\t{token}"),
            format!("{name}={token}, a=1"),
            format!("{name}=1.{token}"),
        ] {
            bench.is_nobody([&other]).await;
            // And it does not stand in the way of the good one.
            bench.is_alice([format!("{name}={token}; {other}")]).await;
        }
    }
}

#[actix_web::test]
async fn what_is_encoded_or_quoted_is_not_decoded() {
    let bench = Bench::start().await;
    let encoded: String = bench
        .token
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect();
    bench.is_nobody([format!("session={encoded}")]).await;
    let one = format!("%{:02x}{}", bench.token.as_bytes()[0], &bench.token[1..]);
    bench.is_nobody([format!("session={one}")]).await;
    let standard = bench.token.replace('-', "+").replace('_', "/");
    if standard != bench.token {
        bench.is_nobody([format!("session={standard}")]).await;
    }
    bench.is_nobody([format!("session={}=", bench.token)]).await;
}

#[actix_web::test]
async fn the_text_of_a_refused_cookie_is_never_sent_back() {
    let bench = Bench::start().await;
    let secret = "<script>alert(1)</script>";
    for header in [
        format!("session={secret}"),
        format!("session.1={secret}"),
        format!("session=2.{secret}; session.1={secret}"),
    ] {
        let reply = bench.is_nobody([header]).await;
        assert!(!reply.text().contains("script"), "{}", reply.text());
        assert!(!reply.header("set-cookie").is_empty(), "it is removed");
    }
}

#[actix_web::test]
async fn a_token_as_long_as_a_header_costs_no_cipher_run_and_is_refused() {
    let bench = Bench::start().await;
    for length in [32_768, 32_769, 60_000, 100_000] {
        bench
            .is_nobody([format!("session={}", "A".repeat(length))])
            .await;
        let grown = format!("session={}{}", bench.token, "A".repeat(length));
        bench.is_nobody([grown]).await;
    }
    bench.still_works().await;
}
