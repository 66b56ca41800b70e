//! Carrying out what the core decides.
//!
//! 1. The core is behind a lock, which is held for as long as it decides and never while anything is awaited.
//! 2. Each call is a task on the worker's thread: it is finished whether or not the request that made it waits.
//! 3. A call gets [`ATTEMPT`]; loading gets as long as it takes, following as long as a store may be silent.
//! 4. Nothing here keeps the node alive: when the last handle to it is gone its tasks end.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::StoreError;
use crate::ids::{RaiseId, SessionId, SubjectKey};
use crate::lock::lock;
use crate::observe::{self, ListState};
use crate::random::{self, Random};
use crate::replicate::core::{
    ATTEMPT, Answer, Ask, Call, Core, Effect, Event, Reply, STARTED, Ticket,
};
use crate::revoke::completeness::{Moment, SharedCompleteness};
use crate::revoke::list::List;
use crate::revoke::node::{Attempt, Backend, Node};
use crate::revoke::store::NodeStart;
use crate::revoke::worker::Worker;
use crate::revoke::{Published, Reading, ReplicatedLog, Revocation, Target};
use crate::time::{Clock, UnixMillis};

/// How long a store may take to answer a follower: it should after a second or two.
const SILENCE: Duration = Duration::from_secs(8);
/// How long a node that closes waits before it tells the store once more.
const AGAIN: Duration = Duration::from_millis(100);

/// A node's way to a store that others write to.
pub(super) struct Driver {
    /// Itself, for tasks: they must not keep it.
    this: Weak<Self>,
    core: Mutex<Core>,
    log: Arc<dyn ReplicatedLog>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// What was drawn at the start.
    number: u64,
    worker: Arc<Worker>,
    /// Who waits for which reply.
    waiting: Mutex<HashMap<Ticket, oneshot::Sender<Result<Reply, StoreError>>>>,
    tickets: AtomicU64,
}

impl Driver {
    /// Loads the store's whole state before it returns.
    pub(super) async fn start(
        log: Arc<dyn ReplicatedLog>,
        start: NodeStart,
    ) -> Result<Node, StoreError> {
        let list = Arc::new(List::default());
        let completeness = Arc::<SharedCompleteness>::default();
        let bytes: [u8; 8] = random::bytes(&*start.random)?;
        let number = u64::from_be_bytes(bytes);
        let core = Core::new(
            list.clone(),
            completeness.clone(),
            start.trust,
            start.announcement,
            number,
        );
        let driver = Arc::new_cyclic(|this| Self {
            this: this.clone(),
            core: Mutex::new(core),
            log,
            clock: start.clock.clone(),
            random: start.random,
            number,
            worker: start.worker,
            waiting: Mutex::default(),
            tickets: AtomicU64::new(STARTED + 1),
        });
        let started = driver.wait_for(STARTED);
        driver.happens(Event::Start);
        started.await.unwrap_or(Err(StoreError::Closed))?;
        let worker = Arc::clone(&driver.worker);
        Ok(Node::new(
            list,
            Some(completeness),
            driver,
            start.clock,
            worker,
        ))
    }

    fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    /// Lets the core decide, and carries out what it decides.
    fn happens(&self, event: Event) {
        let effects = lock(&self.core).on(event, self.now());
        for effect in effects {
            match effect {
                Effect::Call(call) => self.call(call),
                Effect::Wake(timer, after) => {
                    let this = self.this.clone();
                    self.worker.repeat(async move {
                        tokio::time::sleep(after).await;
                        tell(&this, Event::Woken(timer));
                    });
                }
                Effect::Reply(ticket, reply) => {
                    if let Some(waiting) = lock(&self.waiting).remove(&ticket) {
                        // Who does not wait any more misses nothing: it was done.
                        let _ = waiting.send(reply);
                    }
                }
            }
        }
    }

    fn call(&self, call: Call) {
        let (this, log, clock) = (self.this.clone(), self.log.clone(), self.clock.clone());
        let is_endless = matches!(call, Call::Load(_) | Call::Follow(_));
        let task = async move {
            let answer = answer(&this, &*log, &*clock, call).await;
            tell(&this, Event::Answered(answer));
        };
        match is_endless {
            true => self.worker.repeat(task),
            false => self.worker.finish(task),
        }
    }

    /// Drawn for each raise: a cloned machine would count as this one does. A generator that fails keeps nobody logged in;
    /// the id is then what was drawn at the start, and a count.
    fn raise_id(&self) -> RaiseId {
        RaiseId::random(&*self.random).unwrap_or_else(|_| {
            let count = self.tickets.fetch_add(1, Ordering::Relaxed);
            let id = u128::from(self.number) << 64 | u128::from(count);
            RaiseId::from_bytes(id.to_be_bytes())
        })
    }

    fn wait_for(&self, ticket: Ticket) -> oneshot::Receiver<Result<Reply, StoreError>> {
        let (sender, reply) = oneshot::channel();
        lock(&self.waiting).insert(ticket, sender);
        reply
    }

