//! The bytes, as `list.lua` reads and writes them too.
//!
//! 1. Numbers are big endian. Lua counts in floating point, so what it touches stays below 2^53;
//!    [`LARGEST`] stands for [`UnixMillis::MAX`], and times above it become that.
//! 2. An entry is a serial, a `from` (of a subject and of everyone the generation), and an `until`.
//! 3. Records travel packed, all of one length: kind, id, entry, and when an anonymous session began.
//! 4. Stored values are a version, the entry, and the fields that only its kind has. They have an exact length. A
//!    value that is not understood refuses all it could, unlike one that is not there.

use std::time::Duration;

use crate::error::StoreError;
use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::revoke::{LogState, Revocation, SessionEntry, SubjectEntry};
use crate::time::{UnixMillis, millis};

/// The largest whole number that Lua can count to, and "never".
pub(super) const LARGEST: u64 = (1 << 53) - 1;

/// The version that each value begins with.
const VERSION: u8 = 1;

pub(super) const SESSION: u8 = 1;
pub(super) const ANONYMOUS_SESSION: u8 = 2;
pub(super) const SUBJECT: u8 = 3;
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
        let (nobody, never) = ([0; 16], UnixMillis::EPOCH);
        let (kind, id, entry, created) = match *revocation {
            Revocation::Session { id, entry } => (SESSION, *id.as_bytes(), entry, never),
            Revocation::AnonymousSession { id, created, entry } => {
                (ANONYMOUS_SESSION, *id.as_bytes(), entry, created)
            }
            Revocation::Subject { key, entry } => {
                let counted = counted(entry.generation, entry.until)?;
                (SUBJECT, *key.as_bytes(), counted, never)
            }
            Revocation::Everyone { generation } => {
                let counted = counted(generation, UnixMillis::MAX)?;
                (EVERYONE, nobody, counted, never)
            }
            Revocation::Anonymous { since } => (SINCE, nobody, at(since, UnixMillis::MAX), never),
        };
        bytes.push(kind);
        bytes.extend(id);
        bytes.extend(entry.serial.get().to_be_bytes());
        for time in [entry.from, entry.until, created] {
            bytes.extend(number(time).to_be_bytes());
        }
    }
    Ok(bytes)
}

/// The entry of a generation that can still be raised.
fn counted(generation: Generation, until: UnixMillis) -> Result<SessionEntry, StoreError> {
    match generation.get() {
        LARGEST.. => Err(StoreError::Exhausted),
        generation => Ok(at(UnixMillis::new(generation), until)),
    }
}

fn at(from: UnixMillis, until: UnixMillis) -> SessionEntry {
    let serial = Serial::FIRST;
    SessionEntry {
        serial,
        from,
        until,
    }
}

/// What [`pack`] packed; `None` if it is not understood.
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<Revocation>> {
    let (records, rest) = bytes.as_chunks::<RECORD>();
    let records = records.iter().map(|record| {
        let mut rest = Remaining(record);
        let [kind] = rest.take()?;
        let id = rest.take()?;
        read(kind, id, &mut rest)
    });
    records.collect::<Option<_>>().filter(|_| rest.is_empty())
}

/// Reads an entry of this kind.
fn read(kind: u8, id: Id, rest: &mut Remaining<'_>) -> Option<Revocation> {
    let entry = SessionEntry {
        serial: Serial::new(u32::from_be_bytes(rest.take()?)),
        from: time(rest.number()?),
        until: time(rest.number()?),
    };
    let created = match kind {
        ANONYMOUS_SESSION => time(rest.number()?),
        _ => UnixMillis::EPOCH,
    };
    let is_known = match kind {
        SESSION | ANONYMOUS_SESSION | SINCE => true,
        // No raise reaches the largest number.
        SUBJECT | EVERYONE => entry.from < UnixMillis::MAX,
        _ => false,
    };
    is_known.then(|| revocation(kind, id, entry, created))
}

