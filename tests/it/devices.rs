//! Somebody's devices: an index of sessions, which is advice.
//!
//! 1. A list shows the sessions that count, and never one that has ended.
//! 2. One's own are ended by their id; whatever else an id names is not found.
//! 3. The store learns no names, and what it makes up is skipped.

use std::sync::Arc;
use std::time::Duration;

use sealed_session::index::{IndexRow, IndexUpdate, SessionIndex};
use sealed_session::revoke::{SessionId, Store, SubjectKey};
use sealed_session::session::{DeviceError, ListedSession};
use sealed_session::settings::DeviceSettings;
use sealed_session::testing::ManualClock;
use sealed_session::time::Clock;
use sealed_session::{Sessions, SessionsBuilder};
use support::{MINUTE, SECOND, builder, eventually, memory, with};

use super::direct::{load, sent, user};

pub const HOUR: Duration = Duration::from_secs(3600);

pub fn listing() -> DeviceSettings {
    with(DeviceSettings::default(), |it| it.index = true)
}

/// Sessions that are listed, and the index behind them.
pub struct Listed {
    pub sessions: Sessions,
    pub clock: ManualClock,
    pub store: Store,
    pub index: Arc<dyn SessionIndex>,
}

impl Listed {
    pub async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    pub async fn with(change: impl FnOnce(SessionsBuilder) -> SessionsBuilder) -> Self {
        let clock = ManualClock::default();
        let store = memory(&clock);
        let index = store.session_index().unwrap();
        let sessions = change(builder(&clock, store.clone()).devices(listing()));
        Self {
            sessions: sessions.start().await.unwrap(),
            clock,
            store,
            index,
        }
    }

    /// A login a second later, and its id.
    pub async fn login(&self, name: &str) -> (String, SessionId) {
        self.clock.advance(SECOND);
        let cookie = super::direct::login(&self.sessions, "", name).await;
        let id = load(&self.sessions, &cookie).session.id().unwrap();
        (cookie, id)
    }

    pub async fn list(&self, cookie: &str) -> Vec<ListedSession> {
        let session = load(&self.sessions, cookie).session;
        session.list_sessions().await.unwrap()
    }

    pub async fn ids(&self, name: &str) -> Vec<SessionId> {
        let listed = self.sessions.list_sessions(name).await.unwrap();
        listed.iter().map(|it| it.id).collect()
    }

    pub async fn rows(&self, name: &str) -> Vec<IndexRow> {
        self.index.rows(key(name)).await.unwrap().rows
    }

    /// `None` where there is no room.
    pub async fn try_login(&self, name: &str) -> Option<(String, SessionId)> {
        self.clock.advance(SECOND);
        let loaded = load(&self.sessions, "");
        loaded.session.authenticate(name).await.ok()?;
        let id = loaded.session.id().unwrap();
        Some((sent(&self.sessions, loaded).await, id))
    }

    /// Nobody waits for a removal.
    pub async fn keeps_rows(&self, name: &str, count: usize) {
        eventually(|| async { self.rows(name).await.len() == count }).await;
    }

    pub async fn put(&self, name: &str, row: IndexRow) {
        let mut update = IndexUpdate::new(self.clock.now());
        update.row = Some(row);
        self.index.update(key(name), &update).await.unwrap();
    }
}

pub fn key(name: &str) -> SubjectKey {
    SubjectKey::new("test", name)
}

#[actix_web::test]
async fn a_list_shows_the_newest_first_and_marks_the_own() {
    let it = Listed::start().await;
    let began = it.clock.now() + SECOND;
    let (first, one) = it.login("alice").await;
    let (second, two) = it.login("alice").await;
    it.login("bob").await;
    it.clock.advance(MINUTE);
    let listed = it.list(&first).await;
    let facts = |it: &ListedSession| (it.id, it.created_at, it.last_seen_at, it.is_current);
    assert_eq!(
        listed.iter().map(facts).collect::<Vec<_>>(),
        [
            (two, began + SECOND, began + SECOND, false),
            (one, began, began + 2 * SECOND + MINUTE, true),
        ]
    );
    assert!(
        listed
            .iter()
            .all(|it| it.label == "unknown device" && !it.is_remembered)
    );
    let other = it.list(&second).await;
    assert_eq!(
        other.iter().map(|it| it.is_current).collect::<Vec<_>>(),
        [true, false]
    );
    // An administrator has none of them.
    let seen = it.sessions.list_sessions("alice").await.unwrap();
    assert_eq!(seen.iter().map(|it| it.id).collect::<Vec<_>>(), [two, one]);
    assert!(seen.iter().all(|it| !it.is_current));
    assert_eq!(it.ids("nobody").await, []);
}