    /// Asks the core, and waits for its reply.
    fn ask<T: 'static>(&self, ask: Ask, read: fn(Reply) -> Option<T>) -> Attempt<T> {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let reply = self.wait_for(ticket);
        self.happens(Event::Asked(ticket, ask));
        Box::pin(async move {
            let reply = reply.await.unwrap_or(Err(StoreError::Closed))?;
            read(reply).ok_or(StoreError::Closed)
        })
    }
}

impl Backend for Driver {
    fn publish(&self, revocation: Revocation, here: Published) -> Attempt<Published> {
        let is_news = here == Published::Fresh;
        let ask = Ask::Publish {
            revocation,
            is_news,
        };
        self.ask(ask, |reply| match reply {
            Reply::Published(published) => Some(published),
            _ => None,
        })
    }

    fn raise(&self, target: Target, spared: Option<SessionId>) -> Attempt<()> {
        self.ask(Ask::Raise(target, spared, self.raise_id()), done)
    }

    fn read(&self, subjects: Vec<SubjectKey>) -> Attempt<Reading> {
        self.ask(Ask::Read(subjects), |reply| match reply {
            Reply::Read(reading) => Some(reading),
            _ => None,
        })
    }

    fn find(&self, session: SessionId, subjects: Vec<SubjectKey>) -> Attempt<UnixMillis> {
        self.ask(Ask::Find(session, subjects), |reply| match reply {
            Reply::Found(since) => Some(since),
            _ => None,
        })
    }

    fn sweep(&self) -> Attempt<()> {
        self.ask(Ask::Sweep, done)
    }

    fn finish(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        // Whoever closes may stop waiting. The loop must not keep the node, which keeps the worker that runs the loop.
        let this = self.this.clone();
        Box::pin(async move {
            while let Some(driver) = this.upgrade()
                && driver.status().outstanding > 0
            {
                driver.happens(Event::Closing);
                drop(driver);
                tokio::time::sleep(AGAIN).await;
            }
        })
    }

    fn status(&self) -> ListState {
        lock(&self.core).status(self.now())
    }
}

fn done(reply: Reply) -> Option<()> {
    (reply == Reply::Done).then_some(())
}

fn tell(driver: &Weak<Driver>, event: Event) {
    if let Some(driver) = driver.upgrade() {
        driver.happens(event);
    }
}

/// Calls the store.
async fn answer(
    driver: &Weak<Driver>,
    log: &dyn ReplicatedLog,
    clock: &dyn Clock,
    call: Call,
) -> Answer {
    match call {
        Call::Announce(announcement) => {
            Answer::Announced(within(ATTEMPT, "announce", log.announce(announcement)).await)
        }
        Call::Load(load) => {
            let began = clock.monotonic();
            let mut entries: usize = 0;
            let mut receive = |revocations: Vec<Revocation>| {
                entries = entries.saturating_add(revocations.len());
                tell(driver, Event::Piece(load, revocations));
            };
            let end = counted("snapshot", log.snapshot(&mut receive).await);
            if end.is_ok() {
                let took = clock.monotonic().saturating_sub(began);
                observe::snapshot(entries, took.as_secs_f64());
            }
            Answer::Loaded(load, end)
        }
        Call::Follow(cursor) => {
            Answer::Followed(within(SILENCE, "follow", log.follow(cursor)).await)
        }
        Call::Publish(revocations, publish_for) => {
            let published = log.publish(&revocations, publish_for.purpose());
            let receipt = within(ATTEMPT, "publish", published).await;
            Answer::Published(revocations, publish_for, receipt)
        }
        Call::Raise(raise, raise_for) => {
            let raised = within(ATTEMPT, "raise", log.raise(raise)).await;
            Answer::Raised(raise, raise_for, raised)
        }
        Call::Read(ticket, subjects) => {
            let reading = within(ATTEMPT, "read", log.read(&subjects)).await;
            Answer::Read(ticket, subjects, reading)
        }
        Call::Find(ticket, session, subjects) => Answer::Found(
            ticket,
            within(ATTEMPT, "find", log.find(session, &subjects)).await,
        ),
        Call::Attest(incarnation, since) => {
            Answer::Attested(within(ATTEMPT, "attest", log.attest(incarnation, since)).await)
        }
        Call::Sweep(ticket) => Answer::Swept(ticket, counted("sweep", log.sweep().await)),
    }
}

/// The outcome of an `operation` of the store, or an error if it takes longer than `limit`.
async fn within<T>(
    limit: Duration,
    operation: &'static str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let outcome = tokio::time::timeout(limit, work).await;
    let silent = |_| {
        let problem = format!("no answer within {} s", limit.as_secs());
        Err(StoreError::Unavailable(problem))
    };
    counted(operation, outcome.unwrap_or_else(silent))
}

fn counted<T>(operation: &'static str, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
    outcome.inspect_err(|_| observe::store_failed(operation))
}
