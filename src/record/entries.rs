//! The application's entries, as they stand in a record: names and values, one after the other.
//!
//! 1. They stay the bytes that they came as. Most requests look at one of them, and most that write
//!    change one; making a map of all would cost more than opening the cookie.
//! 2. [`Entries::read`] looks at every byte, so that nothing can fail later.
//! 3. They are in the order of their names, bytewise, each once. A writer puts them so, and what is in
//!    another order is refused.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use crate::wire::pairs::Pair;
use crate::wire::read::Reader;

/// Name to MessagePack.
#[derive(Clone, Default)]
pub(crate) struct Entries {
    /// Ends with the entries.
    bytes: Vec<u8>,
    /// Where they begin.
    start: usize,
    count: usize,
}

impl Entries {
    /// Takes the entries that `bytes` holds from `start` on, if they are as many.
    pub(super) fn read(bytes: Vec<u8>, start: usize, count: u64) -> Option<Self> {
        let all = bytes.get(start..)?;
        let mut reader = Reader::new(all);
        let mut read = 0;
        let mut last: Option<&[u8]> = None;
        while !reader.rest().is_empty() {
            let entry = Pair::read(&mut reader)?;
            // Most names are ASCII. The read of a large session takes 9 % more instructions without this.
            let is_text = entry.name.is_ascii() || str::from_utf8(entry.name).is_ok();
            if !is_text || last.is_some_and(|last| last >= entry.name) {
                return None;
            }
            last = Some(entry.name);
            read += 1;
        }
        if u64::try_from(read) != Ok(count) {
            return None;
        }
        Some(Self {
            bytes,
            start,
            count: read,
        })
    }

    /// How many there are, and all of them.
    pub(super) fn parts(&self) -> (usize, &[u8]) {
        (self.count, self.bytes.get(self.start..).unwrap_or_default())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.raw().map(|entry| {
            // What is not UTF-8 was refused when it was read.
            let name = str::from_utf8(entry.name).unwrap_or_default();
            (name, entry.value)
        })
    }

    fn raw(&self) -> impl Iterator<Item = Pair<'_>> {
        let mut reader = Reader::new(self.parts().1);
        std::iter::from_fn(move || Pair::read(&mut reader))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        let mut all = self.raw();
        let named = all.find(|entry| entry.name == name.as_bytes());
        named.map(|entry| entry.value)
    }

    /// Where the entry of this name stands among all, or would.
    fn place(&self, name: &str) -> Range<usize> {
        let mut start = 0;
        for entry in self.raw() {
            match entry.name.cmp(name.as_bytes()) {
                Ordering::Less => start += entry.bytes.len(),
                Ordering::Equal => return start..start + entry.bytes.len(),
                Ordering::Greater => break,
            }
        }
        start..start
    }

    /// With one more, in the place of any of its name.
    pub(crate) fn with(&self, name: &str, value: &[u8]) -> Self {
        let place = self.place(name);
        let (count, all) = self.parts();
        let mut bytes = Vec::with_capacity(all.len() + Pair::room(name.as_bytes(), value));
        bytes.extend_from_slice(all.get(..place.start).unwrap_or_default());
        Pair::write(name.as_bytes(), value, &mut bytes);
        bytes.extend_from_slice(all.get(place.end..).unwrap_or_default());
        Self {
            bytes,
            start: 0,
            count: count + usize::from(place.is_empty()),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Vec<u8>> {
        let value = self.get(name)?.to_vec();
        let place = self.place(name);
        self.bytes
            .drain(self.start + place.start..self.start + place.end);
        self.count -= 1;
        Some(value)
    }

    /// With the others, which count where both have one of a name.
    pub(crate) fn with_all(&self, others: &Self) -> Self {
        self.iter().chain(others.iter()).collect()
    }
}

/// As an honest writer puts them: of several of one name the last counts.
impl<'e> FromIterator<(&'e str, &'e [u8])> for Entries {
    fn from_iter<T: IntoIterator<Item = (&'e str, &'e [u8])>>(entries: T) -> Self {
        let sorted: BTreeMap<_, _> = entries.into_iter().collect();
        let mut all = Self::default();
        for (name, value) in sorted {
            Pair::write(name.as_bytes(), value, &mut all.bytes);
            all.count += 1;
        }
        all
    }
}

/// By what they say, wherever their bytes are.
impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Entries {}

