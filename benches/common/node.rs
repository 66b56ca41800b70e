//! A node in a process of its own, so that its memory and its CPU are nobody else's.
//!
//! It says how it came up, and then answers each line on its standard input with how it is. It ends when
//! that input does, and so does not outlive the benchmark.

use std::io::{self, BufRead, BufReader, Write};
use std::iter;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use sealed_session::Sessions;
use sealed_session::adapter::{Incoming, MAX_COOKIE};
use sealed_session::revoke::{Announcement, Store};
use sealed_session::settings::CookieSettings;
use sealed_session::store::{Redb, Redis};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::process::{self, Memory};
use crate::shapes::{self, Size};
use support::ring;

/// The argument that makes a node of this binary. Where its store is and a list follow.
pub const WORD: &str = "node";

/// How a node came up.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Loaded {
    pub took: Duration,
    pub before: Memory,
}

/// How it is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct State {
    pub entries: usize,
    pub staleness: Duration,
    pub memory: Memory,
}

/// The store at `place`: the URL of a Redis, or a folder with a file for each list.
pub fn store(place: &str, list: &str) -> Store {
    if place.starts_with("redis://") {
        return Redis::open(place, list).unwrap().into();
    }
    let file = Path::new(place).join(list);
    Redb::open_or_create(file).unwrap().into()
}

/// What a node says whose cookies live so long.
pub fn cookies_live(longest: Duration) -> Announcement {
    let mut announcement = Announcement::default();
    announcement.longest = longest;
    announcement
}

/// What a node of an application has. `list` is its audience too.
pub async fn start(place: &str, list: &str) -> Sessions {
    let mut cookie = CookieSettings::plain_http();
    // The large shape, with whatever a write adds.
    cookie.max_bytes = MAX_COOKIE;
    let builder = Sessions::builder(list)
        .keys(ring())
        .store(store(place, list))
        .cookie(cookie);
    builder.start().await.unwrap()
}

/// Logs a user in whose session is of this size, and returns its cookie as a browser sends it.
pub async fn log_in(sessions: &Sessions, user: &str, size: Size) -> String {
    let loaded = sessions.load(Incoming::new(iter::empty())).unwrap();
    let session = loaded.session;
    session.authenticate(user).await.unwrap();
    for (name, value) in size.entries() {
        session.insert(name, value).unwrap();
    }
    let outcome = sessions.commit(&session, loaded.ticket).await;
    assert_eq!(outcome.error, None);
    let (name, value) = shapes::pair(&outcome.cookies[0]);
    format!("{name}={value}")
}

/// The other process.
pub fn serve(place: &str, list: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // The code and the buffers that every node needs are no part of the list: they are brought into
    // memory by a node whose list is empty.
    drop(runtime.block_on(start(place, "empty")));
    let before = Memory::own();
    let began = Instant::now();
    let sessions = runtime.block_on(start(place, list));
    let took = began.elapsed();
    say(&Loaded { took, before });
    for line in io::stdin().lock().lines() {
        line.unwrap();
        let health = sessions.health();
        say(&State {
            entries: health.entries,
            staleness: health.staleness,
            memory: Memory::own(),
        });
    }
}

pub fn say(what: &impl Serialize) {
    println!("{}", serde_json::to_string(what).unwrap());
}

/// The process as the benchmark sees it.
pub struct Node {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub loaded: Loaded,
}

impl Node {
    /// Returns once its list is loaded.
    pub fn start(place: &str, list: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command
            .args([WORD, place, list])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let loaded = hear(&mut output);
        Self {
            child,
            input,
            output,
            loaded,
        }
    }

    pub fn state(&mut self) -> State {
        self.input.write_all(b"\n").unwrap();
        hear(&mut self.output)
    }

    pub fn cpu(&self) -> Duration {
        process::cpu(self.child.id())
    }

    /// Waits until the node holds so many entries.
    pub fn holds(&mut self, entries: usize) {
        let began = Instant::now();
        while self.state().entries != entries {
            let state = self.state();
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "{entries} entries were published: {state:?}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn hear<T: DeserializeOwned>(output: &mut impl BufRead) -> T {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    serde_json::from_str(&line).expect("the node has ended")
}
