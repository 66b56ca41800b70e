//! What sessions are called in lists of devices, by labels that the store cannot read.
//!
//! 1. A label is sealed for its subject and session, and follows the keys.
//! 2. A row without its own label is nobody's.

use sealed_session::KeyRing;
use sealed_session::adapter::Incoming;
use sealed_session::index::IndexUpdate;
use sealed_session::revoke::Store;
use sealed_session::session::DeviceError;
use sealed_session::settings::ClientSettings;
use sealed_session::testing::{ManualClock, published_secret};
use sealed_session::time::{Clock, UnixMillis};
use support::{MINUTE, SECOND, builder, eventually, memory, with};

use super::devices::{HOUR, Listed, key, listing};
use super::direct::{load, sent, user};

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

/// A login by a request with this User-Agent, from 10.0.0.9, a proxy that names 203.0.113.7.
async fn label_of(it: &Listed, user_agent: &[u8]) -> String {
    it.clock.advance(SECOND);
    let lines = |name: &'static str| {
        let value: Option<&[u8]> = match name {
            "user-agent" => Some(user_agent),
            "x-forwarded-for" => Some(b"203.0.113.7"),
            _ => None,
        };
        value.into_iter()
    };
    let device = it.sessions.device("10.0.0.9".parse().ok(), lines);
    let incoming = Incoming::new(std::iter::empty()).device(device);
    let loaded = it.sessions.load(incoming).unwrap();
    loaded.session.authenticate("alice").await.unwrap();
    sent(&it.sessions, loaded).await;
    let listed = it.sessions.list_sessions("alice").await.unwrap();
    listed[0].label.clone()
}

#[actix_web::test]
async fn a_device_is_called_by_its_browser_and_by_its_address_only_if_asked() {
    let firefox = b"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
    let it = Listed::start().await;
    assert_eq!(label_of(&it, firefox).await, "Firefox on Linux");
    let long = [b"Mozilla/5.0 ".repeat(9_000), b"\xff".to_vec()].concat();
    for odd in [b"".as_slice(), b"<b>", b"\x1b[2J\xff", &long] {
        assert_eq!(label_of(&it, odd).await, "unknown device");
    }
    let with_address = with(listing(), |it| it.address = true);
    let it = Listed::with(|builder| {
        let proxies = with(ClientSettings::default(), |it| {
            it.trusted_proxies = vec!["10.0.0.0/8".into()];
        });
        builder.devices(with_address).client(proxies)
    });
    let it = it.await;
    assert_eq!(
        label_of(&it, firefox).await,
        "Firefox on Linux, 203.0.113.7"
    );
    assert_eq!(label_of(&it, b"").await, "203.0.113.7");
}
