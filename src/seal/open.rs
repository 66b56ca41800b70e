//! Opening a token: authentic, made by an honest node, and not through a revoked key.

use std::sync::Arc;

use crate::error::Rejected;
use crate::ids::{KeyId, Serial};
use crate::keys::{KeyRing, KeyState};
use crate::record::Record;
use crate::seal::names::Names;
use crate::seal::{Binding, Refusal, Standing, cipher};
use crate::time::{LONGEST, SKEW, UnixMillis};
use crate::wire::Malformed;
use crate::wire::envelope::{Envelope, Head, Parsed, VERSION};

/// An authentic record. Whether its session still counts is the revocation check's to say.
#[derive(Debug)]
pub(crate) struct Opened {
    record: Arc<Record>,
    key: KeyId,
    /// Bytes of the record as it was sealed.
    length: usize,
}

/// Why a token is no session, and the record of one that is authentic, with its key: it can still be ended.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    pub(crate) record: Option<(Arc<Record>, KeyId)>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let record = None;
        Self { refusal, record }
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
) -> Result<Opened, Refused> {
    let mut envelope = match Envelope::parse(text).map_err(worthless)? {
        Parsed::Token(envelope) => envelope,
        Parsed::OtherVersion(head) => {
            return Err(other_version(head).into());
        }
    };
    let head = envelope.head;
    let key = match ring.find(&head.key, now) {
        KeyState::Opens(key) => key,
        KeyState::Retired => return Err(Refusal::worthless(Rejected::RetiredKey(head.key)).into()),
        KeyState::Revoked => return Err(Refusal::dead(Rejected::RevokedKey).into()),
        KeyState::Unknown => {
            let reason = Rejected::UnknownKey(head.key);
            let standing = Standing::Unread(head.sealed_at);
            return Err(Refusal { reason, standing }.into());
        }
    };
    let data = binding.associated_data(head, chunks);
    let parts = envelope.parts().ok_or(Malformed::Length);
    let parts = parts.map_err(worthless)?;
    let opened = cipher::decrypt(
        key.cipher_key(),
        parts.nonce,
        &data,
        parts.content,
        parts.tag,
    );
    opened.map_err(|_| Refusal::worthless(Rejected::NotAuthentic))?;
    let (bytes, start) = envelope.into_content().map_err(worthless)?;
    let length = bytes.len() - start;
    let implausible = || Refusal::worthless(Rejected::Implausible);
    let record = Record::decode(bytes, start).ok_or_else(implausible)?;
    let refusal = if record.keys.iter().any(|key| ring.is_revoked(key)) {
        Refusal::dead(Rejected::RevokedKey)
    } else if is_ahead(&record, now) {
        Refusal::ahead()
    } else if !is_plausible(&record, binding.names()) {
        return Err(implausible().into());
    } else {
        let key = key.id();
        return Ok(Opened {
            record,
            key,
            length,
        });
    };
    let record = Some((record, key.id()));
    Err(Refused { refusal, record })
}

fn worthless(malformed: Malformed) -> Refusal {
    Refusal::worthless(malformed.into())
}

impl From<Malformed> for Rejected {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::Length => Self::Length,
            Malformed::Text => Self::Malformed,
            Malformed::Padding => Self::Implausible,
        }
    }
}

/// A token of an older version is nobody's: none was released. One of a newer version may be a session
/// to a neighbour.
fn other_version(head: Head) -> Refusal {
    let reason = Rejected::Version(head.version);
    let standing = match head.version > VERSION {
        true => Standing::Unread(head.sealed_at),
        false => Standing::Worthless,
    };
    Refusal { reason, standing }
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
