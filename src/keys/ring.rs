//! The keys of an application, and which of them is used when.
//!
//! At a time t:
//! 1. The newest key whose `activate` has come and whose `retire` has not seals. Of two with the same
//!    `activate` the one that was listed first does.
//! 2. Every key whose `retire` has not come opens, also one that is not active yet: a node that
//!    learns of a rotation late still reads what its neighbours wrote.
//! 3. A token's key id picks exactly one key. There is no trial of several: XChaCha20-Poly1305 does not
//!    commit to its key, so a crafted token could open under more than one.
//! 4. A revoked key does not open, whatever else the ring says about it.
//! 5. The first four bytes of an id are unique in a ring, over keys that are in use and keys that
//!    are gone, because sealed records remember the keys they passed through by them.

use zeroize::Zeroizing;

use super::derive::{ACTIVITY, CIPHER, CSRF, LABEL};
use super::secret::Secret;
use crate::error::ConfigError;
use crate::ids::KeyId;
use crate::time::{SKEW, UnixMillis};

/// A key that is ready for use: what was derived from its secret, and its times.
///
/// The secret itself is not kept.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    activate: UnixMillis,
    retire: Option<UnixMillis>,
    pub(crate) cipher_key: Zeroizing<[u8; 32]>,
    pub(crate) activity_key: Zeroizing<[u8; 32]>,
    pub(crate) csrf_key: Zeroizing<[u8; 32]>,
    pub(crate) label_key: Zeroizing<[u8; 32]>,
}

impl Key {
    /// The key's public name, as it stands in tokens.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// From when on the key may seal.
    pub fn activate(&self) -> UnixMillis {
        self.activate
    }

    /// From when on the key neither seals nor opens. `None`: not planned yet.
    pub fn retire(&self) -> Option<UnixMillis> {
        self.retire
    }

    pub(super) fn new(secret: &Secret, activate: UnixMillis, retire: Option<UnixMillis>) -> Self {
        Self {
            id: secret.key_id(),
            activate,
            retire,
            cipher_key: secret.derive(CIPHER),
            activity_key: secret.derive(ACTIVITY),
            csrf_key: secret.derive(CSRF),
            label_key: secret.derive(LABEL),
        }
    }

    fn opens(&self, now: UnixMillis) -> bool {
        self.retire.is_none_or(|retire| now < retire)
    }

    fn seals(&self, now: UnixMillis) -> bool {
        self.activate <= now && self.opens(now)
    }
}

// Shows the id and the times.
redacted!(Key: |it| id = it.id, activate = it.activate, retire = it.retire);

/// The keys that seal and open cookies, and the ids of those that no longer do. Immutable.
///
/// ```
/// use sealed_session::{keys::{Secret, SystemRandom}, time::UnixMillis, KeyRing};
/// use std::time::Duration;
///
/// let [old, new] = [Secret::generate(&SystemRandom)?, Secret::generate(&SystemRandom)?];
/// let (old_id, new_id) = (old.key_id(), new.key_id());
/// let start: UnixMillis = "2026-11-21T08:00:00Z".parse()?;
/// let hour = Duration::from_secs(3600);
///
/// let ring = KeyRing::builder()
///     .key(old, start, Some(start + 744 * hour))
///     .key(new, start + hour, None)
///     .build()?;
/// assert_eq!(ring.sealing(start).map(|key| key.id()), Some(old_id));
/// assert_eq!(ring.sealing(start + hour).map(|key| key.id()), Some(new_id));
/// assert_eq!(ring.opening(start).count(), 2);
/// # Ok::<(), sealed_session::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(Default))]
pub struct KeyRing {
    /// Without the revoked ones: nothing is derived for a key that must not be used.
    pub(super) keys: Vec<Key>,
    pub(super) revoked: Vec<KeyId>,
    pub(super) pruned: Vec<KeyId>,
    pub(super) everyone_before: Option<UnixMillis>,
}

/// What the ring says about the key that a token names.
#[derive(Debug)]
pub(crate) enum KeyState<'a> {
    /// The one key that may open it.
    Opens(&'a Key),
    /// Known, and past its time: retired, or pruned since.
    Retired,
    /// Revoked.
    Revoked,
    /// Never heard of.
    Unknown,
}

impl KeyRing {
    /// The key that seals at `now`: the newest active one. `None` if no key is active.
    pub fn sealing(&self, now: UnixMillis) -> Option<&Key> {
        let candidates = self.keys.iter().filter(|key| key.seals(now));
        // `max_by_key` prefers the last of equals; the first listed is wanted.
        candidates.rev().max_by_key(|key| key.activate)
    }

    /// The key of this id, if it opens at `now`.
    pub(crate) fn key(&self, id: &KeyId, now: UnixMillis) -> Option<&Key> {
        match self.find(id, now) {
            KeyState::Opens(key) => Some(key),
            KeyState::Retired | KeyState::Revoked | KeyState::Unknown => None,
        }
    }

    /// The key whose id begins so, if it opens at `now`. There is no second one (rule 5).
    pub(crate) fn key_of(&self, prefix: [u8; 4], now: UnixMillis) -> Option<&Key> {
        self.opening(now).find(|key| key.id.prefix() == prefix)
    }

