//! Two nodes on one store with one key file, of which one caches the tokens that it opened, and the other opens each again.
//!
//! 1. What is read is a token that the one found in its cache: that is asserted, not assumed.
//!    Two tokens may want one slot. They are the same in each run, and have slots of their own.
//! 2. Both answer alike: the status, the body, all headers, why there is no session, and whether one may be written.

use std::fmt::Write;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Method;
use sealed_session::adapter::Incoming;
use sealed_session::keys::{KeySource, Random, RandomError, Secret};
use sealed_session::revoke::Store;
use sealed_session::session::Rejected;
use sealed_session::testing::{ManualClock, token_cache_stats};
use sealed_session::time::Clock;
use sealed_session::{Sessions, SessionsBuilder};
use serde_json::json;
use sha2::{Digest, Sha256};
use support::{Answer, Browser, builder, memory, routes, serve, with};

use super::token_cache::caching;

/// The two nodes, without servers.
pub struct Pair {
    pub caches: Sessions,
    pub opens: Sessions,
    pub clock: ManualClock,
    pub secrets: Vec<Secret>,
    folder: tempfile::TempDir,
}

/// The two nodes behind a server each.
pub struct Twins {
    pair: Pair,
    /// What is read.
    pub page: &'static str,
    /// By which client.
    pub agent: &'static str,
    urls: [String; 2],
}

/// So many that the tokens of these tests do not meet in one.
pub const SLOTS: usize = 4096;

/// Gives other bytes for each number, and the same in each run.
#[derive(Debug)]
pub struct Repeatable {
    number: u64,
    drawn: AtomicU64,
}

impl Repeatable {
    pub fn new(number: u64) -> Self {
        let drawn = AtomicU64::new(0);
        Self { number, drawn }
    }
}

impl Random for Repeatable {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        for part in bytes.chunks_mut(32) {
            let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
            let which = [self.number, drawn].map(u64::to_be_bytes);
            let digest = Sha256::digest(which.as_flattened());
            part.copy_from_slice(&digest[..part.len()]);
        }
        Ok(())
    }
}

/// Which secrets a key file lists, and which it calls revoked. The first seals.
pub type Listed<'l> = (&'l [usize], &'l [usize]);

/// The secret that retires [`RETIRES`] after the tests begin, wherever it is listed.
pub const RETIRING: usize = 4;
pub const RETIRES: Duration = Duration::from_secs(30 * 60);

pub fn write_keys(folder: &Path, secrets: &[Secret], (listed, revoked): Listed<'_>, top: &str) {
    let mut text = format!("{top}\n");
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
        if *number == RETIRING {
            let retire = ManualClock::default().now() + RETIRES;
            writeln!(text, "retire = \"{retire}\"").unwrap();
        }
    }
    std::fs::write(folder.join("keys.toml"), text).unwrap();
}

pub fn secrets() -> Vec<Secret> {
    let random = Repeatable::new(0);
    let all = (0..=RETIRING).map(|_| Secret::generate(&random).unwrap());
    all.collect()
}

impl Pair {
    /// With a cache of so many slots, and these keys at first. Each is on its own way to a store that they share.
    pub async fn start(
        slots: usize,
        keys: Listed<'_>,
        clock: ManualClock,
        stores: [Store; 2],
        change: impl Fn(SessionsBuilder) -> SessionsBuilder,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secrets = secrets();
        write_keys(folder.path(), &secrets, keys, "");
        let [one, two] = stores;
        let start = async |store, slots, random| {
            let file = KeySource::File(folder.path().join("keys.toml"));
            let cookie = with(caching(slots), |it| it.max_chunks = 2);
            let builder = builder(&clock, store).key_source(file).cookie(cookie);
            let builder = builder.random(Arc::new(Repeatable::new(random)));
            change(builder).start().await.unwrap()
        };
        Self {
            caches: start(one, slots, 1).await,
            opens: start(two, 0, 2).await,
            clock,
            secrets,
            folder,
        }
    }

    /// Both nodes get these keys, and what stands on top of the file.
    pub fn keys(&self, listed: Listed<'_>, top: &str) {
        write_keys(self.folder.path(), &self.secrets, listed, top);
        for node in [&self.caches, &self.opens] {
            node.reload_keys().unwrap();
        }
    }
}

/// What is the same of both nodes with servers and without.
impl Deref for Twins {
    type Target = Pair;

    fn deref(&self) -> &Pair {
        &self.pair
    }
}

impl Twins {
    pub async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    /// With other settings than most.
    pub async fn with(change: impl Fn(SessionsBuilder) -> SessionsBuilder) -> Self {
        let clock = ManualClock::default();
        let store = memory(&clock);
        Self::on(clock, [store.clone(), store], change).await
    }

    /// Each on its own way to a store that they share.
    pub async fn on(
        clock: ManualClock,
        stores: [Store; 2],
        change: impl Fn(SessionsBuilder) -> SessionsBuilder,
    ) -> Self {
        let pair = Pair::start(SLOTS, (&[1], &[]), clock, stores, change).await;
        let urls = [&pair.caches, &pair.opens].map(|node| serve(node, routes).0);
        Self {
            pair,
            page: "/me",
            agent: "hers",
            urls,
        }
    }

