//! Nodes, each behind a network of its own, on one Redis; and what their users do.

use std::fs;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use actix_web::rt::task::JoinHandle;
use futures_util::future::join_all;
use reqwest::Method;
use sealed_session::{
    keys::{KeyTables, SystemRandom},
    time::{Clock, SystemClock, UnixMillis},
};
use serde_json::{Value, json};
use tempfile::TempDir;

pub use super::node::{IMPATIENT, Node, Settings};
use super::watch::{Fate, Id, Person, Sight, Watch};
use support::Browser;
use support::accounts::Steps;
use support::proxy::Proxy;
use support::redis_server::RedisServer;
use support::settled;

/// The list's name on the server.
pub const LIST: &str = "fleet-faults";
/// How long a fleet may take to be as it should be. It takes a second or two; a node that starts on a server which
/// lost something waits half a minute.
const BOUND: Duration = Duration::from_secs(60);

pub struct Fleet {
    pub redis: RedisServer,
    pub nodes: Vec<Node>,
    pub watch: Watch,
    watcher: JoinHandle<()>,
    settings: Settings,
    folder: TempDir,
}

/// Users who will log out: one of a single session, and one of two who ends both at once.
#[derive(Debug, Clone, Copy)]
pub struct Doomed {
    one: Id,
    all: Id,
}

/// How long it took until every node answered all who live, and refused all who are gone.
#[derive(Debug, Clone, Copy)]
pub struct Recovery {
    pub answering: Duration,
    pub refusing: Duration,
}

/// Three nodes on an empty Redis that has settled, with users and anonymous sessions that are to stay.
impl Fleet {
    pub async fn start() -> Self {
        Self::on(RedisServer::start(), Settings::default()).await
    }

    pub async fn with(settings: Settings) -> Self {
        Self::on(RedisServer::start(), settings).await
    }

    pub async fn on(redis: RedisServer, settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyTables::fresh(SystemClock::default().now(), &SystemRandom);
        keys.unwrap()
            .create(folder.path().join("keys.toml"))
            .unwrap();
        let watch = Watch::new(settings.max_staleness);
        settled(&redis, LIST).await;
        let mut fleet = Self {
            redis,
            nodes: Vec::new(),
            watcher: actix_web::rt::spawn(watch.clone().watch()),
            watch,
            settings,
            folder,
        };
        for _ in 0..3 {
            fleet.join().await;
        }
        for number in 0..3 {
            fleet.login(number, &format!("user-{number}")).await;
            fleet.visit(number).await;
        }
        fleet
    }

    /// Another node starts.
    pub async fn join(&mut self) -> usize {
        let port = self.redis.port();
        self.join_with(port, self.settings).await
    }

    pub async fn join_with(&mut self, port: u16, settings: Settings) -> usize {
        let number = self.prepare(port, settings);
        self.bring_up(number).await;
        number
    }

    /// A node that does not run yet.
    pub fn prepare(&mut self, port: u16, settings: Settings) -> usize {
        let number = self.nodes.len();
        let proxy = Proxy::before(port);
        let config = self.folder.path().join(format!("node-{number}.toml"));
        let text = format!(
            "audience = \"{LIST}\"\n\
             [cookie]\nname = \"session\"\nsecure = false\n\
             [lifetime]\nremembered_absolute = \"{}\"\n\
             [keys]\nfile = \"keys.toml\"\n\
             [revocation]\nstore = \"{}\"\nmax_staleness = \"{}ms\"\n",
            settings.remembered,
            proxy.url(),
            settings.max_staleness.as_millis(),
        );
        fs::write(&config, text).unwrap();
        self.nodes.push(Node {
            proxy,
            server: None,
            config,
            environment: Vec::new(),
        });
        self.watch.node(number, None);
        number
    }

    /// Starts a node that is down.
    pub async fn bring_up(&mut self, number: usize) {
        let started = self.nodes[number].try_start().await;
        let server = started.expect("the node does not start");
        self.watch.node(number, Some(server.url.clone()));
        self.nodes[number].server = Some(server);
    }

