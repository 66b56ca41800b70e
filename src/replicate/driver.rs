//! Carrying out what the core decides.
//!
//! 1. The core is behind a lock, which is held for as long as it decides and never while anything is awaited.
//! 2. Each call is a task on the worker's thread: it is finished whether or not the request that made it waits.
//! 3. A call gets [`ATTEMPT`]; loading gets as long as it takes, following as long as a store may be silent.
//! 4. Nothing here keeps the node alive: when the last handle to it is gone its tasks end.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::StoreError;
use crate::ids::{SessionId, SubjectKey};
use crate::lock::lock;
use crate::observe::{self, ListState};
use crate::random;
use crate::replicate::core::{
    ATTEMPT, Answer, Ask, Call, Command, Core, Event, Load, Reply, Ticket, Timer,
};
use crate::revoke::completeness::{Completeness, Moment};
use crate::revoke::list::List;
use crate::revoke::node::{Attempt, Backend, Node, Status};
use crate::revoke::store::NodeStart;
use crate::revoke::worker::Worker;
use crate::revoke::{Published, Raised, Reading, ReplicatedLog, Revocation, Target};
use crate::time::{Clock, UnixMillis};

/// How long a store may take to answer a follower: it should after a second or two.
const SILENCE: Duration = Duration::from_secs(8);
/// How often gauges are set.
const MEASURE: Duration = Duration::from_secs(1);

/// A node's way to a store that others write to.
#[derive(Debug)]
pub(super) struct Driver {
    core: Mutex<Core>,
    log: Arc<dyn ReplicatedLog>,
    list: Arc<List>,
    completeness: Arc<Completeness>,
    clock: Arc<dyn Clock>,
    worker: Arc<Worker>,
    /// Who waits for which reply.
    waiting: Mutex<HashMap<Ticket, oneshot::Sender<Reply>>>,
    tickets: AtomicU64,
}

impl Driver {
    /// Loads the store's whole state before it returns.
    pub(super) async fn start(
        log: Arc<dyn ReplicatedLog>,
        start: NodeStart,
    ) -> Result<Node, StoreError> {
        let list = Arc::new(List::default());
        let completeness = Arc::new(Completeness::shared());
        let bytes: [u8; 8] = random::bytes(&*start.random)?;
        let core = Core::new(
            list.clone(),
            completeness.clone(),
            start.trust,
            start.announcement,
            u64::from_be_bytes(bytes),
        );
        let driver = Arc::new(Self {
            core: Mutex::new(core),
            log,
            list: list.clone(),
            completeness: completeness.clone(),
            clock: start.clock.clone(),
            worker: start.worker,
            waiting: Mutex::default(),
            tickets: AtomicU64::new(1),
        });
        let (sender, started) = oneshot::channel();
        lock(&driver.waiting).insert(0, sender);
        driver.happens(Event::Start);
        match started.await {
            Ok(Reply::Started(outcome)) => outcome?,
            _ => return Err(StoreError::Closed),
        }
        driver.worker.repeat(measure(Arc::downgrade(&driver)));
        let backend = Arc::new(Handle(driver));
        Ok(Node::new(list, completeness, backend, start.clock))
    }

    fn status(&self) -> Status {
        lock(&self.core).status()
    }

    fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    /// Lets the core decide, and carries out what it decides.
    fn happens(self: &Arc<Self>, event: Event) {
        let commands = lock(&self.core).on(event, self.now());
        for command in commands {
            self.carry_out(command);
        }
    }

    fn carry_out(self: &Arc<Self>, command: Command) {
        match command {
            Command::Reply(ticket, reply) => {
                if let Some(waiting) = lock(&self.waiting).remove(&ticket) {
                    // Who does not wait any more misses nothing: it was done.
                    let _ = waiting.send(reply);
                }
            }
            Command::Wake {
                timer,
                after,
                spread,
            } => {
                let driver = Arc::downgrade(self);
                let after = after + part_of(spread);
                self.worker.repeat(wake(driver, timer, after));
            }
            Command::Call(call) => self.call(call),
        }
    }

    fn call(self: &Arc<Self>, call: Call) {
        let log = self.log.clone();
        let driver = Arc::downgrade(self);
        let tell = move |answer| {
            if let Some(driver) = driver.upgrade() {
                driver.happens(Event::Answered(answer));
            }
        };
        let task: Pin<Box<dyn Future<Output = ()> + Send>> = match call {
            Call::Load(load) => {
                let driver = Arc::downgrade(self);
                self.worker.repeat(load_everything(driver, log, load));
                return;
            }
            Call::Follow(cursor) => {
                let followed = async move {
                    let followed = tokio::time::timeout(SILENCE, log.follow(cursor)).await;
                    let silent = |_| Err(StoreError::unavailable("it does not answer a follower"));
                    let followed = followed.unwrap_or_else(silent);
                    tell(Answer::Followed(counted("follow", followed)));
                };
                self.worker.repeat(followed);
                return;
            }
            Call::Announce(announcement) => Box::pin(async move {
                tell(Answer::Announced(
                    in_time("announce", log.announce(announcement)).await,
                ));
            }),
            Call::Publish(publication) => Box::pin(async move {
                let purpose = publication.purpose();
                let told = log.publish(&publication.revocations, purpose);
                let receipt = in_time("publish", told).await;
                tell(Answer::Published(publication, receipt));
            }),
            Call::Raise(raise, attempted) => Box::pin(async move {
                let raised = in_time("raise", log.raise(raise)).await;
                tell(Answer::Raised(raise, attempted, raised));
            }),
            Call::Read(subject, read_for) => Box::pin(async move {
                let reading = in_time("read", log.read(subject)).await;
                tell(Answer::Read(subject, read_for, reading));
            }),
            Call::Find(ticket, session, subject) => Box::pin(async move {
                let found = in_time("find", log.find(session, subject)).await;
                tell(Answer::Found(ticket, found));
            }),
            Call::Attest(incarnation, since) => Box::pin(async move {
                let attested = in_time("attest", log.attest(incarnation, since)).await;
                tell(Answer::Attested(attested));
            }),
            Call::Sweep(ticket) => Box::pin(async move {
                tell(Answer::Swept(ticket, counted("sweep", log.sweep().await)));
            }),
        };
        drop(self.worker.finish(task));
    }

