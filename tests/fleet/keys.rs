//! A fleet whose nodes learn of new keys one after the other, as with a mounted file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sealed_session::key_files::Rotation;
use sealed_session::revoke::WhenStale;
use sealed_session::testing::{ManualClock, MemoryLog};
use sealed_session::{
    keys::{KeyId, KeySource, KeyTables, SystemRandom},
    time::Clock,
};
use serde_json::json;
use support::faulty::Faulty;
use support::{Browser, DAY, HOUR, MINUTE, Node, SECOND, builder, eventually, log};

/// Three nodes on one store. Each has its own copy of the key file, which is edited elsewhere.
struct Fleet {
    folder: tempfile::TempDir,
    clock: ManualClock,
    nodes: Vec<Node>,
}

impl Fleet {
    async fn start() -> Self {
        let clock = ManualClock::default();
        let store = log(&clock);
        let folder = tempfile::tempdir().unwrap();
        let mut fleet = Self {
            folder,
            clock,
            nodes: Vec::new(),
        };
        let tables = KeyTables::fresh(fleet.clock.now(), &SystemRandom).unwrap();
        tables.create(fleet.origin()).unwrap();
        for number in 0..3 {
            fs::copy(fleet.origin(), fleet.file(number)).unwrap();
            let node = node(&fleet.clock, &store, fleet.file(number)).await;
            fleet.nodes.push(node);
        }
        fleet
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The file that the operator edits.
    fn origin(&self) -> PathBuf {
        self.path("keys.toml")
    }

    /// A node's copy of it.
    fn file(&self, number: usize) -> PathBuf {
        self.path(&format!("keys-{number}.toml"))
    }

    fn rotate(&self, distribute: Duration) -> KeyId {
        let now = self.clock.now();
        let mut rotation = Rotation::default();
        rotation.distribute = distribute;
        let rotate = |tables: &mut KeyTables| tables.rotate(now, rotation, &SystemRandom);
        KeyTables::edit_file(self.origin(), rotate).unwrap().id
    }

    /// The edited file reaches a node, whole.
    fn deliver(&self, number: usize) {
        let beside = self.path("beside");
        fs::copy(self.origin(), &beside).unwrap();
        fs::rename(beside, self.file(number)).unwrap();
    }

    fn knows(&self, number: usize, key: KeyId) -> bool {
        self.nodes[number].sessions.health().opening.contains(&key)
    }
}

async fn node(clock: &ManualClock, store: &MemoryLog, file: PathBuf) -> Node {
    // Of a fleet: a key that is not known here may be known elsewhere. The clock moves faster than news do.
    let store = Faulty::new(store.clone());
    let builder = builder(clock, store)
        .key_source(KeySource::File(file))
        .when_stale(WhenStale::Accept, 10 * SECOND);
    Node::serve(clock.clone(), builder).await
}

/// The key that a browser's cookie names.
fn key_of(browser: &Browser) -> KeyId {
    let token = BASE64.decode(browser.session().unwrap()).unwrap();
    KeyId::from_bytes(token[1..17].try_into().unwrap())
}

/// Waits until a node has looked at its file, which is not for another five seconds then.
async fn until_just_looked(fleet: &Fleet, number: usize) {
    fs::write(fleet.file(number), "nothing that could be read").unwrap();
    let sessions = &fleet.nodes[number].sessions;
    eventually(|| async { sessions.health().key_problem.is_some() }).await;
}

#[actix_web::test]
async fn a_neighbours_cookie_makes_a_node_learn_of_a_new_key_at_once() {
    // A busy machine may hold one of them up until the node looks of its own accord, after five seconds.
    for _ in 0..4 {
        if learns_of_a_new_key().await < Duration::from_millis(4800) {
            return;
        }
    }
    panic!("not from the cookie");
}

/// How long it takes a node on which a neighbour's cookie comes in.
async fn learns_of_a_new_key() -> Duration {
    let fleet = Fleet::start().await;
    let new = fleet.rotate(Duration::ZERO);
    fleet.clock.advance(SECOND);
    fleet.deliver(0);
    fleet.nodes[0].sessions.reload_keys().unwrap();
    let browser = fleet.nodes[0].browser();
    browser.post("/login/alice").await.is(200);
    assert_eq!(key_of(&browser), new);

    until_just_looked(&fleet, 1).await;
    fleet.deliver(1);
    let delivered = Instant::now();
    let there = browser.copy().at(&fleet.nodes[1]);
    // This one asks for a look at the file, and does not wait for it.
    assert!(there.get("/me").await.set_cookies().is_empty());
    eventually(|| async { fleet.knows(1, new) }).await;
    let took = delivered.elapsed();
    there.get("/me").await.is(200);
    took
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Login,
    Write(u32),
    Read,
}

#[derive(Debug, Clone)]
struct Schedule {
    /// How many minutes after the edit the new key seals.
    activate: u32,
    /// How many minutes after the edit each node has it.
    learn: [u32; 3],
    /// Seconds that pass, then who does what on which node.
    steps: Vec<(u32, usize, usize, Act)>,
}

const USERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

fn schedule() -> impl Strategy<Value = Schedule> {
    let act = prop_oneof![
        1 => Just(Act::Login),
        3 => any::<u32>().prop_map(Act::Write),
        2 => Just(Act::Read),
    ];
    let step = (0..240u32, 0..USERS.len(), 0..3usize, act);
    let steps = proptest::collection::vec(step, 30..40);
    let learn = [0..50u32, 0..50, 0..50];
    (0..20u32, learn, steps).prop_map(|(activate, learn, steps)| Schedule {
        activate,
        learn,
        steps,
    })
}

/// A user's browser, and what it stored last.
struct User {
    name: &'static str,
    browser: Browser,
    stored: u32,
}

impl User {
    async fn new(name: &'static str, node: &Node) -> Self {
        let mut user = Self {
            name,
            browser: node.browser(),
            stored: 0,
        };
        user.log_in(node).await;
        user.store(node, 0).await;
        user
    }

