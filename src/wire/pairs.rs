//! How entries are laid out: names and values, each after its length, one pair after the other.

use super::read::Reader;
use super::write::Output;

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

    /// How many bytes a pair takes, and somewhat more as a rule.
    pub(crate) fn room(name: &[u8], value: &[u8]) -> usize {
        let lengths = 2 * size_of::<u16>();
        name.len() + value.len() + lengths
    }

    /// Puts a pair at the end.
    pub(crate) fn write(name: &[u8], value: &[u8], to: &mut impl Output) {
        to.bytes(name);
        to.bytes(value);
    }
}
