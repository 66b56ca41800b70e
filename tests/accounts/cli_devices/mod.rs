//! The command line's `sessions`, and what `store` does with an index of sessions, as an operator runs them.
//!
//! `lists` tells what is listed and ended, `refusals` what is not, `copies` how the index goes to another store.
#![cfg(all(feature = "cli", feature = "redb", feature = "redis"))]

mod copies;
mod lists;
mod refusals;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use sealed_session::adapter::{Incoming, Loaded};
use sealed_session::index::{IndexRow, IndexUpdate};
use sealed_session::keys::{KeyTables, SystemRandom};
use sealed_session::revoke::{SessionId, Store, SubjectKey};
use sealed_session::store::Redb;
use sealed_session::time::{Clock, SystemClock, UnixMillis};
use sealed_session::{SessionConfig, Sessions};
use serde_json::Value;
use support::redis_server::RedisServer;
use support::{eventually, settled};

use crate::cli_store;

const LIST: &str = "shop/test";

/// A folder with a configuration in it.
struct Place {
    folder: tempfile::TempDir,
}

/// A session, and the cookie of its browser.
struct OpenSession {
    id: SessionId,
    cookie: String,
}

impl Place {
    fn on(store: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let it = Self { folder };
        it.make_keys("keys.toml");
        it.configure("session.toml", store, "");
        it
    }

    fn in_a_file() -> Self {
        let it = Self::on("redb:revocations.redb");
        drop(Redb::create(it.path().join("revocations.redb")).unwrap());
        it
    }

    async fn on_a_server(server: &RedisServer) -> Self {
        settled(server, LIST).await;
        Self::on(&server.url())
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn make_keys(&self, name: &str) {
        let keys = KeyTables::fresh(SystemClock::default().now(), &SystemRandom).unwrap();
        keys.create(self.path().join(name)).unwrap();
    }

    /// Writes a configuration, with `more` in its table of lifetimes.
    fn configure(&self, name: &str, store: &str, more: &str) {
        let text = format!(
            "audience = \"{LIST}\"\n[keys]\nfile = \"keys.toml\"\n[devices]\nindex = true\n\
             [revocation]\nstore = \"{store}\"\n[lifetime]\n{more}\n"
        );
        fs::write(self.path().join(name), text).unwrap();
    }

    /// The same as `session.toml`, but for this.
    fn other(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path().join("session.toml")).unwrap();
        assert!(text.contains(from));
        fs::write(self.path().join(name), text.replace(from, to)).unwrap();
    }

    async fn start(&self) -> Sessions {
        let config = SessionConfig::from_file(self.path().join("session.toml")).unwrap();
        config.start().await.unwrap()
    }

    /// Stops a node that has a file open, and waits until that is free.
    async fn stop(&self, sessions: Sessions) {
        sessions.close(Duration::from_secs(5)).await;
        drop(sessions);
        let file = self.path().join("revocations.redb");
        eventually(|| async { Redb::open(&file).is_ok() }).await;
    }

    /// The store, for who changes it behind everybody's back.
    async fn store(&self) -> Store {
        let config = SessionConfig::from_file(self.path().join("session.toml")).unwrap();
        config.open_used_store().await.unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        cli_store::run(self.path(), arguments)
    }

    /// What it says on standard output, and on standard error, when it succeeds.
    #[track_caller]
    fn says(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    }

    /// What it says when it fails with `code`: a line, and nothing on standard output.
    #[track_caller]
    fn fails(&self, arguments: &[&str], code: i32) -> String {
        cli_store::fails(self.path(), arguments, code)
    }

    #[track_caller]
    fn list(&self, subject: &str) -> Vec<Value> {
        let (output, errors) = self.says(&list(subject));
        assert_eq!(errors, "");
        serde_json::from_str(&output).unwrap()
    }

    #[track_caller]
    fn listed_ids(&self, subject: &str) -> BTreeSet<String> {
        let sessions = self.list(subject).into_iter();
        sessions
            .map(|it| it["id"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn list(subject: &str) -> [&str; 6] {
    [
        "sessions",
        "list",
        subject,
        "--config",
        "session.toml",
        "--json",
    ]
}

fn end<'a>(subject: &'a str, id: &'a str) -> [&'a str; 6] {
    ["sessions", "end", subject, id, "--config", "session.toml"]
}

fn load(sessions: &Sessions, cookie: &str) -> Loaded {
    let line = cookie.as_bytes();
    sessions.load(Incoming::new([line].into_iter())).unwrap()
}

fn is_live(sessions: &Sessions, session: &OpenSession) -> bool {
    load(sessions, &session.cookie).session.id() == Some(session.id)
}

async fn login(sessions: &Sessions, subject: &str, label: &str) -> OpenSession {
    log_in(sessions, subject, label, false).await
}

async fn log_in(sessions: &Sessions, subject: &str, label: &str, remember: bool) -> OpenSession {
    // Each begins at a time of its own: lists are in this order.
    passes(SystemClock::default().now()).await;
    let loaded = load(sessions, "");
    let login = loaded.session.authenticate(subject).label(label);
    login.remember(remember).await.unwrap();
    let id = loaded.session.id().unwrap();
    let committed = sessions.commit(&loaded.session, loaded.ticket).await;
    let cookie = committed.cookies[0].split(';').next().unwrap().to_owned();
    OpenSession { id, cookie }
}

/// Waits until it is later.
async fn passes(time: UnixMillis) {
    eventually(|| async { SystemClock::default().now() > time }).await;
}

/// The rows of a user, once there are as many: nobody waits for them on a server.
async fn rows(store: &Store, subject: &str, count: usize) -> Vec<IndexRow> {
    let index = store.session_index().unwrap();
    let key = SubjectKey::new(LIST, subject);
    eventually(|| async { index.rows(key).await.unwrap().rows.len() == count }).await;
    index.rows(key).await.unwrap().rows
}

async fn put(store: &Store, subject: &str, row: IndexRow) {
    let mut update = IndexUpdate::new(SystemClock::default().now());
    update.row = Some(row);
    let index = store.session_index().unwrap();
    let key = SubjectKey::new(LIST, subject);
    index.update(key, &update).await.unwrap();
}
