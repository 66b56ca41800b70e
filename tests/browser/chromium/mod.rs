//! Scenarios in a browser that others wrote.
//!
//! 1. The example runs as a process, on a free port of the loopback interface, and so does each browser.
//! 2. The example's clock is moved by hand. The browser's is not, so no cookie ends by that one.

mod cookies;
mod devices;
mod driver;
mod ends;
mod looks;
mod pages;
mod visit;

use std::process::{Command, Stdio};
use std::time::Duration;

use support::accounts::{Server, command, folder};
use support::moved_clock::MovedClock;
use tempfile::TempDir;

use driver::{Chromium, Settings};

/// The example, under a clock of its own.
struct Site {
    server: Server,
    clock: MovedClock,
    ahead: Duration,
    _data: TempDir,
}

impl Site {
    /// With the cookie for plain http, `session`.
    fn start() -> Self {
        let data = folder();
        let mut command = command(["--data"]);
        command.arg(data.path());
        Self::run(command, data)
    }

    /// With the default cookie, `__Host-session`.
    fn secure() -> Self {
        let data = folder();
        // Makes the keys.
        Server::on(data.path()).kill();
        let file = data.path().join("session.toml");
        let text = "audience = \"accounts\"\n[keys]\nfile = \"keys.toml\"\n\
                    [revocation]\nstore = \"memory\"\n";
        std::fs::write(&file, text).unwrap();
        let mut command = command(["--config"]);
        command.arg(file);
        Self::run(command, data)
    }

    fn run(mut command: Command, data: TempDir) -> Self {
        let clock = MovedClock::build().unwrap();
        command.envs(clock.environment()).stderr(Stdio::inherit());
        Self {
            server: Server::try_start(&mut command).expect("the server does not start"),
            clock,
            ahead: Duration::ZERO,
            _data: data,
        }
    }

    fn advance(&mut self, by: Duration) {
        self.ahead += by;
        self.clock.set(self.ahead.as_millis().try_into().unwrap());
    }

    /// An address of its.
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.server.url)
    }
}
