//! Tokens that a node opened a moment ago (`cookie.remembered_tokens`), which it does not open again.
//!
//! 1. Nobody can tell: whatever ends a session, changes a key or turns a clock back holds as before.
//! 2. A token is known by all of its text, under its own cookie, in its own number of parts.

use std::fmt::Write;
use std::path::Path;

use proptest::prelude::*;
use sealed_session::Sessions;
use sealed_session::adapter::Incoming;
use sealed_session::keys::{KeySource, Secret, SystemRandom};
use sealed_session::session::Rejected;
use sealed_session::settings::CookieSettings;
use sealed_session::testing::ManualClock;
use support::{MINUTE, SECOND, builder, memory, with};

use super::direct::load;

fn remembering(places: usize) -> CookieSettings {
    with(CookieSettings::plain_http(), |it| {
        it.remembered_tokens = places;
    })
}

/// What a request with this cookie is told.
fn outcome(sessions: &Sessions, cookie: &str) -> Option<(Option<String>, Option<Rejected>, bool)> {
    let incoming = Incoming::new(std::iter::once(cookie.as_bytes()));
    // It may be that this node cannot judge.
    let session = sessions.load(incoming).ok()?.session;
    let writes = session.insert("probe", 1).is_ok();
    Some((session.subject(), session.rejected(), writes))
}

/// Two nodes on one store, of which one remembers, and a key file that both read.
struct Pair {
    remembers: Sessions,
    forgets: Sessions,
    clock: ManualClock,
    folder: tempfile::TempDir,
    secrets: Vec<Secret>,
    cookies: Vec<String>,
}

/// Which secrets a key file lists, and which it calls revoked. The first seals.
const RINGS: [(&[usize], &[usize]); 6] = [
    (&[1], &[]),
    (&[2, 1], &[]),
    (&[2], &[]),
    (&[2], &[1]),
    (&[1, 2], &[]),
    (&[3, 1], &[2]),
];

impl Pair {
    async fn start() -> Self {
        let clock = ManualClock::default();
        let folder = tempfile::tempdir().unwrap();
        let secrets: Vec<_> = (0..4)
            .map(|_| Secret::generate(&SystemRandom).unwrap())
            .collect();
        write_keys(folder.path(), &secrets, RINGS[0]);
        let store = memory(&clock);
        let start = |places| {
            builder(&clock, store.clone())
                .key_source(KeySource::File(folder.path().join("keys.toml")))
                .cookie(remembering(places))
        };
        Self {
            remembers: start(64).start().await.unwrap(),
            forgets: start(0).start().await.unwrap(),
            clock,
            folder,
            secrets,
            cookies: Vec::new(),
        }
    }

    async fn step(&mut self, step: &Step) {
        self.clock.advance(SECOND);
        let node = &self.remembers;
        let at = |cookie: usize| match self.cookies.is_empty() {
            true => String::new(),
            false => self.cookies[cookie % self.cookies.len()].clone(),
        };
        let mut new = None;
        match step {
            Step::Login(over) => {
                let incoming = at(*over);
                let loaded = load(node, &incoming);
                let login = loaded.session.authenticate("alice").group("org", "acme");
                if login.await.is_ok() {
                    new = cookie(node, loaded).await;
                }
            }
            Step::Write(cookie_at) | Step::Renew(cookie_at) | Step::LogoutOthers(cookie_at) => {
                let loaded = load(node, &at(*cookie_at));
                match step {
                    Step::Write(_) => drop(loaded.session.insert("a", self.clock_text())),
                    Step::Renew(_) => loaded.session.renew(),
                    _ => drop(loaded.session.logout_others().await),
                }
                new = cookie(node, loaded).await;
            }
            Step::Logout(cookie) => drop(load(node, &at(*cookie)).session.logout().await),
            Step::LogoutAll(cookie) => drop(load(node, &at(*cookie)).session.logout_all().await),
            Step::EndGroup => node.end_group("org", "acme").await.unwrap(),
            Step::EndEveryone => node.end_everyone().await.unwrap(),
            Step::Wait(minutes) => self.clock.advance(*minutes * MINUTE),
            Step::TurnBack(minutes) => {
                let back = *minutes * MINUTE;
                self.clock.set(self.clock_now().minus(back));
            }
            Step::Keys(ring) => {
                write_keys(self.folder.path(), &self.secrets, RINGS[ring % RINGS.len()]);
                for node in [&self.remembers, &self.forgets] {
                    node.reload_keys().unwrap();
                }
            }
            Step::Sweep => drop(node.sweep().await),
        }
        self.cookies.extend(new);
        // Three times: what is new, what is remembered, and what was.
        for cookie in &self.cookies {
            let expected = outcome(&self.forgets, cookie);
            for _ in 0..3 {
                assert_eq!(outcome(&self.remembers, cookie), expected, "after {step:?}");
            }
        }
    }

    fn clock_now(&self) -> sealed_session::time::UnixMillis {
        sealed_session::time::Clock::now(&self.clock)
    }

    fn clock_text(&self) -> String {
        self.clock_now().to_string()
    }
}

async fn cookie(node: &Sessions, loaded: sealed_session::adapter::Loaded) -> Option<String> {
    let committed = node.commit(&loaded.session, loaded.ticket).await;
    let cookies = committed.cookies.iter();
    let cookie = cookies.map(|it| it.split(';').next().unwrap().to_owned());
    cookie
        .into_iter()
        .find(|it| it.starts_with("session=") && it.len() > 20)
}

fn write_keys(folder: &Path, secrets: &[Secret], (listed, revoked): (&[usize], &[usize])) {
    let mut text = String::new();
    for number in revoked {
        let id = secrets[*number].key_id();
        let at = "2020-01-02T00:00:00Z";
        writeln!(text, "[[revoked]]\nid = \"{id}\"\nat = \"{at}\"").unwrap();
    }
    for number in listed {
        let secret = secrets[*number].to_text();
        let activate = "2020-01-01T00:00:00Z";
        writeln!(
            text,
            "[[key]]\nsecret = \"{}\"\nactivate = \"{activate}\"",
            *secret
        )
        .unwrap();
    }
    std::fs::write(folder.join("keys.toml"), text).unwrap();
}

#[derive(Debug, Clone)]
enum Step {
    Login(usize),
    Write(usize),
    Renew(usize),
    Logout(usize),
    LogoutAll(usize),
    LogoutOthers(usize),
    EndGroup,
    EndEveryone,
    Wait(u32),
    TurnBack(u32),
    Keys(usize),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let any = 0..8_usize;
    prop_oneof![
        4 => any.clone().prop_map(Step::Login),
        4 => any.clone().prop_map(Step::Write),
        2 => any.clone().prop_map(Step::Renew),
        1 => any.clone().prop_map(Step::Logout),
        1 => any.clone().prop_map(Step::LogoutAll),
        1 => any.clone().prop_map(Step::LogoutOthers),
        1 => Just(Step::EndGroup),
        1 => Just(Step::EndEveryone),
        3 => (0..90_u32).prop_map(Step::Wait),
        1 => (0..3_u32).prop_map(Step::TurnBack),
        3 => any.prop_map(Step::Keys),
        1 => Just(Step::Sweep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn nobody_can_tell_whether_a_node_remembers(steps in proptest::collection::vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::start().await;
            for step in &steps {
                pair.step(step).await;
            }
        });
    }
}
