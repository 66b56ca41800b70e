//! A disk that is full: errors that say so, and no session that comes back.

#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::json;

use support::Browser;
use support::accounts::{Errors, Server, Steps, command, folder, refuses};

/// The command, under a limit for the size of files: what is written beyond it fails.
fn limited(command: &Command, kilobytes: u64) -> Command {
    let blocks = 2 * kilobytes;
    let mut limited = Command::new("sh");
    // In blocks of 512 bytes. A program that ignores the signal is given an error instead.
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    limited.args(["-c", &script]).arg(command.get_program());
    limited.args(command.get_args()).env("RUST_LOG", "off");
    limited.stdout(Stdio::piped());
    limited
}

/// Stops the server, and returns the size of the list's file once it has no room to spare. A process
/// that ends before it has closed the file leaves some, which the next one takes away.
fn compact(mut server: Server, data: &Path) -> u64 {
    for _ in 0..50 {
        server.signal("-TERM");
        assert!(server.wait().success());
        let kilobytes = std::fs::metadata(data.join("revocations.redb"))
            .unwrap()
            .len()
            / 1024;
        if kilobytes < 256 {
            return kilobytes;
        }
        server = Server::on(data);
    }
    panic!("the file does not shrink");
}

#[actix_web::test]
async fn a_store_that_cannot_write_is_503_and_no_session_comes_back() {
    let folder = folder();
    let server = Server::on(folder.path());
    let (alice, bob) = (server.browser(), server.browser());
    alice.login("alice").await;
    bob.login("bob").await;
    let kilobytes = compact(server, folder.path());

    let data = [Path::new("--data"), folder.path()];
    let server = Server::try_start(&mut limited(&command(data), kilobytes)).unwrap();
    let mut acknowledged: Vec<Browser> = Vec::new();
    let refused = loop {
        let anonymous = server.browser();
        anonymous.set("a", json!(1)).await.is(204);
        let before = anonymous.copy();
        let body = json!({ "user": "carol" });
        let login = anonymous.send(Method::POST, "/api/login", Some(body)).await;
        if login.status != 200 {
            break login;
        }
        acknowledged.push(before);
        assert!(acknowledged.len() < 20_000, "the limit has no effect");
    };
    refused.is(503).error("store_unavailable");

    // Who is logged in stays so, and a logout holds on this node and removes the cookie.
    let alice = server.resume(&alice);
    assert_eq!(alice.user().await.as_deref(), Some("alice"));
    let replay = alice.copy();
    let logout = alice.post("/api/logout-all").await.is(503);
    assert!(logout.removes_cookie(), "{logout:?}");
    assert_eq!(logout.header("retry-after"), Some("2"));
    logout.error("store_unavailable");
    assert_eq!(replay.user().await, None);
    server.kill();

    let server = Server::on(folder.path());
    for dead in &acknowledged {
        let entry = server.resume(dead).get("/api/entries/a").await;
        entry.is(404);
    }
    assert_eq!(server.resume(&bob).user().await.as_deref(), Some("bob"));
}

#[actix_web::test]
async fn a_start_reports_a_disk_without_room_for_a_list() {
    let folder = folder();
    let data = [Path::new("--data"), folder.path()];
    let mut starting = limited(&command(data), 8);
    starting.stderr(Stdio::piped());
    let error = refuses(&mut starting);
    assert!(error.contains("revocations.redb"), "{error}");
    assert!(!folder.path().join("revocations.redb").exists());
    Server::on(folder.path());
}
