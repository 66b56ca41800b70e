//! The store on a server that nodes share.
//!
//! 1. One script changes the list, atomically and by the server's clock; each change is told in a
//!    stream whose entries are numbered and chained.
//! 2. What is lost is noticed: the list says how many entries there must be, and where there are
//!    fewer it begins anew and knows of no session from before. It also says which server it is on, in
//!    every answer.
//! 3. Whatever is not understood refuses, and is left as it is.

mod check;
mod fault;
mod follow;
mod link;
mod options;
mod record;
mod replicas;
mod script;
mod snapshot;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

pub use self::options::RedisOptions;

use self::follow::LastBeat;
use self::link::{Link, Server};
use self::replicas::Replicas;
use self::script::{Answer, Call, Operation, Scripts};
use self::snapshot::{Values, of_all};
use crate::error::{ConfigError, StoreError};
use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::lock::lock;
use crate::random::{self, Random};
use crate::revoke::{
    Announcement, Cursor, Followed, Found, Incarnation, LogState, Published, Purpose, Raise,
    Raised, Reading, Receipt, ReplicatedLog, Revocation, SnapshotEnd, Target,
};
use crate::store::sweep::SWEEP_BATCH;
use crate::time::{SystemClock, UnixMillis};

/// How many revocations one publication may hold: about 0.1 s of the server's time, in which
/// it answers nobody else.
const LARGEST_PUBLICATION: usize = 10_000;
/// How many entries one call of a sweep looks at.
const SWEEP_STEP: usize = 1_000;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// The same with waiting for replicas. Less than callers wait: only who has waited finds out that a
/// connection is dead.
const WRITERS_PATIENCE: Duration = Duration::from_millis(2_900);

/// A revocation store on a Redis server (7.0 or later, or Valkey) that nodes share.
///
/// What returned `Ok` is in the server's memory, and as durable as the server is set up to be: with
/// `appendonly yes` it survives a restart, less the last second; with [`RedisOptions::wait_for_replicas`] it
/// is on replicas too. What is promised does not rest on that: a server that comes back **empty or
/// with fewer entries than there must be** begins a new list, which knows of no session from before, and the nodes
/// that were complete restore what they know. The same for **another server** than the one before, by its
/// `run_id`, also behind a proxy. A list that was put back from a **backup** cannot be told
/// from the right one: raise everyone's generation before nodes serve (`sealed-session revoke everyone`).
///
/// - **The server's clock counts**, for generations and for forgetting.
/// - **Keys** are `sealed-session:{LIST}:meta` and the like: seven keys in one slot of a cluster,
///   which a cluster may move. Lists of different names share nothing.
/// - **Eviction** would revive sessions. A server with a `maxmemory-policy` of `allkeys-*` is refused
///   ([`StoreError::Unsuitable`]); when memory is full, revoking fails and everything else goes on.
/// - **A publication** holds 10,000 revocations at the most.
/// - **TLS** (`rediss://`) is rustls with the cryptography that the process has installed as rustls' default.
///   Where it has none, opening the store installs *ring*: an application that wants another one installs it
///   first.
/// - It waits with tokio's timer and sockets, on the runtime that calls it first. A failed connection
///   is made anew by the next call.
///
/// # Access
///
/// A user for it needs no more than these:
///
/// ```text
/// ACL SETUSER sessions on >PASSWORD resetkeys ~sealed-session:{LIST}:* resetchannels -@all
///   +evalsha +script|load +hscan +xread +info +config|get +wait +select
///   +time +type +unlink +hget +hmget +hset +hdel +hlen
///   +zadd +zrem +zcard +zrange +xadd +xtrim
/// ```
///
/// (A rule cannot have spaces in it, and takes `*`, `?` and `[` for patterns: choose a name of a list
/// without them.) Without `config|get` the eviction policy is read from INFO; `wait` is for
/// [`RedisOptions::wait_for_replicas`], `select` for a database other than 0. Whoever else can write to these
/// keys can bring revoked sessions back: TLS (`rediss://`) and a user of its own are part of the
/// security of the sessions.
///
/// ```
/// use sealed_session::store::Redis;
///
/// let store = Redis::open("rediss://sessions:PASSWORD@redis.internal:6379", "shop/production")?;
/// # drop(store);
/// # Ok::<(), sealed_session::ConfigError>(())
/// ```
pub struct Redis {
    list: String,
    scripts: Scripts,
    /// For everything but what has a link of its own.
    link: Link,
    /// For what waits for replicas: waiting holds up what comes after it.
    writer: Link,
    /// For reading on, which waits too.
    follower: Link,
    replicas: Replicas,
    retention: Duration,
    random: Arc<dyn Random>,
    /// For intervals only.
    clock: SystemClock,
    last_beat: Mutex<Option<LastBeat>>,
    /// How many connections had been lost when that was last looked at.
    losses_seen: AtomicU64,
    /// Until when news may gather before they are read.
    gathering: Mutex<Duration>,
    /// Which list on which server was last heard of, since the caller last compared all it knows.
    heard: Mutex<Option<Incarnation>>,
    /// Entries of the last snapshot that were not understood.
    unreadable: AtomicU64,
    /// Publications since the store was opened that were not.
    unreadable_news: AtomicU64,
}

