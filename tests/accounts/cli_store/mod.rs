//! The command line's `store`, and `revoke` on a server, as an operator runs them.
//!
//! `copies` tells how a list moves to another store, `lists` which list a command takes.
#![cfg(all(feature = "cli", feature = "redb", feature = "redis"))]

mod copies;
mod lists;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use sealed_session::revoke::{Announcement, Store};
use sealed_session::store::Redis;
use sealed_session::{
    Sessions,
    keys::{KeySource, KeyTables, SystemRandom},
    settings::CookieSettings,
    time::{Clock, SystemClock},
};
use support::{Browser, Node};
use tempfile::TempDir;

const LIST: &str = "shop/test";

pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sealed-session"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// What it says when it succeeds.
#[track_caller]
fn says(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it says when it fails with `code`.
#[track_caller]
pub fn fails(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(folder, arguments);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}: {output:?}"
    );
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A folder with keys, and nodes on whatever store.
struct Deployment {
    folder: TempDir,
}

impl Deployment {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyTables::fresh(SystemClock::default().now(), &SystemRandom).unwrap();
        keys.create(folder.path().join("keys.toml")).unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    async fn node(&self, store: impl Into<Store>) -> Node {
        let builder = Sessions::builder(LIST)
            .key_source(KeySource::File(self.path().join("keys.toml")))
            .store(store)
            .cookie(CookieSettings::plain_http());
        Node::serve(Default::default(), builder).await
    }
}

async fn logged_in(node: &Node, user: &str) -> Browser {
    let browser = node.browser();
    browser.post(&format!("/login/{user}")).await.is(200);
    browser
}

/// Closes the node's store, so that another process can open it.
async fn stop(node: Node) {
    let Node {
        sessions, server, ..
    } = node;
    server.stop(false).await;
    drop(sessions);
}

fn redis(url: &str, list: &str) -> Store {
    Redis::open(url, list).unwrap().into()
}

/// The announcement of a node whose cookies live so long.
fn cookies_live(longest: Duration) -> Announcement {
    let mut announcement = Announcement::default();
    announcement.longest = longest;
    announcement
}