    /// Every key that opens at `now`: those not retired, also the ones that are not active yet.
    pub fn opening(&self, now: UnixMillis) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| key.opens(now))
    }

    /// The time before which no session counts, whatever the revocation store says.
    pub fn everyone_before(&self) -> Option<UnixMillis> {
        self.everyone_before
    }

    /// Whether the ring can be used at `now`. A ring that is loaded from a file is checked by the
    /// loading; one that was built in code is checked when the sessions are.
    ///
    /// # Errors
    /// If no key seals at `now`, or if `everyone_before` is more than 60 seconds after it.
    pub fn check(&self, now: UnixMillis) -> Result<(), ConfigError> {
        if self.sealing(now).is_none() {
            return Err(problem("no key is active now, so nothing could be sealed"));
        }
        match self.everyone_before {
            // A time in the future would end every session again and again until it has come.
            Some(before) if before > now + SKEW => Err(problem(format!(
                "everyone_before is {before}, which is in the future"
            ))),
            _ => Ok(()),
        }
    }

    /// What is known about the key `id` at `now`. Exactly one key has an id; revoked wins over all.
    pub(crate) fn find(&self, id: &KeyId, now: UnixMillis) -> KeyState<'_> {
        if self.revoked.contains(id) {
            return KeyState::Revoked;
        }
        match self.keys.iter().find(|key| key.id == *id) {
            Some(key) if key.opens(now) => KeyState::Opens(key),
            Some(_) => KeyState::Retired,
            None if self.pruned.contains(id) => KeyState::Retired,
            None => KeyState::Unknown,
        }
    }

    /// Whether there is, or was, a key whose id begins with `prefix`, also if it does not open any more.
    pub(crate) fn knows(&self, prefix: [u8; 4]) -> bool {
        let keys = self.keys.iter().map(|key| &key.id);
        let mut ids = keys.chain(&self.revoked).chain(&self.pruned);
        ids.any(|id| id.prefix() == prefix)
    }

    /// Whether the key whose id begins with `prefix` was revoked.
    pub(crate) fn is_revoked(&self, prefix: [u8; 4]) -> bool {
        self.revoked.iter().any(|id| id.prefix() == prefix)
    }
}

pub(super) fn problem(what: impl Into<String>) -> ConfigError {
    ConfigError::Keys(what.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::keys::weak::published_bytes;

    fn secret(number: u8) -> Secret {
        Secret::unchecked(published_bytes(number))
    }

    fn at(seconds: u64) -> UnixMillis {
        UnixMillis::from_secs(seconds)
    }

    #[test]
    fn times_decide_at_their_very_millisecond() {
        let id = secret(1).key_id();
        let ring = KeyRing::builder()
            .key(secret(1), at(10), Some(at(20)))
            .build()
            .unwrap();
        let before = |time: UnixMillis| time.minus(Duration::from_millis(1));
        assert!(ring.sealing(before(at(10))).is_none());
        assert!(matches!(
            ring.find(&id, UnixMillis::EPOCH),
            KeyState::Opens(_)
        ));
        assert!(ring.sealing(at(10)).is_some());
        assert!(ring.sealing(before(at(20))).is_some());
        assert!(ring.sealing(at(20)).is_none());
        assert_eq!(ring.opening(at(20)).count(), 0);
        assert!(matches!(ring.find(&id, at(20)), KeyState::Retired));
        assert!(ring.check(at(10)).is_ok());
        assert!(ring.check(at(20)).is_err());
    }

    #[test]
    fn of_equals_the_first_listed_seals() {
        let ring = KeyRing::builder()
            .key(secret(1), at(5), None)
            .key(secret(2), at(9), None)
            .key(secret(3), at(9), None)
            .build()
            .unwrap();
        assert_eq!(ring.sealing(at(9)).unwrap().id(), secret(2).key_id());
        assert_eq!(ring.sealing(at(8)).unwrap().id(), secret(1).key_id());
    }

    #[test]
    fn a_revoked_key_does_nothing_whatever_else_is_listed() {
        let [one, two] = [secret(1).key_id(), secret(2).key_id()];
        let ring = KeyRing::builder()
            .key(secret(1), at(0), None)
            .key(secret(2), at(5), None)
            .revoked(two)
            .build()
            .unwrap();
        assert_eq!(ring.sealing(at(9)).unwrap().id(), one);
        assert!(ring.opening(at(9)).all(|key| key.id() == one));
        assert!(matches!(ring.find(&two, at(9)), KeyState::Revoked));
        assert!(ring.is_revoked(two.prefix()));
        assert!(!ring.is_revoked(one.prefix()));
    }

    #[test]
    fn tombstones_are_told_apart() {
        let ring = KeyRing::builder()
            .key(secret(1), at(0), None)
            .pruned(secret(2).key_id())
            .pruned(secret(3).key_id())
            .revoked(secret(3).key_id())
            .build()
            .unwrap();
        let find = |number| ring.find(&secret(number).key_id(), at(9));
        assert!(matches!(find(2), KeyState::Retired));
        assert!(matches!(find(3), KeyState::Revoked));
        assert!(matches!(find(4), KeyState::Unknown));
    }

    #[test]
    fn the_panic_button_cannot_be_set_into_the_future() {
        let ring = |time| {
            KeyRing::builder()
                .key(secret(1), at(0), None)
                .everyone_before(time)
                .build()
        };
        assert!(ring(at(160)).unwrap().check(at(100)).is_ok());
        assert!(ring(at(161)).unwrap().check(at(100)).is_err());
    }
}