#[actix_web::test]
async fn nothing_is_listed_or_stored_unless_it_is_turned_on() {
    let clock = ManualClock::default();
    let store = memory(&clock);
    let index = store.session_index().unwrap();
    let sessions = builder(&clock, store).start().await.unwrap();
    let cookie = super::direct::login(&sessions, "", "alice").await;
    assert!(index.rows(key("alice")).await.unwrap().rows.is_empty());
    let session = load(&sessions, &cookie).session;
    assert_eq!(session.list_sessions().await, Err(DeviceError::Off));
    let id = session.id().unwrap();
    assert_eq!(session.revoke(id).await, Err(DeviceError::Off));
    assert_eq!(sessions.list_sessions("alice").await, Err(DeviceError::Off));
    assert!(user(&sessions, &cookie).is_some());
}

#[actix_web::test]
async fn nobody_who_is_not_logged_in_sees_a_list() {
    let it = Listed::start().await;
    let anonymous = super::direct::anonymous(&it.sessions, "tea").await;
    let (ended, id) = it.login("alice").await;
    load(&it.sessions, &ended).session.logout().await.unwrap();
    for cookie in ["", &anonymous, &ended] {
        let session = load(&it.sessions, cookie).session;
        let refused = Err(DeviceError::NotAuthenticated);
        assert_eq!(session.list_sessions().await.map(drop), refused);
        assert_eq!(session.revoke(id).await, refused);
    }
}

#[actix_web::test]
async fn ones_own_session_is_ended_by_its_id_and_nothing_else_is_found() {
    let it = Listed::start().await;
    let (first, one) = it.login("alice").await;
    let (second, two) = it.login("alice").await;
    let (bobs, bob) = it.login("bob").await;
    let session = load(&it.sessions, &first).session;
    for id in [bob, SessionId::from_bytes([0; 16])] {
        assert_eq!(session.revoke(id).await, Err(DeviceError::NotFound));
    }
    assert!(user(&it.sessions, &bobs).is_some());
    session.revoke(two).await.unwrap();
    assert_eq!(user(&it.sessions, &second), None);
    assert_eq!(session.revoke(two).await, Err(DeviceError::NotFound));
    assert_eq!(it.ids("alice").await, [one]);
    it.keeps_rows("alice", 1).await;
    // Its own is a logout, which removes the cookie.
    let loaded = load(&it.sessions, &first);
    loaded.session.revoke(one).await.unwrap();
    assert_eq!(sent(&it.sessions, loaded).await, "");
    assert_eq!(user(&it.sessions, &first), None);
    it.keeps_rows("alice", 0).await;
}

#[actix_web::test]
async fn an_administrator_ends_a_session_of_the_named_user_alone() {
    let audit = super::observer::Audit::default();
    let it = Listed::with(|builder| audit.on(builder)).await;
    let (cookie, id) = it.login("alice").await;
    let (bobs, bob) = it.login("bob").await;
    audit.take();
    for odd in [bob, SessionId::from_bytes([0; 16])] {
        assert_eq!(
            it.sessions.revoke("alice", odd).await,
            Err(DeviceError::NotFound)
        );
    }
    assert!(audit.take().is_empty());
    it.sessions.revoke("alice", id).await.unwrap();
    let told = format!("{id} logout of Some(\"alice\"): This by the application");
    assert_eq!(audit.take(), [told]);
    assert_eq!(user(&it.sessions, &cookie), None);
    assert!(user(&it.sessions, &bobs).is_some());
    it.keeps_rows("alice", 0).await;
    assert_eq!(
        it.sessions.revoke("alice", id).await,
        Err(DeviceError::NotFound)
    );
}

#[actix_web::test]
async fn whatever_ends_a_session_takes_it_from_the_list() {
    let it = Listed::start().await;
    let login = async |remember: bool| {
        it.clock.advance(SECOND);
        let loaded = load(&it.sessions, "");
        let login = loaded.session.authenticate("alice").remember(remember);
        login.group("org", "acme").await.unwrap();
        let id = loaded.session.id().unwrap();
        (sent(&it.sessions, loaded).await, id)
    };
    let (cookie, id) = login(true).await;
    assert_eq!(it.ids("alice").await, [id]);
    // A logout; of an administrator; of a group; of everyone; by the user from everywhere.
    load(&it.sessions, &cookie).session.logout().await.unwrap();
    it.keeps_rows("alice", 0).await;
    let (_, id) = login(true).await;
    it.sessions.end_session(id).await.unwrap();
    assert_eq!(it.ids("alice").await, []);
    login(true).await;
    it.clock.advance(SECOND);
    it.sessions.end_group("org", "acme").await.unwrap();
    assert_eq!(it.ids("alice").await, []);
    login(true).await;
    it.clock.advance(SECOND);
    it.sessions.end_everyone().await.unwrap();
    assert_eq!(it.ids("alice").await, []);
    let (first, _) = login(true).await;
    login(true).await;
    it.clock.advance(SECOND);
    load(&it.sessions, &first)
        .session
        .logout_all()
        .await
        .unwrap();
    assert_eq!(it.ids("alice").await, []);
    // All but the own, which is still shown.
    let (first, one) = login(true).await;
    login(true).await;
    it.clock.advance(SECOND);
    let loaded = load(&it.sessions, &first);
    loaded.session.logout_others().await.unwrap();
    let first = sent(&it.sessions, loaded).await;
    assert_eq!(it.ids("alice").await, [one]);
    // A renewal ends nothing.
    let loaded = load(&it.sessions, &first);
    loaded.session.renew();
    let first = sent(&it.sessions, loaded).await;
    it.clock.advance(HOUR);
    assert_eq!(it.ids("alice").await, [one]);
    // A login over it makes another.
    let over = super::direct::login(&it.sessions, &first, "alice").await;
    let two = load(&it.sessions, &over).session.id().unwrap();
    assert_eq!(it.ids("alice").await, [two]);
    // And limits: this one is not remembered.
    it.clock.advance(HOUR - SECOND);
    assert_eq!(it.ids("alice").await, [two]);
    it.clock.advance(SECOND);
    assert_eq!(it.ids("alice").await, []);
}

