//! Several cookies of one name, and tokens at the limits, of which a node has cached some and another node none.
//!
//! 1. A token that was found counts as one that was opened: no node decides otherwise for having a cache.
//! 2. Whatever is sent, and however much, each request gets its own session or none, and the cache stays bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::FutureExt;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sealed_session::revoke::Store;
use sealed_session::session::Rejected;
use sealed_session::settings::PreviousCookie;
use sealed_session::testing::{ManualClock, published_secret, token_cache_stats};
use sealed_session::{KeyRing, Sessions, SessionsBuilder};
use support::{HOUR, MINUTE, builder, memory, with};

use super::direct::{load, login, sent, user};
use super::token_cache::{caching, outcome};
use super::twins::{Pair, Repeatable, SLOTS};

/// How many of a request's candidates are opened.
const OPENED: u64 = 4;

/// Nodes on one store.
struct Site {
    clock: ManualClock,
    store: Store,
    nodes: AtomicU64,
}

impl Site {
    fn new() -> Self {
        let clock = ManualClock::default();
        let store = memory(&clock);
        let nodes = AtomicU64::new(0);
        Self {
            clock,
            store,
            nodes,
        }
    }

    fn builder(&self, slots: usize) -> SessionsBuilder {
        let cookie = with(caching(slots), |it| {
            it.max_chunks = 2;
            it.previous = vec![PreviousCookie::new("old")];
        });
        let random = Repeatable::new(self.nodes.fetch_add(1, Ordering::Relaxed));
        let builder = builder(&self.clock, self.store.clone()).cookie(cookie);
        builder.random(Arc::new(random))
    }

    fn node(&self, slots: usize) -> Sessions {
        self.start(self.builder(slots))
    }

    /// Nothing has to be waited for.
    fn start(&self, builder: SessionsBuilder) -> Sessions {
        builder.start().now_or_never().unwrap().unwrap()
    }
}

/// Lets a node cache the token of one cookie.
fn warm(node: &Sessions, cookie: &str) {
    for _ in 0..2 {
        load(node, cookie);
    }
}

#[actix_web::test]
async fn as_many_candidates_are_opened_whether_or_not_they_are_cached() {
    let site = Site::new();
    let opens = site.node(0);
    let mut all = Vec::new();
    for number in 0..5 {
        let name = format!("dead{number}");
        all.push(login(&opens, "", &name).await);
        opens.end_subject(&name).await.unwrap();
    }
    site.clock.advance(2 * MINUTE);
    let live = login(&opens, "", "alice").await;
    for dead in 2..=5 {
        let mut cookies = all[..dead].to_vec();
        cookies.push(live.clone());
        let header = cookies.join("; ");
        let expected = outcome(&opens, &header).unwrap();
        let (subject, writes) = (expected.1.as_deref(), expected.4);
        let is_found = (dead as u64) < OPENED;
        assert_eq!((subject == Some("alice"), writes), (is_found, is_found));
        // Each subset of them.
        for cached in 0..1_u32 << cookies.len() {
            let node = site.node(SLOTS);
            let which = (0..).zip(&cookies);
            let which = which.filter(|(bit, _)| cached >> bit & 1 == 1);
            which.for_each(|(_, cookie)| warm(&node, cookie));
            let before = token_cache_stats(&node);
            let told = outcome(&node, &header).unwrap();
            assert_eq!(told, expected, "{dead}, {cached:b}");
            let after = token_cache_stats(&node);
            let opened = after.hits + after.misses - before.hits - before.misses;
            assert_eq!(opened, OPENED.min(cookies.len() as u64));
            let found = cached & ((1 << OPENED) - 1);
            assert_eq!(after.hits - before.hits, u64::from(found.count_ones()));
        }
    }
}

