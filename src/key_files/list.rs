//! What each key is doing.

use std::fmt;

use crate::ids::KeyId;
use crate::keys::KeyTables;
use crate::time::UnixMillis;

/// What a key is doing at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyStatus {
    /// Opens, and will seal once its time has come.
    Pending,
    /// Seals and opens.
    Sealing,
    /// Opens what it sealed before a newer key took over.
    Opening,
    /// Its time has passed; its secret is still in the file.
    Retired,
    /// Its time has passed and its secret is gone.
    Pruned,
    /// Its tokens are refused.
    Revoked,
}

/// In lower case.
impl fmt::Display for KeyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

/// What may be shown of one key: everything but its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// The key's public name.
    pub id: KeyId,
    /// What it is doing.
    pub status: KeyStatus,
    /// From when on it seals. `None` if only its id is left.
    pub activate: Option<UnixMillis>,
    /// Until when it opens; when it retired, if it was pruned.
    pub retire: Option<UnixMillis>,
    /// When it was revoked.
    pub revoked: Option<UnixMillis>,
    /// Whether the tables still hold its secret.
    pub has_secret: bool,
}

impl KeyTables {
    /// All keys and what they are doing at `now`: those with a secret in the order of the file, then
    /// the pruned and revoked ones.
    pub fn list(&self, now: UnixMillis) -> Vec<KeyInfo> {
        let sealing = self.sealing(now).map(|key| key.id);
        let with_secret = self.keys.iter().map(|key| KeyInfo {
            id: key.id,
            status: match key {
                _ if self.is_revoked(&key.id) => KeyStatus::Revoked,
                _ if key.is_retired(now) => KeyStatus::Retired,
                _ if sealing == Some(key.id) => KeyStatus::Sealing,
                _ if now < key.activate => KeyStatus::Pending,
                _ => KeyStatus::Opening,
            },
            activate: Some(key.activate),
            retire: key.retire,
            revoked: self.revoked_at(&key.id),
            has_secret: true,
        });
        let gone = |id: KeyId, retired: Option<UnixMillis>| KeyInfo {
            id,
            status: match self.is_revoked(&id) {
                true => KeyStatus::Revoked,
                false => KeyStatus::Pruned,
            },
            activate: None,
            retire: retired,
            revoked: self.revoked_at(&id),
            has_secret: false,
        };
        let pruned = self.pruned.iter().map(|it| gone(it.id, Some(it.retired)));
        let listed: Vec<KeyInfo> = with_secret.chain(pruned).collect();
        let revoked = self.revoked.iter().map(|it| gone(it.id, None));
        let others = revoked.filter(|it| listed.iter().all(|key| key.id != it.id));
        let others: Vec<_> = others.collect();
        [listed, others].concat()
    }
}
