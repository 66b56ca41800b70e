//! What callgrind watches: this binary once more, which reads or writes one session a few times.

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sealed_session::testing::{ManualClock, published_secret};
use sealed_session::{
    KeyRing,
    adapter::Loaded,
    keys::{Random, RandomError},
};

use crate::common::ours::{self, Ended, Ours};
use crate::common::shapes::Size;

/// The function that is counted of a path. A session in three groups is read by the same.
pub fn counted(path: &str) -> &str {
    match path {
        "write" => "counted_write",
        _ => "counted_read",
    }
}

/// The argument that makes this process the one that is watched. A path and a size follow.
pub const WORD: &str = "workload";
/// How many calls are counted.
pub const CALLS: u64 = 10;
/// Calls before them: what is only done once is no part of a call.
const WARM_UP: u64 = 3;

/// Few: tables are hashed differently in each run, and the more is in them the more their places in memory
/// differ, and with them what the next allocation costs.
const ENDED: Ended = Ended {
    sessions: 100,
    subjects: 1,
};

pub fn run(path: &str, size: &str) {
    let size = Size::named(size);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let clock = ManualClock::default();
    let builder = |random: Arc<Counter>| {
        ours::builder(KeyRing::single(published_secret(1)))
            .clock(Arc::new(clock.clone()))
            .random(random)
    };
    let random = Arc::new(Counter::default());
    let (ours, new) = runtime.block_on(async {
        let sessions = builder(Arc::clone(&random)).start().await.unwrap();
        let other = builder(random).start().await.unwrap();
        // The list began with them, and knows of sessions that begin later.
        clock.advance(Duration::from_secs(1));
        let groups: &[&str] = match path {
            "grouped" => &["acme", "globex", "initech"],
            _ => &[],
        };
        let ours = Ours::start_in(groups, sessions, size, ENDED).await;
        let mut new = Vec::new();
        for _ in 0..WARM_UP + CALLS {
            new.push(ours.new_to(&other).await);
        }
        (ours, new)
    });
    // What is spawned belongs to the runtime, and nobody drives it while calls are counted.
    let _inside = runtime.enter();
    match path {
        "new" | "grouped" => {
            for (call, ours) in (0..).zip(&new) {
                black_box(match call < WARM_UP {
                    true => ours.read(),
                    false => counted_read(ours),
                });
            }
        }
        "again" => {
            for _ in 0..WARM_UP {
                black_box(ours.read());
            }
            for _ in 0..CALLS {
                black_box(counted_read(&ours));
            }
        }
        "write" => {
            for _ in 0..WARM_UP {
                black_box(write(&ours, ours.changed()));
            }
            for _ in 0..CALLS {
                let changed = ours.changed();
                black_box(counted_write(&ours, changed));
            }
        }
        other => panic!("there is no path {other}"),
    }
}

/// Callgrind counts while a function runs whose name begins like this one's.
#[inline(never)]
fn counted_read(ours: &Ours) -> Option<String> {
    ours.read()
}

#[inline(never)]
fn counted_write(ours: &Ours, changed: Loaded) -> String {
    write(ours, changed)
}

/// Without a runtime's own instructions: nothing that is sealed waits for anything.
fn write(ours: &Ours, changed: Loaded) -> String {
    let mut writing = pin!(ours.write(changed));
    match writing
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(cookie) => cookie,
        Poll::Pending => panic!("a write waits"),
    }
}

/// The same bytes in every run, and never the same twice in one.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Random for Counter {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        for chunk in bytes.chunks_mut(8) {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            let mixed = (count + 1)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .to_le_bytes();
            chunk.copy_from_slice(&mixed[..chunk.len()]);
        }
        Ok(())
    }
}
