//! The example as a child process, and ways to talk to it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Answer, Browser, example};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A data folder of a test's own.
pub fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The command, on a free port, with whatever else it is told.
pub fn command<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = command_at("127.0.0.1:0");
    command.args(arguments);
    command
}

/// The command, at an address.
pub fn command_at(address: &str) -> Command {
    let mut command = Command::new(example("accounts"));
    command
        .args(["--listen", address])
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A start that is expected to fail: what it said, in one line, and its code.
#[track_caller]
pub fn refuses(command: &mut Command) -> String {
    let mut server = Process(command.spawn().unwrap());
    let status = server.exit();
    let mut output = Output {
        status,
        stdout: Vec::new(),
        stderr: Vec::new(),
    };
    let child = &mut server.0;
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut output.stdout)
        .unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_end(&mut output.stderr)
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(output.stdout.is_empty(), "it did not listen: {text}");
    let mut errors = text
        .lines()
        .filter_map(|line| line.strip_prefix("accounts: "));
    let error = errors.next().unwrap_or_else(|| panic!("no error: {text}"));
    assert_eq!(errors.next(), None, "one line: {text}");
    assert!(text.ends_with(&format!("accounts: {error}\n")), "{text}");
    error.to_owned()
}

/// A child that does not outlive its test.
struct Process(Child);

impl Process {
    fn exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the process does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The example, running.
pub struct Server {
    pub url: String,
    process: Process,
    // Kept open: a server must not depend on it, but this is not what the tests are about.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// On a data folder.
    pub fn on(data: &Path) -> Self {
        Self::with([Path::new("--data"), data])
    }

    /// With a configuration file.
    pub fn configured(file: &Path) -> Self {
        Self::with([Path::new("--config"), file])
    }

    fn with(arguments: [&Path; 2]) -> Self {
        let started = Self::try_start(command(arguments).stderr(Stdio::inherit()));
        started.expect("the server does not start")
    }

    /// `None` if it did not come to listen.
    pub fn try_start(command: &mut Command) -> Option<Self> {
        let mut process = Process(command.spawn().unwrap());
        let mut stdout = BufReader::new(process.0.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("listening on ")?;
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        Some(Self {
            url: url.to_owned(),
            process,
            _stdout: stdout,
        })
    }

    pub fn browser(&self) -> Browser {
        Browser::new(&self.url)
    }

    /// The same cookies, sent to this process.
    pub fn resume(&self, browser: &Browser) -> Browser {
        let resumed = self.browser();
        if let Some(cookie) = browser.session() {
            resumed.set_cookie("session", cookie);
        }
        resumed
    }

    /// `kill -9`.
    pub fn kill(self) {}

    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let command = format!("kill {name} {}", self.process.0.id());
        // The shell's own: not every machine has a program of that name.
        let status = Command::new("sh").args(["-c", &command]).status().unwrap();
        assert!(status.success());
    }

    pub fn wait(mut self) -> ExitStatus {
        self.process.exit()
    }

    /// What `/healthz` says.
    pub async fn health(&self) -> Value {
        self.browser().get("/healthz").await.is(200).json()
    }

    /// A request with these headers and exactly this body.
    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        let client = client.redirect(reqwest::redirect::Policy::none());
        let mut request = client
            .build()
            .unwrap()
            .request(method, format!("{}{path}", self.url))
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        }
    }
}

/// What a test does again and again.
#[allow(async_fn_in_trait, reason = "tests ask for no `Send`")]
pub trait Steps {
    async fn login(&self, user: &str) -> Answer;
    async fn set(&self, key: &str, value: Value) -> Answer;
    async fn user(&self) -> Option<String>;
}

impl Steps for Browser {
    async fn login(&self, user: &str) -> Answer {
        let body = json!({ "user": user });
        let answer = self.send(Method::POST, "/api/login", Some(body)).await;
        answer.is(200)
    }

    async fn set(&self, key: &str, value: Value) -> Answer {
        self.put(&format!("/api/entries/{key}"), value).await
    }

    /// Who is logged in; `None` for 401.
    async fn user(&self) -> Option<String> {
        let answer = self.get("/api/me").await;
        if answer.status == 401 {
            answer.error("not_authenticated");
            return None;
        }
        Some(answer.is(200).json()["user"].as_str().unwrap().to_owned())
    }
}

/// What an error of the interface looks like.
pub trait Errors {
    fn error(self, name: &str) -> Value;
}

impl Errors for Answer {
    #[track_caller]
    fn error(self, name: &str) -> Value {
        assert_eq!(
            self.header("content-type"),
            Some("application/json"),
            "{self:?}"
        );
        let body = self.json();
        assert_eq!(body["error"], name, "{self:?}");
        body
    }
}