/// All of them are sessions, and any might be the newest of one.
#[actix_web::test]
async fn no_more_candidates_are_opened_where_all_are_live() {
    let site = Site::new();
    let mut all = Vec::new();
    let opens = site.node(0);
    for number in 0..2 * OPENED {
        all.push(login(&opens, "", &format!("user{number}")).await);
    }
    let header = all.join("; ");
    let expected = outcome(&opens, &header).unwrap();
    assert!(expected.0.is_some());
    let node = site.node(SLOTS);
    all.iter().for_each(|cookie| warm(&node, cookie));
    let tried = |node| {
        let before = token_cache_stats(node);
        assert_eq!(outcome(node, &header).unwrap(), expected);
        let after = token_cache_stats(node);
        (after.hits - before.hits, after.misses - before.misses)
    };
    for _ in 0..2 {
        assert_eq!(tried(&node), (OPENED, 0));
    }
    // The first time it has none of them.
    assert_eq!(tried(&site.node(SLOTS)), (0, OPENED));
}

/// Each name of the cookie has a cache of its own.
#[actix_web::test]
async fn tokens_of_earlier_names_are_cleared_and_swept_too() {
    let clock = ManualClock::default();
    let store = memory(&clock);
    let stores = [store.clone(), store];
    let previous = |builder: SessionsBuilder| {
        let cookie = with(caching(SLOTS), |it| {
            it.previous = vec![PreviousCookie::new("old")];
        });
        builder.cookie(cookie)
    };
    let pair = Pair::start(SLOTS, (&[1], &[]), clock.clone(), stores.clone(), previous).await;
    let old = |builder: SessionsBuilder| builder.cookie(support::cookie("old", "/"));
    let old = Pair::start(SLOTS, (&[1], &[]), clock, stores, old).await;
    let node = &pair.caches;
    let cookie = login(&old.caches, "", "dave").await;
    assert!(cookie.starts_with("old="));
    let entries = || token_cache_stats(node).entries;
    warm(node, &cookie);
    assert_eq!(entries(), 1);
    pair.keys((&[2, 1], &[]), "");
    assert_eq!(entries(), 0);
    warm(node, &cookie);
    assert_eq!(user(node, &cookie).as_deref(), Some("dave"));
    assert_eq!((token_cache_stats(node).hits, entries()), (2, 1));
    // It was used since the last time.
    node.sweep().await.unwrap();
    assert_eq!(entries(), 1);
    node.sweep().await.unwrap();
    assert_eq!(entries(), 0);
}

/// Cookies of every kind, to be sent beside each other.
async fn kinds(site: &Site) -> Vec<String> {
    let node = site.node(0);
    let older = login(&node, "", "alice").await;
    let renews = load(&node, &older);
    renews.session.renew();
    let newest = sent(&node, renews).await;
    let writes = load(&node, &newest);
    writes.session.insert("a", "written").unwrap();
    let written = sent(&node, writes).await;
    let large = load(&node, "");
    large.session.insert("a", "x".repeat(2_600)).unwrap();
    let large = sent(&node, large).await;
    assert!(large.contains("; session.1="), "{large}");
    let ended = login(&node, "", "carol").await;
    load(&node, &ended).session.logout().await.unwrap();
    let ahead = ManualClock::default();
    ahead.advance(HOUR);
    let ahead = site.builder(0).clock(Arc::new(ahead));
    let ahead = site.start(ahead);
    let stranger = site.builder(0).keys(KeyRing::single(published_secret(2)));
    let stranger = site.start(stranger);
    let old = builder(&site.clock, site.store.clone()).cookie(support::cookie("old", "/"));
    let old = site.start(old);
    let changed = format!("{}A", &newest[..newest.len() - 1]);
    vec![
        login(&node, "", "bob").await,
        login(&ahead, "", "alice").await,
        login(&stranger, "", "alice").await,
        login(&old, "", "dave").await,
        "session=rubbish".to_owned(),
        "session.1=rubbish".to_owned(),
        older,
        newest,
        written,
        large,
        ended,
        changed,
    ]
}

