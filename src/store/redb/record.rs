//! The tables and the bytes in them.
//!
//! 1. Every value is of fixed length and begins with a version. Anything else is damage: a value
//!    that is not understood must never read as "not revoked".
//! 2. Numbers are big endian, so that keys sort as numbers.
//! 3. Each entry that expires has exactly one key in [`EXPIRY`], made of the `until` in its value.

use ::redb::TableDefinition;

use super::fault::Fault;
use crate::clock::UnixMillis;
use crate::id::{Generation, RaiseId, Serial};
use crate::revoke::counter::{Counter, PastRaise, REMEMBERED};
use crate::revoke::{SessionEntry, SubjectEntry};

/// What the file is ([`FORMAT`]), the [`List`], and whether damage was found.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// Session id to [`SessionEntry`].
pub(super) const SESSIONS: TableDefinition<'_, &Id, &[u8]> = TableDefinition::new("sessions");
/// Session id to [`Visitor`].
pub(super) const VISITORS: TableDefinition<'_, &Id, &[u8]> = TableDefinition::new("visitors");
/// [`Visitor::place`] to session id.
pub(super) const VISITOR_ORDER: TableDefinition<'_, u64, &Id> =
    TableDefinition::new("visitor_order");
/// Subject key to [`Subject`].
pub(super) const SUBJECTS: TableDefinition<'_, &Id, &[u8]> = TableDefinition::new("subjects");
/// When to look at which entry: see [`expiry`].
pub(super) const EXPIRY: TableDefinition<'_, &Expiry, ()> = TableDefinition::new("expiry");

pub(super) type Id = [u8; 16];
pub(super) type Expiry = [u8; 25];

/// Under which keys [`META`] holds what.
pub(super) const FORMAT_KEY: &str = "format";
pub(super) const LIST_KEY: &str = "list";
pub(super) const DAMAGED_KEY: &str = "damaged";

/// What the file says of itself. The number is that of the tables and values.
pub(super) const FORMAT: &str = "sealed-session revocations 1";

/// The version that each value begins with.
const VERSION: u8 = 1;

/// Which table an expiring entry is in.
pub(super) const SESSION: u8 = 1;
pub(super) const VISITOR: u8 = 2;
pub(super) const SUBJECT: u8 = 3;

/// The key in [`EXPIRY`] of an entry.
pub(super) fn expiry(until: UnixMillis, kind: u8, id: &Id) -> Expiry {
    let mut key = [0; 25];
    let parts = until.as_millis().to_be_bytes().into_iter();
    let parts = parts.chain([kind]).chain(*id);
    key.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    key
}

/// The kind and id in a key of [`EXPIRY`].
pub(super) fn expiring(key: &Expiry) -> Result<(u8, Id), Fault> {
    let mut fields = Fields(key);
    let _until = fields.number();
    let kind = fields.take::<1>().map(|[kind]| kind);
    let id = fields.take();
    kind.zip(id).ok_or_else(|| unknown("expiry"))
}

/// A value that is stored as bytes.
pub(super) trait Record: Sized {
    /// For errors.
    const NAME: &'static str;

    fn write(&self, bytes: &mut Vec<u8>);
    fn read(fields: &mut Fields<'_>) -> Option<Self>;

    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        self.write(&mut bytes);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let mut fields = Fields(bytes);
        let record = match fields.take() {
            Some([VERSION]) => Self::read(&mut fields),
            _ => None,
        };
        match record {
            Some(record) if fields.0.is_empty() => Ok(record),
            _ => Err(unknown(Self::NAME)),
        }
    }
}

fn unknown(name: &str) -> Fault {
    Fault::Damaged(format!("a {name} entry is not what this release writes"))
}

/// The list as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct List {
    pub(super) born: UnixMillis,
    /// Before which nobody can vouch for the list.
    pub(super) floor: UnixMillis,
    pub(super) last_sweep: UnixMillis,
    /// In milliseconds.
    pub(super) longest: u64,
    pub(super) visitors_dropped: u64,
    /// Whether anything was ever revoked here, also if it was forgotten since.
    pub(super) used: bool,
    pub(super) everyone: Counter,
}

impl Record for List {
    const NAME: &'static str = "list";

    fn write(&self, bytes: &mut Vec<u8>) {
        for number in [
            self.born.as_millis(),
            self.floor.as_millis(),
            self.last_sweep.as_millis(),
            self.longest,
            self.visitors_dropped,
        ] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.push(u8::from(self.used));
        self.everyone.write(bytes);
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            born: UnixMillis::new(fields.number()?),
            floor: UnixMillis::new(fields.number()?),
            last_sweep: UnixMillis::new(fields.number()?),
            longest: fields.number()?,
            visitors_dropped: fields.number()?,
            used: match fields.take()? {
                [0] => false,
                [1] => true,
                _ => return None,
            },
            everyone: Counter::read(fields)?,
        })
    }
}

