//! A real `redis-server` as a child process, on a port and in a folder of its own.
//!
//! 1. It keeps nothing on disk, unless its arguments say so.
//! 2. It ends when the value is dropped, by its own process id.
//! 3. It comes back on the port that it had, so that clients find it again.

mod connection;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::moved_clock::MovedClock;
use super::ports;

pub use connection::{Connection, Reply};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// In the server's log once it has loaded its data and listens.
const READY: &str = "Ready to accept connections";

/// A server that runs, or that was killed and may come back.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    /// See [`RedisServer::with`].
    tls_port: u16,
    arguments: Vec<String>,
    environment: Vec<(String, PathBuf)>,
    folder: TempDir,
    child: Mutex<Option<Child>>,
}

/// What the server has done since it was started. The question itself is in it: one command, some
/// hundred bytes in the next answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    pub commands: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

impl Counters {
    /// What was done between two readings.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            commands: self.commands - earlier.commands,
            bytes_in: self.bytes_in - earlier.bytes_in,
            bytes_out: self.bytes_out - earlier.bytes_out,
        }
    }
}

impl RedisServer {
    /// An empty server.
    pub fn start() -> Self {
        Self::with::<&str>([])
    }

    /// An empty server with more arguments, such as `["--appendonly", "yes"]` or
    /// `["--user", "node", "on", ">secret", "~*", "+@all"]`. `{tls-port}` in an argument stands for a
    /// free port: `["--tls-port", "{tls-port}", ..]`.
    pub fn with<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let owned = |argument: S| argument.as_ref().to_owned();
        Self::new(arguments.into_iter().map(owned).collect(), Vec::new())
    }

    /// An empty server whose time of day is `clock`'s.
    pub fn under(clock: &MovedClock) -> Self {
        Self::new(Vec::new(), clock.environment())
    }

    /// The same, and what it was told survives a restart.
    pub fn durable_under(clock: &MovedClock) -> Self {
        let arguments = ["--appendonly", "yes", "--appendfsync", "always"];
        Self::new(arguments.map(str::to_owned).to_vec(), clock.environment())
    }

    fn new(arguments: Vec<String>, environment: Vec<(String, PathBuf)>) -> Self {
        let mut last = String::new();
        for _ in 0..20 {
            let server = Self {
                port: ports::free(1),
                tls_port: ports::free(1),
                arguments: arguments.clone(),
                environment: environment.clone(),
                folder: tempfile::tempdir().unwrap(),
                child: Mutex::new(None),
            };
            fs::create_dir(server.data()).unwrap();
            match server.try_run() {
                Ok(()) => return server,
                Err(log) if log.contains("Address already in use") => last = log,
                Err(log) => panic!("redis-server does not start: {log}"),
            }
        }
        panic!("redis-server finds no free port: {last}");
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What `{tls-port}` stands for.
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.lock().unwrap().as_ref().map(Child::id)
    }

    /// Where the server keeps its files, if it was told to keep any.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// `kill -9`. A server that was paused ends as well.
    pub fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Kills the server and starts it again with what it had written to its disk. What it was told by
    /// commands, such as whose replica it is, it has forgotten.
    pub fn restart(&self) {
        self.kill();
        let deadline = Instant::now() + PATIENCE;
        while let Err(log) = self.try_run() {
            assert!(
                log.contains("Address already in use") && Instant::now() < deadline,
                "redis-server does not start again: {log}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills the server and starts it again with nothing: its disk was lost too.
    pub fn restart_empty(&self) {
        self.kill();
        fs::remove_dir_all(self.data()).unwrap();
        fs::create_dir(self.data()).unwrap();
        self.restart();
    }

    /// Stops the process without ending it: connections stay open, and nobody is answered.
    pub fn pause(&self) {
        self.signal("-STOP");
        // The signal is on its way when the command returns.
        let deadline = Instant::now() + PATIENCE;
        while self.state().is_some_and(|state| state != 'T') {
            assert!(Instant::now() < deadline, "redis-server does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The opposite of [`RedisServer::pause`].
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Makes this server a copy of the other one, and waits until it is.
    pub fn replica_of(&self, other: &Self) {
        self.replica_of_port(other.port);
    }

    /// The same over a network that may fail: the port of a proxy before the other server.
    pub fn replica_of_port(&self, port: u16) {
        let port = port.to_string();
        self.command(&["REPLICAOF", "127.0.0.1", &port]).ok();
        let deadline = Instant::now() + PATIENCE;
        while self.info("replication").get("master_link_status") != Some(&"up".to_owned()) {
            assert!(Instant::now() < deadline, "no copy: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes a replica a server of its own.
    pub fn promote(&self) {
        self.command(&["REPLICAOF", "NO", "ONE"]).ok();
    }

    /// Lets the list of this name be as if it had settled long ago: a node that starts on it waits for nothing.
    /// The list must be there, and must have been used since the server started.
    #[track_caller]
    pub fn settle(&self, list: &str) {
        let meta = format!("sealed-session:{{{list}}}:meta");
        assert_eq!(
            self.command(&["EXISTS", &meta]).integer(),
            1,
            "no list {list}"
        );
        self.command(&["HSET", &meta, "settled", "0"]).integer();
    }

    /// Sends a command on a connection of its own, and waits for its reply.
    #[track_caller]
    pub fn command(&self, words: &[&str]) -> Reply {
        let reply = self.try_command(words, PATIENCE);
        reply.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// The same, with a limit for every wait.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, or does not answer within `patience`.
    pub fn try_command(&self, words: &[&str], patience: Duration) -> io::Result<Reply> {
        Connection::open(self.port, patience)?.call(words)
    }

    /// What INFO says in a section.
    #[track_caller]
    pub fn info(&self, section: &str) -> BTreeMap<String, String> {
        let text = self.command(&["INFO", section]).text();
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[track_caller]
    pub fn counters(&self) -> Counters {
        let stats = self.info("stats");
        let number = |name: &str| stats.get(name).unwrap().parse().unwrap();
        Counters {
            commands: number("total_commands_processed"),
            bytes_in: number("total_net_input_bytes"),
            bytes_out: number("total_net_output_bytes"),
        }
    }

    /// How often clients have called each command. What a script calls is in the server's own number of all
    /// commands, and not in these.
    #[track_caller]
    pub fn calls<const N: usize>(&self, commands: [&str; N]) -> [u64; N] {
        let stats = self.info("commandstats");
        commands.map(|command| {
            let stat = stats.get(&format!("cmdstat_{command}"));
            let calls = stat.and_then(|stat| stat.strip_prefix("calls=")?.split(',').next());
            calls.map_or(0, |calls| calls.parse().unwrap())
        })
    }

    /// What the server has logged since it was last started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Starts the process. `Err` has the log of one that ended instead.
    fn try_run(&self) -> Result<(), String> {
        let log = File::create(self.folder.path().join("log")).unwrap();
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--save", "", "--appendonly", "no"])
            // Otherwise a copy begins five seconds after it was asked for.
            .args(["--repl-diskless-sync-delay", "0"])
            .arg("--dir")
            .arg(self.data());
        let tls_port = self.tls_port.to_string();
        for argument in &self.arguments {
            command.arg(argument.replace("{tls-port}", &tls_port));
        }
        command
            .envs(self.environment.clone())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("redis-server is not installed; scripts/test installs it")
            }
            Err(error) => panic!("redis-server cannot be run: {error}"),
        };
        *self.child.lock().unwrap() = Some(child);
        self.wait_until_ready()
    }

    /// An answer alone would not do: if the port was taken, somebody else gives it.
    fn wait_until_ready(&self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while !(self.log().contains(READY) && self.answers()) {
            let mut child = self.child.lock().unwrap();
            let ended = child.as_mut().unwrap().try_wait().unwrap();
            if let Some(status) = ended {
                *child = None;
                return Err(format!("{status}\n{}", self.log()));
            }
            drop(child);
            assert!(Instant::now() < deadline, "not ready: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Whether there is any reply: it may well want a password first.
    fn answers(&self) -> bool {
        self.try_command(&["PING"], Duration::from_secs(1)).is_ok()
    }

    fn signal(&self, name: &str) {
        let id = self.id().expect("the server does not run").to_string();
        let command = format!("kill {name} {id}");
        // The shell's own: not every machine has a program of that name.
        let status = Command::new("sh").args(["-c", &command]).status().unwrap();
        assert!(status.success());
    }

    /// The state of the process as the kernel names it, where it does.
    fn state(&self) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()?)).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
