//! Random sequences, compared with a model that fits on a page.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;
use support::raw::request;
use support::{Browser, Node, SECOND};

/// Draws `count` values.
fn draw<S: Strategy>(count: usize, strategy: &S) -> Vec<S::Value> {
    let mut runner = TestRunner::default();
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Login(&'static str),
    Logout,
    Purge,
    LogoutAll,
    LogoutOthers,
    LogoutEveryone,
    Renew,
    Write(u32),
    Clear,
    /// The thief takes a copy of the browser's cookie.
    Steal,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop_oneof![Just("alice"), Just("bob")].prop_map(Step::Login),
        1 => Just(Step::Logout),
        1 => Just(Step::Purge),
        1 => Just(Step::LogoutAll),
        1 => Just(Step::LogoutOthers),
        1 => Just(Step::LogoutEveryone),
        2 => Just(Step::Renew),
        3 => any::<u32>().prop_map(Step::Write),
        1 => Just(Step::Clear),
        4 => Just(Step::Steal),
    ]
}

/// A session as the servers know it.
struct Known {
    user: Option<&'static str>,
    /// Cookies with another number are dead.
    newest: u32,
    ended: bool,
}

/// A cookie: of which session, its number, and what it says.
#[derive(Debug, Clone, Copy)]
struct Cookie {
    session: usize,
    number: u32,
    value: Option<u32>,
}

#[derive(Default)]
struct Model {
    sessions: Vec<Known>,
}

impl Model {
    fn live(&self, cookie: Option<Cookie>) -> Option<Cookie> {
        cookie.filter(|cookie| {
            let session = &self.sessions[cookie.session];
            !session.ended && session.newest == cookie.number
        })
    }

    fn user(&self, cookie: Option<Cookie>) -> Option<&'static str> {
        let cookie = self.live(cookie)?;
        self.sessions[cookie.session].user
    }

    fn begin(&mut self, user: Option<&'static str>, value: Option<u32>) -> Option<Cookie> {
        self.sessions.push(Known {
            user,
            newest: 0,
            ended: false,
        });
        let session = self.sessions.len() - 1;
        Some(Cookie {
            session,
            number: 0,
            value,
        })
    }

    /// What the browser holds after a step.
    fn step(&mut self, step: Step, held: Option<Cookie>) -> Option<Cookie> {
        let held = self.live(held);
        let user = self.user(held);
        match (step, held) {
            (Step::Steal, held) => held,
            (Step::Login(name), held) => {
                if let Some(cookie) = held {
                    self.sessions[cookie.session].ended = true;
                }
                // What one user stored is not the next one's.
                let heir = user.is_none_or(|before| before == name);
                let value = held.filter(|_| heir).and_then(|cookie| cookie.value);
                self.begin(Some(name), value)
            }
            (Step::Logout | Step::Purge, Some(cookie)) => {
                self.sessions[cookie.session].ended = true;
                None
            }
            (Step::LogoutAll, Some(_)) if user.is_some() => {
                let theirs = self.sessions.iter_mut().filter(|known| known.user == user);
                theirs.for_each(|known| known.ended = true);
                None
            }
            (Step::LogoutOthers, Some(cookie)) if user.is_some() => {
                let theirs = self.sessions.iter_mut().enumerate();
                let theirs = theirs.filter(|(_, known)| known.user == user);
                theirs.for_each(|(number, known)| known.ended |= number != cookie.session);
                self.renew(cookie)
            }
            (Step::LogoutEveryone, _) => {
                self.sessions
                    .iter_mut()
                    .for_each(|known| known.ended = true);
                None
            }
            (Step::Renew, Some(cookie)) => self.renew(cookie),
            (Step::Write(value), None) => self.begin(None, Some(value)),
            (Step::Write(value), Some(cookie)) => Some(Cookie {
                value: Some(value),
                ..cookie
            }),
            (Step::Clear, Some(cookie)) => Some(Cookie {
                value: None,
                ..cookie
            }),
            (_, held) => held,
        }
    }

    fn renew(&mut self, cookie: Cookie) -> Option<Cookie> {
        let newest = &mut self.sessions[cookie.session].newest;
        *newest += 1;
        Some(Cookie {
            number: *newest,
            ..cookie
        })
    }
}

