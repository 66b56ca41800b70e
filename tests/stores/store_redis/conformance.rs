//! The suite, against real servers: one whose clock runs as it does, one whose clock is moved, one that
//! restarts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sealed_session::revoke::{ReplicatedLog, SessionId};
use sealed_session::testing::conformance::{self, LogHarness, Outcome, Report};

use super::harness::{Server, key, new_list};
use support::moved_clock::MovedClock;

struct OnServer {
    server: Mutex<Server>,
    list: Mutex<String>,
    /// And by how much it was moved, if it can be.
    clock: Option<(MovedClock, Mutex<Duration>)>,
    restarts: bool,
}

impl OnServer {
    fn new(server: Server) -> Self {
        Self {
            server: Mutex::new(server),
            list: Mutex::default(),
            clock: None,
            restarts: false,
        }
    }

    fn list(&self) -> String {
        self.list.lock().unwrap().clone()
    }

    fn tell(&self, words: &[&str]) {
        self.server.lock().unwrap().tell(words);
    }
}

#[async_trait]
impl LogHarness for OnServer {
    async fn fresh(&self) -> Result<Arc<dyn ReplicatedLog>, String> {
        let list = new_list();
        *self.list.lock().unwrap() = list.clone();
        Ok(Arc::new(self.server.lock().unwrap().open(&list)))
    }

    async fn replace_server(&self) -> bool {
        if self.restarts {
            self.server.lock().unwrap().restart();
        }
        self.restarts
    }

    async fn lose_everything(&self) -> bool {
        self.tell(&["FLUSHALL"]);
        true
    }

    async fn damage(&self, session: SessionId) -> bool {
        let sessions = key(&self.list(), "sessions");
        let server = self.server.lock().unwrap();
        let mut command = redis::cmd("HSET");
        command.arg(sessions).arg(session.as_bytes()).arg("odd");
        command.exec(&mut server.raw()).unwrap();
        true
    }

    fn advance(&self, by: Duration) -> bool {
        let Some((clock, moved)) = &self.clock else {
            return false;
        };
        // The clock runs on by itself: what was asked for in fractions of a second has been reached
        // within that second.
        let mut moved = moved.lock().unwrap();
        *moved += Duration::from_secs(by.as_secs());
        clock.set(moved.as_millis() as i64);
        true
    }
}

fn skipped(report: &Report) -> usize {
    report
        .checks()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Skipped(_)))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_conforms() {
    let report = conformance::log(&OnServer::new(Server::start())).await;
    println!("{report}");
    report.assert_passed();
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_conforms_when_the_clock_moves_and_the_server_restarts() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let server = Server::durable_under(&clock);
    let mut harness = OnServer::new(server);
    harness.restarts = true;
    harness.clock = Some((clock, Mutex::default()));
    let report = conformance::log(&harness).await;
    println!("{report}");
    report.assert_passed();
    assert_eq!(skipped(&report), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_conforms_when_the_server_restarts() {
    let server = Server::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mut harness = OnServer::new(server);
    harness.restarts = true;
    let report = conformance::log(&harness).await;
    println!("{report}");
    report.assert_passed();
}
