//! Which list a command works on, and what it refuses.

use sealed_session::revoke::Store;
use sealed_session::store::Redb;
use support::moved_clock::MovedClock;
use support::redis_server::RedisServer;
use support::{DAY, HOUR, eventually};

use super::{Deployment, LIST, cookies_live, fails, logged_in, redis, says};

#[actix_web::test]
async fn an_operator_ends_sessions_on_a_server_that_nodes_use() {
    let here = Deployment::new();
    let server = RedisServer::start();
    let url = server.url();
    let node = here.node(redis(&url, LIST)).await;
    let config = format!(
        "audience = \"{LIST}\"\n[keys]\nfile = \"keys.toml\"\n[revocation]\nstore = \"{url}\"\n"
    );
    std::fs::write(here.path().join("session.toml"), config).unwrap();
    let browser = node.browser();
    let id = browser.post("/login/alice").await.json();
    let id = id.as_str().unwrap();
    let other = logged_in(&node, "alice").await;
    let third = logged_in(&node, "bob").await;
    says(
        here.path(),
        &["revoke", "session", "--store", &url, "--list", LIST, id],
    );
    eventually(|| async { browser.get("/me").await.status == 401 }).await;
    other.get("/me").await.is(200);
    let config = ["--config", "session.toml"];
    let said = says(
        here.path(),
        &[&["revoke", "user"], &config[..], &["alice"]].concat(),
    );
    assert!(
        said.contains("does not know whether there is such a user"),
        "{said}"
    );
    eventually(|| async { other.get("/me").await.status == 401 }).await;
    third.get("/me").await.is(200);
    let elsewhere = [
        "revoke",
        "user",
        "--store",
        "session.toml",
        "--audience",
        "x",
        "bob",
    ];
    fails(here.path(), &elsewhere, 1);
    let everyone = [&["revoke", "everyone"], &config[..]].concat();
    fails(here.path(), &everyone, 3);
    third.get("/me").await.is(200);
    says(here.path(), &[&everyone[..], &["--yes"]].concat());
    eventually(|| async { third.get("/me").await.status == 401 }).await;
    let again = logged_in(&node, "bob").await;
    again.get("/me").await.is(200);
}

#[tokio::test]
async fn a_list_that_no_node_has_used_is_refused_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = RedisServer::start();
    let url = server.url();
    let config = |list: &str| {
        format!(
            "audience = \"a\"\n[keys]\nfile = \"keys.toml\"\n\
             [revocation]\nstore = \"{url}\"\nlist = \"{list}\"\n"
        )
    };
    std::fs::write(folder.join("typo.toml"), config("typo")).unwrap();
    let id = "0".repeat(32);
    let commands = [
        vec!["store", "show", &url, "--list", "typo"],
        vec!["store", "show", "typo.toml"],
        vec!["store", "copy", &url, "copy.redb", "--list", "typo"],
        vec!["store", "copy", "typo.toml", "copy.redb"],
        vec!["revoke", "session", "--store", &url, "--list", "typo", &id],
        vec!["revoke", "user", "--config", "typo.toml", "alice"],
        vec![
            "revoke", "everyone", "--store", &url, "--list", "typo", "--yes",
        ],
        vec!["revoke", "everyone", "--config", "typo.toml", "--yes"],
    ];
    let refused = || {
        for command in &commands {
            let said = fails(folder, command, 1);
            assert!(said.contains("that a node has used"), "{said}");
            assert!(said.contains("or the server has lost the list"), "{said}");
            assert!(said.contains("\"typo\""), "{said}");
        }
        assert!(!folder.join("copy.redb").exists());
    };
    refused();
    assert_eq!(server.command(&["DBSIZE"]).integer(), 0);
    // One that somebody has looked at is used as little.
    let store = redis(&url, "typo");
    store.contents().await.unwrap();
    refused();
    assert_eq!(store.contents().await.unwrap().revocations, []);
    // A node says how long its cookies live.
    store.announce(cookies_live(HOUR)).await.unwrap();
    for command in commands {
        says(folder, &command);
        let _ = std::fs::remove_file(folder.join("copy.redb"));
    }
}

#[tokio::test]
async fn show_says_for_how_much_longer_a_list_settles() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = RedisServer::under(&clock);
    let url = server.url();
    redis(&url, "a").announce(cookies_live(HOUR)).await.unwrap();
    let show = || says(folder, &["store", "show", &url, "--list", "a"]);
    let shown = show();
    let line = shown
        .lines()
        .find_map(|line| line.strip_prefix("settling   "));
    let seconds = line.and_then(|line| line.strip_suffix(" s more"));
    let seconds: u64 = seconds.expect(&shown).parse().unwrap();
    assert!((1..=30).contains(&seconds), "{shown}");
    clock.set(31_000);
    let shown = show();
    assert!(!shown.contains("settling"), "{shown}");
    // A file has all that it ever had.
    drop(Redb::create(folder.join("a.redb")).unwrap());
    let shown = says(folder, &["store", "show", "a.redb"]);
    assert!(!shown.contains("settling"), "{shown}");
}

