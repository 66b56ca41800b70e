//! The bytes, as `list.lua` reads and writes them too.
//!
//! 1. Numbers are big endian. Lua counts in floating point, so what it touches stays below 2^53;
//!    [`LARGEST`] stands for [`UnixMillis::MAX`], and times above it become that.
//! 2. An entry is a serial, a `from` (of a subject and of everyone the generation), and an `until`; then what only its
//!    kind has: when an anonymous session began, and of a subject the session that is spared and its generation.
//! 3. Records travel packed: kind, id, entry.
//! 4. Stored values are a version and the entry; of a subject then the ids of its last raises. They have an exact
//!    length. A value that is not understood refuses all it could, unlike one that is not there.

use std::time::Duration;

use crate::error::StoreError;
use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::revoke::{LogState, Revocation, SessionEntry, Spared, SubjectEntry};
use crate::time::{UnixMillis, millis};
use crate::wire::read::Reader;

/// The largest whole number that Lua can count to, and "never".
pub(super) const LARGEST: u64 = (1 << 53) - 1;

/// The version that each value begins with.
const VERSION: u8 = 1;

pub(super) const SESSION: u8 = 1;
pub(super) const ANONYMOUS_SESSION: u8 = 2;
pub(super) const SUBJECT: u8 = 3;
const EVERYONE: u8 = 4;
const SINCE: u8 = 5;

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
    let mut bytes = Vec::new();
    for revocation in revocations {
        let nobody = [0; 16];
        let (kind, id, entry) = match *revocation {
            Revocation::Session { id, entry } => (SESSION, *id.as_bytes(), entry),
            Revocation::AnonymousSession { id, entry, .. } => {
                (ANONYMOUS_SESSION, *id.as_bytes(), entry)
            }
            Revocation::Subject { key, entry } => {
                let counted = counted(entry.generation, entry.until)?;
                (SUBJECT, *key.as_bytes(), counted)
            }
            Revocation::Everyone { generation } => {
                (EVERYONE, nobody, counted(generation, UnixMillis::MAX)?)
            }
            Revocation::Anonymous { since } => (SINCE, nobody, at(since, UnixMillis::MAX)),
        };
        bytes.push(kind);
        bytes.extend(id);
        bytes.extend(entry.serial.get().to_be_bytes());
        for time in [entry.from, entry.until] {
            bytes.extend(number(time).to_be_bytes());
        }
        match revocation {
            Revocation::AnonymousSession { created, .. } => {
                bytes.extend(number(*created).to_be_bytes());
            }
            Revocation::Subject { entry, .. } => {
                let spared = entry.spared.unwrap_or(Spared::NOBODY);
                bytes.extend(spared.session.as_bytes());
                bytes.extend(spared.generation.get().to_be_bytes());
            }
            _ => (),
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
    SessionEntry::new(Serial::FIRST, from, until)
}

/// What [`pack`] packed; `None` if it is not understood.
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<Revocation>> {
    let mut rest = Reader::new(bytes);
    let mut revocations = Vec::new();
    while let Some(kind) = rest.byte() {
        let id = rest.array()?;
        revocations.push(read(kind, id, &mut rest)?);
    }
    Some(revocations)
}

/// Reads an entry of this kind.
fn read(kind: u8, id: Id, rest: &mut Reader<'_>) -> Option<Revocation> {
    let entry = SessionEntry {
        serial: Serial::new(u32::from_be_bytes(rest.array()?)),
        from: time(rest.be_u64()?),
        until: time(rest.be_u64()?),
    };
    let (session, key) = (SessionId::from_bytes(id), SubjectKey::from_bytes(id));
    let generation = Generation::new(entry.from.as_millis());
    // No raise reaches the largest number.
    let counts = entry.from < UnixMillis::MAX;
    Some(match kind {
        SESSION => Revocation::Session { id: session, entry },
        ANONYMOUS_SESSION => Revocation::AnonymousSession {
            id: session,
            created: time(rest.be_u64()?),
            entry,
        },
        SUBJECT if counts => Revocation::Subject {
            key,
            entry: SubjectEntry::new(generation, entry.until).sparing(Spared {
                session: SessionId::from_bytes(rest.array()?),
                generation: Generation::new(rest.be_u64()?),
            }),
        },
        EVERYONE if counts => Revocation::Everyone { generation },
        SINCE => Revocation::Anonymous { since: entry.from },
        _ => return None,
    })
}

/// The revocation of a value that is stored for a session, an anonymous one or a subject, and whether the value
/// was understood.
///
/// One that was not refuses all it could: a session counts as ended, a subject's sessions from before now as dead.
pub(super) fn stored(kind: u8, id: Id, value: &[u8], state: &LogState) -> (Revocation, bool) {
    let longest = state.announced.longest;
    match understood(kind, id, value) {
        Some(revocation) => (revocation.kept(longest), true),
        None => {
            let until = state.now + longest;
            let entry = SessionEntry::ended(until);
            let session = SessionId::from_bytes(id);
            let refusal = match kind {
                SUBJECT => Revocation::Subject {
                    key: SubjectKey::from_bytes(id),
                    entry: SubjectEntry::new(Generation::new(state.now.as_millis()), until),
                },
                // It is dropped last if it began now.
                ANONYMOUS_SESSION => Revocation::AnonymousSession {
                    id: session,
                    created: state.now,
                    entry,
                },
                _ => Revocation::Session { id: session, entry },
            };
            (refusal, false)
        }
    }
}

fn understood(kind: u8, id: Id, value: &[u8]) -> Option<Revocation> {
    let mut rest = Reader::new(value);
    if rest.byte()? != VERSION {
        return None;
    }
    let revocation = read(kind, id, &mut rest)?;
    let raises = match kind {
        SUBJECT => REMEMBERED,
        _ => 0,
    };
    let (raised, odd) = rest.rest().as_chunks::<16>();
    (odd.is_empty() && raised.len() <= raises).then_some(revocation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Revocation> {
        let entry = SessionEntry::new(Serial::ENDED, UnixMillis::new(1), UnixMillis::MAX);
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
                entry: SubjectEntry::new(generation, UnixMillis::new(7)),
            },
            Revocation::Subject {
                key: SubjectKey::from_bytes([4; 16]),
                entry: SubjectEntry::new(generation, UnixMillis::new(7)).sparing(Spared {
                    session: SessionId::from_bytes([5; 16]),
                    generation: Generation::new(6),
                }),
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
        let lengths = [37, 45, 61, 61, 37, 37];
        let ends = lengths.iter().scan(0, |end, length| {
            *end += length;
            Some(*end)
        });
        let ends: Vec<usize> = ends.collect();
        assert_eq!(ends.last(), Some(&packed.len()));
        for length in 0..packed.len() {
            let whole = unpack(&packed[..length]);
            assert_eq!(
                whole.is_some(),
                length == 0 || ends.contains(&length),
                "{length}"
            );
        }
        assert_eq!(unpack(&packed).unwrap(), some());
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
        for (kind, length) in [(SESSION, 21), (ANONYMOUS_SESSION, 29), (SUBJECT, 45)] {
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
            let mut value = vec![0; 45 + 16 * raises];
            value[0] = VERSION;
            assert_eq!(understood(SUBJECT, &value), raises <= 4);
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