/// Tells the names, and not the values, which may be personal.
impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_bytes::Bytes;

    /// As postcard writes a map; less than 128 entries take one byte for their number.
    fn read(map: &BTreeMap<String, serde_bytes::ByteBuf>) -> Option<Entries> {
        let bytes = postcard::to_allocvec(map).unwrap();
        let count = bytes[0].into();
        Entries::read(bytes, 1, count)
    }

    proptest! {
        #[test]
        fn entries_are_a_map(
            before in proptest::collection::btree_map("[a-d]{0,2}", any::<[u8; 2]>(), 0..6),
            changes in proptest::collection::vec(("[a-d]{0,2}", any::<Option<[u8; 2]>>()), 0..6),
        ) {
            let mut map: BTreeMap<String, serde_bytes::ByteBuf> = before
                .iter()
                .map(|(name, value)| (name.clone(), value.to_vec().into()))
                .collect();
            let mut entries = read(&map).unwrap();
            for (name, change) in &changes {
                match change {
                    Some(value) => {
                        entries = entries.with(name, value);
                        map.insert(name.clone(), value.to_vec().into());
                    }
                    None => {
                        let removed = map.remove(name).map(serde_bytes::ByteBuf::into_vec);
                        prop_assert_eq!(entries.remove(name), removed);
                    }
                }
                prop_assert_eq!(entries.get(name), map.get(name).map(|value| value.as_slice()));
            }
            prop_assert_eq!(entries.is_empty(), map.is_empty());
            prop_assert_eq!(&entries, &read(&map).unwrap());
        }

        /// Entries in every order, names twice, lengths in odd forms, and pieces of entries.
        #[test]
        fn entries_are_read_only_as_postcard_writes_them(
            pieces in proptest::collection::vec(
                prop::sample::select(vec![
                    b"\0\0".as_slice(), b"\x01a\0", b"\x01a\x01x", b"\x01a\x01y", b"\x01b\x01x",
                    b"\x81\0a\0", b"\x01b\x80\0", b"\x80\0\0", b"\x02\xc3\xa4\0", b"\x01\xc3\0",
                    b"\x01", b"\x80",
                ]),
                0..5,
            ),
            more in prop::sample::select(vec![0, 0, 0, 1]),
        ) {
            let count = u8::try_from(pieces.len()).unwrap() + more;
            let bytes = pieces.concat();
            let map = [&[count], bytes.as_slice()].concat();
            let theirs = postcard::take_from_bytes::<BTreeMap<&str, &Bytes>>(&map);
            let theirs = theirs.ok().filter(|(theirs, rest)| {
                rest.is_empty() && postcard::to_allocvec(theirs).unwrap() == map
            });
            match (Entries::read(bytes, 0, count.into()), theirs) {
                (Some(entries), Some((theirs, _))) => {
                    let theirs: Vec<_> = theirs.iter().map(|(name, value)| (*name, &***value)).collect();
                    prop_assert_eq!(entries.iter().collect::<Vec<_>>(), theirs);
                }
                (None, None) => {}
                (ours, theirs) => prop_assert!(false, "{ours:?}, {theirs:?}"),
            }
        }
    }

    #[test]
    fn what_no_honest_writer_made_is_refused() {
        let honest = Entries::default().with("b", b"2").with("a", b"1");
        let bytes = b"\x01a\x011\x01b\x012";
        assert_eq!(Entries::read(bytes.to_vec(), 0, 2).unwrap(), honest);
        let unsorted = b"\x01b\x012\x01a\x011";
        let equal = b"\x01a\x011\x01a\x012";
        let long_name = b"\x81\x00a\x011\x01b\x012";
        let long_value = b"\x01a\x011\x01b\x81\x80\x002";
        for odd in [&unsorted[..], equal, long_name, long_value] {
            assert!(Entries::read(odd.to_vec(), 0, 2).is_none(), "{odd:?}");
        }
        let long = vec![7; 20_000];
        let mut entries = honest;
        for length in [127, 128, 16_383, 16_384] {
            entries = entries.with("long", &long[..length]);
            assert_eq!(entries.get("long"), Some(&long[..length]));
            let (count, bytes) = entries.parts();
            let again = Entries::read(bytes.to_vec(), 0, count as u64).unwrap();
            assert_eq!(again.bytes, bytes, "{length}");
        }
    }

    #[test]
    fn a_wrong_number_and_bytes_that_are_left_over_are_refused() {
        let good = postcard::to_allocvec(&("a", "b")).unwrap();
        assert!(Entries::read(good.clone(), 0, 1).is_some());
        for count in [0, 2, u64::MAX] {
            assert!(Entries::read(good.clone(), 0, count).is_none());
        }
        assert!(Entries::read([&good[..], &[0]].concat(), 0, 1).is_none());
        assert!(Entries::read(good[..good.len() - 1].to_vec(), 0, 1).is_none());
        assert!(Entries::read(good, 9, 1).is_none());
    }
}
