//! Counting how remembered tokens are used, and forgetting those that are not.

use std::sync::Weak;
use std::time::Duration;

use crate::observe;
use crate::seal::remembered::TokenUse;
#[cfg(any(test, feature = "testing"))]
use crate::sessions::Sessions;
use crate::sessions::engine::Engine;

/// How often it is counted.
const COUNT: Duration = Duration::from_secs(1);
/// After so many counts what was not used is forgotten: a minute.
const SWEEP: u32 = 60;

/// Does both for as long as the sessions are there.
pub(super) async fn watch(engine: Weak<Engine>) {
    let mut told = TokenUse::default();
    for round in (1..=SWEEP).cycle() {
        tokio::time::sleep(COUNT).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        let now = engine.token_use();
        observe::remembered_tokens(
            now.hits.wrapping_sub(told.hits),
            now.misses.wrapping_sub(told.misses),
            now.entries,
        );
        told = now;
        if round == SWEEP {
            engine.forget_unused_tokens();
        }
    }
}

#[cfg(any(test, feature = "testing"))]
impl Sessions {
    pub(crate) fn token_use(&self) -> TokenUse {
        self.engine.token_use()
    }
}

impl Engine {
    /// Of all names of the cookie together.
    fn token_use(&self) -> TokenUse {
        let each = self.scopes().map(|scope| scope.remembered.usage());
        each.fold(TokenUse::default(), |sum, each| TokenUse {
            hits: sum.hits.wrapping_add(each.hits),
            misses: sum.misses.wrapping_add(each.misses),
            entries: sum.entries.saturating_add(each.entries),
        })
    }

    /// Forgets the tokens that were not used since the last time.
    pub(super) fn forget_unused_tokens(&self) {
        self.scopes().for_each(|scope| scope.remembered.sweep());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::cookie::CookieSettings;
    use crate::keys::{KeyRing, KeySource, Secret};
    use crate::random::SystemRandom;
    use crate::sessions::{Incoming, Sessions};
    use crate::store::Memory;
    use crate::testing;

    fn write_key(path: &std::path::Path, secret: &Secret) {
        let secret = secret.to_text();
        let key = format!(
            "[[key]]\nsecret = \"{}\"\nactivate = \"2020-01-01T00:00:00Z\"\n",
            *secret
        );
        std::fs::write(path, key).unwrap();
    }

    fn read(sessions: &Sessions, cookie: &str) -> bool {
        let incoming = Incoming::new(std::iter::once(cookie.as_bytes()));
        sessions.load(incoming).unwrap().session.is_authenticated()
    }

    /// So that tests of what is remembered are of that.
    #[tokio::test]
    async fn sessions_remember_what_they_opened_until_the_ring_changes_or_it_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        let [one, two] = [(); 2].map(|()| Secret::generate(&SystemRandom).unwrap());
        write_key(&path, &one);
        let builder = Sessions::builder("test").store(Memory::new());
        let sessions = builder.key_source(KeySource::File(path.clone()));
        let sessions = sessions.start().await.unwrap();
        let (_, cookie) = testing::login(&sessions, "alice").await.header();
        let usage = || sessions.engine.token_use();
        let before = usage();
        for _ in 0..3 {
            assert!(read(&sessions, &cookie));
        }
        // It was sealed here, so the first read puts it there.
        let after = usage();
        assert_eq!(
            (after.hits - before.hits, after.misses - before.misses),
            (2, 1)
        );
        assert_eq!(after.entries, 1);
        sessions.sweep().await.unwrap();
        assert_eq!(usage().entries, 1, "it was used since the last time");
        sessions.sweep().await.unwrap();
        assert_eq!(usage().entries, 0);
        assert!(read(&sessions, &cookie));
        assert_eq!(usage().entries, 1);
        write_key(&path, &two);
        sessions.reload_keys().unwrap();
        assert_eq!(usage().entries, 0);
        assert!(!read(&sessions, &cookie));
        assert_eq!(usage().entries, 0);
    }

    #[tokio::test]
    async fn with_no_places_nothing_is_remembered() {
        let cookie = CookieSettings {
            remembered_tokens: 0,
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
        assert_eq!(sessions.engine.token_use(), Default::default());
        sessions.close(Duration::ZERO).await;
    }
}
