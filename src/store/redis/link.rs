//! Connections to the server.
//!
//! 1. One connection for each purpose, made when it is first needed and whenever the last one is
//!    gone. Nothing here waits before another attempt: callers do.
//! 2. Callers that come while a connection is being made share that attempt, and its failure.
//! 3. A connection that failed once is never used again: nobody knows which answer comes next. That one was
//!    lost or left is noted, which the redis crate's own connection manager does not do.
//! 4. All keys are in one slot of a cluster, so one address is all there is to know of it. It is
//!    remembered until a connection there fails.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, Pipeline, RedisError,
    RedisResult, Value,
};
use tokio::time::timeout;

use super::check::check;
use super::fault::{ends_connection, moved, told};
use super::script;
use crate::error::StoreError;
use crate::lock::lock;

/// How long connecting may take, with all that is said before the first command.
const CONNECTING: Duration = Duration::from_secs(2);

/// Where the server is, for all connections to it.
pub(super) struct Server {
    info: ConnectionInfo,
    /// Where the list is: there, or where it has moved to within the cluster.
    addr: Mutex<ConnectionAddr>,
    /// Whether a connection was lost or left since that was last asked.
    has_lost: AtomicBool,
    /// Whether it was warned that the server does not tell how it evicts.
    warned: AtomicBool,
}

/// The password stays inside.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address())
    }
}

impl Server {
    pub(super) fn new(info: ConnectionInfo) -> Self {
        Self {
            addr: Mutex::new(info.addr().clone()),
            info,
            has_lost: AtomicBool::new(false),
            warned: AtomicBool::new(false),
        }
    }

    /// Host and port, for people.
    pub(super) fn address(&self) -> String {
        lock(&self.addr).to_string()
    }

    /// Whether a connection was lost or left since this was last asked. The next one may lead to another server, which
    /// may lack what was published over the last one.
    pub(super) fn take_loss(&self) -> bool {
        self.has_lost.swap(false, Ordering::AcqRel)
    }

    /// Another server answers than before. It may lack what the last one was told.
    pub(super) fn note_loss(&self) {
        self.has_lost.store(true, Ordering::Release);
    }

    /// What is told about an error of this server.
    pub(super) fn told(&self, error: &RedisError) -> StoreError {
        told(&self.address(), error)
    }

    /// A problem with this server.
    pub(super) fn unavailable(&self, problem: impl fmt::Display) -> StoreError {
        StoreError::unavailable(format_args!("{}: {problem}", self.address()))
    }

    /// An answer that no server gives.
    pub(super) fn odd(&self) -> StoreError {
        self.unavailable("an answer that was not understood")
    }

    /// Remembers the address that `error` tells of. Whether there was one.
    fn follow_move(&self, error: &RedisError) -> bool {
        let Some((to, at)) = moved(error) else {
            return false;
        };
        go_to(&mut lock(&self.addr), to, at);
        true
    }

    /// The same server, for connections that are not counted here.
    pub(super) fn again(&self) -> Self {
        Self::new(self.info.clone())
    }

    /// Another node of the same cluster, which is reached as this one is. An empty host is this one's.
    pub(super) fn node(&self, host: String, port: u16) -> Self {
        let mut addr = lock(&self.addr).clone();
        go_to(&mut addr, host, port);
        Self::new(self.info.clone().set_addr(addr))
    }

    fn forget_move(&self) {
        *lock(&self.addr) = self.info.addr().clone();
    }
}

/// Makes `addr` lead to another place, over TLS if it did.
fn go_to(addr: &mut ConnectionAddr, to: String, at: u16) {
    if let ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } = addr {
        if !to.is_empty() {
            *host = to;
        }
        *port = at;
    }
}

/// One connection, as long as it lasts.
pub(super) struct Link {
    server: Arc<Server>,
    /// How long an answer may take.
    patience: Duration,
    /// Whether it is the follower's. Another server must be noticed at once there, so nothing is said twice. The
    /// server is checked on the others.
    follows: bool,
    slot: tokio::sync::Mutex<Slot>,
    /// How many attempts to connect have ended.
    attempts: AtomicU64,
}

#[derive(Default)]
struct Slot {
    held: Option<Held>,
    /// The last attempt that failed, by its number.
    failed: Option<(u64, StoreError)>,
}

/// A connection that is in use. What belongs together is said over the same one.
#[derive(Clone)]
pub(super) struct Held {
    /// Which connection of its link this is.
    pub(super) number: u64,
    connection: MultiplexedConnection,
}

/// An answer, and the connection that it came over.
pub(super) struct Heard {
    pub(super) held: Held,
    pub(super) value: Value,
    /// Whether it was asked twice, so that the first attempt may have succeeded.
    pub(super) is_repeated: bool,
}

