//! Tokens that a node opened a moment ago (`cookie.cached_tokens`), which it does not open again.
//!
//! 1. Nobody can tell: whatever ends a session, changes a key or turns a clock back holds as before.
//! 2. A token is known by all of its text, under its own cookie, in its own number of parts.

use proptest::prelude::*;
use sealed_session::Sessions;
use sealed_session::adapter::Incoming;
use sealed_session::revoke::SessionId;
use sealed_session::session::Rejected;
use sealed_session::settings::{CookieSettings, PreviousCookie};
use sealed_session::testing::{ManualClock, token_cache_stats};
use sealed_session::time::{Clock, UnixMillis};
use support::{DAY, MINUTE, SECOND, builder, memory, with};

use super::direct::{load, login, sent, user};
use super::twins::{Listed, Pair, RETIRING};

pub fn caching(slots: usize) -> CookieSettings {
    with(CookieSettings::plain_http(), |it| {
        it.cached_tokens = slots;
    })
}

/// What a request with this cookie is told: the session, whose it is, what it holds, why there is none, and whether it can
/// be written.
pub type Outcome = (
    Option<SessionId>,
    Option<String>,
    Option<String>,
    Option<Rejected>,
    bool,
);

pub fn outcome(sessions: &Sessions, cookie: &str) -> Option<Outcome> {
    let incoming = Incoming::new(std::iter::once(cookie.as_bytes()));
    // It may be that this node cannot judge.
    let session = sessions.load(incoming).ok()?.session;
    let held = session.get("a").unwrap();
    let (id, subject, rejected) = (session.id(), session.subject(), session.rejected());
    let writes = session.insert("probe", 1).is_ok();
    Some((id, subject, held, rejected, writes))
}

/// What happens on two nodes, and the cookies that came of it.
struct History {
    pair: Pair,
    cookies: Vec<String>,
}

/// The key that retires seals in the first, as in the one that brings it back.
const RINGS: [Listed<'_>; 8] = [
    (&[RETIRING, 1], &[]),
    (&[1], &[]),
    (&[2, 1], &[]),
    (&[2], &[]),
    (&[2], &[1]),
    (&[1, 2], &[]),
    (&[3, 1], &[2]),
    (&[RETIRING, 2, 1], &[]),
];

impl History {
    /// Few slots, so that tokens drive each other out.
    async fn start() -> Self {
        let clock = ManualClock::default();
        let store = memory(&clock);
        let stores = [store.clone(), store];
        Self {
            pair: Pair::start(64, RINGS[0], clock, stores, |it| it).await,
            cookies: Vec::new(),
        }
    }

