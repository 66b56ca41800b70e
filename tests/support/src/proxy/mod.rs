//! A network between clients and a server that fails when it is told to.
//!
//! 1. It forwards bytes, and knows where commands and replies end (RESP), so that it can lose exactly
//!    one reply: the server has done what it was asked, and the client does not hear of it.
//! 2. It runs in a thread of its own, whatever the test's runtime is busy with.
//! 3. Every method has taken effect when it returns.
//! 4. Connections that it ends are reset, as by a router or a machine that forgot them.

mod frame;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::frame::Frame;
use super::ports::{candidates, local};

/// Between clients and the server that it was made for.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    // Taken when the proxy ends.
    orders: Option<UnboundedSender<(Order, mpsc::Sender<()>)>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Forward,
    Hold,
    Cut,
    Refuse,
}

#[derive(Debug)]
struct Shared {
    server: Mutex<SocketAddr>,
    forwarding: watch::Sender<bool>,
    loss: Mutex<Option<Loss>>,
    to_server: AtomicU64,
    to_clients: AtomicU64,
    connections: AtomicU64,
    lost: AtomicU64,
}

/// A reply that will not arrive whole.
#[derive(Debug)]
struct Loss {
    /// What the command contains; any command's reply, if `None`.
    command: Option<Vec<u8>>,
    /// How much of the reply is forwarded.
    bytes: usize,
    /// How many more replies.
    times: usize,
}

