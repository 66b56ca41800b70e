//! Lists of devices and limits on several nodes, and where the store fails.
//!
//! 1. Logins at once, on nodes whose clocks differ, never leave more than the limit.
//! 2. The index is advice: without a limit no login waits for it, or fails for it.
//! 3. A store that does not answer holds up nobody.

use std::time::Duration;

use sealed_session::index::{RowState, SessionIndex};
use sealed_session::revoke::{ReplicatedLog, SessionId};
use sealed_session::session::{DeviceError, LoginError};
use sealed_session::settings::DeviceSettings;
use sealed_session::store::StoreError;
use sealed_session::testing::{ManualClock, MemoryLog};
use sealed_session::time::{Clock, UnixMillis};
use sealed_session::{ConfigError, Sessions, SessionsBuilder};
use support::faulty::{Call, Faulty, Mode};
use support::{MINUTE, SECOND, builder, eventually, log, unhurried};

use super::devices::{key, listing};
use super::direct::{load, login, sent, user};
use super::session_limits::{at_most, refusing};

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
async fn uses_that_a_store_does_not_answer_are_kept_to_a_number() {
    let it = Nodes::start(listing()).await;
    let mut cookies = Vec::new();
    for number in 0..1_200 {
        cookies.push(login(&it.nodes[0], "", &format!("user-{number}")).await);
    }
    // Until the logins' own rows are written, for which nobody waited.
    it.nodes[0].close(30 * SECOND).await;
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
    // Until the node has heard of every answer.
    it.nodes[0].close(30 * SECOND).await;
    let seen = async |number: usize| {
        let rows = it
            .index()
            .rows(key(&format!("user-{number}")))
            .await
            .unwrap()
            .rows;
        rows[0].last_seen == it.clock.now()
    };
    assert!(seen(0).await && seen(999).await && !seen(1_000).await);
    // The others are written with their next use.
    use_all().await;
    for number in [1_000, 1_199] {
        eventually(|| seen(number)).await;
    }
}

#[actix_web::test]
async fn no_session_was_last_seen_before_it_began() {
    let it = Nodes::start(listing()).await;
    // Behind the store's clock, which says when a session begins.
    let clock = ManualClock::new(UnixMillis::new(it.clock.now().as_millis() - 20_000));
    let builder = builder(&clock, it.stores[1].clone()).devices(listing());
    let node = unhurried(builder).start().await.unwrap();
    let cookie = login(&node, "", "alice").await;
    let own = async || load(&node, &cookie).session.list_sessions().await.unwrap();
    let before = own().await;
    eventually(|| async { it.listed().await.len() == 1 }).await;
    let listed = node.list_sessions("alice").await.unwrap();
    for listed in [before, own().await, listed] {
        assert!(listed[0].created_at > clock.now(), "{listed:?}");
        assert!(listed[0].last_seen_at >= listed[0].created_at, "{listed:?}");
    }
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
