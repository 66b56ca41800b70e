//! The bytes, as `list.lua` reads and writes them too.
//!
//! 1. Numbers are big endian. Lua counts in floating point, so what it touches stays below 2^53;
//!    [`LARGEST`] stands for [`UnixMillis::MAX`], and times above it become that.
//! 2. Records travel packed, all of one length: kind, id, serial, `from` (the generation, or since when), `until`,
//!    `created`.
//! 3. Stored values begin with a version and have an exact length. What is not understood is told
//!    apart from what is not there.

use std::time::Duration;

use crate::error::StoreError;
use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::revoke::{Revocation, SessionEntry, SubjectEntry};
use crate::time::{UnixMillis, millis};

/// The largest whole number that Lua can count to, and "never".
pub(super) const LARGEST: u64 = (1 << 53) - 1;

/// The version that each value begins with.
const VERSION: u8 = 1;

const SESSION: u8 = 1;
const ANONYMOUS_SESSION: u8 = 2;
const SUBJECT: u8 = 3;
const EVERYONE: u8 = 4;
const SINCE: u8 = 5;

const RECORD: usize = 45;

/// How many raises of one target the script remembers.
pub(super) const REMEMBERED: usize = 4;

pub(super) type Id = [u8; 16];

/// A time as the server keeps it.
pub(super) fn number(time: UnixMillis) -> u64 {
    time.as_millis().min(LARGEST)
}

/// The same of a duration, in milliseconds.
pub(super) fn duration(duration: Duration) -> u64 {
    millis(duration).min(LARGEST)
}

/// The time that the server keeps as `number`.
pub(super) fn time(number: u64) -> UnixMillis {
    if number >= LARGEST {
        UnixMillis::MAX
    } else {
        UnixMillis::new(number)
    }
}

/// All of `revocations` in one argument.
pub(super) fn pack(revocations: &[Revocation]) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(revocations.len().saturating_mul(RECORD));
    for revocation in revocations {
        Record::of(revocation)?.push_to(&mut bytes);
    }
    Ok(bytes)
}

/// What travels of any revocation.
struct Record {
    kind: u8,
    id: Id,
    serial: Serial,
    from: u64,
    until: UnixMillis,
    created: UnixMillis,
}

impl Record {
    fn new(kind: u8, id: Id, from: u64, until: UnixMillis) -> Self {
        Self {
            kind,
            id,
            serial: Serial::FIRST,
            from,
            until,
            created: UnixMillis::EPOCH,
        }
    }

    fn session(kind: u8, id: &SessionId, entry: &SessionEntry) -> Self {
        Self {
            serial: entry.serial,
            ..Self::new(kind, *id.as_bytes(), number(entry.from), entry.until)
        }
    }

    fn of(revocation: &Revocation) -> Result<Self, StoreError> {
        let nobody = [0; 16];
        Ok(match revocation {
            Revocation::Session { id, entry } => Self::session(SESSION, id, entry),
            Revocation::AnonymousSession { id, created, entry } => Self {
                created: *created,
                ..Self::session(ANONYMOUS_SESSION, id, entry)
            },
            Revocation::Subject { key, entry } => {
                let generation = checked(entry.generation)?;
                Self::new(SUBJECT, *key.as_bytes(), generation, entry.until)
            }
            Revocation::Everyone { generation } => {
                Self::new(EVERYONE, nobody, checked(*generation)?, UnixMillis::MAX)
            }
            Revocation::Anonymous { since } => {
                Self::new(SINCE, nobody, number(*since), UnixMillis::MAX)
            }
        })
    }

    fn push_to(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.kind);
        bytes.extend(self.id);
        bytes.extend(self.serial.get().to_be_bytes());
        bytes.extend(self.from.to_be_bytes());
        bytes.extend(number(self.until).to_be_bytes());
        bytes.extend(number(self.created).to_be_bytes());
    }
}

/// A generation that can still be raised.
fn checked(generation: Generation) -> Result<u64, StoreError> {
    let generation = generation.get();
    (generation < LARGEST)
        .then_some(generation)
        .ok_or(StoreError::Exhausted)
}

/// What [`pack`] packed; `None` if it is not understood.
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<Revocation>> {
    let records = bytes.chunks_exact(RECORD);
    if !records.remainder().is_empty() {
        return None;
    }
    records.map(|record| revocation(Fields(record))).collect()
}

fn revocation(mut fields: Fields<'_>) -> Option<Revocation> {
    let [kind] = fields.take()?;
    let id: Id = fields.take()?;
    let serial = Serial::new(u32::from_be_bytes(fields.take()?));
    let from = fields.number()?;
    let until = time(fields.number()?);
    let created = time(fields.number()?);
    let session = || SessionEntry {
        serial,
        from: time(from),
        until,
    };
    Some(match kind {
        SESSION => Revocation::Session {
            id: SessionId::from_bytes(id),
            entry: session(),
        },
        ANONYMOUS_SESSION => Revocation::AnonymousSession {
            id: SessionId::from_bytes(id),
            created,
            entry: session(),
        },
        SUBJECT => Revocation::Subject {
            key: SubjectKey::from_bytes(id),
            entry: SubjectEntry {
                generation: generation(from)?,
                until,
            },
        },
        EVERYONE => Revocation::Everyone {
            generation: generation(from)?,
        },
        SINCE => Revocation::Anonymous { since: time(from) },
        _ => return None,
    })
}