#[test]
fn whatever_is_sent_beside_what_is_cached_is_judged_alike() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let site = Site::new();
    let kinds = runtime.block_on(kinds(&site));
    let opens = site.node(0);
    let some = |most| proptest::collection::vec(0..kinds.len(), 0..most);
    let slots = prop::sample::select(vec![0_usize, 1, 2, 64]);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(256));
    runner
        .run(&(some(8), some(12), slots), |(sent, warmed, slots)| {
            let node = site.node(slots);
            for number in warmed {
                warm(&node, &kinds[number]);
            }
            let sent: Vec<_> = sent.iter().map(|number| &*kinds[*number]).collect();
            let header = sent.join("; ");
            let expected = outcome(&opens, &header);
            for _ in 0..3 {
                prop_assert_eq!(outcome(&node, &header), expected.clone());
            }
            Ok(())
        })
        .unwrap();
}

/// The same text in another number of cookies is another token, and the number is sealed.
#[actix_web::test]
async fn a_cached_text_in_another_number_of_cookies_is_none() {
    let site = Site::new();
    let (node, opens) = (site.node(SLOTS), site.node(0));
    let small = login(&node, "", "alice").await;
    let large = load(&node, "");
    large.session.authenticate("bob").await.unwrap();
    large.session.insert("a", "x".repeat(2_600)).unwrap();
    let large = sent(&node, large).await;
    for cookie in [&small, &large] {
        warm(&node, cookie);
    }
    let before = token_cache_stats(&node);
    assert_eq!((before.hits, before.entries), (2, 2));
    let (start, rest) = small.split_at(100);
    let (first, second) = large.split_once("; session.1=").unwrap();
    let whole = first.replacen("=2.", "=", 1);
    // And what a part is missing of, or a character is another in.
    let (most, end) = large.split_at(large.len() - 5);
    let changed = if end.starts_with('A') { 'B' } else { 'A' };
    let end = &end[1..];
    for (other, reason) in [
        (
            format!("{}; session.1={rest}", start.replacen('=', "=2.", 1)),
            Rejected::NotAuthentic,
        ),
        (format!("{whole}{second}"), Rejected::NotAuthentic),
        (first.to_owned(), Rejected::Malformed),
        (format!("{most}{changed}{end}"), Rejected::NotAuthentic),
    ] {
        let expected = outcome(&opens, &other).unwrap();
        assert_eq!(expected.3, Some(reason));
        assert_eq!(outcome(&node, &other).unwrap(), expected);
    }
    assert_eq!(token_cache_stats(&node).hits, before.hits);
    for (cookie, name) in [(&small, "alice"), (&large, "bob")] {
        assert_eq!(user(&node, cookie).as_deref(), Some(name));
    }
}

/// The cookies of a session with an entry of this length, if it fits.
async fn of_length(node: &Sessions, length: usize) -> Option<String> {
    let loaded = load(node, "");
    loaded.session.authenticate("alice").await.unwrap();
    loaded.session.insert("a", "x".repeat(length)).ok()?;
    Some(sent(node, loaded).await)
}

#[actix_web::test]
async fn the_largest_sessions_are_answered_alike_and_one_character_more_is_none() {
    for (max_bytes, max_chunks, is_kept) in [(4096, 1, true), (512, 8, true), (4096, 8, false)] {
        let site = Site::new();
        let [node, opens] = [64, 0].map(|slots| {
            let cookie = with(caching(slots), |it| {
                it.max_bytes = max_bytes;
                it.max_chunks = max_chunks;
            });
            site.start(builder(&site.clock, site.store.clone()).cookie(cookie))
        });
        // The least that does not fit lies between.
        let (mut most, mut over) = (1, 40_000);
        while over - most > 1 {
            let middle = usize::midpoint(most, over);
            match of_length(&node, middle).await {
                Some(_) => most = middle,
                None => over = middle,
            }
        }
        let others = [most, over].map(|length| of_length(&opens, length));
        let [fits, exceeds] = others;
        assert!(fits.await.is_some() && exceeds.await.is_none());
        let cookie = of_length(&node, most).await.unwrap();
        let cookies = cookie.split("; ").count();
        assert_eq!(cookies, usize::from(max_chunks));
        let expected = outcome(&opens, &cookie).unwrap();
        assert_eq!(expected.2.as_ref().map(String::len), Some(most));
        let reads = || {
            let before = token_cache_stats(&node);
            for _ in 0..3 {
                assert_eq!(outcome(&node, &cookie).unwrap(), expected);
            }
            (
                token_cache_stats(&node).hits - before.hits,
                token_cache_stats(&node).entries,
            )
        };
        assert_eq!(reads(), if is_kept { (2, 1) } else { (0, 0) });
        for other in [format!("{cookie}A"), cookie[..cookie.len() - 1].to_owned()] {
            let expected = outcome(&opens, &other).unwrap();
            assert_eq!(expected.0, None);
            for _ in 0..3 {
                assert_eq!(outcome(&node, &other).unwrap(), expected);
            }
        }
        assert_eq!(reads(), if is_kept { (3, 1) } else { (0, 0) });
    }
}

