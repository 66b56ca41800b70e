//! A list on a server, and how it is called.
//!
//! 1. Every call goes to the script, over the connection of its purpose.
//! 2. Every answer says which server gives it. Another one than before counts as a lost connection, so that the
//!    follower compares everything.
//! 3. A call that waits for replicas waits over the connection that it was made on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::{FromRedisValue, ToRedisArgs};

use super::index::RedisIndex;
use super::link::{Held, Link, Server};
use super::replicas::Replicas;
use super::script;
use crate::error::StoreError;
use crate::lock::lock;
use crate::random::{self, Random};
use crate::revoke::{Incarnation, LogState};
use crate::time::SystemClock;

/// A revocation store on a Redis server (7.0 or later, or Valkey) that nodes share.
///
/// What returned `Ok` is in the server's memory, and as durable as the server is set up to be: with
/// `appendonly yes` it survives a restart, less the last second; with
/// [`wait_for_replicas`](crate::store::RedisOptions::wait_for_replicas) it is on replicas too. The promises do not
/// rest on that. A server that comes back **empty or with fewer entries than there must be** begins a new list,
/// which knows of no session from before, and the nodes that were complete restore what they know. They do the
/// same for **another server** than the one before, by its `run_id`, also behind a proxy. A list that was put back
/// from a **backup** cannot be told from the right one: raise everyone's generation before nodes serve
/// (`sealed-session revoke everyone`).
///
/// - **The server's clock counts**, for generations and for forgetting.
/// - **Keys** are `sealed-session:{LIST}:meta` and the like: seven keys in one slot of a cluster,
///   which a cluster may move. Lists of different names share nothing.
/// - **The index of sessions**, where it is used, has a key `sealed-session:LIST:{SUBJECT}:index` for each subject, in
///   a slot of its own. It expires with the last of the subject's sessions.
/// - **Eviction** would revive sessions. A server with a `maxmemory-policy` of `allkeys-*` is refused
///   ([`StoreError::Unsuitable`]); when memory is full, revoking fails, and so does
///   every login where [`DeviceSettings::max_sessions`](crate::settings::DeviceSettings::max_sessions) is set; the index does
///   not learn of further sessions. Everything else goes on.
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
///   ~sealed-session:LIST:{*}:index +hgetall +pexpire +scan +cluster|slots
/// ```
///
/// The last line is for the index of sessions. Without it the list works, and the index is an error: the log warns at the
/// start, and there are no lists of devices. With [`DeviceSettings::max_sessions`](crate::settings::DeviceSettings::max_sessions)
/// sessions do not start, and where they run every login fails. `scan` is for copying the index, `cluster|slots` for copying it
/// from a cluster.
///
/// (A rule cannot have spaces in it, and takes `*`, `?` and `[` for patterns: choose a name of a list
/// without them.) Without `config|get` the eviction policy is read from INFO; `wait` is for waiting for replicas,
/// `select` for a database other than 0. Whoever else can write to these keys can bring revoked sessions back: TLS
/// (`rediss://`) and a user of its own are part of the security of the sessions.
///
/// ```
/// use sealed_session::store::Redis;
///
/// let store = Redis::open("rediss://sessions:PASSWORD@redis.internal:6379", "shop/production")?;
/// # drop(store);
/// # Ok::<(), sealed_session::ConfigError>(())
/// ```
pub struct Redis {
    pub(super) list: String,
    pub(super) keys: [String; 7],
    /// For all other calls.
    pub(super) link: Link,
    /// For calls that wait for replicas: a wait holds up everything after it.
    pub(super) writer: Link,
    /// For following, which waits too.
    pub(super) follower: Link,
    pub(super) index: Arc<RedisIndex>,
    pub(super) replicas: Replicas,
    pub(super) retention: Duration,
    pub(super) random: Arc<dyn Random>,
    /// For intervals only.
    pub(super) clock: SystemClock,
    pub(super) following: Mutex<Listening>,
    /// The incarnation of the last answer since the caller last compared all it knows.
    pub(super) heard: Mutex<Option<Incarnation>>,
    /// Entries of the last snapshot that were not understood.
    pub(super) unreadable: AtomicU64,
    /// Publications since the store was opened that were not.
    pub(super) unreadable_publications: AtomicU64,
}

/// What is remembered from one call of a follower to the next.
#[derive(Debug, Default)]
pub(super) struct Listening {
    /// When the list was last asked how far it has come, and which epoch that was.
    pub(super) last_beat: Option<(Duration, u64)>,
    /// Until when publications may gather.
    pub(super) gathering: Duration,
}

/// What the script answered.
pub(super) struct Answered<T> {
    pub(super) result: T,
    pub(super) state: LogState,
    /// The connection that it came over.
    pub(super) held: Held,
    /// Whether the call was said twice, so that the first attempt may have succeeded.
    pub(super) is_repeated: bool,
}

/// How far the list has come, the mark there, everyone's generation, and since when anonymous sessions live.
pub(super) type Whole = (u64, [u8; 8], u64, u64);

impl Redis {
    pub(super) fn server(&self) -> &Server {
        self.link.server()
    }

    /// Calls the script.
    pub(super) async fn call<T: FromRedisValue>(
        &self,
        link: &Link,
        operation: &str,
        arguments: impl ToRedisArgs,
    ) -> Result<Answered<T>, StoreError> {
        let fresh = random::bytes(&*self.random)?;
        let mut call = script::call(operation, &self.keys, fresh);
        call.arg(arguments);
        let heard = link.ask(&call).await?;
        let answer = script::answer(heard.value).ok_or_else(|| self.server().odd())?;
        let (mut state, result) = answer;
        let publications = self.unreadable_publications.load(Ordering::Relaxed);
        state.unreadable = publications.saturating_add(self.unreadable.load(Ordering::Relaxed));
        self.hear(state.incarnation);
        Ok(Answered {
            result,
            state,
            held: heard.held,
            is_repeated: heard.is_repeated,
        })
    }

    /// The state of the list as a whole.
    pub(super) async fn whole(&self) -> Result<Answered<Whole>, StoreError> {
        self.call(&self.link, "state", None::<u64>).await
    }

    /// As `call`, and waits until enough replicas know.
    pub(super) async fn call_replicated<T: FromRedisValue>(
        &self,
        operation: &str,
        arguments: impl ToRedisArgs,
    ) -> Result<Answered<T>, StoreError> {
        let answered = self.call_written(operation, arguments).await?;
        self.replicated(&answered).await?;
        Ok(answered)
    }

    /// As `call`, over the connection on which can be waited for replicas.
    pub(super) async fn call_written<T: FromRedisValue>(
        &self,
        operation: &str,
        arguments: impl ToRedisArgs,
    ) -> Result<Answered<T>, StoreError> {
        let link = match self.replicas.are_wanted() {
            true => &self.writer,
            false => &self.link,
        };
        self.call(link, operation, arguments).await
    }

    /// Waits until enough replicas have what was written.
    pub(super) async fn replicated<T>(&self, written: &Answered<T>) -> Result<(), StoreError> {
        match self.replicas.are_wanted() {
            true => self.replicas.wait(&self.writer, &written.held).await,
            false => Ok(()),
        }
    }

    /// Tells the follower that another server answers. A cursor shows another epoch.
    fn hear(&self, now: Incarnation) {
        let before = lock(&self.heard).replace(now);
        if before.is_some_and(|it| it.epoch == now.epoch && it.server != now.server) {
            self.server().note_loss();
        }
    }
}

// Neither user nor password.
redacted!(Redis: |it| server = it.server(), list = it.list);