    fn copy(&self) -> Self {
        Self {
            browser: self.browser.copy(),
            ..*self
        }
    }

    async fn log_in(&mut self, node: &Node) {
        let browser = self.browser.at(node);
        let path = format!("/remember/{}", self.name);
        assert!(!browser.post(&path).await.is(200).removes_cookie());
    }

    async fn store(&mut self, node: &Node, value: u32) {
        let browser = self.browser.at(node);
        browser.put("/entries/value", json!(value)).await.is(204);
        self.stored = value;
    }

    async fn read(&self, node: &Node) {
        let browser = self.browser.at(node);
        let me = browser.get("/me").await.is(200);
        assert!(!me.removes_cookie(), "{me:?}");
        assert_eq!(me.json()["user"], self.name);
        let entry = browser.get("/entries/value").await.is(200);
        assert_eq!(entry.json(), self.stored, "{}", self.name);
    }

    async fn act(&mut self, fleet: &Fleet, number: usize, act: Act) {
        let node = &fleet.nodes[number];
        let is_readable = fleet.knows(number, key_of(&self.browser));
        match act {
            Act::Read if is_readable => self.read(node).await,
            Act::Write(value) if is_readable => self.store(node, value).await,
            // A login keeps what is stored where it can be read, and begins anew where it cannot.
            Act::Login if is_readable => {
                self.log_in(node).await;
                self.read(node).await;
            }
            Act::Login => {
                self.log_in(node).await;
                self.store(node, 0).await;
            }
            // Nobody's here, and not touched: to the others it is a session.
            Act::Read => {
                self.browser.at(node).get("/me").await.leaves_alone();
            }
            Act::Write(value) => {
                let browser = self.browser.at(node);
                let answer = browser.put("/entries/value", json!(value)).await.is(409);
                assert!(answer.set_cookies().is_empty(), "{answer:?}");
            }
        }
    }
}

/// Plays a schedule's hour, in which the nodes learn of the new key at different times.
async fn play(fleet: &Fleet, users: &mut [User], schedule: &Schedule) -> u32 {
    let activate = MINUTE * schedule.activate;
    let new = fleet.rotate(activate);
    let start = fleet.clock.now();
    let mut foreign = 0;
    for (seconds, user, number, act) in &schedule.steps {
        fleet.clock.advance(SECOND * *seconds);
        let passed = fleet.clock.now().since(start);
        for (late, minutes) in schedule.learn.iter().enumerate() {
            if passed >= MINUTE * *minutes && !fleet.knows(late, new) {
                fleet.deliver(late);
                fleet.nodes[late].sessions.reload_keys().unwrap();
            }
        }
        users[*user].act(fleet, *number, *act).await;
        for user in users.iter() {
            for number in 0..3 {
                foreign += u32::from(!fleet.knows(number, key_of(&user.browser)));
                // With a copy, so that cookies grow old as they do where their owners pause.
                user.copy().act(fleet, number, Act::Read).await;
            }
        }
    }
    foreign
}

#[actix_web::test]
async fn nodes_that_learn_of_a_rotation_minutes_apart_lose_no_session() {
    let mut runner = TestRunner::default();
    let mut foreign = 0;
    for _ in 0..8 {
        let schedule = schedule().new_tree(&mut runner).unwrap().current();
        // Shown when the test fails.
        println!("{schedule:?}");
        let fleet = Fleet::start().await;
        let old = fleet.nodes[0].sessions.health().sealing.unwrap();
        let mut users = Vec::new();
        for (number, name) in USERS.into_iter().enumerate() {
            users.push(User::new(name, &fleet.nodes[number % 3]).await);
        }
        let sleeper = User::new("erin", &fleet.nodes[0]).await;
        foreign += play(&fleet, &mut users, &schedule).await;

        // The rest of the old key's life: every few days somewhere else.
        for number in 0..3 {
            fleet.deliver(number);
            fleet.nodes[number].sessions.reload_keys().unwrap();
        }
        fleet.clock.advance(HOUR);
        let new = fleet.nodes[0].sessions.health().sealing.unwrap();
        for round in 0..6 {
            for (number, user) in users.iter_mut().enumerate() {
                let node = &fleet.nodes[(number + round) % 3];
                user.read(node).await;
                user.store(node, 1).await;
                assert_eq!(key_of(&user.browser), new);
                for node in &fleet.nodes {
                    user.read(node).await;
                }
            }
            if round == 2 {
                // Who comes back after a week finds the session, with each node.
                assert_eq!(key_of(&sleeper.browser), old);
                for node in &fleet.nodes {
                    sleeper.copy().read(node).await;
                }
            }
            fleet.clock.advance(4 * DAY);
        }
        for node in &fleet.nodes {
            assert!(node.sessions.health().opening.contains(&old));
        }
        fleet.clock.advance(6 * DAY + 3 * HOUR);
        for node in &fleet.nodes {
            assert_eq!(node.sessions.health().opening, [new]);
            sleeper.browser.copy().at(node).get("/me").await.removes();
        }
        for node in fleet.nodes {
            node.stop().await;
        }
    }
    // Else the schedules do not reach what this is about.
    assert!(foreign > 0);
}

#[actix_web::test]
async fn a_cookie_of_an_abandoned_deployment_is_in_nobodys_way() {
    let fleet = Fleet::start().await;
    let file = fleet.path("abandoned.toml");
    make_keys(&file, &fleet.clock);
    let abandoned = node(&fleet.clock, &log(&fleet.clock), file).await;
    let browser = abandoned.browser();
    browser.post("/remember/alice").await.is(200);
    for passed in [Duration::ZERO, 58 * MINUTE, 4 * MINUTE] {
        fleet.clock.advance(passed);
        for node in &fleet.nodes {
            browser.copy().at(node).get("/me").await.leaves_alone();
        }
    }
    // It may be somebody's elsewhere, and is in nobody's way.
    let here = browser.at(&fleet.nodes[0]);
    here.post("/login/alice").await.is(200);
    here.get("/me").await.is(200);
}

fn make_keys(file: &Path, clock: &ManualClock) {
    let tables = KeyTables::fresh(clock.now(), &SystemRandom).unwrap();
    tables.create(file).unwrap();
}