    /// A start that is to fail.
    pub async fn refuses_to_start(&self, number: usize) {
        let started = self.nodes[number].try_start().await;
        assert!(started.is_none(), "node {number} has started");
    }

    /// `kill -9`.
    pub fn kill(&mut self, number: usize) {
        self.watch.node(number, None);
        self.nodes[number].server.take().unwrap().kill();
    }

    /// Asks a node to end, and waits until it has.
    pub async fn stop(&mut self, number: usize) -> ExitStatus {
        self.watch.node(number, None);
        let server = self.nodes[number].server.take().unwrap();
        server.signal("-TERM");
        let wait = tokio::task::spawn_blocking(move || server.wait());
        wait.await.unwrap()
    }
}

/// What users do.
impl Fleet {
    /// Somebody who is to stay logged in.
    pub async fn login(&self, number: usize, name: &str) -> Id {
        let browser = self.nodes[number].browser();
        browser.login(name).await;
        self.add(name, &browser, false)
    }

    /// The status of a login whose outcome does not matter.
    pub async fn try_login(&self, number: usize, name: &str) -> u16 {
        let browser = self.nodes[number].browser();
        let body = json!({ "user": name });
        let answer = browser.send(Method::POST, "/api/login", Some(body));
        answer.await.status
    }

    /// Somebody who leaves something in a cart, without a name.
    pub async fn visit(&self, number: usize) -> Id {
        let browser = self.nodes[number].browser();
        browser.set("cart", json!(["book"])).await.is(204);
        self.add(&format!("anonymous-{number}"), &browser, true)
    }

    fn add(&self, name: &str, browser: &Browser, is_anonymous: bool) -> Id {
        self.watch.add(Person {
            name: name.to_owned(),
            cookie: browser.session().unwrap(),
            is_anonymous,
            fate: Fate::Lives,
        })
    }

    /// What somebody holds, at a node.
    pub fn browser_of(&self, number: usize, who: Id) -> Browser {
        let cookie = self.watch.person(who).cookie;
        self.nodes[number].browser().holding(cookie)
    }

    /// Users who will be logged out at this node.
    pub async fn doomed(&self, number: usize, when: &str) -> Doomed {
        let other = (number + 1) % 3;
        let one = self.login(number, &format!("one-{when}")).await;
        let all = self.login(number, &format!("all-{when}")).await;
        self.login(other, &format!("all-{when}")).await;
        Doomed { one, all }
    }

    /// Logs them out, acknowledged.
    pub async fn end(&self, number: usize, doomed: Doomed) {
        self.log_out(number, doomed.one, "logout", 204).await;
        self.log_out(number, doomed.all, "logout-all", 204).await;
    }

    /// Logs them out while the store cannot be reached, both at once: each waits for it.
    pub async fn end_in_vain(&self, number: usize, doomed: Doomed) {
        futures_util::join!(
            self.log_out(number, doomed.one, "logout", 503),
            self.log_out(number, doomed.all, "logout-all", 503),
        );
    }

    /// The session is refused by this node from now on, whatever the answer, and its cookie is removed.
    pub async fn log_out(&self, number: usize, who: Id, path: &str, status: u16) {
        let person = self.watch.person(who);
        let all = match path {
            "logout" => vec![who],
            _ => self.watch.named(&person.name),
        };
        self.watch.set(&all, Fate::Between);
        let browser = self.browser_of(number, who);
        let answer = browser.post(&format!("/api/{path}")).await;
        let acknowledged = (status == 204).then(Instant::now);
        self.watch.set(&all, Fate::Gone { acknowledged });
        assert_eq!(
            answer.status, status,
            "{path} of {}: {answer:?}",
            person.name
        );
        assert_eq!(answer.removed(), ["session"], "{answer:?}");
        for who in all {
            let sight = self.watch.ask(number, who).await;
            assert_ne!(sight, Sight::In, "{} after {path}", person.name);
        }
    }

    /// Logs them out and waits until every node refuses them.
    pub async fn end_everywhere(&self, number: usize, doomed: Doomed) {
        self.end(number, doomed).await;
        self.recovers().await;
    }
}

