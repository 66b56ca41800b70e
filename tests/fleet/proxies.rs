//! Proxies in front of the example `accounts`: what our limit on a session is for.
//!
//! A proxy keeps the head of an answer in one buffer. What does not fit is a 502 for the browser, after the
//! application has done its work: the session was written, and its cookie is lost. nginx' buffer is the
//! smallest that is common, 4 KiB where a page of memory has as many.
#![cfg(all(unix, feature = "actix", feature = "redb"))]

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use support::accounts::{Errors, Server, Steps, command, folder};
use support::moved_clock::MovedClock;
use support::ports::{self, local};
use support::{Answer, Browser};
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than until a read is told to the browser again, by default, in milliseconds.
const QUIET: i64 = 301_000;

/// nginx as it is configured by default. One process, which ends at once.
const NGINX: &str = "
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {
        listen {port};
        location / {
            proxy_pass {application};
            # The default, but for machines with larger pages.
            proxy_buffer_size 4k;
        }
    }
}
";

const HAPROXY: &str = "
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen application
    bind {port}
    server application {application}
";

/// A proxy that runs, on a free port of the loopback interface.
struct Proxy {
    port: u16,
    process: Child,
    folder: TempDir,
}

impl Proxy {
    fn nginx(server: &Server) -> Self {
        Self::start(server, |address, application| {
            let configuration = NGINX
                .replace("{port}", address)
                .replace("{application}", &format!("http://{application}"));
            let arguments = ["-e", "stderr", "-p", ".", "-c", "configuration"];
            ("nginx", configuration, arguments.to_vec())
        })
    }

    fn haproxy(server: &Server) -> Self {
        Self::start(server, |address, application| {
            let configuration = HAPROXY
                .replace("{port}", address)
                .replace("{application}", application);
            ("haproxy", configuration, vec!["-db", "-f", "configuration"])
        })
    }

    /// Ports are free until somebody else takes them, so this may take several attempts.
    fn start(
        server: &Server,
        what: impl Fn(&str, &str) -> (&'static str, String, Vec<&'static str>),
    ) -> Self {
        let application = server.url.strip_prefix("http://").unwrap();
        let mut said = String::new();
        for _ in 0..5 {
            let port = ports::free(1);
            let (program, configuration, arguments) = what(&local(port).to_string(), application);
            let folder = folder();
            fs::write(folder.path().join("configuration"), configuration).unwrap();
            let mut proxy = Self {
                port,
                process: run(program, &arguments, &folder),
                folder,
            };
            match proxy.wait_until_ready() {
                Ok(()) => return proxy,
                Err(log) => said = log,
            }
        }
        panic!("the proxy does not start: {said}");
    }

    /// An answer alone would not do: if the port was taken, somebody else gives it.
    fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answers = TcpStream::connect(local(self.port)).is_ok();
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
            let ended = self.process.try_wait().unwrap().is_some();
            if ended || log.contains("in use") {
                return Err(log);
            }
            if answers {
                return Ok(());
            }
            assert!(Instant::now() < deadline, "not ready: {log}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn browser(&self) -> Browser {
        Browser::new(&format!("http://{}", local(self.port)))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(program: &str, arguments: &[&str], folder: &TempDir) -> Child {
    let log = File::create(folder.path().join("log")).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        // Debian's and Ubuntu's servers are not in every user's PATH.
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("{program} is not installed; scripts/test installs it")
        }
        Err(error) => panic!("{program} cannot be run: {error}"),
    }
}

/// The example, and its clock where one can be moved.
fn application(data: &TempDir) -> (Server, Option<MovedClock>) {
    let clock = MovedClock::build();
    let mut command = command(["--data"]);
    command.arg(data.path()).stderr(Stdio::inherit());
    if let Some(clock) = &clock {
        command.envs(clock.environment());
    }
    let server = Server::try_start(&mut command).expect("the server does not start");
    (server, clock)
}

