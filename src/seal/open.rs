//! Opening a token: authentic, a record that an honest node may have made, not ahead of the clock. The last is checked for
//! a cached one too.

use std::sync::Arc;

use crate::error::Rejected;
use crate::ids::{KeyId, Serial};
use crate::keys::{KeyRing, KeyState};
use crate::record::Record;
use crate::seal::names::Names;
use crate::seal::refusal::{Refusal, Refused};
use crate::seal::{Binding, cipher};
use crate::time::{LONGEST, SKEW, UnixMillis};
use crate::wire::Malformed;
use crate::wire::envelope::{Envelope, Parsed, VERSION};

/// An authentic record that an honest node may have made. It does not say that its session still counts.
#[derive(Debug, Clone)]
pub(crate) struct Opened(Decrypted);

/// What a text holds, whoever made it.
#[derive(Debug, Clone)]
struct Decrypted {
    record: Arc<Record>,
    key: KeyId,
    /// Bytes of the record as it was sealed.
    length: usize,
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Self {
        Refusal::worthless(match malformed {
            Malformed::Length => Rejected::Length,
            Malformed::Text => Rejected::Malformed,
            Malformed::Padding => Rejected::Implausible,
        })
        .into()
    }
}

/// Opens the text of one token, which came in `chunks` cookies.
pub(crate) fn open(
    text: &[u8],
    chunks: u8,
    ring: &KeyRing,
    binding: &Binding,
    now: UnixMillis,
) -> Result<Opened, Refused> {
    let decrypted = decrypt(text, chunks, ring, binding, now)?;
    // The clock comes first: what may count later is not called worthless. Revoked keys that it passed through are for
    // the rules to judge.
    decrypted.check_clock(now)?;
    decrypted.plausible(&binding.names)
}

impl Opened {
    /// Checks once more what may turn out otherwise the next time that the token comes.
    pub(super) fn recheck(self, now: UnixMillis) -> Result<Self, Refused> {
        self.0.check_clock(now)?;
        Ok(self)
    }

    pub(crate) fn record(&self) -> &Record {
        &self.0.record
    }

    /// The key that sealed it.
    pub(crate) fn key(&self) -> KeyId {
        self.0.key
    }

    /// Bytes of the record as it was sealed.
    pub(crate) fn length(&self) -> usize {
        self.0.length
    }

    pub(crate) fn into_record(self) -> Arc<Record> {
        self.0.record
    }
}

impl Decrypted {
    /// Refuses what is from a time that has not come.
    fn check_clock(&self, now: UnixMillis) -> Result<(), Refused> {
        let Self { record, key, .. } = self;
        if is_ahead(record, now) {
            return Err(Refused {
                refusal: Refusal::ahead(),
                record: Some((Arc::clone(record), *key)),
            });
        }
        Ok(())
    }

    fn plausible(self, names: &Names) -> Result<Opened, Refused> {
        match is_plausible(&self.record, names) {
            true => Ok(Opened(self)),
            false => Err(Refusal::worthless(Rejected::Implausible).into()),
        }
    }
}

/// What the text holds.
fn decrypt(
    text: &[u8],
    chunks: u8,
    ring: &KeyRing,
    binding: &Binding,
    now: UnixMillis,
) -> Result<Decrypted, Refused> {
    let mut envelope = match Envelope::parse(text)? {
        Parsed::Token(envelope) => envelope,
        Parsed::OtherVersion(head) => {
            let reason = Rejected::Version(head.version);
            // A neighbour may know a newer version. No older one was ever released.
            let refusal = match head.version > VERSION {
                true => Refusal::unread(reason, head.sealed_at),
                false => Refusal::worthless(reason),
            };
            return Err(refusal.into());
        }
    };
    let head = envelope.head;
    let key = match ring.find(&head.key, now) {
        KeyState::Opens(key) => Ok(key),
        KeyState::Retired => Err(Refusal::worthless(Rejected::RetiredKey(head.key))),
        // Nobody can tell whether it is authentic.
        KeyState::Revoked => Err(Refusal::dead(Rejected::RevokedKey)),
        KeyState::Unknown => {
            let reason = Rejected::UnknownKey(head.key);
            Err(Refusal::unread(reason, head.sealed_at))
        }
    }?;
    let data = binding.associated_data(head, chunks);
    let parts = envelope.parts().ok_or(Malformed::Length)?;
    let opened = cipher::decrypt(
        &key.cipher_key,
        parts.nonce,
        &data,
        parts.content,
        parts.tag,
    );
    opened.map_err(|_| Refusal::worthless(Rejected::NotAuthentic))?;
    let (bytes, start) = envelope.into_content()?;
    let length = bytes.len() - start;
    let record = Record::decode(bytes, start);
    let record = record.ok_or(Refusal::worthless(Rejected::Implausible))?;
    Ok(Decrypted {
        key: key.id(),
        record,
        length,
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

#[cfg(test)]
impl Opened {
    /// As if it had been opened.
    pub(super) fn of(record: Arc<Record>, key: KeyId, length: usize) -> Self {
        Self(Decrypted {
            record,
            key,
            length,
        })
    }
}