impl Link {
    pub(super) fn new(server: Arc<Server>, patience: Duration, follows: bool) -> Self {
        Self {
            server,
            patience,
            follows,
            slot: tokio::sync::Mutex::default(),
            attempts: AtomicU64::new(0),
        }
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// The connection; a new one if there is none.
    pub(super) async fn hold(&self) -> Result<Held, StoreError> {
        let asked = self.attempts.load(Ordering::Acquire);
        let mut slot = self.slot.lock().await;
        if let Some(held) = &slot.held {
            return Ok(held.clone());
        }
        if let Some((number, error)) = &slot.failed
            && *number > asked
        {
            return Err(error.clone());
        }
        let addr = lock(&self.server.addr).clone();
        let made = self.connect(addr).await;
        let number = self.attempts.fetch_add(1, Ordering::AcqRel).wrapping_add(1);
        slot.failed = made.as_ref().err().map(|error| (number, error.clone()));
        let connection = made.inspect_err(|_| self.server.forget_move())?;
        let held = Held { number, connection };
        slot.held = Some(held.clone());
        Ok(held)
    }

    async fn connect(&self, addr: ConnectionAddr) -> Result<MultiplexedConnection, StoreError> {
        let address = addr.to_string();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTING))
            .set_response_timeout(Some(self.patience));
        let info = self.server.info.clone().set_addr(addr);
        let told = |error| told(&address, &error);
        let connecting = async {
            let client = Client::open(info).map_err(told)?;
            let connection = client.get_multiplexed_async_connection_with_config(&config);
            let connection = connection.await.map_err(told)?;
            if !self.follows {
                check(&connection, &address, &self.server.warned).await?;
            }
            Ok(connection)
        };
        timeout(CONNECTING, connecting).await.unwrap_or_else(|_| {
            let waited = CONNECTING.as_secs();
            Err(StoreError::unavailable(format_args!(
                "{address}: no connection within {waited} s"
            )))
        })
    }

    /// Says `command` over `held`. A server that does not know the script is told it first.
    pub(super) async fn say(&self, held: &Held, command: &Cmd) -> Result<Value, RedisError> {
        let mut connection = held.connection.clone();
        let mut answer = command.query_async(&mut connection).await;
        let is_unknown = |error: &RedisError| error.code() == Some("NOSCRIPT");
        if answer.as_ref().is_err_and(is_unknown) {
            answer = match script::load(&mut connection).await {
                Ok(()) => command.query_async(&mut connection).await,
                Err(error) => Err(error),
            };
        }
        if answer.as_ref().is_err_and(ends_connection) {
            self.server.forget_move();
            self.give_up(held).await;
        }
        answer
    }

    /// Says `command`, also where the list has moved to.
    pub(super) async fn ask(&self, command: &Cmd) -> Result<Heard, StoreError> {
        let mut held = self.hold().await?;
        let mut answer = self.say(&held, command).await;
        let mut is_repeated = false;
        // The list has moved, or the connection was closed, often long before: that is worth one more attempt.
        // Whatever is said can be said twice; it may have been done.
        if let Err(error) = &answer {
            is_repeated = !self.follows && error.is_connection_dropped();
            if self.server.follow_move(error) || is_repeated {
                self.give_up(&held).await;
                held = self.hold().await?;
                answer = self.say(&held, command).await;
            }
        }
        let value = answer.map_err(|error| self.server.told(&error))?;
        Ok(Heard {
            held,
            value,
            is_repeated,
        })
    }

    /// Says `command` here, and once more if the connection was closed, often long before. For what can be said twice,
    /// and whose answer tells where else to ask.
    pub(super) async fn ask_here(
        &self,
        command: &Cmd,
    ) -> Result<Result<Value, RedisError>, StoreError> {
        let held = self.hold().await?;
        let answer = self.say(&held, command).await;
        match answer {
            Err(error) if error.is_connection_dropped() => {
                let held = self.hold().await?;
                Ok(self.say(&held, command).await)
            }
            answer => Ok(answer),
        }
    }

    /// Says commands over `held` that need no script, all at once. Their answers, in their order.
    pub(super) async fn say_all(
        &self,
        held: &Held,
        mut commands: Pipeline,
    ) -> Result<Vec<Value>, RedisError> {
        // Else it is told of the first error that there was one, not which.
        commands.ignore_errors();
        let answers = commands.query_async(&mut held.connection.clone()).await;
        let answers = answers.and_then(|each: Vec<RedisResult<_>>| each.into_iter().collect());
        if answers.as_ref().is_err_and(ends_connection) {
            self.give_up(held).await;
        }
        answers
    }

    /// Does not use this connection again.
    async fn give_up(&self, held: &Held) {
        let mut slot = self.slot.lock().await;
        let now = slot.held.as_ref().map(|now| now.number);
        if now == Some(held.number) {
            self.drop_held(&mut slot);
        }
    }

    /// Does not use the connection again that there is now, if there is one.
    pub(super) async fn reset(&self) {
        self.drop_held(&mut *self.slot.lock().await);
    }

    fn drop_held(&self, slot: &mut Slot) {
        if slot.held.take().is_some() {
            self.server.note_loss();
        }
    }
}