    async fn step(&mut self, step: &Step) {
        self.pair.clock.advance(SECOND);
        let node = &self.pair.caches;
        let at = |cookie: usize| match self.cookies.is_empty() {
            true => String::new(),
            false => self.cookies[cookie % self.cookies.len()].clone(),
        };
        let mut new = None;
        match step {
            Step::Login(over) => {
                let incoming = at(*over);
                let loaded = load(node, &incoming);
                let name = ["alice", "bob"][over % 2];
                let login = loaded.session.authenticate(name).group("org", "acme");
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
            Step::Wait(minutes) => self.pair.clock.advance(*minutes * MINUTE),
            Step::TurnBack(minutes) => {
                let back = *minutes * MINUTE;
                self.pair.clock.set(self.clock_now().minus(back));
            }
            Step::Keys(ring) => {
                let ring = RINGS[ring % RINGS.len()];
                self.pair.keys(ring, "");
            }
            Step::Sweep => drop(node.sweep().await),
        }
        self.cookies.extend(new);
        // Three times: what is new, what is cached, and what was.
        for cookie in &self.cookies {
            let expected = outcome(&self.pair.opens, cookie);
            for _ in 0..3 {
                let told = outcome(&self.pair.caches, cookie);
                assert_eq!(told, expected, "after {step:?}");
            }
        }
    }

    /// Whatever has happened, the one node still caches, and the other never did.
    async fn ends(&self) {
        let Pair {
            caches,
            opens,
            clock,
            ..
        } = &self.pair;
        // Wherever the clock was turned back to.
        clock.advance(DAY);
        let cookie = login(caches, "", "carol").await;
        let before = token_cache_stats(caches).hits;
        for node in [caches, opens] {
            for _ in 0..3 {
                assert_eq!(user(node, &cookie).as_deref(), Some("carol"));
            }
        }
        assert_eq!(token_cache_stats(caches).hits - before, 2);
        assert_eq!(token_cache_stats(opens).hits, 0);
    }

    fn clock_now(&self) -> UnixMillis {
        self.pair.clock.now()
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

/// Read until it comes from the cache.
fn cached(sessions: &Sessions, cookie: &str) -> Option<String> {
    load(sessions, cookie);
    let before = token_cache_stats(sessions).hits;
    let subject = user(sessions, cookie);
    assert_eq!(token_cache_stats(sessions).hits, before + 1);
    subject
}

/// Each has what it opened for itself.
#[actix_web::test]
async fn a_token_is_cached_under_its_own_cookie_and_audience_alone() {
    let clock = ManualClock::default();
    let start = async |audience: &str, name: &str| {
        let sessions = Sessions::builder(audience)
            .keys(support::ring())
            .store(memory(&clock))
            .cookie(support::cookie(name, "/"))
            .clock(std::sync::Arc::new(clock.clone()));
        sessions.start().await.unwrap()
    };
    let ours = start("test", "session").await;
    let cookie = login(&ours, "", "alice").await;
    assert!(cached(&ours, &cookie).is_some());
    let renamed = cookie.replacen("session=", "other=", 1);
    for (audience, name, sent) in [("test", "other", &renamed), ("test2", "session", &cookie)] {
        let other = start(audience, name).await;
        for _ in 0..3 {
            let session = load(&other, sent).session;
            assert_eq!(session.rejected(), Some(Rejected::NotAuthentic));
        }
        assert_eq!(token_cache_stats(&other).entries, 0);
    }
    // Nor under an earlier name of the same sessions.
    let both = with(support::cookie("session", "/"), |it| {
        it.previous = vec![PreviousCookie::new("other")];
    });
    let both = builder(&clock, memory(&clock)).cookie(both);
    let both = both.start().await.unwrap();
    let cookie = login(&both, "", "alice").await;
    assert!(cached(&both, &cookie).is_some());
    let before = token_cache_stats(&both);
    let renamed = cookie.replacen("session=", "other=", 1);
    for _ in 0..3 {
        let session = load(&both, &renamed).session;
        assert_eq!(session.rejected(), Some(Rejected::NotAuthentic));
    }
    assert_eq!(token_cache_stats(&both), before);
    assert!(cached(&both, &cookie).is_some());
}

/// The handlers of one request write to a record of their own.
#[actix_web::test]
async fn a_write_is_not_seen_by_another_request_with_the_same_cookie() {
    let clock = ManualClock::default();
    let sessions = builder(&clock, memory(&clock)).start().await.unwrap();
    let cookie = login(&sessions, "", "alice").await;
    assert!(cached(&sessions, &cookie).is_some());
    let before = token_cache_stats(&sessions).hits;
    let [one, two] = [(); 2].map(|()| load(&sessions, &cookie));
    assert_eq!(token_cache_stats(&sessions).hits, before + 2);
    one.session.insert("a", 1).unwrap();
    assert_eq!(two.session.get::<i32>("a").unwrap(), None);
    two.session.insert("a", 2).unwrap();
    assert_eq!(one.session.get::<i32>("a").unwrap(), Some(1));
    let changed = sent(&sessions, one).await;
    assert_eq!(load(&sessions, &changed).session.get("a").unwrap(), Some(1));
    let before = token_cache_stats(&sessions).hits;
    let again = load(&sessions, &cookie).session;
    assert_eq!(again.get::<i32>("a").unwrap(), None);
    assert_eq!(token_cache_stats(&sessions).hits, before + 1);
}

#[actix_web::test]
async fn so_many_tokens_cannot_be_cached() {
    let clock = ManualClock::default();
    let start = async |slots| {
        let builder = builder(&clock, memory(&clock)).cookie(caching(slots));
        builder.start().await.map(drop)
    };
    start(65_536).await.unwrap();
    let refused = start(65_537).await.unwrap_err().to_string();
    assert!(refused.contains("cookie.cached_tokens"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn nobody_can_tell_whether_a_node_caches(steps in proptest::collection::vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut history = History::start().await;
            for step in &steps {
                history.step(step).await;
            }
            history.ends().await;
        });
    }
}
