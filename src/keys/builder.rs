//! Making a ring: what it may not say.

use super::ring::{Key, KeyRing, problem};
use super::secret::Secret;
use crate::error::ConfigError;
use crate::ids::KeyId;
use crate::random::{RandomError, SystemRandom};
use crate::time::UnixMillis;

/// Collects the keys of a [`KeyRing`].
#[derive(Clone, Debug)]
pub struct KeyRingBuilder(pub(super) KeyRing);

impl KeyRingBuilder {
    /// Adds a key that seals from `activate` on (until a newer one does) and opens until `retire`. One that is to seal at
    /// once gets a time that has come by every node's clock: a minute ago.
    #[must_use]
    pub fn key(mut self, secret: Secret, activate: UnixMillis, retire: Option<UnixMillis>) -> Self {
        self.0.keys.push(Key::new(&secret, activate, retire));
        self
    }

    /// Says that the key `id` was revoked. Wins over a [`key`](Self::key) with the same id.
    #[must_use]
    pub fn revoked(mut self, id: KeyId) -> Self {
        self.0.revoked.push(id);
        self
    }

    /// Says that the key `id` retired and that its secret is gone.
    #[must_use]
    pub fn pruned(mut self, id: KeyId) -> Self {
        self.0.pruned.push(id);
        self
    }

    /// The time before which no session counts.
    #[must_use]
    pub fn everyone_before(mut self, time: UnixMillis) -> Self {
        self.0.everyone_before = Some(time);
        self
    }

    /// The ring, after checking everything that does not depend on the time of day
    /// ([`KeyRing::check`] does the rest).
    ///
    /// # Errors
    /// [`ConfigError::Keys`] if there is no key, if an id is listed twice, if a key retires before it
    /// activates, or if two ids begin with the same four bytes.
    pub fn build(self) -> Result<KeyRing, ConfigError> {
        let Self(mut ring) = self;
        if ring.keys.is_empty() {
            return Err(problem("there is no key"));
        }
        for key in &ring.keys {
            if key.retire().is_some_and(|retire| retire <= key.activate()) {
                return Err(problem(format!(
                    "key {} retires before it activates",
                    key.id()
                )));
            }
        }
        check_ids(&ring)?;
        ring.keys.retain(|key| !ring.revoked.contains(&key.id()));
        if ring.keys.is_empty() {
            return Err(problem("every key is revoked"));
        }
        Ok(ring)
    }
}

fn check_ids(ring: &KeyRing) -> Result<(), ConfigError> {
    let keys = ring.keys.iter().map(Key::id);
    let keys: Vec<KeyId> = keys.chain(ring.pruned.iter().copied()).collect();
    // A key or a pruned one may be revoked as well; apart from that an id stands once.
    for ids in [&keys, &ring.revoked] {
        if let Some((id, _)) = first_pair(ids, |a, b| a == b) {
            return Err(problem(format!("key {id} is listed twice")));
        }
    }
    let all = [keys, ring.revoked.clone()].concat();
    match first_pair(&all, |a, b| a != b && a.prefix() == b.prefix()) {
        Some((one, other)) => Err(problem(format!(
            "the ids {one} and {other} begin alike and could be confused; make another key"
        ))),
        None => Ok(()),
    }
}

/// The first two ids of which `matches` is true. Few keys, so every pair is looked at.
fn first_pair(ids: &[KeyId], matches: impl Fn(&KeyId, &KeyId) -> bool) -> Option<(KeyId, KeyId)> {
    ids.iter().enumerate().find_map(|(index, one)| {
        let mut others = ids.iter().skip(index + 1);
        others
            .find(|other| matches(one, other))
            .map(|other| (*one, *other))
    })
}

impl KeyRing {
    /// One fresh key from the operating system's generator, active always: for tests, and for an
    /// application whose sessions may end with the process. Sessions that are to outlive it need a key file
    /// (`sealed-session keys new`).
    ///
    /// # Errors
    /// When the generator cannot deliver.
    ///
    /// ```
    /// use sealed_session::KeyRing;
    ///
    /// let ring = KeyRing::generate()?;
    /// # Ok::<(), sealed_session::keys::RandomError>(())
    /// ```
    pub fn generate() -> Result<Self, RandomError> {
        Secret::generate(&SystemRandom).map(Self::single)
    }

    /// One key, active always.
    pub fn single(secret: Secret) -> Self {
        Self::of(vec![Key::new(&secret, UnixMillis::EPOCH, None)])
    }

    /// A ring of several keys.
    pub fn builder() -> KeyRingBuilder {
        KeyRingBuilder(Self::of(Vec::new()))
    }

    fn of(keys: Vec<Key>) -> Self {
        Self {
            keys,
            revoked: Vec::new(),
            pruned: Vec::new(),
            everyone_before: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::weak::published_bytes;

    fn secret(number: u8) -> Secret {
        Secret::unchecked(published_bytes(number))
    }

    fn at(seconds: u64) -> UnixMillis {
        UnixMillis::from_secs(seconds)
    }

    fn refusal(builder: KeyRingBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn a_generated_ring_has_one_key_of_its_own_that_seals_at_any_time() {
        let [one, other] = [(); 2].map(|()| KeyRing::generate().unwrap());
        for now in [UnixMillis::EPOCH, at(20), UnixMillis::MAX] {
            one.check(now).unwrap();
            assert_eq!(one.opening(now).count(), 1);
        }
        let id = |ring: &KeyRing| ring.sealing(at(20)).unwrap().id();
        assert_ne!(id(&one), id(&other));
    }

    #[test]
    fn rings_that_contradict_themselves_are_refused() {
        let one = || KeyRing::builder().key(secret(1), at(0), None);
        let id = secret(1).key_id();
        let mut alike = *id.as_bytes();
        alike[15] ^= 1;
        let alike = KeyId::from_bytes(alike);

        assert!(refusal(KeyRing::builder()).contains("no key"));
        assert!(refusal(one().key(secret(1), at(5), None)).contains("twice"));
        assert!(refusal(one().pruned(id)).contains("twice"));
        assert!(refusal(one().revoked(alike).revoked(alike)).contains("twice"));
        assert!(refusal(one().revoked(id)).contains("revoked"));
        assert!(refusal(one().revoked(alike)).contains("begin alike"));
        assert!(refusal(one().pruned(alike)).contains("begin alike"));
        assert!(refusal(one().key(secret(2), at(5), Some(at(5)))).contains("retires before"));
    }
}
