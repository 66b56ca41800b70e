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
use sealed_session::testing::{ManualClock, published_secret};
use sealed_session::time::{Clock, UnixMillis};
use sealed_session::{KeyRing, Sessions, SessionsBuilder};
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

    async fn put(&self, name: &str, row: IndexRow) {
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
async fn a_login_once_more_keeps_what_the_session_is_called() {
    let it = Listed::start().await;
    let (cookie, _) = it.login_labelled("alice", "Living room TV").await;
    it.clock.advance(SECOND);
    let loaded = load(&it.sessions, &cookie);
    loaded.session.reauthenticate().await.unwrap();
    let cookie = sent(&it.sessions, loaded).await;
    let listed = it.list(&cookie).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].label, "Living room TV");
    it.clock.advance(SECOND);
    let loaded = load(&it.sessions, &cookie);
    loaded
        .session
        .reauthenticate()
        .label("Attic")
        .await
        .unwrap();
    let cookie = sent(&it.sessions, loaded).await;
    assert_eq!(it.list(&cookie).await[0].label, "Attic");
}

#[actix_web::test]
async fn a_label_that_was_damaged_is_made_anew_with_the_next_use() {
    let it = Listed::start().await;
    let (cookie, id) = it.login_labelled("alice", "Kiosk 7").await;
    let mut row = it.rows("alice").await.remove(0);
    row.label[50] ^= 1;
    it.put("alice", row).await;
    assert_eq!(it.ids("alice").await, []);
    it.clock.advance(10 * MINUTE);
    let loaded = load(&it.sessions, &cookie);
    loaded.session.insert("a", 1).unwrap();
    sent(&it.sessions, loaded).await;
    eventually(|| async { it.ids("alice").await == [id] }).await;
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
async fn a_label_of_the_application_is_one_short_line() {
    let it = Listed::start().await;
    let long = "Küche ".repeat(20_000);
    for (label, shown) in [
        ("Kiosk 7", "Kiosk 7"),
        ("<b>&amp;\r\nSet-Cookie: a=b", "<b>&amp; Set-Cookie: a=b"),
        ("\u{202e}evil\0\u{1b}[2J", "evil [2J"),
        ("", "unknown device"),
        (" \n ", "unknown device"),
    ] {
        let (cookie, id) = it.login_labelled("alice", label).await;
        let listed = it.list(&cookie).await;
        assert_eq!((listed[0].id, &*listed[0].label), (id, shown));
    }
    let (cookie, _) = it.login_labelled("alice", &long).await;
    let label = it.list(&cookie).await[0].label.clone();
    assert!(label.starts_with("Küche Küche") && label.len() <= 95);
    let rows = it.rows("alice").await;
    assert!(rows.iter().all(|row| row.label.len() == 140));
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
async fn a_row_that_is_made_up_or_moved_is_nobodys_session() {
    let it = Listed::start().await;
    let (cookie, id) = it.login_labelled("alice", "Alice's phone").await;
    let (_, bob) = it.login_labelled("bob", "Bob's phone").await;
    let rows = it.rows("bob").await;
    // Bob's row at Alice's, with his label, without one, with one of hers, and with one that names no key.
    let own = it.rows("alice").await;
    let mut of_no_key = rows[0].label.clone();
    of_no_key[0] ^= 1;
    for label in [
        rows[0].label.clone(),
        vec![],
        own[0].label.clone(),
        of_no_key,
    ] {
        let mut moved = rows[0].clone();
        moved.label = label;
        it.put("alice", moved).await;
        assert_eq!(it.ids("alice").await, [id]);
        let session = load(&it.sessions, &cookie).session;
        assert_eq!(session.revoke(bob).await, Err(DeviceError::NotFound));
        let mut moved = IndexUpdate::new(it.clock.now());
        moved.removed = vec![bob];
        it.index.update(key("alice"), &moved).await.unwrap();
    }
    assert_eq!(it.ids("bob").await, [bob]);
    // A label of another session of hers.
    let (_, two) = it.login_labelled("alice", "Other").await;
    let rows = it.rows("alice").await;
    let mut moved = rows.into_iter().find(|row| row.session == two).unwrap();
    let good = moved.label.clone();
    moved.label = own[0].label.clone();
    it.put("alice", moved.clone()).await;
    assert_eq!(it.ids("alice").await, [id]);
    moved.label = good;
    it.put("alice", moved.clone()).await;
    assert_eq!(it.ids("alice").await, [two, id]);
    // What is no row of ours is skipped.
    for facts in [vec![], vec![0], vec![2; 40], vec![255; 300]] {
        let mut odd = moved.clone();
        odd.facts = facts;
        it.put("alice", odd).await;
        assert_eq!(it.ids("alice").await, [id]);
    }
    assert_eq!(it.rows("alice").await.len(), 2, "left as it is");
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

#[actix_web::test]
async fn labels_follow_the_keys_and_are_lost_with_them() {
    let clock = ManualClock::default();
    let store: Store = memory(&clock);
    let index = store.session_index().unwrap();
    let at = |hours: u32| clock_start() + hours * HOUR;
    let [one, two] = [1, 2].map(published_secret);
    let ring = || {
        KeyRing::builder()
            .key(published_secret(1), UnixMillis::EPOCH, Some(at(30)))
            .key(published_secret(2), at(1), None)
            .build()
            .unwrap()
    };
    let builder = || builder(&clock, store.clone()).devices(listing());
    let sessions = builder().keys(ring()).start().await.unwrap();
    let loaded = load(&sessions, "");
    let login = loaded.session.authenticate("alice").remember(true);
    login.label("Kiosk 7").await.unwrap();
    let cookie = sent(&sessions, loaded).await;
    let label = async || {
        index.rows(key("alice")).await.unwrap().rows[0]
            .label
            .clone()
    };
    let prefix = |secret: &sealed_session::keys::Secret| secret.key_id().as_bytes()[..4].to_vec();
    assert_eq!(label().await[..4], prefix(&one));
    assert_eq!(label().await.len(), 140);
    clock.advance(2 * HOUR);
    let listed = sessions.list_sessions("alice").await.unwrap();
    assert_eq!(listed[0].label, "Kiosk 7");
    eventually(|| async { label().await[..4] == prefix(&two) }).await;
    assert_eq!(
        sessions.list_sessions("alice").await.unwrap()[0].label,
        "Kiosk 7"
    );
    // The session is sealed by the new key too, so it outlives the old one.
    let loaded = load(&sessions, &cookie);
    loaded.session.insert("a", 1).unwrap();
    let cookie = sent(&sessions, loaded).await;
    clock.advance(40 * HOUR);
    assert_eq!(
        sessions.list_sessions("alice").await.unwrap()[0].label,
        "Kiosk 7"
    );
    // A node that has not heard of the new key shows nothing, and leaves both row and label to those that have.
    let stale = builder().keys(KeyRing::single(published_secret(1)));
    let stale = stale.start().await.unwrap();
    let before = index.rows(key("alice")).await.unwrap();
    assert_eq!(stale.list_sessions("alice").await, Ok(vec![]));
    assert_eq!(index.rows(key("alice")).await.unwrap(), before);
    // Once the key is revoked that sealed the session, or one that it passed through, it has ended.
    for revoked in [&one, &two] {
        let keys = KeyRing::builder()
            .key(published_secret(3), UnixMillis::EPOCH, None)
            .key(published_secret(1), UnixMillis::EPOCH, None)
            .key(published_secret(2), UnixMillis::EPOCH, None)
            .revoked(revoked.key_id());
        let node = builder().keys(keys.build().unwrap()).start().await.unwrap();
        assert_eq!(user(&node, &cookie), None);
        assert_eq!(node.list_sessions("alice").await, Ok(vec![]));
    }
}

/// Its session was sealed by another key since.
#[actix_web::test]
async fn a_session_whose_label_went_with_its_key_is_an_unknown_device() {
    let clock = ManualClock::default();
    let store: Store = memory(&clock);
    let index = store.session_index().unwrap();
    let start = async |ring: KeyRing| {
        let builder = builder(&clock, store.clone()).devices(listing());
        builder.keys(ring).start().await.unwrap()
    };
    let sessions = start(KeyRing::single(published_secret(1))).await;
    let loaded = load(&sessions, "");
    loaded
        .session
        .authenticate("alice")
        .label("Kiosk 7")
        .await
        .unwrap();
    let cookie = sent(&sessions, loaded).await;
    let labelled = index.rows(key("alice")).await.unwrap().rows.remove(0).label;
    let ring = |retire| {
        KeyRing::builder()
            .key(published_secret(2), UnixMillis::EPOCH, None)
            .key(published_secret(1), UnixMillis::EPOCH, retire)
            .build()
            .unwrap()
    };
    let sessions = start(ring(None)).await;
    clock.advance(10 * MINUTE);
    let loaded = load(&sessions, &cookie);
    loaded.session.insert("a", 1).unwrap();
    sent(&sessions, loaded).await;
    let row = async || index.rows(key("alice")).await.unwrap().rows.remove(0);
    eventually(|| async { row().await.label != labelled }).await;
    // As if the label had not been sealed anew.
    let mut old = row().await;
    old.label = labelled;
    let mut update = IndexUpdate::new(clock.now());
    update.row = Some(old);
    index.update(key("alice"), &update).await.unwrap();
    let sessions = start(ring(Some(clock.now()))).await;
    let listed = sessions.list_sessions("alice").await.unwrap();
    assert_eq!(listed[0].label, "unknown device");
}

fn clock_start() -> UnixMillis {
    ManualClock::default().now()
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
