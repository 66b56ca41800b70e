//! Spellings that lead elsewhere, and the law: what is taken stays on the site, to a browser's own parser.

use proptest::prelude::*;
use url::Url;

use super::*;

#[test]
fn paths_of_this_site_are_return_addresses() {
    let longest = format!("/{}", "a".repeat(LONGEST - 1));
    for path in [
        "/",
        "/account",
        "/account/",
        "/orders?page=2&sort=date",
        "/search?q=a%20b%26c%3Dd",
        "/back?to=https://other.example/",
        "/back?to=https%3A%2F%2Fother.example%2F..%2F",
        "/text?lines=a%0D%0Ab",
        "/filter?name[0]=o'neill&path=/../x&empty&{}|^`",
        "/?",
        "/a//b",
        "/@alice",
        "/javascript:alert(1)",
        "/a:b/.well-known/...",
        "/..a/b..",
        "/caf%C3%A9/%E2%98%83",
        "/a%20b%3Fc%23d",
        "/logouts",
        "/user/logout",
        longest.as_str(),
    ] {
        assert_eq!(next_path(path, "/logout"), Some(path));
    }
}

#[test]
fn what_leads_to_another_site_or_means_another_path_is_no_return_address() {
    let too_long = format!("/{}", "a".repeat(LONGEST));
    for text in [
        // Other sites.
        "//evil.example",
        "/;/evil.example",
        "/a/;x/b",
        "//evil.example/%2e%2e",
        "///evil.example",
        "////evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "/ /evil.example",
        "https://evil.example/",
        "HTTPS:evil.example",
        "http:/evil.example",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,a",
        "evil.example",
        "@evil.example",
        ".evil.example",
        "?next=/",
        "#/",
        "",
        " ",
        // They lead there once a dot segment is removed.
        "/.//evil.example",
        "/..//evil.example",
        "/a/..//evil.example",
        "/%2e//evil.example",
        "/a/%2E%2e//evil.example",
        "/a/.%2e//evil.example",
        "/a/;/../..//evil.example",
        // Dot segments.
        "/.",
        "/..",
        "/a/./b",
        "/a/../b",
        "/a/..",
        "/a/%2e%2e/b",
        "/a/.%2E?q",
        "/a/..;/b",
        "/a/..;v=1/b",
        "/a/..%3bv/b",
        "/a/%2e;/b",
        // They are slashes to whoever decodes first, or twice.
        "/%2fevil.example",
        "/%2F%2Fevil.example",
        "/%5cevil.example",
        "/a%5C..%5Cb",
        "/%252fevil.example",
        "/%25%32%66evil.example",
        "/a/%252e%252e/b",
        "/100%25",
        "/%c0%afevil.example",
        "/a/%c0%ae%c0%ae/b",
        "/%ff",
        "/%e2%98",
        // Control characters, also encoded.
        "/%09/evil.example",
        "/%0a/evil.example",
        "/%0d%0aSet-Cookie:a=b",
        "/%00",
        "/a%7f",
        "/a%C2%85b",
        "/a\0b",
        "/a\u{7f}",
        "/a?b\nc",
        "/a?b\tc",
        "/a?b c",
        "/a?\u{7f}",
        // Bad percent signs.
        "/%",
        "/%2",
        "/%zz",
        "/%+1",
        "/%%32%66",
        "/a?100%",
        "/a?%g0",
        "/a?%é",
        // Not as it would be sent.
        "/café",
        "/\u{ff0f}evil.example",
        "/\u{2028}",
        "/a\u{200b}",
        "/a?é",
        "/a b",
        "/a\"b",
        "/<script>",
        "/a?\"><script>",
        "/a?b\\c",
        "/a{b}",
        "/a|b",
        "/a^b",
        "/a`b",
        "/a[b]",
        // Fragments.
        "/a#b",
        "/a?b#c",
        "/#//evil.example",
        too_long.as_str(),
    ] {
        assert_eq!(next_path(text, ""), None, "{text:?}");
    }
}

