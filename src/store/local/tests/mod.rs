//! The store of one process on a disk that is a piece of memory.

mod damage;
mod failures;
mod frames;
mod model;
mod sharing;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::Local;
use super::record::{About, JournalRecord};
use super::state::LocalState;
use super::{frame, open};
use crate::error::StoreError;
use crate::random::SystemRandom;
use crate::revoke::node::Node;
use crate::revoke::policy::Trust;
use crate::revoke::sample::{self, id};
use crate::revoke::store::NodeStart;
use crate::revoke::worker::Worker;
use crate::revoke::{Announcement, Journal, Published, Revocation, Store};
use crate::testing::ManualClock;
use crate::time::{Clock, UnixMillis};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    fails: bool,
    appends: usize,
    compactions: usize,
    is_open: bool,
}

impl Disk {
    fn holding(bytes: &[u8]) -> Self {
        let disk = Self::default();
        disk.lock().bytes = bytes.to_vec();
        disk
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn fail(&self, fails: bool) {
        self.lock().fails = fails;
    }

    fn journal(&self) -> Box<dyn Journal> {
        self.lock().is_open = true;
        Box::new(Ram(self.clone()))
    }

    fn store(&self) -> Store {
        Store::of(Local::new(self.journal()))
    }
}

#[derive(Debug)]
struct Ram(Disk);

impl Drop for Ram {
    fn drop(&mut self) {
        self.0.lock().is_open = false;
    }
}

impl Journal for Ram {
    fn name(&self) -> &'static str {
        "ram"
    }

    fn load(&mut self, receive: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        let bytes = self.0.lock().bytes.clone();
        bytes.chunks(50).for_each(receive);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let mut state = self.0.lock();
        if state.fails {
            state.bytes.extend(&bytes[..bytes.len() / 2]);
            return Err(StoreError::unavailable("the disk is full"));
        }
        state.appends += 1;
        state.bytes.extend(bytes);
        Ok(())
    }

    fn compact(&mut self, pieces: &mut dyn Iterator<Item = Vec<u8>>) -> Result<(), StoreError> {
        let bytes = pieces.collect::<Vec<_>>().concat();
        let mut state = self.0.lock();
        if state.fails {
            return Err(StoreError::unavailable("the disk is full"));
        }
        state.compactions += 1;
        state.bytes = bytes;
        Ok(())
    }
}

async fn started(store: &Store, clock: &ManualClock, capacity: u64) -> Result<Node, StoreError> {
    let start = NodeStart {
        worker: Arc::new(Worker::start()?),
        clock: Arc::new(clock.clone()),
        random: Arc::new(SystemRandom),
        announcement: Announcement::new(HOUR, capacity, HOUR),
        trust: Trust {
            max_staleness: HOUR,
            max_outage: HOUR,
        },
    };
    store.kind.start(start).await
}

async fn node(store: &Store, clock: &ManualClock) -> Node {
    started(store, clock, 1000).await.unwrap()
}

async fn publish(node: &Node, revocation: Revocation) -> Result<Published, StoreError> {
    node.revoke(revocation).there.await
}

/// Opens a journal on this disk.
fn opened(disk: &Disk) -> Result<Arc<LocalState>, StoreError> {
    let state = Arc::new(LocalState::new(Arc::new(ManualClock::default())));
    open::open(&state, disk.journal()).map(|_| state)
}

fn session(n: u64) -> Revocation {
    sample::session(n, in_an_hour())
}

fn anonymous(n: u64, created: UnixMillis) -> Revocation {
    sample::anonymous(n, created, in_an_hour())
}

fn in_an_hour() -> UnixMillis {
    ManualClock::default().now() + HOUR
}

/// The frames of a journal: what a compaction wrote, and then a session in each.
fn frames(sessions: u64) -> Vec<Vec<u8>> {
    let mut frames = vec![framed(5, &[about(), JournalRecord::End])];
    for n in 0..sessions {
        frames.push(framed(6 + n, &[JournalRecord::Revocation(session(n))]));
    }
    frames
}

fn about() -> JournalRecord {
    let now = ManualClock::default().now();
    JournalRecord::About(About {
        complete_since: now,
        announced: Announcement::new(HOUR, 1000, HOUR),
        last_sweep: now,
        is_used: true,
    })
}

fn framed(number: u64, records: &[JournalRecord]) -> Vec<u8> {
    let mut body = Vec::new();
    for record in records {
        record.write(&mut body);
    }
    frame::frame(number, &body)
}
