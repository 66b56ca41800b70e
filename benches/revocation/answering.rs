//! How long an application takes from the start of its process to its first answer: one that it could not give without
//! its list.
//!
//! 1. The process starts as after a deployment: nothing of it is warm, and it serves HTTP when its list is loaded.
//! 2. The first answer is that to a browser whose session began before the process did. To one whose session is in the list
//!    it then refuses it.
//! 3. The process ends in order, so that the next one finds its file closed.

use std::io::{self, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use actix_web::rt::System;
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::node::{self, hear, say};
use crate::shapes::Size;
use support::{routes, serve as serve_http};

/// The argument that makes an application of this binary. Where its store is and a list follow.
pub const WORD: &str = "answer";

/// That it listens.
#[derive(Debug, Serialize, Deserialize)]
struct Listening {
    address: String,
    /// How long its sessions took to start.
    start: Duration,
    entries: usize,
}

/// The other process.
pub fn serve(place: &str, list: &str) {
    System::new().block_on(async {
        let began = Instant::now();
        let sessions = node::start(place, list).await;
        let start = began.elapsed();
        let (url, server) = serve_http(&sessions, routes);
        say(&Listening {
            address: url.replace("http://", ""),
            start,
            entries: sessions.health().entries,
        });
        let asked_to_end = || io::stdin().lock().read_to_end(&mut Vec::new());
        tokio::task::spawn_blocking(asked_to_end)
            .await
            .unwrap()
            .unwrap();
        server.stop(false).await;
    });
}

/// Two browsers of an application that runs on many entries later.
pub struct Browsers {
    live: String,
    ended: String,
}

impl Browsers {
    /// Both log in, and one is logged out from elsewhere, which makes the list's only entry.
    pub async fn log_in(place: &str, list: &str) -> Self {
        let sessions = node::start(place, list).await;
        // A session that began when the list did is older than it, as far as anyone can tell.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let live = node::log_in(&sessions, "alice", Size::Medium).await;
        let ended = node::log_in(&sessions, "bob", Size::Medium).await;
        sessions.end_subject("bob").await.unwrap();
        Self { live, ended }
    }
}

/// How long it took.
#[derive(Debug)]
pub struct Answered {
    /// From the start of the process to the first answer.
    pub after: Duration,
    /// What of that its sessions took to start.
    pub start: Duration,
    pub entries: usize,
}

pub fn first_answer(place: &str, list: &str, browsers: &Browsers) -> Answered {
    let began = Instant::now();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([WORD, place, list])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let listening: Listening = hear(&mut BufReader::new(child.stdout.take().unwrap()));
    let mut client = Client::to(&listening.address);
    assert_eq!(client.ask("GET", "/me", &browsers.live).status, 200);
    let after = began.elapsed();
    assert_eq!(client.ask("GET", "/me", &browsers.ended).status, 401);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    Answered {
        after,
        start: listening.start,
        entries: listening.entries,
    }
}
