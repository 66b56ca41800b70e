//! What a frame says: records of fixed width, numbers big endian.
//!
//! | kind | what | then |
//! |---|---|---|
//! | 0 | about the list; the last one counts | since when it is complete, longest life, capacity, outage, last sweep, whether it was used |
//! | 1 | a session | id, serial, from, until |
//! | 2 | an anonymous session | id, created, serial, from, until |
//! | 3 | a subject | key, generation, until |
//! | 4 | everyone | generation |
//! | 5 | all anonymous sessions | since |
//! | 6 | the end of what a compaction wrote | |
//!
//! Times are milliseconds since 1970, durations milliseconds. A kind that is not known is of a later release, and
//! nobody can tell what it revokes: it is refused.

use std::time::Duration;

use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::revoke::{Announcement, Revocation, SessionEntry, SubjectEntry};
use crate::time::{UnixMillis, millis};

/// What a list is, besides its entries.
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

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    About(About),
    Revocation(Revocation),
    /// What a compaction wrote ends here. Without it something is missing that was acknowledged.
    End,
}

impl Record {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::About(about) => {
                out.push(0);
                put_time(out, about.complete_since);
                put(out, millis(about.announced.longest));
                put(out, about.announced.anonymous_capacity);
                put(out, millis(about.announced.max_outage));
                put_time(out, about.last_sweep);
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
                put_time(out, *created);
                put_entry(out, entry);
            }
            Self::Revocation(Revocation::Subject { key, entry }) => {
                out.push(3);
                out.extend(key.as_bytes());
                put(out, entry.generation.get());
                put_time(out, entry.until);
            }
            Self::Revocation(Revocation::Everyone { generation }) => {
                out.push(4);
                put(out, generation.get());
            }
            Self::Revocation(Revocation::Anonymous { since }) => {
                out.push(5);
                put_time(out, *since);
            }
            Self::End => out.push(6),
        }
    }
}

fn put(out: &mut Vec<u8>, number: u64) {
    out.extend(number.to_be_bytes());
}

fn put_time(out: &mut Vec<u8>, time: UnixMillis) {
    put(out, time.as_millis());
}

fn put_entry(out: &mut Vec<u8>, entry: &SessionEntry) {
    out.extend(entry.serial.get().to_be_bytes());
    put_time(out, entry.from);
    put_time(out, entry.until);
}

/// Hands all records in a frame's body to `take`.
///
/// # Errors
/// What is wrong, in words, if there is anything that this release does not write.
pub(super) fn read(body: &[u8], mut take: impl FnMut(Record)) -> Result<(), String> {
    let mut rest = body;
    while let Some((&kind, after)) = rest.split_first() {
        let mut fields = Fields(after);
        let record = fields.record(kind)?;
        let cut = || "a record in it is cut off".to_owned();
        take(record.ok_or_else(cut)?);
        rest = fields.0;
    }
    Ok(())
}

struct Fields<'b>(&'b [u8]);

impl Fields<'_> {
    /// The record of this kind; none if it is cut off.
    fn record(&mut self, kind: u8) -> Result<Option<Record>, String> {
        Ok(match kind {
            0 => self.about().map(Record::About),
            1..=5 => self.revocation(kind).map(Record::Revocation),
            6 => Some(Record::End),
            other => {
                return Err(format!(
                    "it holds a record of kind {other}, which a later release wrote"
                ));
            }
        })
    }

    fn about(&mut self) -> Option<About> {
        let complete_since = self.time()?;
        let announced = Announcement::new(self.span()?, self.number()?, self.span()?);
        let last_sweep = self.time()?;
        let [is_used] = self.bytes()?;
        Some(About {
            complete_since,
            announced,
            last_sweep,
            // Whatever it is: a list that was used is trusted with less.
            is_used: is_used != 0,
        })
    }

    fn revocation(&mut self, kind: u8) -> Option<Revocation> {
        Some(match kind {
            1 => Revocation::Session {
                id: SessionId::from_bytes(self.bytes()?),
                entry: self.entry()?,
            },
            2 => Revocation::AnonymousSession {
                id: SessionId::from_bytes(self.bytes()?),
                created: self.time()?,
                entry: self.entry()?,
            },
            3 => Revocation::Subject {
                key: SubjectKey::from_bytes(self.bytes()?),
                entry: SubjectEntry {
                    generation: Generation::new(self.number()?),
                    until: self.time()?,
                },
            },
            4 => Revocation::Everyone {
                generation: Generation::new(self.number()?),
            },
            _ => Revocation::Anonymous {
                since: self.time()?,
            },
        })
    }

    fn entry(&mut self) -> Option<SessionEntry> {
        Some(SessionEntry {
            serial: Serial::new(u32::from_be_bytes(self.bytes()?)),
            from: self.time()?,
            until: self.time()?,
        })
    }

    fn span(&mut self) -> Option<Duration> {
        self.number().map(Duration::from_millis)
    }

    fn time(&mut self) -> Option<UnixMillis> {
        self.number().map(UnixMillis::new)
    }

    fn number(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_be_bytes)
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }
}