impl Record for Counter {
    const NAME: &'static str = "generation";

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.generation.get().to_be_bytes());
        for past in self.recent {
            bytes.push(u8::from(past.is_some()));
            let past = past.unwrap_or(PastRaise {
                id: RaiseId::from_bytes([0; 16]),
                generation: Generation::NONE,
                previous: Generation::NONE,
            });
            bytes.extend(past.id.as_bytes());
            bytes.extend(past.generation.get().to_be_bytes());
            bytes.extend(past.previous.get().to_be_bytes());
        }
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let generation = Generation::new(fields.number()?);
        let mut recent = [None; REMEMBERED];
        for place in &mut recent {
            let [is_some] = fields.take()?;
            let past = PastRaise {
                id: RaiseId::from_bytes(fields.take()?),
                generation: Generation::new(fields.number()?),
                previous: Generation::new(fields.number()?),
            };
            *place = match is_some {
                0 => None,
                1 => Some(past),
                _ => return None,
            };
        }
        Some(Self { generation, recent })
    }
}

impl Record for SessionEntry {
    const NAME: &'static str = "session";

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.serial.get().to_be_bytes());
        bytes.extend(self.from.as_millis().to_be_bytes());
        bytes.extend(self.until.as_millis().to_be_bytes());
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            serial: Serial::new(u32::from_be_bytes(fields.take()?)),
            from: UnixMillis::new(fields.number()?),
            until: UnixMillis::new(fields.number()?),
        })
    }
}

/// A visitor's entry and its place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visitor {
    pub(super) place: u64,
    pub(super) entry: SessionEntry,
}

impl Record for Visitor {
    const NAME: &'static str = "visitor";

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.place.to_be_bytes());
        self.entry.write(bytes);
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            place: fields.number()?,
            entry: SessionEntry::read(fields)?,
        })
    }
}

/// A subject's generation and how long it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Subject {
    pub(super) counter: Counter,
    pub(super) until: UnixMillis,
}

impl Subject {
    pub(super) fn entry(&self) -> SubjectEntry {
        SubjectEntry {
            generation: self.counter.generation,
            until: self.until,
        }
    }
}

impl Record for Subject {
    const NAME: &'static str = "subject";

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.until.as_millis().to_be_bytes());
        self.counter.write(bytes);
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            until: UnixMillis::new(fields.number()?),
            counter: Counter::read(fields)?,
        })
    }
}

/// What is left of a value.
pub(super) struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
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

    fn strict<R: Record + PartialEq + std::fmt::Debug>(record: R) {
        let bytes = record.encode();
        assert_eq!(R::decode(&bytes).unwrap(), record);
        for cut in 0..bytes.len() {
            assert!(R::decode(&bytes[..cut]).is_err());
        }
        let mut long = bytes.clone();
        long.push(0);
        assert!(R::decode(&long).is_err());
        let mut other = bytes;
        other[0] = VERSION + 1;
        assert!(R::decode(&other).is_err());
    }

    #[test]
    fn records_read_back_and_nothing_else_does() {
        let past = PastRaise {
            id: RaiseId::from_bytes([7; 16]),
            generation: Generation::new(8),
            previous: Generation::new(6),
        };
        let counter = Counter {
            generation: Generation::new(9),
            recent: [Some(past), Some(past), None, None],
        };
        let entry = SessionEntry {
            serial: Serial::ENDED,
            from: UnixMillis::new(1),
            until: UnixMillis::new(2),
        };
        strict(counter);
        strict(Counter::default());
        strict(entry);
        strict(Visitor { place: 3, entry });
        strict(Subject {
            counter,
            until: UnixMillis::new(4),
        });
        strict(List {
            floor: UnixMillis::new(3),
            born: UnixMillis::new(1),
            last_sweep: UnixMillis::new(2),
            longest: 3,
            visitors_dropped: 4,
            used: true,
            everyone: counter,
        });
    }

    #[test]
    fn expiry_keys_sort_by_time_and_read_back() {
        let early = expiry(UnixMillis::new(255), SUBJECT, &[0xff; 16]);
        let late = expiry(UnixMillis::new(256), SESSION, &[0; 16]);
        assert!(early < late);
        assert_eq!(expiring(&early).unwrap(), (SUBJECT, [0xff; 16]));
    }
}