#[test]
fn the_logout_path_is_no_return_address_in_any_spelling() {
    for text in [
        "/logout",
        "/Logout",
        "/LOGOUT",
        "/logout/",
        "/logout//",
        "/logout?",
        "/logout?all=1",
        "/logout;jsessionid=1",
        "/logout%3Bx",
        "/lOgOut/?a",
        "/log%6Fut",
        "/%6c%6f%67%6f%75%74",
        "/%4Cogout/",
    ] {
        assert_eq!(next_path(text, "/logout"), None, "{text}");
        assert_eq!(next_path(text, "/Logout/"), None, "{text}");
        assert_eq!(next_path(text, "/account/logout"), Some(text));
        assert_eq!(next_path(text, ""), Some(text));
    }
    for text in ["/account/logout", "/account//logout/", "/Account/%6cogout"] {
        assert_eq!(next_path(text, "/account/logout"), None, "{text}");
    }
    assert_eq!(next_path("/", "/"), None);
    assert_eq!(next_path("/", ""), Some("/"));
    assert_eq!(next_path("/a", "/%zz"), Some("/a"));
}

/// What matters to some parser.
const PARTS: [&str; 40] = [
    "/",
    "/",
    "/",
    "//",
    "\\",
    ".",
    "..",
    "%2e",
    "%2E",
    "%2f",
    "%5C",
    "%25",
    "%",
    "%0a",
    "%C3%A9",
    "a",
    "b",
    "evil.example",
    "@",
    ":",
    ":80",
    "http:",
    "https://",
    "?",
    "?",
    "&",
    "=",
    "#",
    ";",
    "'",
    "\"",
    "<",
    "[",
    "|",
    "^",
    "\t",
    "\n",
    " ",
    "é",
    "\0",
];

fn texts() -> impl Strategy<Value = String> {
    let parts = prop::collection::vec(prop::sample::select(&PARTS[..]), 0..10);
    (any::<bool>(), parts).prop_map(|(rooted, parts)| {
        let start = if rooted { "/" } else { "" };
        format!("{start}{}", parts.concat())
    })
}

fn keeps_to_the_site(text: &str) {
    for base in [
        "https://shop.example/",
        "http://shop.example/",
        "https://shop.example/a/b/login?next=c#d",
    ] {
        let base = Url::parse(base).unwrap();
        let there = base.join(text).unwrap();
        assert_eq!(there.origin(), base.origin(), "{text:?}");
        assert!(there.username().is_empty() && there.fragment().is_none());
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        assert_eq!(there.path(), path);
        // The one character that a browser encodes in a query.
        let query = query.map(|query| query.replace('\'', "%27"));
        assert_eq!(there.query(), query.as_deref());
    }
}

proptest! {
    #[test]
    fn what_is_taken_is_the_same_path_of_the_same_site_to_a_browser(text in texts()) {
        if let Some(path) = next_path(&text, "/logout") {
            prop_assert_eq!(path, &text);
            keeps_to_the_site(path);
        }
    }

    #[test]
    fn any_text_that_is_taken_stays_on_the_site(text in "/\\PC{0,40}|/[ -~]{0,40}|.{0,40}") {
        if let Some(path) = next_path(&text, "/logout") {
            keeps_to_the_site(path);
        }
    }

    /// So that the law above is not about nothing.
    #[test]
    fn what_a_browser_asked_for_is_taken(
        names in prop::collection::vec("[a-zA-Z0-9_~!$&'()*+,=:@-]{1,12}", 0..6),
        query in prop::option::of("[a-zA-Z0-9/?:@=&+.-]{0,30}"),
    ) {
        let mut url = Url::parse("https://shop.example/").unwrap();
        url.set_path(&names.join("/"));
        url.set_query(query.as_deref());
        let asked = url.as_str().strip_prefix("https://shop.example").unwrap();
        prop_assert_eq!(next_path(asked, "/sign-out"), Some(asked));
    }
}
