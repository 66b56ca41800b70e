//! Chromium without a window, as chromedriver drives it over WebDriver (W3C), and fantoccini speaks that.
//!
//! 1. chromedriver picks its port. The profile is new each time, in a folder of its own, unless a test gives one.
//! 2. All processes of a browser are one group, which ends with the value by its leader's id, also when a test fails.
//! 3. What the browser's console says is an error of the test, unless the test asked for it first ([`Chromium::complaints`]).

use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tempfile::TempDir;

use support::ports::local;

/// In the last line that chromedriver prints at its start: the port follows.
const READY: &str = "started successfully on port ";
/// Without its sandbox, which root and most containers cannot have: it sees pages of ours alone. The last one
/// is a name of this machine that a browser does not take for a local one.
const ARGUMENTS: [&str; 8] = [
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-breakpad",
    "--password-store=basic",
    "--host-resolver-rules=MAP elsewhere.test 127.0.0.1",
];

/// A browser with one page open.
pub struct Chromium {
    pub client: Client,
    // After the client: it ends when nobody asks it any more.
    _driver: Driver,
}

/// What differs from a new browser as it is installed.
#[derive(Default)]
pub struct Settings<'a> {
    /// A profile that outlives the browser.
    pub profile: Option<&'a Path>,
    pub without_javascript: bool,
}

impl Chromium {
    pub async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    pub async fn with(settings: Settings<'_>) -> Self {
        let driver = Driver::start();
        let own = driver.folder.path().join("profile");
        let profile = settings.profile.unwrap_or(&own);
        let profile = format!("--user-data-dir={}", profile.display());
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([profile.as_str()]).collect();
        let javascript = if settings.without_javascript { 2 } else { 1 };
        let wanted = json!({
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": { "profile.managed_default_content_settings.javascript": javascript },
            },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let builder = builder.capabilities(wanted.as_object().unwrap().clone());
        let url = format!("http://{}", local(driver.port));
        Self {
            client: builder.connect(&url).await.unwrap(),
            _driver: driver,
        }
    }

    /// A command of Chromium's own protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.own("goog/cdp/execute", body).await
    }

    /// The errors that the console has shown since this was asked the last time.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.own("se/log", json!({ "type": "browser" })).await;
        let entries = entries.as_array().unwrap().iter();
        let severe = entries.filter(|entry| entry["level"] == "SEVERE");
        severe
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Closes the browser, which then has written its profile. Nobody is to have complained.
    pub async fn close(self) {
        assert_eq!(self.complaints().await, [""; 0]);
        self.client.close().await.unwrap();
    }

    async fn own(&self, path: &'static str, body: Value) -> Value {
        self.client.issue_cmd(Own { path, body }).await.unwrap()
    }
}

/// A command of chromedriver that is not W3C's.
#[derive(Debug)]
struct Own {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(
        &self,
        base: &Url,
        session: Option<&str>,
    ) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

/// chromedriver, and the browser that it starts.
struct Driver {
    port: u16,
    process: Child,
    // Kept open for what chromedriver may still say.
    stdout: BufReader<ChildStdout>,
    // The last: it is removed when nothing writes to it any more.
    folder: TempDir,
}

impl Driver {
    fn start() -> Self {
        let mut said = String::new();
        // The port that it picks for IPv6 can be taken for IPv4.
        for _ in 0..10 {
            match Self::try_start() {
                Ok(driver) => return driver,
                Err(text) => said = text,
            }
        }
        panic!("chromedriver does not start: {said}");
    }

    /// What it said, if it ended by itself.
    fn try_start() -> Result<Self, String> {
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
        let stdout = BufReader::new(process.stdout.take().unwrap());
        // From here on it ends with the value.
        let mut driver = Self {
            port: 0,
            process,
            stdout,
            folder,
        };
        let mut said = String::new();
        loop {
            let start = said.len();
            if driver.stdout.read_line(&mut said).unwrap() == 0 {
                return Err(said);
            }
            if let Some((_, port)) = said[start..].split_once(READY) {
                driver.port = port.trim_end().trim_end_matches('.').parse().unwrap();
                return Ok(driver);
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The group, in case that the browser was not closed. The shell's own: not every machine has a program of
        // that name.
        let kill = format!("kill -KILL -{}", self.process.id());
        let _ = Command::new("sh").args(["-c", &kill]).status();
        let _ = self.process.wait();
    }
}
