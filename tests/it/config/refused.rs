//! Settings that browsers would ignore without a word are errors at the start.

use sealed_session::SessionConfig;

use super::{folder, minimal, start, write};

/// What a start with these settings says.
async fn refused(settings: &str) -> String {
    let error = start(&minimal(settings)).await;
    error
        .err()
        .unwrap_or_else(|| panic!("it started: {settings}"))
        .to_string()
}

fn with_domain(domain: &str) -> String {
    format!("[cookie]\nname = \"s\"\ndomain = \"{domain}\"")
}

#[actix_web::test]
async fn a_partitioned_cookie_that_other_sites_cannot_send_is_refused() {
    for same_site in ["lax", "strict"] {
        let settings = format!("[cookie]\npartitioned = true\nsame_site = \"{same_site}\"");
        let error = refused(&settings).await;
        assert!(error.contains("`cookie.partitioned`"), "{error}");
        assert!(error.contains("same_site = \"none\""), "{error}");
    }
    refused("[cookie]\npartitioned = true").await;
    let good = "[cookie]\npartitioned = true\nsame_site = \"none\"";
    start(&minimal(good)).await.unwrap();
}

#[actix_web::test]
async fn a_domain_that_browsers_refuse_is_refused_with_the_reason() {
    let label = "x".repeat(64);
    let long = ["x".repeat(63).as_str(); 4].join(".");
    let cases = [
        ("localhost", "one label"),
        ("com", "one label"),
        ("10.0.0.1", "address"),
        ("1.2.3", "address"),
        ("example.0x7f", "address"),
        ("::1", "address"),
        ("[2001:db8::1]", "address"),
        ("", "empty"),
        ("a..b", "empty"),
        (".", "empty"),
        (".example.org", "begins with a full stop"),
        ("example.org.", "ends with a full stop"),
        ("-", "hyphen"),
        ("-a.example.org", "hyphen"),
        ("a-.example.org", "hyphen"),
        (&format!("{label}.org"), "63"),
        (&long, "253"),
        ("https://example.org", "letters, digits and hyphens"),
        ("example.org:8080", "letters, digits and hyphens"),
        ("*.example.org", "letters, digits and hyphens"),
        ("a_b.example.org", "letters, digits and hyphens"),
        ("bücher.example", "xn--"),
        ("a b.example", "letters, digits and hyphens"),
        ("a;b.example", "letters, digits and hyphens"),
    ];
    for (domain, reason) in cases {
        let error = refused(&with_domain(domain)).await;
        assert!(error.contains("`cookie.domain`"), "{domain}: {error}");
        assert!(error.contains(reason), "{domain}: {error}");
    }
    let longest = format!("{}.{}", &long[..189], "y".repeat(63));
    assert_eq!(longest.len(), 253);
    for domain in [
        "example.org",
        "Example.ORG",
        "a-b.c1.example",
        "xn--bcher-kva.example",
        &longest,
        "1.example",
    ] {
        start(&minimal(&with_domain(domain))).await.unwrap();
    }
}

#[actix_web::test]
async fn a_name_that_belongs_to_an_activity_cookie_is_refused() {
    for name in ["session.seen", "__Host-session.seen", ".seen"] {
        let error = refused(&format!("[cookie]\nname = \"{name}\"")).await;
        assert!(
            error.contains("`cookie.name`") && error.contains(".seen"),
            "{error}"
        );
    }
    for name in ["seen", "session.seen2", "unseen"] {
        start(&minimal(&format!("[cookie]\nname = \"{name}\"")))
            .await
            .unwrap();
    }
}

#[actix_web::test]
async fn a_cookie_is_allowed_512_to_4096_bytes() {
    for max_bytes in [0, 511, 4097, 65536] {
        let error = refused(&format!("[cookie]\nmax_bytes = {max_bytes}")).await;
        assert!(error.contains("`cookie.max_bytes`"), "{error}");
    }
    for max_bytes in [512, 3584, 4096] {
        start(&minimal(&format!("[cookie]\nmax_bytes = {max_bytes}")))
            .await
            .unwrap();
    }
    // What the attributes leave has to be room for a session.
    let path = format!("/{}", "x".repeat(300));
    refused(&format!(
        "[cookie]\nname = \"s\"\npath = \"{path}\"\nmax_bytes = 512"
    ))
    .await;
}

#[actix_web::test]
async fn a_short_idle_limit_alone_is_no_contradiction() {
    for idle in ["1m", "5m", "1s"] {
        start(&minimal(&format!("[lifetime]\nidle = \"{idle}\"")))
            .await
            .unwrap();
        start(&minimal(&format!(
            "[lifetime]\nremembered_idle = \"{idle}\""
        )))
        .await
        .unwrap();
    }
    // Whoever sets both has to mean both.
    let error = refused("[lifetime]\nidle = \"1m\"\nrefresh_after = \"1m\"").await;
    assert!(error.contains("`lifetime.refresh_after`"), "{error}");
    start(&minimal(
        "[lifetime]\nidle = \"1m\"\nrefresh_after = \"59s\"",
    ))
    .await
    .unwrap();
}

#[cfg(unix)]
#[test]
fn a_configuration_that_is_no_regular_file_of_at_most_a_mebibyte_is_an_error_at_once() {
    let folder = folder();
    let path = folder.path().join("session.toml");
    let said = || SessionConfig::from_file(&path).unwrap_err().to_string();
    std::fs::create_dir(&path).unwrap();
    assert!(said().contains("is a directory"), "{}", said());
    std::fs::remove_dir(&path).unwrap();

    // Reading it would wait for a writer, for ever.
    let pipe = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(pipe.unwrap().success());
    let opened = path.clone();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(SessionConfig::from_file(opened).map(|_| ())));
    let answer = receiver.recv_timeout(std::time::Duration::from_secs(10));
    let error = answer.expect("it waits").unwrap_err().to_string();
    assert!(error.contains("is not a regular file"), "{error}");
    std::fs::remove_file(&path).unwrap();

    let comment = format!("#{}\n", "x".repeat((1 << 20) - 2 - minimal("").len()));
    write(folder.path(), &(comment + &minimal("")));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 1 << 20);
    SessionConfig::from_file(&path).unwrap();
    // Without reading all of it.
    let large = std::fs::File::create(&path).unwrap();
    large.set_len(1 << 40).unwrap();
    assert!(said().contains("larger than 1 MiB"), "{}", said());
    std::fs::write(&path, b"audience = \"\xff\"").unwrap();
    assert!(said().contains("is not UTF-8 text"), "{}", said());
}

#[actix_web::test]
async fn what_a_logout_clears_is_named_as_browsers_know_it_and_once() {
    let all = "\"cache\", \"cookies\", \"storage\", \"executionContexts\", \"clientHints\", \"prefetchCache\", \"prerenderCache\", \"*\"";
    start(&minimal(&format!("[cookie]\nclear_site_data = [{all}]")))
        .await
        .unwrap();
    let error = refused("[cookie]\nclear_site_data = [\"cache\", \"storage\", \"cache\"]").await;
    assert!(
        error.contains("`cookie.clear_site_data`: names the same twice"),
        "{error}"
    );
    for bad in [
        "[\"local storage\"]",
        "[\"Cache\"]",
        "[\"\"]",
        "\"cache\"",
        "true",
    ] {
        let error = refused(&format!("[cookie]\nclear_site_data = {bad}")).await;
        assert!(error.contains("line 3"), "{bad}: {error}");
    }
}