#[tokio::test]
async fn a_configuration_with_a_certificate_of_ones_own_works() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let certificate = file("ca.pem", made.cert.pem());
    let key = file("key.pem", made.signing_key.serialize_pem());
    let server = RedisServer::with([
        "--tls-port",
        "{tls-port}",
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
    ]);
    let node = redis(&server.url(), "a");
    node.announce(cookies_live(HOUR)).await.unwrap();
    let config = |more: &str| {
        format!(
            "audience = \"a\"\n[keys]\nfile = \"k\"\n[revocation]\n\
             store = \"rediss://localhost:{}\"\n{more}",
            server.tls_port()
        )
    };
    file("with.toml", config("root_certificate = \"ca.pem\""));
    file("without.toml", config(""));
    says(folder, &["store", "show", "with.toml"]);
    says(
        folder,
        &["revoke", "user", "--config", "with.toml", "alice"],
    );
    fails(folder, &["store", "show", "without.toml"], 1);
}

#[tokio::test]
async fn a_list_is_not_named_where_the_name_would_not_be_heeded() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = "audience = \"a\"\n[keys]\nfile = \"k\"\n[revocation]\nstore = \"redb:a.redb\"\n";
    std::fs::write(folder.join("a.toml"), config).unwrap();
    drop(Redb::create(folder.join("a.redb")).unwrap());
    let (file, configured) = ("a file holds one list", "the configuration names the list");
    for (command, why) in [
        (vec!["store", "show", "a.redb"], file),
        (vec!["store", "show", "a.toml"], configured),
        (vec!["store", "copy", "a.redb", "b.redb"], file),
        (vec!["store", "copy", "a.toml", "b.redb"], configured),
        (
            vec!["revoke", "everyone", "--store", "a.redb", "--yes"],
            file,
        ),
        (
            vec!["revoke", "everyone", "--config", "a.toml", "--yes"],
            configured,
        ),
    ] {
        let said = fails(folder, &[&command[..], &["--list", "other"]].concat(), 1);
        assert!(said.contains("--list") && said.contains(why), "{said}");
        assert!(!folder.join("b.redb").exists());
        says(folder, &command);
        let _ = std::fs::remove_file(folder.join("b.redb"));
    }
}

#[tokio::test]
async fn what_is_no_list_is_an_error_that_tells_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = RedisServer::start();
    let url = server.url();
    let with_password = url.replace("redis://", "redis://operator:hunter22@");
    for (arguments, word) in [
        (vec!["store", "show", "missing.redb"], "does not exist"),
        (vec!["store", "show", "missing.toml"], "missing.toml"),
        (vec!["store", "show", url.as_str()], "--list"),
        (
            vec!["store", "show", with_password.as_str(), "--list", "a"],
            "password",
        ),
        (
            vec!["store", "show", "redis://127.0.0.1:1", "--list", "a"],
            "no connection",
        ),
        (vec!["store", "show", url.as_str(), "--list", "{a}"], "{"),
        (
            vec!["store", "copy", "missing.redb", url.as_str(), "--list", "a"],
            "does not exist",
        ),
    ] {
        let said = fails(folder, &arguments, 1);
        assert!(said.contains(word), "{arguments:?}: {said}");
        assert!(!said.contains("hunter22"), "{said}");
    }
    assert!(!folder.join("missing.redb").exists());
    fails(folder, &["store", "show", ""], 2);
}

/// The page for operators, with the addresses and keys of this test.

#[actix_web::test]
async fn every_command_of_the_operations_page_works() {
    let server = RedisServer::start();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let configuration = format!(
        "audience = \"shop/production\"\n[keys]\nfile = \"keys.toml\"\n\
         [revocation]\nstore = \"{}\"\n",
        server.url()
    );
    std::fs::write(folder.join("session.toml"), configuration).unwrap();
    says(folder, &["keys", "new", "keys.toml"]);
    let file: Store = Redb::create(folder.join("revocations.redb"))
        .unwrap()
        .into();
    file.announce(cookies_live(DAY)).await.unwrap();
    drop(file);
    let page = include_str!("../../../docs/OPERATIONS.md").lines();
    let commands: Vec<_> = page
        .filter_map(|line| line.strip_prefix("sealed-session "))
        .collect();
    assert!(commands.len() >= 7, "{commands:?}");
    for command in commands {
        let keys = says(folder, &["keys", "list", "keys.toml", "--json"]);
        let keys: serde_json::Value = serde_json::from_str(&keys).unwrap();
        let key = keys[0]["id"].as_str().unwrap();
        let command = command
            .replace("redis://127.0.0.1:6379", &server.url())
            .replace(" ID ", &format!(" {key} "));
        says(folder, &command.split_whitespace().collect::<Vec<_>>());
    }
}