/// How they fare.
impl Fleet {
    /// Waits until all is as it should be.
    #[track_caller]
    pub fn recovers(&self) -> impl Future<Output = Recovery> {
        let caller = std::panic::Location::caller();
        async move {
            let began = Instant::now();
            let mut taken = [None; 2];
            loop {
                let missing = self.watch.missing(began);
                for (taken, missing) in taken.iter_mut().zip(missing.iter().flatten()) {
                    match missing.is_empty() {
                        true => *taken = taken.or(Some(began.elapsed())),
                        false => *taken = None,
                    }
                }
                if let [Some(answering), Some(refusing)] = taken {
                    return Recovery {
                        answering,
                        refusing,
                    };
                }
                assert!(began.elapsed() < BOUND, "{caller}: {missing:?}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Waits until a node answers nobody any more: its list is too old.
    pub async fn goes_stale(&self, number: usize) {
        let began = Instant::now();
        self.eventually("it goes on answering", async || {
            self.watch.answers_nobody(number, began)
        })
        .await;
    }

    pub async fn eventually(&self, problem: &str, mut holds: impl AsyncFnMut() -> bool) {
        let began = Instant::now();
        while !holds().await {
            assert!(began.elapsed() < BOUND, "{problem}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What `/healthz` of a node says of its revocations.
    pub async fn health(&self, number: usize) -> Value {
        self.nodes[number].server().health().await["revocation"].take()
    }

    /// Waits until the node has heard from the store, in a call that began after this one did.
    pub async fn hears(&self, number: usize) {
        // Whatever is under way may have begun before, and ends first. By hearing, staleness shrinks.
        for _ in 0..2 {
            let mut last = 0;
            self.eventually("the node hears nothing", async || {
                let health = self.health(number).await;
                let now = health["staleness_ms"].as_u64().unwrap();
                let heard = now < last;
                last = now;
                heard
            })
            .await;
        }
    }

    /// Waits until no node has anything left to tell, and the store nothing left to be given.
    pub async fn settles(&self) {
        let up = (0..self.nodes.len()).filter(|number| self.nodes[*number].server.is_some());
        let up: Vec<_> = up.collect();
        self.eventually("the nodes do not settle", async || {
            let all = join_all(up.iter().map(|number| self.health(*number))).await;
            all.iter().all(|health| {
                health["outstanding"] == 0
                    && health["lacking"] == 0
                    && health["unreadable"] == 0
                    && health["complete_since"] == all[0]["complete_since"]
                    && health["staleness_ms"].as_u64().unwrap() < 5_000
            })
        })
        .await;
    }

    /// Waits until the store knows of sessions since when the nodes do.
    async fn attested(&self) {
        let meta = format!("sealed-session:{{{LIST}}}:meta");
        self.eventually("nobody attests", async || {
            let stored = self.redis.command(&["HGET", &meta, "complete_since"]);
            let since = UnixMillis::new(stored.text().parse().unwrap());
            self.health(0).await["complete_since"] == since.to_string()
        })
        .await;
    }

    /// The end of a test: everything is as it should be, also for a node that starts now, and never was
    /// otherwise.
    pub async fn ends_well(mut self, fault: &str, recovery: Recovery) {
        self.settles().await;
        self.watch.told_everyone();
        self.attested().await;
        // Waiting for that is what other tests are for.
        self.redis.settle(LIST);
        self.join().await;
        self.recovers().await;
        let violations = self.watch.violations();
        assert!(violations.is_empty(), "{fault}: {violations:#?}");
        let asked = self.watch.asked();
        let (living, gone) = self.watch.counts();
        println!(
            "{fault}: all answer after {:.2?}, all refuse after {:.2?}; {living} stayed, {gone} ended; \
             {} of {} requests got 503",
            recovery.answering, recovery.refusing, asked.unavailable, asked.requests,
        );
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.watcher.abort();
        if std::thread::panicking() {
            for (number, node) in self.nodes.iter().enumerate() {
                eprintln!("node {number}:\n{}", node.log());
            }
            eprintln!("redis:\n{}", self.redis.log());
            eprintln!("seen: {:#?}", self.watch.violations());
        }
    }
}