impl Redis {
    /// The list called `list` on the server at `url`: `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or
    /// `rediss://` for TLS. It is made when it is first used. Nothing is sent yet.
    ///
    /// # Errors
    /// When the URL is not one, or `list` is not 1 to 255 bytes long without `{` and `}`.
    pub fn open(url: impl Into<String>, list: impl Into<String>) -> Result<Self, ConfigError> {
        Self::options(url, list).open()
    }

    /// For waiting for replicas, a certificate authority of one's own, and how long news are kept.
    pub fn options(url: impl Into<String>, list: impl Into<String>) -> RedisOptions {
        RedisOptions::new(url.into(), list.into())
    }

    fn new(server: Server, list: &str, options: &RedisOptions) -> Self {
        let server = Arc::new(server);
        Self {
            list: list.to_owned(),
            scripts: Scripts::new(list),
            link: Link::new(server.clone(), PATIENCE),
            writer: Link::new(server.clone(), WRITERS_PATIENCE),
            follower: Link::for_following(server, follow::PATIENCE),
            replicas: Replicas::new(options.replicas),
            retention: options.retention,
            random: options.random.clone(),
            clock: SystemClock::default(),
            last_beat: Mutex::new(None),
            losses_seen: AtomicU64::new(0),
            gathering: Mutex::new(Duration::ZERO),
            heard: Mutex::new(None),
            unreadable: AtomicU64::new(0),
            unreadable_news: AtomicU64::new(0),
        }
    }

    fn call(&self, operation: Operation) -> Result<Call, StoreError> {
        Ok(Call::new(operation, random::bytes(&*self.random)?))
    }

    async fn run(&self, call: Call) -> Result<Answer, StoreError> {
        let (_, answer) = self.scripts.call(&self.link, &call).await?;
        Ok(answer)
    }

    /// What the list says of itself with `answer`. Tells the follower that another server answers.
    fn heard(&self, answer: &Answer) -> LogState {
        let news = self.unreadable_news.load(Ordering::Relaxed);
        let unreadable = news.saturating_add(self.unreadable.load(Ordering::Relaxed));
        let state = LogState {
            unreadable,
            ..answer.state
        };
        let now = state.incarnation;
        let before = lock(&self.heard).replace(now);
        let Some(before) = before.filter(|before| *before != now) else {
            return state;
        };
        // A cursor shows another epoch.
        if before.epoch == now.epoch {
            self.link.server().note_loss();
        }
        state
    }

    /// Calls, and waits until enough replicas know.
    async fn run_replicated(&self, call: Call) -> Result<Answer, StoreError> {
        if !self.replicas.wanted() {
            return self.run(call).await;
        }
        let (held, answer) = self.scripts.call(&self.writer, &call).await?;
        self.replicas.wait(&self.writer, &held).await?;
        Ok(answer)
    }
}

/// Whether it matters who was first.
fn is_renewal(revocation: &Revocation) -> bool {
    match revocation {
        Revocation::Session { entry, .. } | Revocation::AnonymousSession { entry, .. } => {
            entry.serial < Serial::ENDED
        }
        Revocation::Subject { .. } | Revocation::Everyone { .. } | Revocation::Anonymous { .. } => {
            false
        }
    }
}

