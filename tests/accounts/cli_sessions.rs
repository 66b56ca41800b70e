//! The command line's `inspect` and `revoke`, as an operator runs them.
#![cfg(feature = "cli")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use sealed_session::store::Redb;
use sealed_session::{
    Sessions,
    keys::{KeySource, KeyTables, SystemRandom},
    settings::CookieSettings,
    time::{Clock, SystemClock},
};
use serde_json::{Value, json};
use support::Node;

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sealed-session"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr];
    streams.map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// A node on files in a folder, on the machine's own clock.
struct Deployment {
    folder: tempfile::TempDir,
}

impl Deployment {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyTables::fresh(SystemClock::default().now(), &SystemRandom).unwrap();
        keys.create(folder.path().join("keys.toml")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    async fn start(&self) -> Node {
        let store = Redb::open_or_create(self.path("store.redb")).unwrap();
        let builder = Sessions::builder("test")
            .key_source(KeySource::File(self.path("keys.toml").into()))
            .store(store)
            .cookie(CookieSettings::plain_http());
        Node::serve(Default::default(), builder).await
    }

    /// Stops the node and waits until its store's file is free.
    async fn stop(&self, node: Node) {
        node.stop().await;
        for _ in 0..500 {
            if Redb::open(self.path("store.redb")).is_ok() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the store's file stays in use");
    }
}

#[actix_web::test]
async fn inspect_prints_what_a_cookie_says() {
    let deployment = Deployment::new();
    let node = deployment.start().await;
    let browser = node.browser();
    browser
        .put("/entries/cart", json!({"book": [1, null]}))
        .await
        .is(204);
    let id = browser.post("/login/alice").await.is(200).json();
    let cookie = browser.session().unwrap();
    let keys = deployment.path("keys.toml");
    let arguments = [
        "inspect",
        "--keys",
        &keys,
        "--audience",
        "test",
        "--cookie",
        "session",
    ];
    for input in [
        cookie.clone(),
        format!("{cookie}\n"),
        format!("a=b; session={cookie}"),
    ] {
        let output = run(&arguments, &input);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["session"], id);
        assert_eq!(found["login"]["subject"], "alice");
        // What the library keeps for itself is in the cookie too.
        let marks = json!(["cart"]);
        let entries = json!({ "\0before-login": marks, "cart": {"book": [1, null]} });
        assert_eq!(found["entries"], entries);
    }

    browser
        .put("/entries/\u{9b}31m", json!("\u{7f}"))
        .await
        .is(204);
    let output = run(&arguments, &browser.session().unwrap());
    assert!(text(&output).contains(r"\u009b31m"), "{}", text(&output));
    assert!(!text(&output).contains(['\u{9b}', '\u{7f}']));

    let other = [
        "inspect",
        "--keys",
        &keys,
        "--audience",
        "other",
        "--cookie",
        "session",
    ];
    for (arguments, input) in [
        (&other[..], cookie.as_str()),
        (&arguments[..], ""),
        (&arguments[..], "not a token"),
        (&arguments[..], &cookie[1..]),
    ] {
        let output = run(arguments, input);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).starts_with("error: "), "{}", text(&output));
        assert!(!text(&output).contains("panicked"));
    }
    assert_eq!(run(&["inspect"], "").status.code(), Some(2));
    assert_eq!(run(&["inspect", "--help"], "").status.code(), Some(0));
}

#[actix_web::test]
async fn revoke_ends_a_session_a_user_or_a_group_in_a_file_that_no_server_holds() {
    let deployment = Deployment::new();
    let store = deployment.path("store.redb");
    let node = deployment.start().await;
    let (one, two, three, bob) = (
        node.browser(),
        node.browser(),
        node.browser(),
        node.browser(),
    );
    let id = one.post("/login/alice").await.is(200).json();
    two.post("/login/alice").await.is(200);
    three.post("/login/carol").await.is(200);
    bob.post("/login/bob").await.is(200);
    let dave = node.browser();
    dave.post("/member/acme/dave").await.is(200);
    let id = id.as_str().unwrap();

    let held = run(&["revoke", "session", "--store", &store, id], "");
    assert_eq!(held.status.code(), Some(1));
    assert!(
        text(&held).contains("in use by another process"),
        "{}",
        text(&held)
    );

    deployment.stop(node).await;
    let output = run(&["revoke", "session", "--store", &store, id], "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let user = [
        "revoke",
        "user",
        "--store",
        &store,
        "--audience",
        "test",
        "carol",
    ];
    assert_eq!(run(&user, "").status.code(), Some(0));
    let group = ["revoke", "group", "--store", &store, "--audience", "test"];
    let group = [&group[..], &["org", "acme"]].concat();
    let output = run(&group, "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("whether there is such a group"));
    for named in [&["user", "carol"][..], &["group", "org", "acme"]] {
        let of_which = [&["revoke"], named, &["--store", &store]].concat();
        let of_which = run(&of_which, "");
        assert_eq!(of_which.status.code(), Some(1));
        assert!(text(&of_which).contains("--audience NAME"));
    }

    let node = deployment.start().await;
    one.at(&node).get("/me").await.is(401);
    three.at(&node).get("/me").await.is(401);
    dave.at(&node).get("/me").await.is(401);
    two.at(&node).get("/me").await.is(200);
    bob.at(&node).get("/me").await.is(200);
    three.at(&node).post("/login/carol").await.is(200);
}

#[test]
fn revoke_refuses_what_is_not_a_store_or_an_id() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = path.to_str().unwrap();
    let id = "00112233445566778899aabbccddeeff";
    let missing = run(&["revoke", "session", "--store", store, id], "");
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        text(&missing).contains("does not exist"),
        "{}",
        text(&missing)
    );
    assert!(!path.exists(), "nothing is made");

    std::fs::write(&path, b"something else").unwrap();
    let damaged = run(&["revoke", "session", "--store", store, id], "");
    assert_eq!(damaged.status.code(), Some(1), "{}", text(&damaged));
    assert_eq!(std::fs::read(&path).unwrap(), b"something else");

    assert_eq!(
        run(&["revoke", "session", "--store", store, "xyz"], "")
            .status
            .code(),
        Some(2)
    );
    assert_eq!(run(&["revoke"], "").status.code(), Some(2));
    for (audience, name) in [("", "alice"), ("test", "")] {
        let user = [
            "revoke",
            "user",
            "--store",
            store,
            "--audience",
            audience,
            name,
        ];
        assert_eq!(run(&user, "").status.code(), Some(1));
    }
    for (kind, name) in [("", "acme"), ("org", "")] {
        let group = ["revoke", "group", "--store", store, "--audience", "test"];
        let output = run(&[&group[..], &[kind, name]].concat(), "");
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains("has 1 to 255 bytes"));
    }
}