fn revocation(kind: u8, id: Id, entry: SessionEntry, created: UnixMillis) -> Revocation {
    let (session, key) = (SessionId::from_bytes(id), SubjectKey::from_bytes(id));
    let SessionEntry { from, until, .. } = entry;
    let generation = Generation::new(from.as_millis());
    match kind {
        SESSION => Revocation::Session { id: session, entry },
        ANONYMOUS_SESSION => Revocation::AnonymousSession {
            id: session,
            created,
            entry,
        },
        SUBJECT => Revocation::Subject {
            key,
            entry: SubjectEntry { generation, until },
        },
        EVERYONE => Revocation::Everyone { generation },
        _ => Revocation::Anonymous { since: from },
    }
}

/// The revocation of a value that is stored for a session, an anonymous one or a subject, and whether the value
/// was understood.
///
/// One that was not refuses all it could: a session counts as ended, a subject's sessions from before now as dead.
pub(super) fn stored(kind: u8, id: Id, value: &[u8], state: &LogState) -> (Revocation, bool) {
    let longest = state.announced.longest;
    match understood(kind, id, value) {
        Some(Revocation::Subject { key, entry }) => {
            let entry = entry.kept(longest);
            (Revocation::Subject { key, entry }, true)
        }
        Some(revocation) => (revocation, true),
        None => {
            let refusal = SessionEntry {
                serial: Serial::ENDED,
                from: match kind {
                    SUBJECT => state.now,
                    _ => UnixMillis::EPOCH,
                },
                until: state.now + longest,
            };
            // An anonymous session is dropped last if it began now.
            (revocation(kind, id, refusal, state.now), false)
        }
    }
}

fn understood(kind: u8, id: Id, value: &[u8]) -> Option<Revocation> {
    let mut rest = Remaining(value);
    if rest.take()? != [VERSION] {
        return None;
    }
    let revocation = read(kind, id, &mut rest)?;
    let raises = match kind {
        SUBJECT => REMEMBERED,
        _ => 0,
    };
    for _ in 0..raises {
        if rest.0.is_empty() {
            break;
        }
        let _raise: Id = rest.take()?;
        // The generation, and the one before.
        if rest.number()? >= LARGEST || rest.number()? >= LARGEST {
            return None;
        }
    }
    rest.0.is_empty().then_some(revocation)
}

/// The bytes that are still to be read.
struct Remaining<'a>(&'a [u8]);

impl Remaining<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
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
    fn numbers_that_lua_cannot_count_to_are_never_or_refused() {
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
        let understood = |kind, value: &[u8]| understood(kind, [1; 16], value).is_some();
        for (kind, length) in [(SESSION, 21), (ANONYMOUS_SESSION, 29), (SUBJECT, 21)] {
            let mut value = vec![0; length];
            assert!(!understood(kind, &value));
            value[0] = VERSION;
            assert!(understood(kind, &value));
            assert!(!understood(kind, &value[..length - 1]));
            value.push(0);
            assert!(!understood(kind, &value));
            assert!(!understood(kind, &[]));
        }
        for raises in 0..=5 {
            let mut value = vec![0; 21 + 32 * raises];
            value[0] = VERSION;
            assert_eq!(understood(SUBJECT, &value), raises <= 4);
            assert_eq!(understood(SESSION, &value), raises == 0);
        }
    }

    #[test]
    fn a_value_that_is_not_understood_refuses_all_it_could() {
        let (now, longest) = (UnixMillis::new(1000), Duration::from_millis(50));
        let mut state = LogState::new(Default::default(), now, now);
        state.announced.longest = longest;
        for kind in [SESSION, ANONYMOUS_SESSION, SUBJECT] {
            let (revocation, is_understood) = stored(kind, [1; 16], b"odd", &state);
            assert!(!is_understood);
            assert_eq!(revocation.until(), now + longest);
            match revocation {
                Revocation::Session { entry, .. } => assert_eq!(entry.serial, Serial::ENDED),
                Revocation::AnonymousSession { created, entry, .. } => {
                    assert_eq!((created, entry.serial), (now, Serial::ENDED));
                }
                Revocation::Subject { entry, .. } => assert_eq!(entry.generation.get(), 1000),
                other => panic!("{other:?}"),
            }
        }
    }
}
