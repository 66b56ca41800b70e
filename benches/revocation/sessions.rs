//! The memory that a node gains by a million sessions that nobody ends.
//!
//! 1. Each begins with the login of a user of its own. Its cookie is read twice, and then thrown away: only a browser would
//!    keep it. The node is in a process of its own.
//! 2. The node keeps nothing of a session, but for the tokens in its cache, which has a bound. That is asserted.
//! 3. An index of sessions has a row for each: that is what it is for.

use std::iter;
use std::process::Command;

use sealed_session::Sessions;
use sealed_session::adapter::Incoming;
use sealed_session::settings::{CookieSettings, DeviceSettings};
use sealed_session::store::Memory as MemoryStore;

use crate::node;
use crate::process::Memory;
use crate::shapes::{CSRF, READ, Size};
use support::{ring, with};

/// The argument that makes this binary measure one node. How many tokens it caches follows, and whether it has an index.
pub const WORD: &str = "sessions";

/// Its memory is looked at after so many logins.
const LOGINS: [usize; 3] = [10_000, 100_000, 1_000_000];
/// What cached tokens take at the most, in KiB.
const CACHED: u64 = 2048;
/// What the allocator may keep for itself, in KiB.
const ALLOCATOR: u64 = 1024;

pub fn run() {
    let cached_tokens = CookieSettings::default().cached_tokens;
    for (name, cached_tokens, index) in [
        ("caches no tokens", 0, false),
        ("caches tokens", cached_tokens, false),
        ("the same, with an index", cached_tokens, true),
    ] {
        let figures = ask(cached_tokens, index);
        let gained = figures.map(|memory| memory.saturating_sub(figures[0]));
        let [_, few, more, most] = gained;
        println!("  {name}: {} KiB; +{few}, +{more}, +{most} KiB", figures[0]);
        if !index {
            let bound = ALLOCATOR + if cached_tokens > 0 { CACHED } else { 0 };
            assert!(most <= bound, "more than {bound} KiB");
        }
    }
}

fn ask(cached_tokens: usize, index: bool) -> [u64; 4] {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command
        .args([WORD, &cached_tokens.to_string(), &index.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The other process. It says its memory after one login, and after each of [`LOGINS`], in KiB.
pub fn measure(cached_tokens: &str, index: &str) {
    let cookie = with(CookieSettings::plain_http(), |it| {
        it.cached_tokens = cached_tokens.parse().unwrap();
    });
    let devices = with(DeviceSettings::default(), |it| {
        it.index = index.parse().unwrap();
    });
    let builder = Sessions::builder("sessions")
        .keys(ring())
        .store(MemoryStore::new())
        .cookie(cookie)
        .devices(devices);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let figures = runtime.block_on(async {
        let sessions = builder.start().await.unwrap();
        let mut figures = Vec::new();
        let mut begun = 0;
        for logins in iter::once(1).chain(LOGINS) {
            for number in begun..logins {
                begin(&sessions, number).await;
            }
            begun = logins;
            if devices.index {
                let listed = sessions.list_sessions(&user(logins - 1)).await.unwrap();
                assert_eq!(listed.len(), 1);
            }
            figures.push(Memory::own().now);
        }
        figures
    });
    println!("{}", serde_json::to_string(&figures).unwrap());
}

async fn begin(sessions: &Sessions, number: usize) {
    let header = node::log_in(sessions, &user(number), Size::Medium).await;
    for _ in 0..2 {
        let incoming = Incoming::new(iter::once(header.as_bytes()));
        let session = sessions.load(incoming).unwrap().session;
        let value: Option<String> = session.get(READ).unwrap();
        assert_eq!(value.as_deref(), Some(CSRF));
    }
}

fn user(number: usize) -> String {
    format!("user-{number}")
}
