//! Opening a token: authentic, made by an honest node, and not through a revoked key.

use std::sync::Arc;

use crate::error::Rejected;
use crate::id::{KeyId, Serial};
use crate::key::{KeyRing, KeyState};
use crate::lifetime::{LONGEST, SKEW};
use crate::seal::names::Names;
use crate::seal::{Binding, Refusal, cipher};
use crate::time::UnixMillis;
use crate::wire::envelope::{Envelope, Parsed, Parts};
use crate::wire::record::Record;

/// An authentic record. Whether its session still counts is the revocation check's to say.
#[derive(Debug)]
pub(crate) struct Opened {
    record: Arc<Record>,
    key: KeyId,
}

impl Opened {
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// The key that sealed it.
    pub(crate) fn key(&self) -> KeyId {
        self.key
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
) -> Result<Opened, Refusal> {
    let envelope = match Envelope::parse(text).map_err(Refusal::worthless)? {
        Parsed::Token(envelope) => envelope,
        Parsed::OtherVersion(head) => {
            let reason = Rejected::Version(head.version);
            return Err(Refusal::foreign(reason, head.sealed_at));
        }
    };
    let head = envelope.head;
    let key = match ring.find(&head.key, now) {
        KeyState::Opens(key) => key,
        KeyState::Retired => return Err(Refusal::worthless(Rejected::RetiredKey(head.key))),
        KeyState::Revoked(at) => return Err(Refusal::dead(Rejected::RevokedKey, at)),
        KeyState::Unknown => {
            let reason = Rejected::UnknownKey(head.key);
            return Err(Refusal::foreign(reason, head.sealed_at));
        }
    };
    let data = binding.associated_data(head, chunks);
    let decrypt = |parts: Parts<'_>| {
        let key = key.cipher_key();
        let opened = cipher::decrypt(key, parts.nonce, &data, parts.content, parts.tag);
        opened.map_err(|_| Rejected::NotAuthentic)
    };
    let record = envelope
        .opened(decrypt)
        .and_then(|(bytes, start)| Record::decode(bytes, start))
        .map_err(Refusal::worthless)?;
    if let Some(since) = record.keys.iter().find_map(|key| ring.revoked_since(key)) {
        return Err(Refusal::dead(Rejected::RevokedKey, since));
    }
    if is_ahead(&record, now) {
        return Err(Refusal::ahead());
    }
    if !is_plausible(&record, binding.names()) {
        return Err(Refusal::worthless(Rejected::Implausible));
    }
    Ok(Opened {
        record,
        key: key.id(),
    })
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
