//! The records in a frame: of fixed width, numbers big endian.
//!
//! | kind | what | then |
//! |---|---|---|
//! | 0 | about the list; the last one counts | since when it is complete, longest life, capacity, outage, last sweep, whether it was used |
//! | 1 | a session | id, serial, from, until |
//! | 2 | an anonymous session | id, created, serial, from, until |
//! | 3 | a subject | key, generation, until, the session that is spared, its generation (zeros if there is none) |
//! | 4 | everyone | generation |
//! | 5 | all anonymous sessions | since |
//! | 6 | the end of what a compaction wrote | |
//!
//! Times are milliseconds since 1970, durations milliseconds. A kind that is not known is of a later release: it is
//! refused, because it may revoke something.

use std::time::Duration;

use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::revoke::{Announcement, Revocation, SessionEntry, Spared, SubjectEntry};
use crate::time::{UnixMillis, millis};
use crate::wire::read::Reader;

/// The facts about a list, besides its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct About {
    /// Since when it knows of sessions.
    pub(super) complete_since: UnixMillis,
    /// The largest of each that was announced.
    pub(super) announced: Announcement,
    /// When something may last have been forgotten.
    pub(super) last_sweep: UnixMillis,
    /// Whether anything was ever revoked.
    pub(super) is_used: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JournalRecord {
    About(About),
    Revocation(Revocation),
    /// The end of a compaction. Without it something is missing that was acknowledged.
    End,
}

impl JournalRecord {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::About(about) => {
                out.push(0);
                put(out, about.complete_since.as_millis());
                put(out, millis(about.announced.longest));
                put(out, about.announced.anonymous_capacity);
                put(out, millis(about.announced.max_outage));
                put(out, about.last_sweep.as_millis());
                out.push(u8::from(about.is_used));
            }
            Self::Revocation(Revocation::Session { id, entry }) => {
                out.push(1);
                out.extend(id.as_bytes());
                put_entry(out, entry);
            }
            Self::Revocation(Revocation::AnonymousSession { id, created, entry }) => {
                out.push(2);
                out.extend(id.as_bytes());
                put(out, created.as_millis());
                put_entry(out, entry);
            }
            Self::Revocation(Revocation::Subject { key, entry }) => {
                out.push(3);
                out.extend(key.as_bytes());
                put(out, entry.generation.get());
                put(out, entry.until.as_millis());
                let spared = entry.spared.unwrap_or(Spared::NOBODY);
                out.extend(spared.session.as_bytes());
                put(out, spared.generation.get());
            }
            Self::Revocation(Revocation::Everyone { generation }) => {
                out.push(4);
                put(out, generation.get());
            }
            Self::Revocation(Revocation::Anonymous { since }) => {
                out.push(5);
                put(out, since.as_millis());
            }
            Self::End => out.push(6),
        }
    }
}

fn put(out: &mut Vec<u8>, number: u64) {
    out.extend(number.to_be_bytes());
}

fn put_entry(out: &mut Vec<u8>, entry: &SessionEntry) {
    out.extend(entry.serial.get().to_be_bytes());
    put(out, entry.from.as_millis());
    put(out, entry.until.as_millis());
}

/// Hands all records in a frame's body to `take`.
///
/// # Errors
/// The problem in words, if there is a record that this release does not write.
pub(super) fn read(body: &[u8], mut take: impl FnMut(JournalRecord)) -> Result<(), String> {
    let mut body = Reader::new(body);
    while let Some(kind) = body.byte() {
        let record = match kind {
            0 => about(&mut body).map(JournalRecord::About),
            1..=5 => revocation(kind, &mut body).map(JournalRecord::Revocation),
            6 => Some(JournalRecord::End),
            other => {
                return Err(format!(
                    "it holds a record of kind {other}, which a later release wrote"
                ));
            }
        };
        take(record.ok_or("a record in it is cut off")?);
    }
    Ok(())
}

fn about(body: &mut Reader<'_>) -> Option<About> {
    Some(About {
        complete_since: time(body)?,
        announced: Announcement::new(span(body)?, body.be_u64()?, span(body)?),
        last_sweep: time(body)?,
        // Whatever it is: a list that was used is trusted with less.
        is_used: body.byte()? != 0,
    })
}

fn revocation(kind: u8, body: &mut Reader<'_>) -> Option<Revocation> {
    Some(match kind {
        1 => Revocation::Session {
            id: SessionId::from_bytes(body.array()?),
            entry: entry(body)?,
        },
        2 => Revocation::AnonymousSession {
            id: SessionId::from_bytes(body.array()?),
            created: time(body)?,
            entry: entry(body)?,
        },
        3 => Revocation::Subject {
            key: SubjectKey::from_bytes(body.array()?),
            entry: SubjectEntry::new(Generation::new(body.be_u64()?), time(body)?).sparing(
                Spared {
                    session: SessionId::from_bytes(body.array()?),
                    generation: Generation::new(body.be_u64()?),
                },
            ),
        },
        4 => Revocation::Everyone {
            generation: Generation::new(body.be_u64()?),
        },
        _ => Revocation::Anonymous { since: time(body)? },
    })
}

fn entry(body: &mut Reader<'_>) -> Option<SessionEntry> {
    Some(SessionEntry {
        serial: Serial::new(u32::from_be_bytes(body.array()?)),
        from: time(body)?,
        until: time(body)?,
    })
}

fn span(body: &mut Reader<'_>) -> Option<Duration> {
    body.be_u64().map(Duration::from_millis)
}

fn time(body: &mut Reader<'_>) -> Option<UnixMillis> {
    body.be_u64().map(UnixMillis::new)
}