/// Neither user nor password.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("server", self.link.server())
            .field("list", &self.list)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl ReplicatedLog for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError> {
        let call = self.call(Operation::ANNOUNCE)?;
        let call = call.number(record::duration(announcement.longest));
        let call = call.number(announcement.anonymous_capacity.min(record::LARGEST));
        let call = call.number(record::duration(announcement.max_outage));
        self.run(call).await.map(|_| ())
    }

    async fn publish(
        &self,
        revocations: &[Revocation],
        purpose: Purpose,
    ) -> Result<Receipt, StoreError> {
        if revocations.len() > LARGEST_PUBLICATION {
            return Err(StoreError::unavailable(format_args!(
                "{} revocations in one publication; {LARGEST_PUBLICATION} are the most",
                revocations.len()
            )));
        }
        let call = self.call(Operation::PUBLISH)?;
        let call = call.bytes(record::pack(revocations)?).bytes(match purpose {
            Purpose::Revoke => "revoke",
            Purpose::Restoration => "restoration",
            Purpose::FirstRestoration => "first",
        });
        let mut answer = self.run_replicated(call).await?;
        let published: Vec<_> = answer.bytes()?.into_iter().map(published).collect();
        let mut renewals = revocations.iter().zip(&published);
        if answer.is_repeated()
            && renewals.any(|(each, published)| is_renewal(each) && *published != Published::Fresh)
        {
            return Err(StoreError::unavailable(format_args!(
                "{}: a connection was lost, and with it which of two renewals was first",
                self.link.server().address()
            )));
        }
        Ok(Receipt::new(published, self.heard(&answer).incarnation))
    }

    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError> {
        let known = raise.known.get().min(record::LARGEST);
        let subject = match &raise.target {
            Target::Subject(key) => key.as_bytes().as_slice(),
            Target::Everyone => &[],
        };
        let call = self.call(Operation::RAISE)?;
        let call = call.bytes(subject).bytes(*raise.id.as_bytes());
        let call = call.number(known).number(record::number(raise.until));
        let call = call.bytes(raise.on.map_or(vec![], script::incarnation));
        let mut answer = self.run_replicated(call).await?;
        let generation = Generation::new(answer.number()?);
        let previous = Generation::new(answer.number()?);
        let until = record::time(answer.number()?);
        let state = self.heard(&answer);
        Ok(Raised::new(previous, generation, until, state))
    }

    async fn read(&self, subject: SubjectKey) -> Result<Reading, StoreError> {
        let call = self.call(Operation::READ)?.bytes(*subject.as_bytes());
        let mut answer = self.run(call).await?;
        let subject = Generation::new(answer.number()?);
        let everyone = Generation::new(answer.number()?);
        Ok(Reading::new(subject, everyone, self.heard(&answer)))
    }

    async fn find(
        &self,
        session: SessionId,
        subject: Option<SubjectKey>,
    ) -> Result<Found, StoreError> {
        let id = *session.as_bytes();
        let key = subject.map(|key| *key.as_bytes());
        let call = self.call(Operation::FIND)?;
        let call = call.bytes(id).bytes(key.map_or(vec![], Vec::from));
        let mut answer = self.run(call).await?;
        let state = self.heard(&answer);
        let mut values = Values::new(&state);
        let everyone = Generation::new(answer.number()?);
        let mut found = of_all(everyone, record::time(answer.number()?));
        if let Some(value) = answer.optional_bytes()? {
            found.push(values.session(id, &value));
        }
        if let Some(value) = answer.optional_bytes()? {
            found.push(values.anonymous(id, &value));
        }
        if let Some(value) = answer.optional_bytes()?
            && let Some(key) = key
        {
            found.push(values.subject(key, &value));
        }
        Ok(Found::new(found, state))
    }

    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        self.read_all(receive).await
    }

    async fn follow(&self, cursor: Cursor) -> Result<Followed, StoreError> {
        self.follow_from(cursor).await
    }

    async fn attest(
        &self,
        incarnation: Incarnation,
        since: UnixMillis,
    ) -> Result<Option<LogState>, StoreError> {
        let call = self.call(Operation::ATTEST)?;
        let call = call.bytes(script::incarnation(incarnation));
        let call = call.number(record::number(since));
        let mut answer = self.run_replicated(call).await?;
        let is_same = answer.number()? == 1;
        let state = self.heard(&answer);
        Ok(is_same.then_some(state))
    }

    async fn sweep(&self) -> Result<usize, StoreError> {
        if self.replicas.wanted() {
            // Otherwise it is silent between two logouts, and closed by whoever does not like that.
            self.writer.ask(&redis::cmd("TIME")).await?;
        }
        let mut dropped: usize = 0;
        let mut seen: usize = 0;
        // In short steps, so that nobody else waits long for the server.
        while seen < SWEEP_BATCH {
            let call = self.call(Operation::SWEEP)?.number(SWEEP_STEP as u64);
            let mut answer = self.run(call).await?;
            let step = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
            dropped = dropped.saturating_add(step(answer.number()?));
            let due = step(answer.number()?);
            seen = seen.saturating_add(due);
            if due < SWEEP_STEP {
                break;
            }
        }
        Ok(dropped)
    }
}

/// What the script says of one entry.
fn published(answer: u8) -> Published {
    match answer {
        b'1' => Published::Fresh,
        b'2' => Published::Succeeded,
        b'3' => Published::Ended,
        _ => Published::Known,
    }
}