#[actix_web::test]
async fn ends_of_all_of_a_users_sessions_take_their_rows() {
    let it = Listed::start().await;
    let rows = async |count| it.keeps_rows("alice", count).await;
    let (first, _) = it.login("alice").await;
    it.login("alice").await;
    it.clock.advance(SECOND);
    let loaded = load(&it.sessions, &first);
    loaded.session.logout_others().await.unwrap();
    let first = sent(&it.sessions, loaded).await;
    rows(1).await;
    it.login("alice").await;
    it.clock.advance(SECOND);
    load(&it.sessions, &first)
        .session
        .logout_all()
        .await
        .unwrap();
    rows(0).await;
    it.login("alice").await;
    it.clock.advance(SECOND);
    it.sessions.end_subject("alice").await.unwrap();
    rows(0).await;
    // What nobody removes goes with a look at it, or with its time.
    it.login("alice").await;
    it.clock.advance(SECOND);
    it.sessions.end_everyone().await.unwrap();
    assert_eq!(it.ids("alice").await, []);
    rows(0).await;
    it.login("alice").await;
    it.clock.advance(24 * HOUR);
    it.sessions.sweep().await.unwrap();
    rows(0).await;
}

#[actix_web::test]
async fn a_session_in_use_stays_in_the_list_and_comes_back_to_it() {
    let it = Listed::start().await;
    let (mut cookie, id) = it.login("alice").await;
    let use_it = async |cookie: &str| {
        let loaded = load(&it.sessions, cookie);
        loaded.session.subject().unwrap();
        let sent = sent(&it.sessions, loaded).await;
        match sent.is_empty() {
            true => cookie.to_owned(),
            // The activity cookie goes with the data.
            false => format!("{}; {sent}", cookie.split(';').next().unwrap()),
        }
    };
    for _ in 0..20 {
        it.clock.advance(10 * MINUTE);
        cookie = use_it(&cookie).await;
        let seen = async || it.rows("alice").await[0].last_seen;
        eventually(|| async { seen().await == it.clock.now() }).await;
    }
    // Within `refresh_after` nothing is written.
    let before = it.rows("alice").await;
    it.clock.advance(MINUTE);
    cookie = use_it(&cookie).await;
    assert_eq!(it.rows("alice").await, before);
    let mut lost = IndexUpdate::new(it.clock.now());
    lost.removed = vec![id];
    it.index.update(key("alice"), &lost).await.unwrap();
    assert_eq!(it.ids("alice").await, []);
    // The own one is there nevertheless.
    assert_eq!(it.list(&cookie).await.len(), 1);
    it.clock.advance(10 * MINUTE);
    use_it(&cookie).await;
    eventually(|| async { it.ids("alice").await == [id] }).await;
}

#[actix_web::test]
async fn an_end_is_remembered_for_longer_than_a_row_says_its_session_lives() {
    let it = Listed::start().await;
    let (first, _) = it.login("alice").await;
    let (second, two) = it.login("alice").await;
    let rows = it.rows("alice").await;
    let mut row = rows.into_iter().find(|row| row.session == two).unwrap();
    row.until = it.clock.now() + SECOND;
    it.put("alice", row).await;
    load(&it.sessions, &first)
        .session
        .revoke(two)
        .await
        .unwrap();
    it.clock.advance(10 * MINUTE);
    it.sessions.sweep().await.unwrap();
    assert_eq!(user(&it.sessions, &second), None);
}

impl Listed {
    pub async fn login_labelled(&self, name: &str, label: &str) -> (String, SessionId) {
        self.clock.advance(SECOND);
        let loaded = load(&self.sessions, "");
        let login = loaded.session.authenticate(name);
        login.label(label).await.unwrap();
        let id = loaded.session.id().unwrap();
        (sent(&self.sessions, loaded).await, id)
    }
}