async fn login(browser: &Browser, user: &str, remember: bool) -> Answer {
    let body = json!({ "user": user, "remember": remember });
    browser.send(Method::POST, "/api/login", Some(body)).await
}

/// As a browser does it, which says how long an empty body is. nginx asks in HTTP/1.0, where a POST that does
/// not is refused by actix-web.
async fn post(browser: &Browser, path: &str) -> Answer {
    browser.send(Method::POST, path, Some(Value::Null)).await
}

/// What fills a session: the entry to write next, by its number.
type Filling = fn(usize) -> (String, Value);

/// One entry that grows by a byte each time.
fn bytes(number: usize) -> (String, Value) {
    ("x".to_owned(), json!("y".repeat(number)))
}

/// Another entry each time.
fn entries(number: usize) -> (String, Value) {
    (format!("entry {number}"), json!([number, "of many"]))
}

/// Writes until the application refuses: the number of the first entry that is too much, and the answer.
async fn fill(browser: &Browser, filling: Filling, from: usize) -> (usize, Answer) {
    for number in from.. {
        let (key, value) = filling(number);
        let answer = browser.set(&key, value).await;
        if answer.status != 204 {
            return (number, answer);
        }
    }
    unreachable!()
}

/// Everything that sends the cookie of a session, with sessions that are as large as they can be.
async fn everything_is_passed_on(proxy: fn(&Server) -> Proxy, filling: Filling) {
    let data = folder();
    let (server, clock) = application(&data);
    let proxy = proxy(&server);
    let mut ahead = 0;
    for user in ["u", &"u".repeat(255)] {
        let browser = proxy.browser();
        let (mut full, refused) = fill(&browser, filling, 0).await;
        refused.is(413).error("session_too_large");
        for remember in [false, true] {
            login(&browser, user, remember).await.is(200);
            let refused;
            (full, refused) = fill(&browser, filling, full).await;
            refused.is(413).error("session_too_large");
            if let Some(clock) = &clock {
                ahead += QUIET;
                clock.set(ahead);
                let told = browser.get("/api/entries").await.is(200);
                assert_eq!(told.set_cookies().len(), 1, "{told:?}");
                assert_eq!(browser.names(), ["session", "session.seen"]);
            }
            browser.get("/").await.is(200);
            let (key, value) = filling(full - 1);
            browser.set(&key, value).await.is(204);
            post(&browser, "/api/renew").await.is(200);
            post(&browser, "/api/logout-others").await.is(204);
            login(&browser, user, remember).await.is(200);
            browser.get("/api/me").await.is(200);
        }
        post(&browser, "/api/logout").await.is(204);
        assert_eq!(browser.session(), None);
    }
}

#[actix_web::test]
async fn nginx_passes_on_whatever_the_default_limit_lets_into_a_session() {
    for filling in [bytes as Filling, entries] {
        everything_is_passed_on(Proxy::nginx, filling).await;
    }
}

#[actix_web::test]
async fn haproxy_passes_on_whatever_the_default_limit_lets_into_a_session() {
    everything_is_passed_on(Proxy::haproxy, entries).await;
}

/// Otherwise the limit would be for nothing.
#[actix_web::test]
async fn nginx_does_not_pass_on_all_that_the_largest_limit_lets_into_a_session() {
    let data = folder();
    // Makes the keys.
    Server::on(data.path()).kill();
    let file = data.path().join("session.toml");
    let text = "audience = \"accounts\"\n[cookie]\nmax_bytes = 4096\nname = \"session\"\nsecure = false\n\
                [keys]\nfile = \"keys.toml\"\n[revocation]\nstore = \"memory\"\n";
    fs::write(&file, text).unwrap();
    let server = Server::configured(&file);
    let nginx = Proxy::nginx(&server);
    let browser = nginx.browser();
    login(&browser, "alice", false).await.is(200);
    let (number, answer) = fill(&browser, bytes, 2000).await;
    answer.is(502);
    // The application has done it.
    let direct = server.resume(&browser);
    let (key, value) = bytes(number);
    direct.set(&key, value).await.is(204);
}
