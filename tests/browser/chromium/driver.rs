//! Chromium without a window, as chromedriver drives it over WebDriver (W3C).
//!
//! 1. What is needed of WebDriver are four requests with JSON, which the client that is here anyway sends:
//!    a library would bring more code than it saves.
//! 2. chromedriver picks its port. The profile is new each time, in a folder of its own.
//! 3. All processes are one group, which ends with the value by its leader's id.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use support::ports::local;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// In the last line that chromedriver prints at its start: the port follows.
const READY: &str = "started successfully on port ";
/// Without its sandbox, which root and most containers cannot have: it sees pages of ours alone. The last one
/// is a name of this machine that a browser does not take for a local one.
const ARGUMENTS: [&str; 7] = [
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-breakpad",
    "--host-resolver-rules=MAP elsewhere.test 127.0.0.1",
];
/// Sends all requests at once and waits for all answers, with a limit, as the page that is open.
const FETCH: &str = "
    return Promise.all(arguments[0].map(async ([method, path, value]) => {
        const options = { method, signal: AbortSignal.timeout(20000) };
        if (value !== null) {
            options.headers = { 'content-type': 'application/json' };
            options.body = JSON.stringify(value);
        }
        const response = await fetch(path, options);
        return [response.status, await response.text()];
    }));";

/// A browser with one page open.
pub struct Chromium {
    client: reqwest::Client,
    /// Of the WebDriver session.
    url: String,
    _driver: Driver,
}

/// A request of the page: the method, the path, and the JSON to send, if any.
pub type Request<'a> = (&'a str, &'a str, Value);

/// A cookie that the browser would send to the page that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    pub value: String,
    pub secure: bool,
    pub http_only: bool,
    pub same_site: String,
}

impl Chromium {
    pub async fn start() -> Self {
        let mut driver = Driver::start();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        let client = client.build().unwrap();
        let url = format!("http://{}/session", local(driver.port));
        let profile = driver.folder.path().join("profile");
        let profile = format!("--user-data-dir={}", profile.display());
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([profile.as_str()]).collect();
        let options = json!({ "goog:chromeOptions": { "args": arguments } });
        let wanted = json!({ "capabilities": { "alwaysMatch": options } });
        let session = call(&client, Method::POST, &url, Some(wanted)).await;
        let id = session["sessionId"].as_str().unwrap();
        driver.session = Some(id.to_owned());
        Self {
            client,
            url: format!("{url}/{id}"),
            _driver: driver,
        }
    }

    /// Goes to a page and waits until it has loaded.
    pub async fn open(&self, url: &str) {
        self.command(Method::POST, "/url", Some(json!({ "url": url })))
            .await;
    }

    /// Runs JavaScript in the page, as the body of a function that may return a promise.
    pub async fn run(&self, script: &str, argument: Value) -> Value {
        let body = json!({ "script": script, "args": [argument] });
        self.command(Method::POST, "/execute/sync", Some(body))
            .await
    }

    /// What the page's JavaScript is answered when it sends all of these at once: status and body.
    pub async fn fetch_all(&self, requests: &[Request<'_>]) -> Vec<(u16, String)> {
        let answers = self.run(FETCH, json!(requests)).await;
        serde_json::from_value(answers).unwrap()
    }

    /// The same for one request.
    pub async fn fetch(&self, request: Request<'_>) -> (u16, String) {
        let mut answers = self.fetch_all(&[request]).await;
        answers.pop().unwrap()
    }

    /// The cookies that the browser holds for the page that is open, by their names.
    pub async fn cookies(&self) -> BTreeMap<String, Cookie> {
        let cookies = self.command(Method::GET, "/cookie", None).await;
        let cookies = cookies.as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        cookies
            .map(|cookie| {
                let held = Cookie {
                    value: text(&cookie["value"]),
                    secure: cookie["secure"] == true,
                    http_only: cookie["httpOnly"] == true,
                    same_site: text(&cookie["sameSite"]),
                };
                (text(&cookie["name"]), held)
            })
            .collect()
    }

    async fn command(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        call(&self.client, method, &format!("{}{path}", self.url), body).await
    }
}

/// A command of WebDriver: its value, or a panic with the error that it names.
async fn call(client: &reqwest::Client, method: Method, url: &str, body: Option<Value>) -> Value {
    let mut request = client.request(method, url);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status();
    let mut answer: Value = response.json().await.unwrap();
    assert!(status.is_success(), "{url}: {answer}");
    answer["value"].take()
}

/// chromedriver, and the browser that it starts.
struct Driver {
    port: u16,
    session: Option<String>,
    process: Child,
    // Kept open for what chromedriver may still say.
    _stdout: BufReader<ChildStdout>,
    // The last: it is removed when nothing writes to it any more.
    folder: TempDir,
}

impl Driver {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("chromedriver");
        command
            .arg("--port=0")
            // Whatever the two of them leave anywhere.
            .envs(["HOME", "TMPDIR"].map(|name| (name, folder.path())))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0);
        let mut process = match command.spawn() {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("chromedriver is not installed; scripts/test installs it")
            }
            Err(error) => panic!("chromedriver cannot be run: {error}"),
        };
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut said = String::new();
        let port = loop {
            let start = said.len();
            let read = stdout.read_line(&mut said).unwrap();
            assert!(read > 0, "chromedriver does not start: {said}");
            if let Some((_, port)) = said[start..].split_once(READY) {
                break port.trim_end().trim_end_matches('.').parse().unwrap();
            }
        };
        Self {
            port,
            session: None,
            process,
            _stdout: stdout,
            folder,
        }
    }

    /// Closes the browser, which then leaves nothing behind.
    fn close(&self, session: &str) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(local(self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "DELETE /session/{session} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )?;
        // The answer comes when it is done; the connection then stays open.
        stream.read(&mut [0; 512]).map(drop)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let _ = self.close(&session);
        }
        // The group, in case that the browser was not closed. The shell's own kill: not every machine has
        // a program of that name.
        let kill = format!("kill -KILL -{}", self.process.id());
        let _ = Command::new("sh").args(["-c", &kill]).status();
        let _ = self.process.wait();
    }
}
