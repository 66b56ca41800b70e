//! The rules, row by row.

use super::*;

fn rules(trusted: &[&str], exempt: &[&str]) -> Result<CsrfRules, ConfigError> {
    let owned = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect();
    CsrfRules::new(&CsrfSettings {
        trusted_origins: owned(trusted),
        exempt_paths: owned(exempt),
        ..CsrfSettings::default()
    })
}

fn post<'h>(site: &'h str, origin: &'h str) -> RequestSource<'h> {
    let some = |text: &'h str| (!text.is_empty()).then_some(text.as_bytes());
    RequestSource {
        method: "POST",
        path: "/transfer",
        host: "shop.example",
        sec_fetch_site: some(site),
        origin: some(origin),
        is_upgrade: false,
    }
}

#[test]
fn what_the_browser_says_decides() {
    use CrossSite::{NullOrigin, SecFetchSite};
    let rules = rules(&[], &[]).unwrap();
    let own = Verdict::Own;
    for (site, origin, want) in [
        ("", "", own),
        ("same-origin", "", own),
        ("none", "", own),
        // It decides whatever `Origin` is: a proxy may have changed `Host`.
        ("same-origin", "https://other.example", own),
        (
            "same-site",
            "https://shop.example",
            Verdict::Refused(SecFetchSite),
        ),
        ("cross-site", "", Verdict::Refused(SecFetchSite)),
        ("cross-site", "null", Verdict::Refused(SecFetchSite)),
        ("Same-Origin", "", Verdict::Refused(SecFetchSite)),
        ("same-origin, none", "", Verdict::Refused(SecFetchSite)),
        ("", "null", Verdict::Refused(NullOrigin)),
        ("", "https://shop.example", own),
        ("", "HTTPS://Shop.Example", own),
        ("", "http://shop.example", own),
        ("", "https://shop.example:443", own),
        ("", "http://shop.example:80", own),
        (
            "",
            "https://shop.example:8443",
            Verdict::Refused(CrossSite::Origin),
        ),
        (
            "",
            "http://shop.example:443",
            Verdict::Refused(CrossSite::Origin),
        ),
        (
            "",
            "https://other.example",
            Verdict::Refused(CrossSite::Origin),
        ),
        (
            "",
            "https://shop.example.evil.example",
            Verdict::Refused(CrossSite::Origin),
        ),
        (
            "",
            "https://evil.example/shop.example",
            Verdict::Refused(CrossSite::Origin),
        ),
        (
            "",
            "https://shop.example@evil.example",
            Verdict::Refused(CrossSite::Origin),
        ),
        ("", "shop.example", Verdict::Refused(CrossSite::Origin)),
        ("", "file://", Verdict::Refused(CrossSite::Origin)),
        (
            "",
            "https://shop.example https://evil.example",
            Verdict::Refused(CrossSite::Origin),
        ),
    ] {
        assert_eq!(
            rules.judge(&post(site, origin)),
            want,
            "{site:?} {origin:?}"
        );
    }
}

#[test]
fn ports_and_addresses_are_compared_too() {
    let rules = rules(&[], &[]).unwrap();
    for (host, origin, is_own) in [
        ("shop.example:8080", "http://shop.example:8080", true),
        ("shop.example:8080", "http://shop.example", false),
        ("shop.example:80", "http://shop.example", true),
        ("shop.example:443", "https://shop.example", true),
        ("shop.example:443", "http://shop.example", false),
        ("SHOP.example", "http://shop.EXAMPLE", true),
        ("127.0.0.1:8080", "http://127.0.0.1:8080", true),
        ("[::1]:8080", "http://[::1]:8080", true),
        ("[::1]:8080", "http://[::1]:8081", false),
        ("[::1]", "http://[::1]", true),
        ("", "http://shop.example", false),
        ("shop.example:", "http://shop.example", false),
        ("shop.example:99999", "http://shop.example:99999", false),
    ] {
        let source = RequestSource {
            host,
            ..post("", origin)
        };
        assert_eq!(
            rules.judge(&source) == Verdict::Own,
            is_own,
            "{host} {origin}"
        );
    }
}

#[test]
fn only_what_can_change_something_is_looked_at() {
    let rules = rules(&[], &[]).unwrap();
    let of = |method| RequestSource {
        method,
        ..post("cross-site", "")
    };
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert_eq!(rules.judge(&of(method)), Verdict::Own);
        let upgrade = RequestSource {
            is_upgrade: true,
            ..of(method)
        };
        assert_ne!(rules.judge(&upgrade), Verdict::Own, "a WebSocket");
    }
    for method in [
        "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "get", "PURGE",
    ] {
        assert_ne!(rules.judge(&of(method)), Verdict::Own);
    }
    let off = CsrfSettings {
        mode: CsrfMode::Off,
        ..CsrfSettings::default()
    };
    let off = CsrfRules::new(&off).unwrap();
    assert_eq!(off.judge(&of("POST")), Verdict::Own);
}

