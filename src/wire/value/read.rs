//! MessagePack to a type, by what the bytes say.

use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer, SeqDeserializer};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::error::{Error, MOST_LEVELS, MOST_WRAPPERS, deeper};

/// Takes values off the front of some bytes.
pub(super) struct ValueReader<'v> {
    rest: &'v [u8],
    /// How many options and newtypes are open.
    wrappers: u16,
}

/// The beginning of a value, or all of it.
enum Token<'v> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    F32(f32),
    F64(f64),
    Text(&'v str),
    Bytes(&'v [u8]),
    /// As many values follow.
    Array(usize),
    /// As many pairs follow.
    Map(usize),
}

/// How many arrays and maps stand in one another at the deepest place of the first value. A value that is neither is not
/// looked at: whoever reads it next finds out whether it is whole.
///
/// # Errors
/// When there are too many, or the array or map is not whole.
pub(super) fn levels(bytes: &[u8]) -> Result<usize, Error> {
    // Nothing stands in anything else. The read of a small session takes 3 % more instructions without this.
    if !matches!(bytes.first(), Some(0x80..=0x9f | 0xdc..=0xdf)) {
        return Ok(0);
    }
    let mut reader = ValueReader::new(bytes);
    // How many values are to come in each that is open.
    let mut open: Vec<usize> = Vec::new();
    let mut deepest = 0;
    loop {
        match reader.token()? {
            Token::Array(count) => open.push(count),
            Token::Map(count) => open.push(count.saturating_mul(2)),
            _ => (),
        }
        deepest = deepest.max(open.len());
        if deepest > usize::from(MOST_LEVELS) {
            return Err(Error::TooDeep);
        }
        while open.last() == Some(&0) {
            open.pop();
        }
        match open.last_mut() {
            Some(left) => *left -= 1,
            None => return Ok(deepest),
        }
    }
}

impl<'v> ValueReader<'v> {
    pub(super) fn new(bytes: &'v [u8]) -> Self {
        Self {
            rest: bytes,
            wrappers: 0,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, count: usize) -> Result<&'v [u8], Error> {
        let split = self.rest.split_at_checked(count);
        let (taken, rest) = split.ok_or_else(|| Error::other("ends early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// A big-endian number of so many bytes, eight at the most.
    fn number(&mut self, bytes: usize) -> Result<u64, Error> {
        let bytes = self.take(bytes)?.iter();
        Ok(bytes.fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A number of so many bytes, of what follows.
    fn length(&mut self, bytes: usize) -> Result<usize, Error> {
        let length = self.number(bytes)?;
        usize::try_from(length).map_err(|_| Error::other("ends early"))
    }

    fn text(&mut self, length: usize) -> Result<Token<'v>, Error> {
        let text = str::from_utf8(self.take(length)?);
        text.map(Token::Text)
            .map_err(|_| Error::other("holds text that is not UTF-8"))
    }

    fn token(&mut self) -> Result<Token<'v>, Error> {
        // One byte.
        let marker = self.number(1)? as u8;
        let small = usize::from(marker);
        Ok(match marker {
            ..=0x7f => Token::Unsigned(marker.into()),
            0x80..=0x8f => Token::Map(small & 0x0f),
            0x90..=0x9f => Token::Array(small & 0x0f),
            0xa0..=0xbf => self.text(small & 0x1f)?,
            0xc0 => Token::Nil,
            0xc2 | 0xc3 => Token::Bool(marker == 0xc3),
            0xc4..=0xc6 => {
                let length = self.length(1 << (marker - 0xc4))?;
                Token::Bytes(self.take(length)?)
            }
            0xca => Token::F32(f32::from_bits(self.number(4)? as u32)),
            0xcb => Token::F64(f64::from_bits(self.number(8)?)),
            0xcc..=0xcf => Token::Unsigned(self.number(1 << (marker - 0xcc))?),
            0xd0 => Token::Signed((self.number(1)? as i8).into()),
            0xd1 => Token::Signed((self.number(2)? as i16).into()),
            0xd2 => Token::Signed((self.number(4)? as i32).into()),
            0xd3 => Token::Signed(self.number(8)? as i64),
            0xd9..=0xdb => {
                let length = self.length(1 << (marker - 0xd9))?;
                self.text(length)?
            }
            0xdc | 0xdd => Token::Array(self.length(2 << (marker - 0xdc))?),
            0xde | 0xdf => Token::Map(self.length(2 << (marker - 0xde))?),
            0xe0.. => Token::Signed((marker as i8).into()),
            // Never used, and extensions, which serde has no word for.
            0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 => {
                return Err(Error::other("holds what this release does not write"));
            }
        })
    }

    fn visit<V: Visitor<'v>>(&mut self, token: Token<'v>, visitor: V) -> Result<V::Value, Error> {
        match token {
            Token::Nil => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Unsigned(value) => visitor.visit_u64(value),
            Token::Signed(value) => visitor.visit_i64(value),
            Token::F32(value) => visitor.visit_f32(value),
            Token::F64(value) => visitor.visit_f64(value),
            Token::Text(text) => visitor.visit_borrowed_str(text),
            Token::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Token::Array(count) => self.all(count, |items| visitor.visit_seq(items)),
            Token::Map(count) => self.all(count, |items| visitor.visit_map(items)),
        }
    }

    /// What is in an array or a map: all of it has to be taken.
    fn all<T>(
        &mut self,
        count: usize,
        take: impl FnOnce(&mut Items<'_, 'v>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut items = Items {
            reader: self,
            left: count,
        };
        let taken = take(&mut items)?;
        if items.left > 0 {
            return Err(Error::other("holds more than was expected"));
        }
        Ok(taken)
    }

    /// What is in an option or a newtype.
    fn wrapped<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        let outer = self.wrappers;
        self.wrappers = deeper(outer, MOST_WRAPPERS)?;
        let value = read(self)?;
        self.wrappers = outer;
        Ok(value)
    }
}

impl<'v> Deserializer<'v> for &mut ValueReader<'v> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        let token = self.token()?;
        self.visit(token, visitor)
    }

    fn deserialize_str<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            // A visitor of strings would take bytes that happen to be UTF-8.
            Token::Bytes(_) => Err(Error::expected(&visitor)),
            token => self.visit(token, visitor),
        }
    }

    fn deserialize_string<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            Token::Text(_) => Err(Error::expected(&visitor)),
            token => self.visit(token, visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_seq<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            // A type may turn from `serde_bytes` to a plain list of bytes, and back.
            Token::Bytes(bytes) => visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied())),
            token => self.visit(token, visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'v>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_i128<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            Token::Bytes(bytes) => wide(bytes, visitor),
            token => self.visit(token, visitor),
        }
    }

    fn deserialize_u128<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_i128(visitor)
    }

    fn deserialize_option<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        if let [0xc0, rest @ ..] = self.rest {
            self.rest = rest;
            return visitor.visit_none();
        }
        self.wrapped(|reader| visitor.visit_some(reader))
    }

    fn deserialize_newtype_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.wrapped(|reader| visitor.visit_newtype_struct(reader))
    }

    fn deserialize_enum<V: Visitor<'v>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.token()? {
            Token::Text(variant) => visitor.visit_enum(BorrowedStrDeserializer::new(variant)),
            Token::Map(1) => self.all(1, |items| {
                visitor.visit_enum(MapAccessDeserializer::new(items))
            }),
            _ => Err(Error::expected(&visitor)),
        }
    }

    forward_to_deserialize_any! {
        <V: Visitor<'v>>
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char unit unit_struct tuple_struct map struct
        identifier ignored_any
    }
}

/// A number of more than 64 bits, as it was written: signed, or a zero and then unsigned.
fn wide<'v, V: Visitor<'v>>(bytes: &[u8], visitor: V) -> Result<V::Value, Error> {
    if let Some((bytes, [])) = bytes.split_first_chunk() {
        return visitor.visit_i128(i128::from_be_bytes(*bytes));
    }
    match bytes.split_last_chunk() {
        Some(([0], bytes)) => visitor.visit_u128(u128::from_be_bytes(*bytes)),
        _ => Err(Error::expected(&visitor)),
    }
}

/// The values in an array, or the keys and values in a map.
struct Items<'r, 'v> {
    reader: &'r mut ValueReader<'v>,
    left: usize,
}

impl<'v> SeqAccess<'v> for Items<'_, 'v> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'v>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'v> MapAccess<'v> for Items<'_, 'v> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'v>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(&mut *self.reader)
    }
}
