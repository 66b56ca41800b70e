//! How many sessions somebody may have (`devices.max_sessions`).
//!
//! 1. A login beyond ends the session that was not used for the longest time, or is refused.
//! 2. What has ended is not counted, whatever ended it.
//! 3. Logins at once, on several nodes, never leave more than the limit.
//! 4. The index is advice: without a limit no login waits for it, or fails for it.

use std::time::Duration;

use sealed_session::index::{IndexUpdate, RowState, SessionIndex};
use sealed_session::revoke::{ReplicatedLog, SessionId, Store};
use sealed_session::session::{DeviceError, LoginError, Rejected};
use sealed_session::settings::{DeviceSettings, WhenFull};
use sealed_session::store::StoreError;
use sealed_session::testing::{ManualClock, MemoryLog};
use sealed_session::time::Clock;
use sealed_session::{ConfigError, Sessions, SessionsBuilder};
use support::faulty::{Call, Faulty, Mode};
use support::ram_journal::RamDisk;
use support::{MINUTE, SECOND, builder, eventually, log, unhurried, with};

use super::devices::{HOUR, Listed, key, listing};
use super::direct::{load, login, sent, user};
use super::observer::Audit;

fn at_most(sessions: usize) -> DeviceSettings {
    with(listing(), |it| it.max_sessions = Some(sessions))
}

fn refusing(sessions: usize) -> DeviceSettings {
    with(at_most(sessions), |it| it.when_full = WhenFull::Refuse)
}

async fn limited(devices: DeviceSettings) -> Listed {
    Listed::with(|builder| builder.devices(devices)).await
}

#[actix_web::test]
async fn a_login_beyond_the_limit_ends_the_session_not_used_for_the_longest_time() {
    let audit = Audit::default();
    let it = Listed::with(|builder| audit.on(builder.devices(at_most(2)))).await;
    let (first, one) = it.login("alice").await;
    let (second, two) = it.login("alice").await;
    it.login("bob").await;
    // The first is used again.
    it.clock.advance(10 * MINUTE);
    let loaded = load(&it.sessions, &first);
    loaded.session.insert("a", 1).unwrap();
    let first = sent(&it.sessions, loaded).await;
    let used = async || {
        it.rows("alice")
            .await
            .iter()
            .any(|row| row.last_seen == it.clock.now())
    };
    eventually(|| async { used().await }).await;
    audit.take();
    let (third, three) = it.login("alice").await;
    assert_eq!(
        load(&it.sessions, &second).session.rejected(),
        Some(Rejected::Ended)
    );
    assert!(user(&it.sessions, &first).is_some() && user(&it.sessions, &third).is_some());
    assert_eq!(it.ids("alice").await, [three, one]);
    assert_eq!(it.rows("alice").await.len(), 2);
    assert_eq!(it.ids("bob").await.len(), 1);
    let told = audit.take();
    let evicted = format!("{two} logout of Some(\"alice\"): Evicted {{ by: {three:?} }}");
    assert_eq!(told[0], evicted);
    assert_eq!(told[1], format!("{three} login of alice over None"));
}

#[actix_web::test]
async fn a_login_beyond_the_limit_is_refused_where_the_settings_say_so() {
    let it = limited(refusing(2)).await;
    let (first, one) = it.login("alice").await;
    let (_, two) = it.login("alice").await;
    let refused = async || {
        let session = load(&it.sessions, "").session;
        session.authenticate("alice").await
    };
    assert_eq!(refused().await, Err(LoginError::TooManySessions));
    assert_eq!(it.ids("alice").await, [two, one]);
    assert_eq!(it.rows("alice").await.len(), 2, "nothing is left of it");
    // In the browser of one of them it takes that one's place, as often as one likes.
    let mut cookie = first;
    for _ in 0..5 {
        it.clock.advance(SECOND);
        cookie = login(&it.sessions, &cookie, "alice").await;
        assert_eq!(it.ids("alice").await.len(), 2);
    }
    let loaded = load(&it.sessions, &cookie);
    loaded.session.reauthenticate().await.unwrap();
    cookie = sent(&it.sessions, loaded).await;
    // Another's sessions are not counted, nor is one's own that has ended.
    it.login("bob").await;
    load(&it.sessions, &cookie).session.logout().await.unwrap();
    it.sessions.end_session(two).await.unwrap();
    refused().await.unwrap();
}