#[test]
fn trusted_origins_and_exempt_paths_are_let_through() {
    let rules = rules(&["https://Accounts.example"], &["/hook", "/saml/*"]).unwrap();
    let judge = |path, site, origin| {
        rules.judge(&RequestSource {
            path,
            ..post(site, origin)
        })
    };
    for site in ["cross-site", "same-site", ""] {
        assert_eq!(judge("/", site, "https://accounts.example"), Verdict::Own);
        assert_ne!(judge("/", site, "http://accounts.example"), Verdict::Own);
    }
    let exempt = |path| judge(path, "cross-site", "") == Verdict::Exempt;
    for path in ["/hook", "/saml/acs", "/saml/acs/2"] {
        assert!(exempt(path), "{path}");
        assert_eq!(judge(path, "same-origin", ""), Verdict::Own);
    }
    for path in [
        "/hook/",
        "/hooks",
        "/saml",
        "/saml/",
        "/saml/acs/",
        "/hook/",
        "/samlx",
        "/Hook",
        "/saml/../transfer",
        "/saml/%2e%2e/transfer",
        "//hook",
        "/saml//acs",
        "/saml/./acs",
        "/saml/..;/transfer",
        "/saml/\\..\\transfer",
        "",
    ] {
        assert!(!exempt(path), "{path}");
    }
}

/// What the rules say in the mode `token`, and in the mode `headers`.
#[test]
fn a_token_is_needed_besides_but_for_exempt_paths_and_sockets() {
    let with = |mode| {
        CsrfRules::new(&CsrfSettings {
            mode,
            trusted_origins: vec!["https://accounts.example".into()],
            exempt_paths: vec!["/hook".into()],
            ..CsrfSettings::default()
        })
        .unwrap()
    };
    let (token, headers) = (with(CsrfMode::Token), with(CsrfMode::Headers));
    let upgrade = |method| RequestSource {
        method,
        is_upgrade: true,
        ..post("same-origin", "")
    };
    let hook = |site| RequestSource {
        path: "/hook",
        ..post(site, "")
    };
    let get = RequestSource {
        method: "GET",
        ..post("cross-site", "")
    };
    let refused = Verdict::Refused(CrossSite::SecFetchSite);
    for (source, want, before) in [
        (post("same-origin", ""), Verdict::NeedsToken, Verdict::Own),
        (post("", ""), Verdict::NeedsToken, Verdict::Own),
        (
            post("cross-site", "https://accounts.example"),
            Verdict::NeedsToken,
            Verdict::Own,
        ),
        (post("cross-site", ""), refused, refused),
        (hook("cross-site"), Verdict::Exempt, Verdict::Exempt),
        (hook("same-origin"), Verdict::Own, Verdict::Own),
        (get, Verdict::Own, Verdict::Own),
        (upgrade("GET"), Verdict::Own, Verdict::Own),
        (upgrade("CONNECT"), Verdict::Own, Verdict::Own),
        (upgrade("POST"), Verdict::NeedsToken, Verdict::Own),
        (
            RequestSource {
                sec_fetch_site: Some(b"cross-site"),
                ..upgrade("GET")
            },
            refused,
            refused,
        ),
    ] {
        assert_eq!(token.judge(&source), want, "{source:?}");
        assert_eq!(headers.judge(&source), before, "{source:?}");
    }
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    for origin in [
        "",
        "accounts.example",
        "https://",
        "https://a.example/",
        "null",
        "https://*.example",
        "ftp://a.example",
    ] {
        let error = rules(&[origin], &[]).unwrap_err().to_string();
        assert!(error.contains("csrf.trusted_origins"), "{error}");
    }
    for path in [
        "", "hook", "*", "/a*", "/*/b", "/a/../b", "/a//b", "/a%20b", "/a?b", "/a#b", "/ü", "/a b",
    ] {
        let error = rules(&[], &[path]).unwrap_err().to_string();
        assert!(error.contains("csrf.exempt_paths"), "{error}");
    }
    rules(&[], &["/*", "/", "/a/*"]).unwrap();
    let long = "a".repeat(65);
    let named = |header: &str, field: &str| {
        CsrfRules::new(&CsrfSettings {
            header: header.into(),
            field: field.into(),
            ..CsrfSettings::default()
        })
    };
    for header in ["", "x_csrf", "x csrf", "x:y", "é", &long] {
        let error = named(header, "t").unwrap_err().to_string();
        assert!(error.contains("csrf.header"), "{error}");
    }
    for field in ["", "a b", "a&b", "a=b", "a\"b", "a[b]", "a%20", "ü", &long] {
        let error = named("x-t", field).unwrap_err().to_string();
        assert!(error.contains("csrf.field"), "{error}");
    }
    let names = named("X-XSRF-Token", &long[1..]).unwrap();
    assert_eq!(names.names.header, "x-xsrf-token");
}
