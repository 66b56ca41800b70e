//! Revocations, and other nodes that publish them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sealed_session::revoke::{Purpose, ReplicatedLog, Revocation};
use sealed_session::store::Redis;
use sealed_session::time::{Clock, SystemClock};
use tokio::sync::Semaphore;

use crate::node::cookies_live;
use support::{DAY, ended, ended_subject};

/// How many other nodes publish, each over a connection of its own, and how many handlers each has that
/// wait for the store at the same time.
const NODES: usize = 4;
const HANDLERS: usize = 8;

/// So many logouts a second.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub revocations: u32,
    /// How many of them share a publication.
    pub batch: u32,
}

/// Nodes that publish until they are told to stop.
pub struct Publishers {
    work: Arc<Work>,
    threads: [JoinHandle<()>; 2],
}

impl Publishers {
    /// `first` is the number of the first session that they end.
    pub fn start(url: &str, list: &str, load: Load, first: u64) -> Self {
        let stores: Vec<_> = (0..NODES)
            .map(|_| Redis::open(url, list).unwrap())
            .collect();
        let work = Arc::new(Work {
            load,
            due: Semaphore::new(0),
            next: AtomicU64::new(first),
            published: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let (pacing, publishing) = (work.clone(), work.clone());
        let threads = [
            thread::spawn(move || pacing.pace()),
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(publishing.publish_over(&stores));
            }),
        ];
        Self { work, threads }
    }

    /// How many revocations the store has taken.
    pub fn published(&self) -> u64 {
        self.work.published.load(Ordering::Acquire)
    }

    /// Ends them, and returns how many revocations the store has taken.
    pub fn stop(self) -> u64 {
        self.work.stop.store(true, Ordering::Release);
        for thread in self.threads {
            thread.join().unwrap();
        }
        self.work.published.load(Ordering::Acquire)
    }
}

struct Work {
    load: Load,
    /// A permit for each publication that is due.
    due: Semaphore,
    next: AtomicU64,
    published: AtomicU64,
    stop: AtomicBool,
}

impl Work {
    /// Spreads the publications evenly. On a thread of its own, for tokio's timer knows milliseconds: ten
    /// publications at once cost a follower less than ten that come one by one.
    fn pace(&self) {
        let every = Duration::from_secs(1) * self.load.batch / self.load.revocations;
        let mut due = Instant::now();
        while !self.stop.load(Ordering::Acquire) {
            due += every;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.due.add_permits(1);
        }
        self.due.close();
    }

    async fn publish_over(&self, stores: &[Redis]) {
        let handlers = stores.iter().cycle().take(NODES * HANDLERS);
        join_all(handlers.map(|store| self.publish(store))).await;
    }

    async fn publish(&self, store: &Redis) {
        let batch = u64::from(self.load.batch);
        let clock = SystemClock::default();
        while let Ok(due) = self.due.acquire().await {
            due.forget();
            let first = self.next.fetch_add(batch, Ordering::Relaxed);
            let now = clock.now();
            let batch: Vec<_> = (first..first + batch)
                .map(|number| ended(number, now, now + DAY))
                .collect();
            store.publish(&batch, Purpose::Revoke).await.unwrap();
            let count = batch.len() as u64;
            self.published.fetch_add(count, Ordering::Release);
        }
    }
}

/// So many ends, of a session and of a subject in turn.
pub fn halves(entries: u64) -> Vec<Revocation> {
    let now = SystemClock::default().now();
    let half = |number: u64| match number % 2 {
        0 => ended(number, now, now + DAY),
        _ => ended_subject(number, now, now + DAY),
    };
    (0..entries).map(half).collect()
}

/// Publishes all of these at once, in the largest publications that there can be. Returns how long that
/// took.
pub async fn fill(url: &str, list: &str, revocations: &[Revocation]) -> Duration {
    let store = Redis::open(url, list).unwrap();
    store.announce(cookies_live(DAY)).await.unwrap();
    let began = Instant::now();
    for batch in revocations.chunks(10_000) {
        store.publish(batch, Purpose::Revoke).await.unwrap();
    }
    began.elapsed()
}