#[actix_web::test]
async fn what_has_ended_is_not_counted_whatever_ended_it() {
    for devices in [at_most(2), refusing(2)] {
        let it = limited(devices).await;
        let (living, id) = it.login("alice").await;
        // It lives longest ago, so that it would be the one that is ended.
        let dead = async |group: &str| {
            it.clock.advance(SECOND);
            let loaded = load(&it.sessions, "");
            let login = loaded.session.authenticate("alice").group("org", group);
            login.await.unwrap();
            let id = loaded.session.id().unwrap();
            sent(&it.sessions, loaded).await;
            id
        };
        let by_id = dead("a").await;
        it.sessions.end_session(by_id).await.unwrap();
        dead("b").await;
        assert!(user(&it.sessions, &living).is_some());
        it.clock.advance(SECOND);
        it.sessions.end_group("org", "b").await.unwrap();
        dead("c").await;
        assert!(user(&it.sessions, &living).is_some());
        assert!(it.ids("alice").await.contains(&id));
        // All of them are idle, one longer than the others; then everything of the user's is ended.
        it.clock.advance(2 * HOUR);
        dead("d").await;
        dead("d").await;
        it.clock.advance(SECOND);
        it.sessions.end_subject("alice").await.unwrap();
        dead("e").await;
        dead("e").await;
        assert_eq!(it.ids("alice").await.len(), 2);
    }
}

/// A row may lag behind the last use by `refresh_after`.
#[actix_web::test]
async fn a_session_that_may_have_been_used_since_is_not_shown_and_not_forgotten() {
    let it = limited(refusing(1)).await;
    // At the beginning of five minutes, so that a use within them is not written.
    let started = it.clock.now().as_millis() % 300_000;
    it.clock
        .advance(Duration::from_millis(300_000 - started) - SECOND);
    let (cookie, id) = it.login("alice").await;
    it.clock.advance(4 * MINUTE);
    let loaded = load(&it.sessions, &cookie);
    loaded.session.insert("a", 1).unwrap();
    let cookie = sent(&it.sessions, loaded).await;
    it.clock.advance(56 * MINUTE - SECOND);
    assert_eq!(it.ids("alice").await, [id]);
    it.clock.advance(SECOND);
    assert_eq!(it.ids("alice").await, []);
    assert!(user(&it.sessions, &cookie).is_some());
    let again = async || load(&it.sessions, "").session.authenticate("alice").await;
    assert_eq!(again().await, Err(LoginError::TooManySessions));
    it.clock.advance(5 * MINUTE - SECOND);
    assert_eq!(again().await, Err(LoginError::TooManySessions));
    it.clock.advance(SECOND);
    again().await.unwrap();
}

#[actix_web::test]
async fn a_node_that_cannot_judge_shows_no_list() {
    let it = Nodes::start_strictly(listing()).await;
    let cookie = login(&it.nodes[0], "", "alice").await;
    eventually(|| async { it.listed().await.len() == 1 }).await;
    let session = load(&it.nodes[0], &cookie).session;
    it.stores[0].deafen().await;
    it.clock.advance(MINUTE);
    let listed = it.nodes[0].list_sessions("alice").await;
    assert!(matches!(listed, Err(DeviceError::Store(_))), "{listed:?}");
    let listed = session.list_sessions().await;
    assert!(matches!(listed, Err(DeviceError::Store(_))), "{listed:?}");
    it.stores[0].set(Mode::Up);
    eventually(|| async { it.nodes[0].list_sessions("alice").await.is_ok() }).await;
}

