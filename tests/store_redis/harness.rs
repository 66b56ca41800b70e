//! Servers of our own, for as long as a test runs.
#![allow(dead_code)]

use std::fs::OpenOptions;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use redis::{Connection, FromRedisValue};
use sealed_session::store::{Redis, RedisOptions};
use tempfile::TempDir;

static LISTS: AtomicU32 = AtomicU32::new(0);

/// A name that no other list of this test run has.
pub fn new_list() -> String {
    format!("list-{}", LISTS.fetch_add(1, Ordering::Relaxed))
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A server's time of day.
pub struct MovedClock {
    file: PathBuf,
}

impl MovedClock {
    /// Sets it so many milliseconds ahead.
    pub fn set(&self, ahead: i64) {
        self.write([ahead, 0]);
    }

    /// Sets it, and lets it stand still.
    pub fn stop_at(&self, millis: u64) {
        self.write([0, millis.try_into().unwrap()]);
    }

    fn write(&self, numbers: [i64; 2]) {
        // In place: the server has the file mapped.
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false);
        let mut file = file.open(&self.file).unwrap();
        file.write_all(&numbers.map(i64::to_ne_bytes).concat())
            .unwrap();
    }
}

pub struct Server {
    child: Option<Child>,
    port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    environment: Vec<(String, PathBuf)>,
}

impl Server {
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(arguments: &[&str]) -> Self {
        Self::new(TempDir::new().unwrap(), arguments, vec![])
    }

    /// A server whose time of day can be moved; `None` where that can not be built.
    pub fn with_clock() -> Option<(Self, MovedClock)> {
        let folder = TempDir::new().unwrap();
        let library = folder.path().join("clock.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store_redis/clock.c");
        let mut compile = Command::new("cc");
        compile
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library);
        let compiled = compile.arg(source).stderr(Stdio::null()).status();
        if !cfg!(target_os = "linux") || !compiled.is_ok_and(|status| status.success()) {
            return None;
        }
        let clock = MovedClock {
            file: folder.path().join("clock"),
        };
        clock.set(0);
        let variable = |name: &str, path: &Path| (name.to_owned(), path.to_owned());
        let environment = vec![
            variable("LD_PRELOAD", &library),
            variable("CLOCK_OFFSET", &clock.file),
        ];
        Some((Self::new(folder, &[], environment), clock))
    }

    fn new(folder: TempDir, arguments: &[&str], environment: Vec<(String, PathBuf)>) -> Self {
        let mut server = Self {
            child: None,
            port: free_port(),
            folder,
            arguments: arguments.iter().map(|&each| each.to_owned()).collect(),
            environment,
        };
        server.run();
        server
    }

    /// Starts it, again.
    pub fn run(&mut self) {
        let mut command = Command::new("redis-server");
        command
            .arg("--port")
            .arg(self.port.to_string())
            .args(["--bind", "127.0.0.1", "--save", "", "--daemonize", "no"])
            .args(["--repl-diskless-sync-delay", "0"])
            .arg("--dir")
            .arg(self.folder.path())
            .args(&self.arguments)
            .envs(self.environment.clone())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.child = Some(command.spawn().expect("redis-server is installed"));
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(10), "not up");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        let status = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(status.success());
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn open(&self, list: &str) -> Redis {
        Redis::open(self.url(), list).unwrap()
    }

    pub fn options(&self, list: &str) -> RedisOptions {
        Redis::options(self.url(), list)
    }

    /// A connection around the store.
    pub fn raw(&self) -> Connection {
        let client = redis::Client::open(self.url()).unwrap();
        let started = Instant::now();
        loop {
            let connected = client.get_connection().and_then(|mut connection| {
                // Fails while it loads its data.
                redis::cmd("PING").exec(&mut connection)?;
                Ok(connection)
            });
            match connected {
                Ok(connection) => return connection,
                Err(error) => assert!(started.elapsed() < Duration::from_secs(5), "{error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut self.raw()).unwrap()
    }

    pub fn tell(&self, words: &[&str]) {
        let _: redis::Value = self.ask(words);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn key(list: &str, name: &str) -> String {
    format!("sealed-session:{{{list}}}:{name}")
}
