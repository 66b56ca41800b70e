//! Connections to the server.
//!
//! 1. One connection for each purpose, made when it is first needed and whenever the last one is
//!    gone. Nothing here waits before another attempt: callers do.
//! 2. Callers that come while a connection is being made share that attempt, and its failure.
//! 3. A connection that failed once is never used again: nobody knows which answer comes next.
//! 4. All keys are in one slot of a cluster, so one address is all there is to know of it. It is
//!    remembered until a connection there fails.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, RedisError, Value,
};
use tokio::time::timeout;

use super::check::check;
use super::fault::{ends_connection, moved, unavailable};
use crate::error::StoreError;
use crate::lock::lock;

/// How long connecting may take, with all that is said before the first command.
const CONNECTING: Duration = Duration::from_secs(2);

/// Where the server is, for all connections to it.
pub(super) struct Server {
    info: ConnectionInfo,
    /// Where in the cluster the list is, if not there.
    moved: Mutex<Option<(String, u16)>>,
    /// How many connections were lost or left.
    lost: AtomicU64,
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
            info,
            moved: Mutex::new(None),
            lost: AtomicU64::new(0),
            warned: AtomicBool::new(false),
        }
    }

    /// Host and port, for people.
    pub(super) fn address(&self) -> String {
        self.info().addr().to_string()
    }

    /// How many connections were lost or left. Behind the next one there may be another server, which
    /// does not know what was told over the last one.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Acquire)
    }

    /// Another server answers than before: what was told to that may be lost.
    pub(super) fn note_loss(&self) {
        self.lost.fetch_add(1, Ordering::AcqRel);
    }

    /// What is told about an error of this server.
    pub(super) fn problem(&self, error: &RedisError) -> StoreError {
        unavailable(&self.address(), error)
    }

    /// Remembers the address that `error` tells of. Whether there was one.
    fn follow_move(&self, error: &RedisError) -> bool {
        let Some((mut host, port)) = moved(error) else {
            return false;
        };
        if host.is_empty() {
            host = host_of(self.info().addr());
        }
        *lock(&self.moved) = Some((host, port));
        true
    }

    fn forget_move(&self) {
        *lock(&self.moved) = None;
    }

    fn info(&self) -> ConnectionInfo {
        let moved = lock(&self.moved);
        let Some((host, port)) = moved.clone() else {
            return self.info.clone();
        };
        let addr = match self.info.addr().clone() {
            ConnectionAddr::TcpTls {
                insecure,
                tls_params,
                ..
            } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure,
                tls_params,
            },
            _ => ConnectionAddr::Tcp(host, port),
        };
        self.info.clone().set_addr(addr)
    }
}

fn host_of(addr: &ConnectionAddr) -> String {
    match addr {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host.clone(),
        _ => String::new(),
    }
}

/// One connection, as long as it lasts.
pub(super) struct Link {
    server: Arc<Server>,
    /// How long an answer may take.
    patience: Duration,
    /// Whether it is the one that news come over. That of another server must be noticed at once, so nothing
    /// is said twice; and the server is looked at on the others.
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
    number: u64,
    addr: ConnectionAddr,
    connection: MultiplexedConnection,
}

impl Held {
    /// Which connection of its link this is.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Link {
    pub(super) fn new(server: Arc<Server>, patience: Duration) -> Self {
        Self {
            server,
            patience,
            follows: false,
            slot: tokio::sync::Mutex::default(),
            attempts: AtomicU64::new(0),
        }
    }

    /// The one for following.
    pub(super) fn for_following(server: Arc<Server>, patience: Duration) -> Self {
        Self {
            follows: true,
            ..Self::new(server, patience)
        }
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// The connection; a new one if there is none.
    pub(super) async fn hold(&self) -> Result<Held, StoreError> {
        let asked = self.attempts.load(Ordering::Acquire);
        let mut slot = self.slot.lock().await;
        let info = self.server.info();
        if let Some(held) = &slot.held
            && held.addr == *info.addr()
        {
            return Ok(held.clone());
        }
        if let Some((number, error)) = &slot.failed
            && *number > asked
        {
            return Err(error.clone());
        }
        self.drop_held(&mut slot);
        let made = self.connect(info.clone()).await;
        let number = self.attempts.fetch_add(1, Ordering::AcqRel).wrapping_add(1);
        match made {
            Ok(connection) => {
                let held = Held {
                    number,
                    addr: info.addr().clone(),
                    connection,
                };
                slot.held = Some(held.clone());
                slot.failed = None;
                Ok(held)
            }
            Err(error) => {
                self.server.forget_move();
                slot.failed = Some((number, error.clone()));
                Err(error)
            }
        }
    }

    async fn connect(&self, info: ConnectionInfo) -> Result<MultiplexedConnection, StoreError> {
        let address = info.addr().to_string();
        let told = |error: &RedisError| unavailable(&address, error);
        let client = Client::open(info).map_err(|error| told(&error))?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTING))
            .set_response_timeout(Some(self.patience));
        let connecting = async {
            let connection = client
                .get_multiplexed_async_connection_with_config(&config)
                .await
                .map_err(|error| told(&error))?;
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

    /// Says `command` over `held`.
    pub(super) async fn say(&self, held: &Held, command: &Cmd) -> Result<Value, RedisError> {
        let mut connection = held.connection.clone();
        let answer = connection.send_packed_command(command).await;
        let answer = answer.and_then(Value::extract_error);
        if let Err(error) = &answer
            && ends_connection(error)
        {
            self.server.forget_move();
            self.give_up(held).await;
        }
        answer
    }

    /// Whether what failed is worth one more attempt over another connection: the list has moved, or the
    /// connection was closed, often long before. Whatever is said can be said twice; it may have been done.
    pub(super) fn leads_elsewhere(&self, error: &RedisError) -> bool {
        self.server.follow_move(error) || !self.follows && error.is_connection_dropped()
    }

    /// Says `command`, also where the list has moved to.
    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, StoreError> {
        let held = self.hold().await?;
        let answer = match self.say(&held, command).await {
            Err(error) if self.leads_elsewhere(&error) => {
                let held = self.hold().await?;
                self.say(&held, command).await
            }
            answer => answer,
        };
        answer.map_err(|error| self.server.problem(&error))
    }

    /// Does not use this connection again.
    pub(super) async fn give_up(&self, held: &Held) {
        let mut slot = self.slot.lock().await;
        if slot
            .held
            .as_ref()
            .is_some_and(|now| now.number == held.number)
        {
            self.drop_held(&mut slot);
        }
    }

    /// Does not use the connection again that there is now, if there is one.
    pub(super) async fn reset(&self) {
        self.drop_held(&mut *self.slot.lock().await);
    }

    fn drop_held(&self, slot: &mut Slot) {
        if slot.held.take().is_some() {
            self.server.lost.fetch_add(1, Ordering::AcqRel);
        }
    }
}
