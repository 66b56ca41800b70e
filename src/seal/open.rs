//! Opening a token: authentic, made by an honest node, and not through a revoked key.

use std::sync::Arc;

use crate::ids::{KeyId, Serial};
use crate::keys::{KeyRing, KeyState};
use crate::record::Record;
use crate::seal::names::Names;
use crate::seal::{Binding, cipher};
use crate::time::{LONGEST, SKEW, UnixMillis};
use crate::wire::Malformed;
use crate::wire::envelope::{Envelope, Head, Parsed};

/// An authentic record. It does not say that its session still counts.
#[derive(Debug)]
pub(crate) struct Opened {
    record: Arc<Record>,
    key: KeyId,
    /// Bytes of the record as it was sealed.
    length: usize,
}

/// Why a token was not opened.
#[derive(Debug)]
pub(crate) enum NotOpened {
    /// Its bytes are no token.
    Malformed(Malformed),
    /// Another release's token.
    OtherVersion(Head),
    /// No key of the ring has its id.
    UnknownKey(Head),
    /// The key was retired or pruned.
    RetiredKey(KeyId),
    /// The key was revoked. Nobody can tell any more whether the token is authentic.
    RevokedKey,
    /// The tag does not verify.
    NotAuthentic,
    /// Authentic, but nothing that an honest node makes.
    Implausible,
    /// Authentic, but it passed through a revoked key.
    PassedRevokedKey(Arc<Record>, KeyId),
    /// Authentic, from a time that has not come by this node's clock.
    Ahead(Arc<Record>, KeyId),
}

impl From<Malformed> for NotOpened {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl Opened {
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// The key that sealed it.
    pub(crate) fn key(&self) -> KeyId {
        self.key
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn into_record(self) -> Arc<Record> {
        self.record
    }
}

/// Opens the text of one token, which came in `chunks` cookies.
pub(crate) fn open(
    text: &[u8],
    chunks: u8,
    ring: &KeyRing,
    binding: &Binding,
    now: UnixMillis,
) -> Result<Opened, NotOpened> {
    let mut envelope = match Envelope::parse(text)? {
        Parsed::Token(envelope) => envelope,
        Parsed::OtherVersion(head) => return Err(NotOpened::OtherVersion(head)),
    };
    let head = envelope.head;
    let key = match ring.find(&head.key, now) {
        KeyState::Opens(key) => key,
        KeyState::Retired => return Err(NotOpened::RetiredKey(head.key)),
        KeyState::Revoked => return Err(NotOpened::RevokedKey),
        KeyState::Unknown => return Err(NotOpened::UnknownKey(head)),
    };
    let data = binding.associated_data(head, chunks);
    let parts = envelope.parts().ok_or(Malformed::Length)?;
    let opened = cipher::decrypt(
        key.cipher_key(),
        parts.nonce,
        &data,
        parts.content,
        parts.tag,
    );
    opened.map_err(|_| NotOpened::NotAuthentic)?;
    let (bytes, start) = envelope.into_content()?;
    let length = bytes.len() - start;
    let record = Record::decode(bytes, start).ok_or(NotOpened::Implausible)?;
    let key = key.id();
    if record.keys.iter().any(|key| ring.is_revoked(key)) {
        Err(NotOpened::PassedRevokedKey(record, key))
    } else if is_ahead(&record, now) {
        Err(NotOpened::Ahead(record, key))
    } else if !is_plausible(&record, binding.names()) {
        Err(NotOpened::Implausible)
    } else {
        Ok(Opened {
            record,
            key,
            length,
        })
    }
}

/// Whether the record is from a time that has not come, by more than clocks may differ.
fn is_ahead(record: &Record, now: UnixMillis) -> bool {
    let login = record.login.as_ref().map(|login| login.at);
    let latest = record
        .created
        .max(record.refreshed)
        .max(login.unwrap_or_default());
    latest > now + SKEW
}

/// Whether an honest node could have made the record. Someone who holds a key can forge any record;
/// this keeps such a forgery from outliving what honest ones are granted.
fn is_plausible(record: &Record, names: &Names) -> bool {
    let life = record.expires.since(record.created);
    let login = record.login.as_ref();
    record.expires > record.created
        && life <= LONGEST
        && record.serial <= Serial::LAST
        // Last: it may have to hash the name.
        && login.is_none_or(|login| names.fit(&login.subject, &login.key))
}