/// A list that begins anew refuses all sessions from before: they lock nobody out.
#[actix_web::test]
async fn sessions_that_are_older_than_the_list_take_no_place() {
    let it = limited(refusing(1)).await;
    let (_, id) = it.login("alice").await;
    let rows = it.rows("alice").await;
    let store = support::memory(&it.clock);
    let index = store.session_index().unwrap();
    it.clock.advance(SECOND);
    let sessions = builder(&it.clock, store).devices(refusing(1));
    let sessions = sessions.start().await.unwrap();
    let mut row = IndexUpdate::new(it.clock.now());
    row.row = rows.into_iter().find(|row| row.session == id);
    index.update(key("alice"), &row).await.unwrap();
    assert_eq!(sessions.list_sessions("alice").await, Ok(vec![]));
    it.clock.advance(SECOND);
    let cookie = login(&sessions, "", "alice").await;
    assert!(user(&sessions, &cookie).is_some());
}

#[actix_web::test]
async fn where_the_index_cannot_be_used_nothing_starts_under_a_limit() {
    let clock = ManualClock::default();
    let log = log(&clock);
    for (devices, starts) in [(at_most(2), false), (listing(), true)] {
        let store = Faulty::new(log.clone());
        store.set_call(Call::Index, Mode::Down);
        let started = builder(&clock, store).devices(devices).start().await;
        assert_eq!(started.is_ok(), starts);
        if let Err(error) = started {
            assert!(matches!(error, ConfigError::Store(_)), "{error}");
        }
    }
}

#[actix_web::test]
async fn a_limit_that_was_lowered_holds_from_the_next_login() {
    let it = limited(at_most(5)).await;
    let mut cookies = Vec::new();
    for _ in 0..5 {
        cookies.push(it.login("alice").await);
    }
    let lower = builder(&it.clock, it.store.clone()).devices(at_most(2));
    let lower = lower.start().await.unwrap();
    assert_eq!(lower.list_sessions("alice").await.unwrap().len(), 5);
    it.clock.advance(SECOND);
    let last = login(&lower, "", "alice").await;
    let alive = cookies
        .iter()
        .filter(|(cookie, _)| user(&lower, cookie).is_some());
    assert_eq!(alive.count(), 1);
    assert!(user(&lower, &last).is_some() && user(&lower, &cookies[4].0).is_some());
}