impl Proxy {
    /// In front of a port on the loopback interface.
    pub fn before(port: u16) -> Self {
        let shared = Arc::new(Shared {
            server: Mutex::new(local(port)),
            forwarding: watch::Sender::new(true),
            loss: Mutex::default(),
            to_server: AtomicU64::new(0),
            to_clients: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        });
        let mut bound =
            candidates().filter_map(|port| std::net::TcpListener::bind(local(port)).ok());
        let listener = bound.next().unwrap();
        let address = listener.local_addr().unwrap();
        let (orders, received) = unbounded_channel();
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = { runtime }.enable_all().build().unwrap();
                runtime.block_on(serve(listener, shared, received));
            }
        });
        Self {
            address,
            shared,
            orders: Some(orders),
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// A partition: connections stay open and new ones are accepted, and nothing arrives on either
    /// side, not even that the other one has closed.
    pub fn stop_forwarding(&self) {
        self.order(Order::Hold);
    }

    /// Forwards again, also what was held back, and accepts connections again. A loss that has not
    /// happened yet is called off.
    pub fn heal(&self) {
        *self.shared.loss.lock().unwrap() = None;
        self.order(Order::Forward);
    }

    /// Leads connections that come from now on to another port, and resets every other one.
    pub fn redirect(&self, port: u16) {
        *self.shared.server.lock().unwrap() = local(port);
        self.cut();
    }

    /// Resets every connection. New ones are treated as before.
    pub fn cut(&self) {
        self.order(Order::Cut);
    }

    /// Resets every connection and refuses new ones: nobody listens.
    pub fn refuse(&self) {
        self.order(Order::Refuse);
    }

    /// Of the next reply, on whatever connection, forwards that many bytes; then resets the connection.
    pub fn cut_reply_after(&self, bytes: usize) {
        self.lose(None, bytes, 1);
    }

    /// The same for the reply to the next command that contains `text`, in either case of letters: the
    /// name of a command, or anything in its arguments. With 0 bytes nothing of the reply arrives.
    pub fn cut_reply_to(&self, text: &str, bytes: usize) {
        self.cut_replies_to(text, bytes, 1);
    }

    /// The same for so many replies to such commands.
    pub fn cut_replies_to(&self, text: &str, bytes: usize, times: usize) {
        self.lose(Some(text.to_ascii_lowercase().into_bytes()), bytes, times);
    }

    fn lose(&self, command: Option<Vec<u8>>, bytes: usize, times: usize) {
        *self.shared.loss.lock().unwrap() = Some(Loss {
            command,
            bytes,
            times,
        });
    }

    /// How many replies were cut.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::SeqCst)
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    pub fn bytes_to_server(&self) -> u64 {
        self.shared.to_server.load(Ordering::SeqCst)
    }

    pub fn bytes_to_clients(&self) -> u64 {
        self.shared.to_clients.load(Ordering::SeqCst)
    }

    fn order(&self, order: Order) {
        let (done, wait) = mpsc::channel();
        let orders = self.orders.as_ref().unwrap();
        orders.send((order, done)).unwrap();
        wait.recv().expect("the proxy has failed");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    mut orders: UnboundedReceiver<(Order, mpsc::Sender<()>)>,
) {
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut listener = Some(TcpListener::from_std(listener).unwrap());
    // Dropping a task drops its sockets, which resets the connections.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some((order, done)) = order else { return };
                match order {
                    Order::Hold | Order::Forward => {
                        shared.forwarding.send_replace(order == Order::Forward);
                        if listener.is_none() {
                            listener = Some(listen_again(address).await);
                        }
                    }
                    Order::Cut => connections.shutdown().await,
                    Order::Refuse => {
                        listener = None;
                        connections.shutdown().await;
                    }
                }
                let _ = done.send(());
            }
            client = accept(listener.as_ref()) => {
                count(&shared.connections, 1);
                let shared = shared.clone();
                connections.spawn(async move { connect(client, &shared).await });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Somebody else may have the port for a moment.
async fn listen_again(address: SocketAddr) -> TcpListener {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => assert!(Instant::now() < deadline, "{address}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    match listener {
        Some(listener) => listener.accept().await.unwrap().0,
        None => std::future::pending().await,
    }
}

async fn connect(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_zero_linger()?;
    shared.may_forward().await;
    let server = *shared.server.lock().unwrap();
    let mut server = TcpStream::connect(server).await?;
    server.set_zero_linger()?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let doomed = Mutex::new(None);
    // Borrowed: halves that are owned say goodbye when they are dropped.
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(
        forward_commands(shared, &doomed, from_client, to_server),
        forward_replies(shared, &doomed, from_server, to_client),
    )?;
    Ok(())
}

/// The number of a reply on its connection, and how much of it is forwarded.
type Doomed = Mutex<Option<(u64, usize)>>;

async fn forward_commands(
    shared: &Shared,
    doomed: &Doomed,
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
) -> io::Result<()> {
    let mut frame = Frame::default();
    let mut command = Vec::new();
    let mut number = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = shared.read(&mut from, &mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        let mut rest = buffer.get(..read).unwrap();
        while !rest.is_empty() {
            let (part, after, is_end) = frame.split(rest);
            rest = after;
            command.extend_from_slice(part);
            if is_end {
                // Before the server can have seen all of it.
                if let Some(bytes) = shared.takes(&command) {
                    *doomed.lock().unwrap() = Some((number, bytes));
                }
                number += 1;
                command.clear();
            }
            count(&shared.to_server, part.len());
            to.write_all(part).await?;
        }
    }
}

async fn forward_replies(
    shared: &Shared,
    doomed: &Doomed,
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
) -> io::Result<()> {
    let mut frame = Frame::default();
    let mut number = 0;
    let mut buffer = vec![0; 1 << 16];
    // How much of this reply may still be forwarded, if it is one that is cut.
    let mut left = None;
    loop {
        let read = shared.read(&mut from, &mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        let mut rest = buffer.get(..read).unwrap();
        while !rest.is_empty() {
            // What the server sends unasked is no reply (RESP 3).
            let is_push = frame.is_push(rest);
            if frame.is_at_start() && !is_push {
                let found = doomed.lock().unwrap().filter(|(which, _)| *which == number);
                left = found.map(|(_, bytes)| bytes).or_else(|| shared.takes_any());
                number += 1;
            }
            let (part, after, is_end) = frame.split(rest);
            rest = after;
            let allowed = left.map_or(part.len(), |left: usize| left.min(part.len()));
            count(&shared.to_clients, allowed);
            to.write_all(part.get(..allowed).unwrap()).await?;
            if let Some(left) = &mut left {
                *left -= allowed;
                if *left == 0 || is_end {
                    count(&shared.lost, 1);
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
            }
        }
    }
}

/// Before it happens: who sees it happen finds it counted.
fn count(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::SeqCst);
}

impl Shared {
    async fn may_forward(&self) {
        let mut forwarding = self.forwarding.subscribe();
        let _ = forwarding.wait_for(|forwarding| *forwarding).await;
    }

    /// Neither takes bytes nor hands them on while nothing is forwarded.
    async fn read(&self, from: &mut ReadHalf<'_>, buffer: &mut [u8]) -> io::Result<usize> {
        self.may_forward().await;
        let read = from.read(buffer).await;
        self.may_forward().await;
        read
    }

    /// Whether the reply to this command is to be cut, and after how many bytes.
    fn takes(&self, command: &[u8]) -> Option<usize> {
        let mut loss = self.loss.lock().unwrap();
        let text = loss.as_ref()?.command.as_ref()?;
        let command = command.to_ascii_lowercase();
        let contains = command.windows(text.len()).any(|part| part == text);
        contains.then(|| next(&mut loss))?
    }

    /// Whether any reply is to be cut.
    fn takes_any(&self) -> Option<usize> {
        let mut loss = self.loss.lock().unwrap();
        let any = loss.as_ref().is_some_and(|loss| loss.command.is_none());
        any.then(|| next(&mut loss))?
    }
}

/// How much of the reply is forwarded that is lost now.
fn next(loss: &mut Option<Loss>) -> Option<usize> {
    let now = loss.as_mut()?;
    now.times -= 1;
    let bytes = now.bytes;
    loss.take_if(|loss| loss.times == 0);
    Some(bytes)
}