/// Of no token that opens: the longest text that any settings allow, and one character more.
#[actix_web::test]
async fn the_longest_text_is_read_and_a_longer_one_is_not() {
    let site = Site::new();
    let (node, opens) = (site.node(SLOTS), site.node(0));
    for (last, reason) in [(4096, Rejected::Malformed), (4097, Rejected::Length)] {
        let mut header = format!("session=8.{}", "!".repeat(4096));
        for index in 1..8 {
            let length = if index == 7 { last } else { 4096 };
            header += &format!("; session.{index}={}", "!".repeat(length));
        }
        let expected = outcome(&opens, &header).unwrap();
        assert_eq!(expected.3, Some(reason));
        for _ in 0..3 {
            assert_eq!(outcome(&node, &header).unwrap(), expected);
        }
    }
    assert_eq!(token_cache_stats(&node).entries, 0);
}

/// Somebody has as many tokens as they like: each write makes one.
#[actix_web::test]
async fn a_flood_of_ones_own_tokens_is_answered_right_and_fills_no_more_than_the_slots() {
    for (slots, tokens) in [(0, 200), (1, 200), (16, 10_000)] {
        let site = Site::new();
        let node = site.node(slots);
        let victim = login(&node, "", "victim").await;
        let flood = login(&node, "", "mallory").await;
        for number in 0..tokens {
            let loaded = load(&node, &flood);
            loaded.session.insert("n", number).unwrap();
            let token = sent(&node, loaded).await;
            for _ in 0..2 {
                let session = load(&node, &token).session;
                assert_eq!(session.get("n").unwrap(), Some(number));
                assert_eq!(session.subject().as_deref(), Some("mallory"));
            }
            assert_eq!(user(&node, &victim).as_deref(), Some("victim"));
            assert!(token_cache_stats(&node).entries <= slots);
        }
        let used = token_cache_stats(&node);
        assert_eq!(used.entries, slots);
        // Where there are slots, each was found when it came the second time.
        assert!(slots == 0 || used.hits >= tokens, "{used:?}");
    }
}

/// While others look at a slot, put something into it, and empty it.
#[test]
fn threads_that_share_a_slot_are_each_answered_right() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let site = Site::new();
    let node = site.node(1);
    let names = ["alice", "bob", "carol"];
    let cookies = names.map(|name| runtime.block_on(login(&node, "", name)));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let read = |first: usize| {
            for turn in 0..3_000 {
                // Mostly the same one for a while.
                let which = (first + turn / 7) % names.len();
                let subject = user(&node, &cookies[which]);
                assert_eq!(subject.as_deref(), Some(names[which]));
            }
        };
        let threads: Vec<_> = (0..4)
            .map(|first| scope.spawn(move || read(first)))
            .collect();
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                runtime.block_on(node.sweep()).unwrap();
                assert!(token_cache_stats(&node).entries <= 1);
            }
        });
        let results: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        is_over.store(true, Ordering::Relaxed);
        results.into_iter().for_each(|result| result.unwrap());
    });
    assert!(token_cache_stats(&node).hits > 0);
}
