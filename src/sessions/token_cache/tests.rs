//! The cache of tokens in the path of a request: what gets in, and what makes it go.

use std::sync::Arc;
use std::time::Duration;

use crate::cookie::CookieSettings;
use crate::error::Rejected;
use crate::ids::KeyId;
use crate::keys::{KeyRing, KeySource, Secret};
use crate::random::SystemRandom;
use crate::sessions::token_cache::watch;
use crate::sessions::{Incoming, Loaded, Sessions};
use crate::store::Memory;
use crate::testing;

const TIME: &str = "2020-01-01T00:00:00Z";

/// As it stands in a key file.
fn written(secret: &Secret) -> String {
    let secret = secret.to_text();
    format!("[[key]]\nsecret = \"{}\"\nactivate = \"{TIME}\"\n", *secret)
}

fn write_key(path: &std::path::Path, secret: &Secret) {
    std::fs::write(path, written(secret)).unwrap();
}

fn read(sessions: &Sessions, cookie: &str) -> bool {
    let incoming = Incoming::new(std::iter::once(cookie.as_bytes()));
    sessions.load(incoming).unwrap().session.is_authenticated()
}

/// Other tests rely on this.
#[tokio::test]
async fn what_was_opened_is_cached_until_the_ring_changes_or_it_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.toml");
    let [one, two] = [(); 2].map(|()| Secret::generate(&SystemRandom).unwrap());
    write_key(&path, &one);
    let builder = Sessions::builder("test").store(Memory::new());
    let sessions = builder.key_source(KeySource::File(path.clone()));
    let sessions = sessions.start().await.unwrap();
    let (_, cookie) = testing::login(&sessions, "alice").await.header();
    let stats = || sessions.token_cache_stats();
    let before = stats();
    for _ in 0..3 {
        assert!(read(&sessions, &cookie));
    }
    // It was sealed here, so the first read puts it there.
    let after = stats();
    assert_eq!(
        (after.hits - before.hits, after.misses - before.misses),
        (2, 1)
    );
    assert_eq!(after.entries, 1);
    sessions.sweep().await.unwrap();
    assert_eq!(stats().entries, 1, "it was used since the last time");
    sessions.sweep().await.unwrap();
    assert_eq!(stats().entries, 0);
    assert!(read(&sessions, &cookie));
    assert_eq!(stats().entries, 1);
    write_key(&path, &two);
    sessions.reload_keys().unwrap();
    assert_eq!(stats().entries, 0);
    assert!(!read(&sessions, &cookie));
    assert_eq!(stats().entries, 0);
}

/// A request that began before a change of the ring may add what it opened after the change.
#[tokio::test]
async fn what_a_request_from_before_adds_is_judged_by_the_ring_of_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.toml");
    let secrets = [(); 2].map(|()| Secret::generate(&SystemRandom).unwrap());
    let [old, new] = secrets.each_ref().map(Secret::key_id);
    let keys = |listed: &[usize], revoked: &[KeyId]| {
        let revoked = revoked.iter();
        let revoked = revoked.map(|id| format!("[[revoked]]\nid = \"{id}\"\nat = \"{TIME}\"\n"));
        let listed = listed.iter().map(|number| written(&secrets[*number]));
        std::fs::write(&path, revoked.chain(listed).collect::<String>()).unwrap();
    };
    keys(&[0], &[]);
    let builder = Sessions::builder("test").store(Memory::new());
    let sessions = builder.key_source(KeySource::File(path.clone()));
    let sessions = sessions.start().await.unwrap();
    let login = async |name| testing::login(&sessions, name).await.header().1;
    let stays = login("alice").await;
    let moves = login("alice").await;
    keys(&[1, 0], &[]);
    sessions.reload_keys().unwrap();
    let loaded = sessions.load(Incoming::new(std::iter::once(moves.as_bytes())));
    let Loaded { session, ticket } = loaded.unwrap();
    session.insert("a", 1).unwrap();
    let moved = sessions.commit(&session, ticket).await.cookies.remove(0);
    let moved = moved.split(';').next().unwrap();

    let service = &sessions.engine.service;
    let before = service.keys.load_full();
    for (listed, revoked, refused) in [
        (&[1][..], &[][..], [Some(Rejected::UnknownKey(old)), None]),
        (&[1], &[old], [Some(Rejected::RevokedKey); 2]),
        (&[0], &[new], [None, Some(Rejected::RevokedKey)]),
        (&[1, 0], &[], [None; 2]),
    ] {
        keys(listed, revoked);
        sessions.reload_keys().unwrap();
        assert_eq!(sessions.token_cache_stats().entries, 0);
        let cookies = [(&*stays, 0), (moved, 1)];
        for ((cookie, key), refused) in cookies.into_iter().zip(refused) {
            let (_, token) = cookie.split_once('=').unwrap();
            for _ in 0..2 {
                let scope = &sessions.engine.current;
                let opened = scope.open(token.as_bytes(), 1, &before, service.now());
                opened.unwrap();
            }
            let added = sessions.token_cache_stats();
            let incoming = Incoming::new(std::iter::once(cookie.as_bytes()));
            let session = sessions.load(incoming).unwrap().session;
            assert_eq!(session.rejected(), refused);
            assert_eq!(session.is_authenticated(), refused.is_none());
            // The others are not even taken from the cache.
            let opens = listed.contains(&key);
            let hits = added.hits + u64::from(opens);
            assert_eq!(sessions.token_cache_stats().hits, hits);
        }
    }
}

/// It runs for as long as all of the caches live, and nothing that runs keeps them: who drops the sessions has dropped them.
#[tokio::test(start_paused = true)]
async fn unused_tokens_go_within_two_minutes_and_the_watch_with_the_caches() {
    let ring = KeyRing::generate().unwrap();
    let builder = Sessions::builder("test").store(Memory::new()).keys(ring);
    let sessions = builder.start().await.unwrap();
    let (_, cookie) = testing::login(&sessions, "alice").await.header();
    let entries = |sessions: &Sessions| sessions.token_cache_stats().entries;
    let tokens = || Arc::downgrade(&sessions.engine.current.tokens);
    let (cache, watching) = (tokens(), tokio::spawn(watch(vec![tokens()])));
    for _ in 0..2 {
        assert!(read(&sessions, &cookie));
    }
    for _ in 0..3 {
        // Used since the last time, so it stays each minute.
        assert!(read(&sessions, &cookie));
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(entries(&sessions), 1);
    }
    tokio::time::sleep(Duration::from_secs(121)).await;
    assert_eq!(entries(&sessions), 0);
    assert!(!watching.is_finished());
    // Between two rounds.
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(sessions);
    assert!(cache.upgrade().is_none());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(watching.is_finished());
}

#[tokio::test]
async fn with_no_slots_nothing_is_cached() {
    let cookie = CookieSettings {
        cached_tokens: 0,
        ..CookieSettings::default()
    };
    let builder = Sessions::builder("test")
        .store(Memory::new())
        .cookie(cookie);
    let sessions = builder.keys(KeyRing::generate().unwrap());
    let sessions = sessions.start().await.unwrap();
    let (_, cookie) = testing::login(&sessions, "alice").await.header();
    for _ in 0..3 {
        assert!(read(&sessions, &cookie));
    }
    assert_eq!(sessions.token_cache_stats(), Default::default());
    sessions.close(Duration::ZERO).await;
}
