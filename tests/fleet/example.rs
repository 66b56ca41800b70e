//! The fleet of the examples does what it says, and leaves nothing behind.
#![cfg(all(
    unix,
    feature = "actix",
    feature = "cli",
    feature = "redb",
    feature = "redis"
))]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use support::{Browser, eventually, example, ports};
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const PROCESSES: [&str; 5] = ["redis", "node1", "node2", "node3", "haproxy"];

fn script(name: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fleet");
    let mut command = Command::new(folder.join(name));
    command
        .env("ACCOUNTS", example("accounts"))
        .env("SEALED_SESSION", env!("CARGO_BIN_EXE_sealed-session"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn signal(name: &str, id: &str) -> bool {
    // The shell's own: not every machine has a program of that name.
    let mut kill = Command::new("sh");
    let kill = kill.args(["-c", &format!("kill {name} {id}")]);
    kill.stderr(Stdio::null()).status().unwrap().success()
}

/// Whether there is a process with this id.
fn is_there(id: &str) -> bool {
    signal("-0", id)
}

/// What is answered to a request for exactly this path.
fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(ports::local(port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A script that runs, and what it has started.
struct Fleet {
    port: u16,
    folder: TempDir,
    run: Child,
}

impl Fleet {
    /// Ports are free until somebody else takes them, so this may take several attempts.
    fn start() -> Self {
        let mut said = String::new();
        for _ in 0..3 {
            let mut fleet = Self::at(ports::free(5));
            let mut line = String::new();
            let stdout = fleet.run.stdout.take().unwrap();
            BufReader::new(stdout).read_line(&mut line).unwrap();
            if line == format!("listening on {}\n", fleet.url()) {
                return fleet;
            }
            said = fleet.wait().1;
        }
        panic!("the fleet does not start: {said}");
    }

    fn at(port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut run = script("run");
        run.args(["--port", &port.to_string()]).arg(folder.path());
        Self {
            port,
            folder,
            run: run.spawn().unwrap(),
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The id of one of its processes.
    fn id(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.file(&format!("{name}.pid"))).ok()?;
        Some(text.trim().to_owned())
    }

    fn drive(&self) -> (ExitStatus, String) {
        let output = script("drive").arg(self.folder.path()).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status, String::from_utf8(text).unwrap())
    }

    fn stop(&mut self) -> (ExitStatus, String) {
        assert!(signal("-TERM", &self.run.id().to_string()));
        self.wait()
    }

    fn wait(&mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.run.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the fleet does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut errors = String::new();
        if let Some(mut stderr) = self.run.stderr.take() {
            stderr.read_to_string(&mut errors).unwrap();
        }
        (status, errors)
    }

    /// Neither a process nor a listener, nor what tells of them.
    fn left_nothing(&self, ids: &[String]) {
        for id in ids {
            assert!(!is_there(id), "{id} is left");
        }
        for port in self.port..self.port + 5 {
            assert!(TcpStream::connect(ports::local(port)).is_err(), "{port}");
        }
        for file in PROCESSES.map(|name| format!("{name}.pid")) {
            assert!(!self.file(&file).exists(), "{file}");
        }
        assert!(!self.file("url").exists());
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // Not killed: it has to end what it started.
        if let Ok(None) = self.run.try_wait() {
            signal("-TERM", &self.run.id().to_string());
            let _ = self.run.wait();
        }
    }
}

#[test]
fn a_fleet_is_used_and_stopped() {
    let mut fleet = Fleet::start();
    let ids = PROCESSES.map(|name| fleet.id(name).unwrap());
    assert!(ids.iter().all(|id| is_there(id)), "{ids:?}");

    // What a node counts is nobody's business on the other side of the load balancer, however it is asked
    // for.
    for path in ["/metrics", "/%6Detrics", "/metrics/", "/metrics?x"] {
        let through = get(fleet.port, path);
        assert!(through.starts_with("HTTP/1.1 404"), "{path}: {through}");
        assert!(!through.contains("sealed_session"), "{path}: {through}");
    }
    let direct = get(fleet.port + 1, "/metrics");
    assert!(direct.contains("sealed_session_"), "{direct}");

    let (status, text) = fleet.drive();
    assert!(status.success(), "{text}");
    assert!(
        text.ends_with("Everything was as it should be.\n"),
        "{text}"
    );

    let (status, errors) = fleet.stop();
    assert!(status.success() && errors.is_empty(), "{status}: {errors}");
    fleet.left_nothing(&ids);

    let (status, text) = fleet.drive();
    assert_eq!(status.code(), Some(1));
    assert!(text.contains("no fleet runs on"), "{text}");
}

#[actix_web::test]
async fn a_node_that_dies_is_left_out_and_the_others_go_on() {
    let mut fleet = Fleet::start();
    let ids = PROCESSES.map(|name| fleet.id(name).unwrap());
    let died = fleet.id("node2").unwrap();
    assert!(signal("-KILL", &died));
    eventually(|| async { fleet.id("node2").is_none() }).await;

    let browser = Browser::new(&fleet.url());
    for _ in 0..6 {
        let answer = browser.get("/healthz").await.is(200);
        assert_ne!(answer.header("x-served-by"), Some("node2"));
    }
    let (status, errors) = fleet.stop();
    assert!(status.success(), "{status}: {errors}");
    assert!(errors.contains("fleet: node2 ended with 137"), "{errors}");
    fleet.left_nothing(&ids);
}

#[test]
fn a_redis_that_is_too_old_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let fake = folder.path().join("redis-server");
    let need = |version: &str| {
        fs::write(&fake, format!("#!/bin/sh\necho '{version}'\n")).unwrap();
        fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
        let path = std::env::var("PATH").unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/need");
        let mut need = Command::new(script);
        need.arg("redis-server");
        need.env("PATH", format!("{}:{path}", folder.path().display()));
        let output = need.output().unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    for fine in ["Redis server v=7.0.15 sha=0", "Valkey server v=8.1.0 sha=0"] {
        assert_eq!(need(fine), (true, String::new()), "{fine}");
    }
    for bad in ["Redis server v=6.2.14 sha=0", "Redis server v=5.0.7", "?"] {
        let (fine, said) = need(bad);
        assert!(
            !fine && said.contains("7.0 or later") && said.contains(bad),
            "{bad}: {said}"
        );
    }
}

#[test]
fn a_fleet_that_cannot_start_says_so_and_leaves_nothing() {
    // The load balancer starts last, when everything else runs.
    let is_expected = |errors: &str| errors.contains("fleet: haproxy does not start");
    let mut said = String::new();
    for _ in 0..3 {
        let port = ports::free(5);
        let Ok(taken) = TcpListener::bind(ports::local(port)) else {
            continue;
        };
        let mut fleet = Fleet::at(port);
        let (status, errors) = fleet.wait();
        assert_eq!(status.code(), Some(1), "{errors}");
        drop(taken);
        if is_expected(&errors) {
            return fleet.left_nothing(&[]);
        }
        // Somebody else took another of the ports.
        said = errors;
    }
    panic!("it did not come as far as the load balancer: {said}");
}