async fn perform(step: Step, browser: &Browser) {
    let answer = match step {
        Step::Login(user) => browser.post(&format!("/login/{user}")).await,
        Step::Logout => browser.post("/logout").await,
        Step::Purge => browser.post("/purge").await,
        Step::LogoutAll => browser.post("/logout-all").await,
        Step::LogoutOthers => browser.post("/logout-others").await,
        Step::LogoutEveryone => browser.post("/logout-everyone").await,
        Step::Renew => browser.post("/renew").await,
        Step::Write(value) => browser.put("/entries/value", json!(value)).await,
        Step::Clear => browser.post("/clear").await,
        Step::Steal => return,
    };
    assert!(answer.status < 402, "{answer:?}");
}

#[actix_web::test]
async fn whoever_the_model_says_is_logged_in_is_logged_in() {
    let node = Node::start().await;
    let sequence = proptest::collection::vec((0..2usize, step()), 1..20);
    for sequence in draw(60, &sequence) {
        let mut model = Model::default();
        let mut browsers = [(); 2].map(|()| (node.browser(), None));
        let mut thief = (node.browser(), None);
        for (number, (who, step)) in sequence.iter().enumerate() {
            let (browser, held) = &mut browsers[*who];
            if let Step::Steal = step {
                thief = (browser.copy(), *held);
            }
            perform(*step, browser).await;
            *held = model.step(*step, *held);
            // Past every grace, and past the minute in which a dead cookie is kept.
            node.clock.advance(71 * SECOND);
            for (browser, held) in browsers.iter().chain([&thief]) {
                let at = || format!("{held:?} after step {number} of {sequence:?}");
                let browser = browser.copy();
                let me = browser.get("/me").await;
                let user = (me.status == 200).then(|| me.json()["user"].clone());
                assert_eq!(user, model.user(*held).map(|user| json!(user)), "{}", at());
                let entry = browser.get("/entries/value").await;
                let value = (entry.status == 200).then(|| entry.json());
                let expected = model.live(*held).and_then(|cookie| cookie.value);
                assert_eq!(value, expected.map(|value| json!(value)), "{}", at());
            }
        }
    }
}

/// Pieces of headers, in any order.
fn header(token: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let (token, head) = (token.to_owned(), token[..40].to_owned());
    let piece = prop_oneof![
        3 => proptest::collection::vec(any::<u8>(), 0..12),
        2 => Just(b"session=".to_vec()),
        1 => Just(b"session.1=".to_vec()),
        1 => Just(b"2.".to_vec()),
        2 => Just(b"; ".to_vec()),
        1 => Just(b"=".to_vec()),
        1 => Just(head.into_bytes()),
        1 => (0..token.len()).prop_map(move |end| token.as_bytes()[..end].to_vec()),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| {
        let mut header = pieces.concat();
        // What no server reads as part of a header's line.
        header.retain(|byte| *byte >= b' ' && *byte != 0x7f || *byte == b'\t');
        header
    })
}

#[actix_web::test]
async fn no_bytes_in_a_cookie_header_are_a_session_or_an_error() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.post("/login/alice").await.is(200);
    let token = browser.session().unwrap();
    for header in draw(1000, &header(&token)) {
        let line = [b"Cookie: ", header.as_slice()].concat();
        let reply = request(&node.url, [b"GET /me HTTP/1.1".as_slice(), &line]).await;
        assert_eq!(reply.status(), 401, "{:?}: {}", header, reply.text());
    }
    browser.get("/me").await.is(200);
}