    /// Asks the core, and waits for its reply.
    fn ask<T: Send + 'static>(
        self: Arc<Self>,
        ask: Ask,
        read: impl FnOnce(Reply) -> Option<Result<T, StoreError>> + Send + 'static,
    ) -> Attempt<T> {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let (sender, reply) = oneshot::channel();
        lock(&self.waiting).insert(ticket, sender);
        self.happens(Event::Asked(ticket, ask));
        Box::pin(async move {
            let reply = reply.await.ok().and_then(read);
            reply.unwrap_or(Err(StoreError::Closed))
        })
    }
}

/// What a node holds. It ends the driver's work when it is dropped: nothing else keeps the driver.
#[derive(Debug)]
struct Handle(Arc<Driver>);

impl Backend for Handle {
    fn name(&self) -> &'static str {
        self.0.log.name()
    }

    fn publish(&self, revocation: Revocation, here: Published) -> Attempt<Published> {
        let is_news = here == Published::Fresh;
        let ask = Ask::Publish {
            revocation,
            is_news,
        };
        self.0.clone().ask(ask, |reply| match reply {
            Reply::Published(outcome) => Some(outcome),
            _ => None,
        })
    }

    fn raise(&self, target: Target, familiar: bool) -> Attempt<Raised> {
        let ask = Ask::Raise { target, familiar };
        self.0.clone().ask(ask, |reply| match reply {
            Reply::Raised(outcome) => Some(outcome),
            _ => None,
        })
    }

    fn read(&self, subject: SubjectKey) -> Attempt<Reading> {
        self.0.clone().ask(Ask::Read(subject), |reply| match reply {
            Reply::Read(outcome) => Some(outcome),
            _ => None,
        })
    }

    fn find(&self, session: SessionId, subject: Option<SubjectKey>) -> Attempt<UnixMillis> {
        let ask = Ask::Find(session, subject);
        self.0.clone().ask(ask, |reply| match reply {
            Reply::Found(outcome) => Some(outcome),
            _ => None,
        })
    }

    fn sweep(&self) -> Attempt<()> {
        self.0.clone().ask(Ask::Sweep, |reply| match reply {
            Reply::Swept(outcome) => Some(outcome),
            _ => None,
        })
    }

    fn close(&self, deadline: Duration) -> Pin<Box<dyn Future<Output = usize> + Send + '_>> {
        Box::pin(async move {
            let driver = self.0.clone();
            let tell = async move {
                while driver.status().outstanding > 0 {
                    driver.happens(Event::Closing);
                    tokio::time::sleep(MEASURE / 10).await;
                }
            };
            let unfinished = self.0.worker.drain(deadline, tell).await;
            unfinished + self.status().outstanding
        })
    }

    fn status(&self) -> Status {
        self.0.status()
    }
}

async fn wake(driver: Weak<Driver>, timer: Timer, after: Duration) {
    tokio::time::sleep(after).await;
    if let Some(driver) = driver.upgrade() {
        driver.happens(Event::Woken(timer));
    }
}

async fn load_everything(driver: Weak<Driver>, log: Arc<dyn ReplicatedLog>, load: Load) {
    let Some(clock) = driver.upgrade().map(|driver| driver.clock.clone()) else {
        return;
    };
    let began = clock.monotonic();
    let mut entries: usize = 0;
    let mut receive = |revocations: Vec<Revocation>| {
        entries = entries.saturating_add(revocations.len());
        if let Some(driver) = driver.upgrade() {
            driver.happens(Event::Piece(load, revocations));
        }
    };
    let end = counted("snapshot", log.snapshot(&mut receive).await);
    if end.is_ok() {
        let took = clock.monotonic().saturating_sub(began);
        observe::snapshot(entries, took.as_secs_f64());
    }
    if let Some(driver) = driver.upgrade() {
        driver.happens(Event::Answered(Answer::Loaded(load, end)));
    }
}

/// Measures, for as long as anyone holds the sessions.
async fn measure(driver: Weak<Driver>) {
    loop {
        tokio::time::sleep(MEASURE).await;
        let Some(driver) = driver.upgrade() else {
            return;
        };
        let status = driver.status();
        observe::gauges(&ListState {
            entries: driver.list.len(),
            outstanding: status.outstanding,
            lacking: status.lacking,
            unreadable: status.unreadable,
            staleness: driver.completeness.staleness(driver.now()),
        });
    }
}

/// The outcome of an `operation` of the store, or an error if it takes too long.
async fn in_time<T>(
    operation: &'static str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let outcome = tokio::time::timeout(ATTEMPT, work)
        .await
        .unwrap_or_else(|_| {
            let waited = ATTEMPT.as_secs();
            Err(StoreError::Unavailable(format!(
                "no answer within {waited} s"
            )))
        });
    counted(operation, outcome)
}

fn counted<T>(operation: &'static str, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
    outcome.inspect_err(|error| {
        // That another server answers is no failure of it.
        if *error != StoreError::Replaced {
            observe::store_failed(operation);
        }
    })
}

/// A random part of `whole`.
fn part_of(whole: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 1024;
    whole.saturating_mul(u32::try_from(random).unwrap_or(0)) / 1024
}
