//! The settings of a store on a server.

use super::*;

#[cfg(feature = "redis")]
#[actix_web::test]
async fn a_store_on_a_server_is_chosen_by_its_url() {
    let certificate = rcgen::generate_simple_self_signed(vec!["h".to_owned()]).unwrap();
    let certificate = certificate.cert.pem();
    let with = |store: &str, more: &str| {
        let text = minimal("").replace("\"memory\"", &format!("\"{store}\"\n{more}"));
        let folder = folder();
        let path = folder.path();
        std::fs::write(path.join("ca.pem"), &certificate).unwrap();
        std::fs::write(path.join("cut.pem"), &certificate[..100]).unwrap();
        let config = SessionConfig::from_file(write(path, &text)).unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        match config.builder() {
            Ok(builder) => Ok(format!("{builder:?}")),
            Err(error) => Err(format!("{error} {error:?}")),
        }
    };
    let url = "redis://sessions:hunter2@127.0.0.1:7000/3";
    let shown = with(url, "").unwrap();
    let expected = "Redis { server: 127.0.0.1:7000, list: \"a\"";
    assert!(shown.contains(expected), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let shown = with(url, "list = \"other\"\nwait_for_replicas = 1").unwrap();
    assert!(shown.contains("list: \"other\""), "{shown}");
    with("rediss://:hunter2@redis.internal", "").unwrap();
    // Relative to the configuration.
    with("rediss://h", "root_certificate = \"ca.pem\"").unwrap();

    let wrong = [
        ("redis://:hunter2@h:p/0", "", "revocation.store"),
        ("redis://:hunter2@h/zero", "", "revocation.store"),
        ("redis:hunter2", "", "revocation.store"),
        ("rediss://:hunter2@h/#insecure", "", "revocation.store"),
        ("redis://:hunter2@h/?protocol=x", "", "revocation.store"),
        ("valkey://:hunter2@h", "", "revocation.store"),
        (url, "list = \"{a}\"", "revocation.list"),
        (url, "list = \"\"", "revocation.list"),
        ("memory", "list = \"a\"", "revocation.list"),
        ("memory", "wait_for_replicas = 1", "wait_for_replicas"),
        (
            "memory",
            "root_certificate = \"ca.pem\"",
            "root_certificate",
        ),
        ("redis://h", "root_certificate = \"ca.pem\"", "rediss://"),
        ("rediss://h", "root_certificate = \"no.pem\"", "no.pem"),
        (
            "rediss://h",
            "root_certificate = \"keys.toml\"",
            "root_certificate",
        ),
        (
            "rediss://h",
            "root_certificate = \"cut.pem\"",
            "root_certificate",
        ),
    ];
    for (store, more, named) in wrong {
        let error = with(store, more).unwrap_err();
        assert!(error.contains(named), "{store} {more}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

/// A password with characters that mean something in a URL.
#[cfg(feature = "redis")]
#[test]
fn a_password_that_breaks_the_url_is_told_how_to_be_written_and_not_shown() {
    for url in [
        "redis://:p@ss/w@h",
        "redis://sessions:p@ss/w@h:7000/0",
        "redis://:12/hunter@h",
        "redis://:p?ss@h",
        "rediss://:p#ss@h",
    ] {
        let text = minimal("").replace("\"memory\"", &format!("\"{url}\""));
        let folder = folder();
        let config = SessionConfig::from_file(write(folder.path(), &text)).unwrap();
        let error = config.builder().unwrap_err();
        let shown = format!("{error} {error:?}");
        for part in [
            "revocation.store",
            "/ as %2F",
            "@ as %40",
            "? as %3F",
            "# as %23",
            "% as %25",
            "password_file",
        ] {
            assert!(shown.contains(part), "{url}: {shown}");
        }
        for part in ["ss/w", "p@ss", "hunter", "p?ss", "p#ss"] {
            assert!(!shown.contains(part), "{url}: {shown}");
        }
    }
}

#[cfg(feature = "redis")]
#[test]
fn a_password_file_is_read_at_the_start_and_never_shown() {
    let with = |store: &str, content: Option<&[u8]>| {
        let revocation = format!("\"{store}\"\npassword_file = \"redis.password\"");
        let text = minimal("").replace("\"memory\"", &revocation);
        let folder = folder();
        if let Some(content) = content {
            std::fs::write(folder.path().join("redis.password"), content).unwrap();
        }
        let config = SessionConfig::from_file(write(folder.path(), &text)).unwrap();
        match config.builder() {
            Ok(builder) => Ok(format!("{builder:?}")),
            Err(error) => Err(format!("{error} {error:?}")),
        }
    };
    for content in ["p@ss/w", "p@ss/w\n", "p@ss/w\r\n", " p@ss/w "] {
        let shown = with("redis://h", Some(content.as_bytes())).unwrap();
        assert!(!shown.contains("ss/w"), "{shown}");
    }
    let long = vec![b'a'; (1 << 20) + 1];
    let wrong: [(&str, Option<&[u8]>, &str); 8] = [
        ("redis://h", None, "redis.password"),
        ("redis://h", Some(b""), "redis.password: is empty"),
        ("redis://h", Some(b"\n"), "redis.password: is empty"),
        ("redis://h", Some(b"hunter2\nhunter3\n"), "one line"),
        ("redis://h", Some(b"hunter2\xff"), "UTF-8"),
        ("redis://h", Some(&long), "1 MiB"),
        // Which of the two would count?
        (
            "redis://:hunter2@h",
            Some(b"hunter3"),
            "revocation.password_file",
        ),
        ("memory", Some(b"hunter2"), "revocation.password_file"),
    ];
    for (store, content, named) in wrong {
        let error = with(store, content).unwrap_err();
        assert!(error.contains(named), "{store}: {error}");
        assert!(!error.contains("hunter"), "{error}");
    }
}

#[cfg(feature = "redis")]
#[actix_web::test]
async fn a_list_may_be_as_old_as_it_is_on_a_healthy_node() {
    let with = |store: &str, max_staleness: &str| {
        let revocation = format!("\"{store}\"\nmax_staleness = \"{max_staleness}\"");
        let text = minimal("").replace("\"memory\"", &revocation);
        async move { start(&text).await.map_err(|error| error.to_string()) }
    };
    // Nobody is there.
    let redis = "redis://127.0.0.1:1";
    let error = with(redis, "2999ms").await.unwrap_err();
    assert!(error.contains("revocation.max_staleness"), "{error}");
    let error = with(redis, "3s").await.unwrap_err();
    assert!(
        error.contains("no connection") || error.contains("refused"),
        "{error}"
    );
    with("memory", "0s").await.unwrap();
}

/// The settings that only a store on a server has are documented as comments.
#[cfg(feature = "redis")]
#[actix_web::test]
async fn the_documented_settings_of_a_server_can_be_set() {
    let certificate = rcgen::generate_simple_self_signed(vec!["h".to_owned()]).unwrap();
    let folder = folder();
    std::fs::write(folder.path().join("ca.pem"), certificate.cert.pem()).unwrap();
    let text = DOCUMENTED
        .replace("store = \"redb", "# store = \"redb")
        .replace("# store = \"rediss", "store = \"rediss")
        .replace("# list =", "list =")
        .replace(":PASSWORD@", "@")
        .replace("# password_file", "password_file")
        .replace("# root_certificate", "root_certificate");
    std::fs::write(folder.path().join("redis.password"), "p@ss/w\n").unwrap();
    let config = SessionConfig::from_file(write(folder.path(), &text)).unwrap();
    let shown = format!("{:?}", config.builder().unwrap());
    let expected = "Redis { server: redis.internal:6379, list: \"shop/production\"";
    assert!(shown.contains(expected), "{shown}");
}