#[actix_web::test]
async fn a_limit_needs_an_index_and_sense() {
    let clock = ManualClock::default();
    let start = async |devices| {
        let builder = builder(&clock, support::memory(&clock)).devices(devices);
        builder.start().await.map(drop).unwrap_err().to_string()
    };
    let off = with(DeviceSettings::default(), |it| it.max_sessions = Some(3));
    assert!(start(off).await.contains("devices.max_sessions"));
    for odd in [0, 101, usize::MAX] {
        assert!(start(at_most(odd)).await.contains("must be 1 to 100"));
    }
    // A store of somebody else's that keeps none works without one.
    let store = || Store::journal(RamDisk::default().open().unwrap());
    builder(&clock, store()).start().await.unwrap();
    for (devices, setting) in [
        (listing(), "devices.index"),
        (at_most(3), "devices.max_sessions"),
    ] {
        let refused = builder(&clock, store()).devices(devices).start().await;
        let Err(ConfigError::Setting { setting: named, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(named, setting);
    }
}

/// Two nodes on one store that can fail.
struct Nodes {
    nodes: [Sessions; 2],
    stores: [Faulty; 2],
    log: MemoryLog,
    clock: ManualClock,
}

impl Nodes {
    async fn start(devices: DeviceSettings) -> Self {
        Self::with(devices, unhurried).await
    }

    /// Nodes that mind how old their lists are.
    async fn start_strictly(devices: DeviceSettings) -> Self {
        Self::with(devices, |builder| builder).await
    }

    /// The clock of the second is ahead of the first one's and the store's.
    async fn start_apart(devices: DeviceSettings, ahead: Duration) -> Self {
        let mut nodes = Self::start(devices).await;
        let clock = ManualClock::new(nodes.clock.now() + ahead);
        let builder = builder(&clock, nodes.stores[1].clone()).devices(devices);
        nodes.nodes[1] = unhurried(builder).start().await.unwrap();
        nodes
    }

    async fn with(devices: DeviceSettings, change: fn(SessionsBuilder) -> SessionsBuilder) -> Self {
        let clock = ManualClock::default();
        let log = log(&clock);
        let stores = [(); 2].map(|()| Faulty::new(log.clone()));
        let start = async |store: &Faulty| {
            let builder = builder(&clock, store.clone()).devices(devices);
            change(builder).start().await.unwrap()
        };
        let nodes = [start(&stores[0]).await, start(&stores[1]).await];
        Self {
            nodes,
            stores,
            log,
            clock,
        }
    }

    fn index(&self) -> std::sync::Arc<dyn SessionIndex> {
        self.log.session_index().unwrap()
    }

    async fn listed(&self) -> Vec<SessionId> {
        let rows = self.index().rows(key("alice")).await.unwrap().rows;
        let listed = rows.iter().filter(|row| row.state == RowState::Listed);
        listed.map(|row| row.session).collect()
    }
}

#[actix_web::test]
async fn logins_at_once_on_two_nodes_leave_no_more_than_the_limit() {
    for (devices, stand) in [(at_most(3), 40), (refusing(3), 3)] {
        let it = Nodes::start(devices).await;
        let mut logins = tokio::task::JoinSet::new();
        for number in 0..40 {
            let node = it.nodes[number % 2].clone();
            logins.spawn(async move {
                let loaded = load(&node, "");
                loaded.session.authenticate("alice").await.map(|_| {
                    let id = loaded.session.id().unwrap();
                    (loaded, id, node)
                })
            });
        }
        let mut stood = Vec::new();
        while let Some(login) = logins.join_next().await {
            match login.unwrap() {
                Ok((loaded, _, node)) => stood.push(sent_or_ended(&node, loaded).await),
                Err(error) => assert_eq!(error, LoginError::TooManySessions),
            }
        }
        assert_eq!(stood.len(), stand);
        let stood: Vec<_> = stood.into_iter().flatten().collect();
        // Whoever heard of all the ends: as many as there may be live.
        eventually(|| async {
            let alive = |node| {
                stood
                    .iter()
                    .filter(|cookie| user(node, cookie).is_some())
                    .count()
            };
            it.nodes.iter().all(|node| alive(node) <= 3) && alive(&it.nodes[0]) > 0
        })
        .await;
        for node in &it.nodes {
            assert!(node.list_sessions("alice").await.unwrap().len() <= 3);
        }
    }
}

/// The cookie of a session, if that was not ended while its login ran.
async fn sent_or_ended(
    sessions: &Sessions,
    loaded: sealed_session::adapter::Loaded,
) -> Option<String> {
    let outcome = sessions.commit(&loaded.session, loaded.ticket).await;
    let cookie = outcome.cookies.first()?;
    Some(cookie.split(';').next().unwrap().to_owned())
}

#[actix_web::test]
async fn a_login_fails_for_the_index_only_under_a_limit() {
    let down = |error| matches!(error, LoginError::Store(StoreError::Unavailable(_)));
    for mode in [Mode::Down, Mode::LosesReplies] {
        let it = Nodes::start(at_most(2)).await;
        it.stores[0].set_call(Call::Index, mode);
        let session = load(&it.nodes[0], "").session;
        assert!(down(session.authenticate("alice").await.unwrap_err()));
        assert!(!session.is_authenticated());
        let it = Nodes::start(listing()).await;
        it.stores[0].set_call(Call::Index, mode);
        let cookie = login(&it.nodes[0], "", "alice").await;
        // It is missing from the list, which an administrator is told, until it is used again.
        assert!(it.nodes[0].list_sessions("alice").await.is_err());
        it.stores[0].set(Mode::Up);
        it.clock.advance(10 * MINUTE);
        let loaded = load(&it.nodes[0], &cookie);
        loaded.session.insert("a", 1).unwrap();
        sent(&it.nodes[0], loaded).await;
        eventually(|| async { it.listed().await.len() == 1 }).await;
    }
    // A store that hangs holds up nobody.
    let it = Nodes::start(listing()).await;
    it.stores[0].set_call(Call::Index, Mode::Hanging);
    let cookie = login(&it.nodes[0], "", "alice").await;
    load(&it.nodes[0], &cookie).session.logout().await.unwrap();
    it.stores[0].set(Mode::Up);
}

#[actix_web::test]
async fn a_lost_index_costs_the_list_of_devices_and_nothing_else() {
    let it = Nodes::start(at_most(2)).await;
    let mut cookies = Vec::new();
    for node in &it.nodes {
        it.clock.advance(SECOND);
        cookies.push(login(node, "", "alice").await);
    }
    eventually(|| async { it.listed().await.len() == 2 }).await;
    it.log.lose_index();
    assert_eq!(it.nodes[0].list_sessions("alice").await, Ok(vec![]));
    for cookie in &cookies {
        let both = it.nodes.iter().all(|node| user(node, cookie).is_some());
        assert!(both);
    }
    it.clock.advance(10 * MINUTE);
    for (node, cookie) in it.nodes.iter().zip(&cookies) {
        let loaded = load(node, cookie);
        loaded.session.subject().unwrap();
        sent(node, loaded).await;
    }
    let refilled = async || it.nodes[0].list_sessions("alice").await.unwrap().len();
    eventually(|| async { refilled().await == 2 }).await;
}

/// Nothing is lost for a login that comes to nothing, be it over one's own session or at the limit.
#[actix_web::test]
async fn a_login_that_comes_to_nothing_hides_and_ends_no_session() {
    let it = limited(at_most(2)).await;
    let (first, one) = it.login("alice").await;
    let (second, two) = it.login("alice").await;
    let long = "x".repeat(100_000);
    for over in ["", &first, &second] {
        let session = load(&it.sessions, over).session;
        let failed = session
            .authenticate("alice")
            .entry("long", long.as_str())
            .await;
        assert!(matches!(failed, Err(LoginError::Insert(_))), "{failed:?}");
        assert_eq!(it.ids("alice").await, [two, one]);
        assert!(user(&it.sessions, &first).is_some() && user(&it.sessions, &second).is_some());
    }
    load(&it.sessions, &first)
        .session
        .revoke(two)
        .await
        .unwrap();
    assert_eq!(it.ids("alice").await, [one]);
    // The next login that stands leaves no more than there may be.
    let (third, three) = it.login("alice").await;
    assert_eq!(it.ids("alice").await[0], three);
    let alive = [&first, &second, &third].map(|it_is| user(&it.sessions, it_is).is_some());
    assert!(alive.iter().filter(|it| **it).count() <= 2);
    let it = limited(refusing(1)).await;
    let (first, one) = it.login("alice").await;
    let session = load(&it.sessions, &first).session;
    let failed = session
        .authenticate("alice")
        .entry("long", long.as_str())
        .await;
    assert!(failed.is_err());
    assert_eq!(it.ids("alice").await, [one]);
    let second = load(&it.sessions, "").session.authenticate("alice").await;
    assert_eq!(second, Err(LoginError::TooManySessions));
}

#[actix_web::test]
async fn rows_that_nobody_can_tell_to_be_the_users_take_no_place_and_are_not_ended() {
    for devices in [at_most(1), refusing(1)] {
        let it = limited(devices).await;
        let (bobs, _) = it.login("bob").await;
        let bob = it.rows("bob").await.remove(0);
        let mut stripped = bob.clone();
        stripped.label.clear();
        let mut flipped = bob.clone();
        flipped.label[0] ^= 1;
        let mut odd = bob.clone();
        odd.facts = vec![255; 20];
        for row in [bob, stripped, flipped, odd] {
            let session = row.session;
            let mut moved = IndexUpdate::new(it.clock.now());
            moved.row = Some(row);
            it.index.update(key("alice"), &moved).await.unwrap();
            assert_eq!(it.ids("alice").await, []);
            let (cookie, id) = match it.try_login("alice").await {
                Some(login) => login,
                // What may be a row that is being put is waited for.
                None => {
                    let mut gone = IndexUpdate::new(it.clock.now());
                    gone.removed = vec![session];
                    it.index.update(key("alice"), &gone).await.unwrap();
                    it.login("alice").await
                }
            };
            assert!(user(&it.sessions, &bobs).is_some());
            assert_eq!(it.ids("alice").await, [id]);
            load(&it.sessions, &cookie).session.logout().await.unwrap();
            it.keeps_rows("alice", 0).await;
        }
    }
}

/// The clock of one node is a minute ahead of the other's, the most that is tolerated.
#[actix_web::test]
async fn a_limit_holds_where_clocks_are_a_minute_apart() {
    let it = Nodes::start_apart(refusing(1), MINUTE).await;
    it.stores[0].set_call(Call::Read, Mode::Hanging);
    let node = it.nodes[0].clone();
    let first = tokio::spawn(async move { login(&node, "", "alice").await });
    let rows = async || it.index().rows(key("alice")).await.unwrap().rows.len();
    eventually(|| async { rows().await == 1 }).await;
    // The one ahead drops no reservation of the other's.
    let second = load(&it.nodes[1], "").session.authenticate("alice").await;
    assert_eq!(second, Err(LoginError::TooManySessions));
    it.stores[0].set_call(Call::Read, Mode::Up);
    let cookie = first.await.unwrap();
    assert!(user(&it.nodes[0], &cookie).is_some());
    eventually(|| async { it.listed().await.len() == 1 }).await;
    let second = load(&it.nodes[1], "").session.authenticate("alice").await;
    assert_eq!(second, Err(LoginError::TooManySessions));
}

#[actix_web::test]
async fn a_place_whose_reply_was_lost_is_given_back() {
    let it = Nodes::start(refusing(1)).await;
    it.stores[0].set_call(Call::Index, Mode::LosesReplies);
    let session = load(&it.nodes[0], "").session;
    session.authenticate("alice").await.unwrap_err();
    let rows = async || it.index().rows(key("alice")).await.unwrap().rows.len();
    eventually(|| async { rows().await == 0 }).await;
    // And one that nobody waits for any more.
    it.stores[1].set_call(Call::Read, Mode::Hanging);
    let node = it.nodes[1].clone();
    let login = tokio::spawn(async move {
        let session = load(&node, "").session;
        session.authenticate("alice").await
    });
    eventually(|| async { rows().await == 1 }).await;
    login.abort();
    eventually(|| async { rows().await == 0 }).await;
    it.stores[1].set(Mode::Up);
}

#[actix_web::test]
async fn a_login_that_comes_to_nothing_leaves_no_place_taken() {
    let it = limited(refusing(1)).await;
    let session = load(&it.sessions, "").session;
    let long = "x".repeat(100_000);
    let failed = session.authenticate("alice").entry("long", long).await;
    assert!(matches!(failed, Err(LoginError::Insert(_))), "{failed:?}");
    eventually(|| async { it.rows("alice").await.is_empty() }).await;
    // And one whose node died holds it for a minute.
    let mut dead = IndexUpdate::new(it.clock.now());
    let until = it.clock.now() + MINUTE;
    let id = SessionId::from_bytes([9; 16]);
    dead.row = Some(sealed_session::index::IndexRow::new(
        id,
        RowState::Reserved,
        it.clock.now(),
        until,
    ));
    it.index.update(key("alice"), &dead).await.unwrap();
    let refused = load(&it.sessions, "").session.authenticate("alice").await;
    assert_eq!(refused, Err(LoginError::TooManySessions));
    assert_eq!(it.ids("alice").await, []);
    it.clock.advance(MINUTE);
    it.login("alice").await;
}

#[actix_web::test]
async fn an_eviction_whose_login_died_is_finished_by_the_next() {
    let it = Nodes::start(at_most(1)).await;
    let first = login(&it.nodes[0], "", "alice").await;
    it.clock.advance(SECOND);
    // The end of the first cannot be told, so nobody is logged in.
    it.stores[1].set_call(Call::Publish, Mode::Down);
    let session = load(&it.nodes[1], "").session;
    assert!(session.authenticate("alice").await.is_err());
    assert!(!session.is_authenticated());
    assert!(
        user(&it.nodes[0], &first).is_some(),
        "the other node has not heard"
    );
    let states = async || {
        let rows = it.index().rows(key("alice")).await.unwrap().rows;
        rows.iter().map(|row| row.state).collect::<Vec<_>>()
    };
    eventually(|| async { states().await == [RowState::Evicting] }).await;
    // It goes on, and can be ended by whoever sees it.
    assert_eq!(it.nodes[0].list_sessions("alice").await.unwrap().len(), 1);
    let second = login(&it.nodes[0], "", "alice").await;
    assert_eq!(user(&it.nodes[0], &first), None);
    assert!(user(&it.nodes[0], &second).is_some());
    eventually(|| async { states().await == [RowState::Listed] }).await;
}

/// One round trip, as without a limit: neither call waits for the other.
#[actix_web::test]
async fn a_login_reserves_its_place_while_the_store_is_read() {
    let it = Nodes::start(at_most(2)).await;
    it.stores[0].set_call(Call::Read, Mode::Hanging);
    it.stores[0].set_call(Call::Index, Mode::Hanging);
    let node = it.nodes[0].clone();
    let login = tokio::spawn(async move { login(&node, "", "alice").await });
    eventually(|| async { it.stores[0].waiting() == 2 }).await;
    it.stores[0].set_call(Call::Index, Mode::Up);
    let reserved = async || it.index().rows(key("alice")).await.unwrap().rows;
    eventually(|| async { reserved().await.len() == 1 }).await;
    assert_eq!(reserved().await[0].state, RowState::Reserved);
    assert_eq!(it.nodes[0].list_sessions("alice").await, Ok(vec![]));
    it.stores[0].set_call(Call::Read, Mode::Up);
    let cookie = login.await.unwrap();
    assert!(user(&it.nodes[0], &cookie).is_some());
    eventually(|| async { it.listed().await.len() == 1 }).await;
}

#[actix_web::test]
async fn a_limit_counts_a_user_under_their_name_in_each_application() {
    let it = limited(at_most(1)).await;
    let (cookie, _) = it.login("alice").await;
    let other = sealed_session::Sessions::builder("other")
        .keys(support::ring())
        .store(it.store.clone())
        .cookie(support::cookie("other", "/"))
        .clock(std::sync::Arc::new(it.clock.clone()))
        .devices(at_most(1));
    let other = other.start().await.unwrap();
    let over = login(&other, "", "alice").await;
    it.login("Alice").await;
    assert!(user(&it.sessions, &cookie).is_some() && user(&other, &over).is_some());
}

#[actix_web::test]
async fn uses_that_a_store_does_not_answer_are_kept_to_a_number() {
    let it = Nodes::start(listing()).await;
    let mut cookies = Vec::new();
    for number in 0..1_200 {
        cookies.push(login(&it.nodes[0], "", &format!("user-{number}")).await);
    }
    it.clock.advance(10 * MINUTE);
    it.stores[0].set_call(Call::Index, Mode::Hanging);
    let use_all = async || {
        for cookie in &cookies {
            let loaded = load(&it.nodes[0], cookie);
            loaded.session.subject().unwrap();
            sent(&it.nodes[0], loaded).await;
        }
    };
    use_all().await;
    eventually(|| async { it.stores[0].waiting() == 1_000 }).await;
    // Nobody waits for them at the end, for they are no revocations.
    assert_eq!(it.nodes[0].close(SECOND).await, 0);
    it.stores[0].set(Mode::Up);
    eventually(|| async { it.stores[0].waiting() == 0 }).await;
    // The others are written with their next use.
    use_all().await;
    let seen = async |number: usize| {
        let rows = it
            .index()
            .rows(key(&format!("user-{number}")))
            .await
            .unwrap()
            .rows;
        rows[0].last_seen == it.clock.now()
    };
    for number in [0, 999, 1_000, 1_199] {
        eventually(|| async { seen(number).await }).await;
    }
}