/// None that a counter could not have reached.
fn generation(number: u64) -> Option<Generation> {
    (number < LARGEST).then(|| Generation::new(number))
}

/// A value in `sessions`; `None` if it is not understood.
pub(super) fn session(value: &[u8]) -> Option<SessionEntry> {
    let mut fields = Fields::of(value)?;
    let entry = fields.session()?;
    fields.0.is_empty().then_some(entry)
}

/// A value in `anonymous`: a session's, and when that began.
pub(super) fn anonymous(value: &[u8]) -> Option<(UnixMillis, SessionEntry)> {
    let mut fields = Fields::of(value)?;
    let entry = fields.session()?;
    let created = time(fields.number()?);
    fields.0.is_empty().then_some((created, entry))
}

/// A value in `subjects`: `until`, the generation, and its last raises.
pub(super) fn subject(value: &[u8]) -> Option<SubjectEntry> {
    let mut fields = Fields::of(value)?;
    let until = time(fields.number()?);
    let current = generation(fields.number()?)?;
    let [raises] = fields.take()?;
    if usize::from(raises) > REMEMBERED {
        return None;
    }
    for _ in 0..raises {
        let _raise: Id = fields.take()?;
        generation(fields.number()?)?;
        generation(fields.number()?)?;
    }
    let entry = SubjectEntry {
        generation: current,
        until,
    };
    fields.0.is_empty().then_some(entry)
}

/// What is left of a value.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// After the version.
    fn of(value: &'a [u8]) -> Option<Self> {
        let (version, rest) = value.split_first()?;
        (*version == VERSION).then_some(Self(rest))
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn session(&mut self) -> Option<SessionEntry> {
        Some(SessionEntry {
            serial: Serial::new(u32::from_be_bytes(self.take()?)),
            from: time(self.number()?),
            until: time(self.number()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Revocation> {
        let entry = SessionEntry {
            serial: Serial::ENDED,
            from: UnixMillis::new(1),
            until: UnixMillis::MAX,
        };
        let generation = Generation::new(LARGEST - 1);
        vec![
            Revocation::Session {
                id: SessionId::from_bytes([1; 16]),
                entry,
            },
            Revocation::AnonymousSession {
                id: SessionId::from_bytes([2; 16]),
                created: UnixMillis::new(9),
                entry,
            },
            Revocation::Subject {
                key: SubjectKey::from_bytes([3; 16]),
                entry: SubjectEntry {
                    generation,
                    until: UnixMillis::new(7),
                },
            },
            Revocation::Everyone { generation },
            Revocation::Anonymous {
                since: UnixMillis::new(11),
            },
        ]
    }

    #[test]
    fn records_read_back_and_nothing_else_does() {
        let packed = pack(&some()).unwrap();
        assert_eq!(packed.len(), 5 * RECORD);
        assert_eq!(unpack(&packed).unwrap(), some());
        assert_eq!(unpack(&packed[1..]), None);
        assert_eq!(unpack(&packed[..RECORD + 3]), None);
        for kind in [0, 6, 255] {
            let mut odd = packed.clone();
            odd[0] = kind;
            assert_eq!(unpack(&odd), None);
        }
    }

    #[test]
    fn what_lua_can_not_count_is_never_or_refused() {
        for absurd in [LARGEST, LARGEST + 1, u64::MAX] {
            assert_eq!(number(UnixMillis::new(absurd)), LARGEST);
            assert_eq!(time(absurd), UnixMillis::MAX);
            let generation = Generation::new(absurd);
            let everyone = Revocation::Everyone { generation };
            assert_eq!(pack(&[everyone]), Err(StoreError::Exhausted));
        }
        assert_eq!(time(LARGEST - 1), UnixMillis::new(LARGEST - 1));
    }

    #[test]
    fn values_are_of_one_version_and_length() {
        strict(21, |value| session(value).is_some());
        strict(29, |value| anonymous(value).is_some());
        strict(18, |value| subject(value).is_some());

        fn strict(length: usize, understood: impl Fn(&[u8]) -> bool) {
            let mut value = vec![0; length];
            assert!(!understood(&value));
            value[0] = VERSION;
            assert!(understood(&value));
            assert!(!understood(&value[..length - 1]));
            value.push(0);
            assert!(!understood(&value));
            assert!(!understood(&[]));
        }
        for raises in 0..=5 {
            let mut value = vec![0; 18 + 32 * raises];
            (value[0], value[17]) = (VERSION, raises as u8);
            assert_eq!(subject(&value).is_some(), raises <= 4);
        }
    }
}
