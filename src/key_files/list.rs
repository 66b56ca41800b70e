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
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Sealing => "sealing",
            Self::Opening => "opening",
            Self::Retired => "retired",
            Self::Pruned => "pruned",
            Self::Revoked => "revoked",
        })
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
        let gone = self.pruned.iter().map(|pruned| KeyInfo {
            id: pruned.id,
            status: match self.revoked_at(&pruned.id) {
                Some(_) => KeyStatus::Revoked,
                None => KeyStatus::Pruned,
            },
            activate: None,
            retire: Some(pruned.retired),
            revoked: self.revoked_at(&pruned.id),
            has_secret: false,
        });
        let only_revoked = self.revoked.iter().filter(|revoked| {
            self.keys.iter().all(|key| key.id != revoked.id)
                && self.pruned.iter().all(|pruned| pruned.id != revoked.id)
        });
        let revoked = only_revoked.map(|revoked| KeyInfo {
            id: revoked.id,
            status: KeyStatus::Revoked,
            activate: None,
            retire: None,
            revoked: Some(revoked.at),
            has_secret: false,
        });
        with_secret.chain(gone).chain(revoked).collect()
    }
}