    /// A browser without cookies, at the node that caches nothing.
    pub fn browser(&self) -> Browser {
        Browser::new(&self.urls[1])
    }

    /// One in which somebody has logged in by this path, whose token the other node has cached.
    pub async fn cached(&self, login: &str) -> Browser {
        let browser = self.browser();
        let agent = [("user-agent", self.agent)];
        let answer = browser.send_with(Method::POST, login, &agent).await;
        answer.is(200);
        self.cache(&browser).await;
        browser
    }

    /// Reads until the node that caches found the token.
    pub async fn cache(&self, browser: &Browser) {
        let before = token_cache_stats(&self.caches).hits;
        for _ in 0..3 {
            self.get(0, browser).await.is(200);
        }
        assert!(token_cache_stats(&self.caches).hits > before);
    }

    /// The session counts at both, although the one that caches found the token.
    pub async fn counts(&self, browser: &Browser) {
        assert_eq!(self.found(browser).await, (200, 204));
        assert_eq!(self.rejected(browser), None);
    }

    /// The session is read at both and written at none.
    pub async fn only_reads(&self, browser: &Browser) {
        assert_eq!(self.found(browser).await, (200, 409));
        assert_eq!(self.rejected(browser), None);
    }

    /// The session counts at none.
    pub async fn refused(&self, browser: &Browser, reason: Rejected) {
        assert_eq!(self.found(browser).await.0, 401);
        assert_eq!(self.rejected(browser), Some(reason));
    }

    /// The session counts at none, and its token was not in the cache any more.
    pub async fn gone(&self, browser: &Browser, reason: Rejected) {
        assert_eq!(token_cache_stats(&self.caches).entries, 0);
        let [read, _] = self.alike(browser).await;
        assert_eq!(read.status, 401, "{read:?}");
        assert_eq!(self.rejected(browser), Some(reason));
    }

    /// The session counts at none, and its token was not even taken from the cache.
    pub async fn not_found(&self, browser: &Browser, reason: Rejected) {
        let before = token_cache_stats(&self.caches).hits;
        let [read, _] = self.alike(browser).await;
        assert_eq!(read.status, 401, "{read:?}");
        assert_eq!(self.rejected(browser), Some(reason));
        assert_eq!(token_cache_stats(&self.caches).hits, before);
    }

    /// How both answer to a read and to a write. The one that caches found the token both times.
    pub async fn found(&self, browser: &Browser) -> (u16, u16) {
        let before = token_cache_stats(&self.caches).hits;
        let [read, write] = self.alike(browser).await;
        let found = token_cache_stats(&self.caches).hits - before;
        assert_eq!(found, 2, "not cached: {read:?}");
        (read.status, write.status)
    }

    /// What the node that caches answers to a read and to a write. The other answers the same.
    pub async fn alike(&self, browser: &Browser) -> [Answer; 2] {
        let [here, there] = [0, 1].map(|node| self.get(node, browser));
        let (here, there) = (here.await, there.await);
        assert_eq!(told(&here), told(&there));
        let write = async |url: &String| {
            let browser = browser.copy().to(url);
            let agent = [("user-agent", self.agent)];
            browser.put_with("/entries/b", json!(1), &agent).await
        };
        let [first, second] = &self.urls;
        let (wrote, other) = (write(first).await, write(second).await);
        // Of a new token both say the name.
        assert_eq!((wrote.status, &wrote.body), (other.status, &other.body));
        assert_eq!(names(&wrote), names(&other));
        [here, wrote]
    }

    /// What one of them answers. The browser's cookies stay what they are.
    pub async fn get(&self, node: usize, browser: &Browser) -> Answer {
        let browser = browser.copy().to(&self.urls[node]);
        let agent = [("user-agent", self.agent)];
        browser.send_with(Method::GET, self.page, &agent).await
    }

    /// Why both take it for no session.
    pub fn rejected(&self, browser: &Browser) -> Option<Rejected> {
        let [here, there] = [&self.caches, &self.opens].map(|node| {
            let header = browser.header().unwrap();
            let agents = |name| (name == "user-agent").then_some(self.agent.as_bytes());
            let client = node.fingerprint(|name| agents(name).into_iter());
            let incoming = Incoming::new(std::iter::once(header.as_bytes())).client(client);
            let session = node.load(incoming).unwrap().session;
            (session.rejected(), session.insert("probe", 1))
        });
        assert_eq!(here, there);
        here.0
    }
}

/// The names of the cookies that an answer sets or removes.
fn names(answer: &Answer) -> Vec<&str> {
    let cookies = answer.set_cookies().into_iter();
    cookies.map(|it| it.split('=').next().unwrap()).collect()
}

/// All but when it was said.
fn told(answer: &Answer) -> (u16, &str, Vec<(&str, &[u8])>) {
    let headers = answer.headers.iter();
    let headers = headers.filter(|(name, _)| *name != "date");
    let mut headers: Vec<_> = headers
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    headers.sort_unstable();
    (answer.status, &answer.body, headers)
}
