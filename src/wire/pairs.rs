//! How entries are laid out: names and values, each after its length, one pair after the other.

use serde_bytes::Bytes;

use super::read::Reader;

/// One entry, where it stands.
pub(crate) struct Pair<'p> {
    pub(crate) name: &'p [u8],
    pub(crate) value: &'p [u8],
    /// Both, with their lengths.
    pub(crate) bytes: &'p [u8],
}

impl<'p> Pair<'p> {
    #[inline]
    pub(crate) fn read(reader: &mut Reader<'p>) -> Option<Self> {
        let before = reader.rest();
        let name = reader.bytes()?;
        let value = reader.bytes()?;
        let length = before.len() - reader.rest().len();
        let bytes = before.get(..length)?;
        Some(Self { name, value, bytes })
    }

    /// The bytes of a pair. Writing into a growing buffer has no way to fail.
    pub(crate) fn write(name: &[u8], value: &[u8]) -> Vec<u8> {
        postcard::to_allocvec(&(Bytes::new(name), Bytes::new(value))).unwrap_or_default()
    }
}
