//! A type to MessagePack: every number, length and text in its shortest form.
//!
//! One file, although a long one: the traits of serde that it implements name each other.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::error::{Error, MOST_LEVELS, MOST_WRAPPERS, deeper};

#[derive(Default)]
pub(super) struct ValueWriter {
    bytes: Vec<u8>,
    /// How many arrays and maps are open.
    levels: u16,
    /// How many options and newtypes are.
    wrappers: u16,
}

/// What begins with how long it is.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Bytes,
    Array,
    Map,
}

/// The power of two of the bytes that a number needs.
fn width(number: u64) -> u8 {
    match number {
        ..=0xff => 0,
        0x100..=0xffff => 1,
        0x1_0000..=0xffff_ffff => 2,
        _ => 3,
    }
}

impl ValueWriter {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The marker of numbers of this width, which follows those of smaller ones, and the number's last bytes.
    fn number(&mut self, marker: u8, width: u8, number: u64) {
        self.bytes.push(marker + width);
        let unused = 8 - (1 << width);
        self.bytes.extend(number.to_be_bytes().iter().skip(unused));
    }

    fn length(&mut self, kind: Kind, length: usize) -> Result<(), Error> {
        // The marker that holds a short length, and which length is too long for it. Then the marker of a length
        // in one byte, and the smallest width: arrays and maps have only the next two.
        let (small, few, marker, least) = match kind {
            Kind::Text => (0xa0, 32, 0xd9, 0),
            Kind::Bytes => (0, 0, 0xc4, 0),
            Kind::Array => (0x90, 16, 0xdb, 1),
            Kind::Map => (0x80, 16, 0xdd, 1),
        };
        match u32::try_from(length) {
            Ok(length) if length < few => self.bytes.push(small | length as u8),
            Ok(length) => {
                let length = u64::from(length);
                self.number(marker, width(length).max(least), length);
            }
            Err(_) => return Err(Error::other("is too long")),
        }
        Ok(())
    }

    /// The only pair of a map, up to its value.
    fn variant(&mut self, name: &str) -> Result<(), Error> {
        self.levels = deeper(self.levels, MOST_LEVELS)?;
        self.length(Kind::Map, 1)?;
        self.serialize_str(name)
    }

    /// The only pair of a map, whose value is an array or a map.
    fn open_variant(&mut self, name: &str, kind: Kind) -> Result<Open<'_>, Error> {
        let outer = self.levels;
        self.variant(name)?;
        let open = self.open(kind)?;
        Ok(Open { outer, ..open })
    }

    fn open(&mut self, kind: Kind) -> Result<Open<'_>, Error> {
        let outer = self.levels;
        self.levels = deeper(outer, MOST_LEVELS)?;
        Ok(Open {
            kind,
            count: 0,
            start: self.bytes.len(),
            outer,
            writer: self,
        })
    }
}

/// An array or a map whose values are being written.
pub(super) struct Open<'w> {
    writer: &'w mut ValueWriter,
    kind: Kind,
    /// How many there are so far, keys included.
    count: usize,
    /// Where they begin.
    start: usize,
    /// How many arrays and maps stand around it.
    outer: u16,
}

impl Open<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.count += 1;
        value.serialize(&mut *self.writer)
    }

    /// Puts the count in front. Before, nobody knew it for certain: some types say none, or another one.
    fn close(self) -> Result<(), Error> {
        let writer = self.writer;
        let values = writer.bytes.split_off(self.start);
        let count = match self.kind {
            Kind::Map => self.count / 2,
            _ => self.count,
        };
        writer.length(self.kind, count)?;
        writer.bytes.extend(values);
        writer.levels = self.outer;
        Ok(())
    }
}

impl<'w> Serializer for &'w mut ValueWriter {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Open<'w>;
    type SerializeTuple = Open<'w>;
    type SerializeTupleStruct = Open<'w>;
    type SerializeTupleVariant = Open<'w>;
    type SerializeMap = Open<'w>;
    type SerializeStruct = Open<'w>;
    type SerializeStructVariant = Open<'w>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.bytes.push(if value { 0xc3 } else { 0xc2 });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        if let Ok(value) = u64::try_from(value) {
            return self.serialize_u64(value);
        }
        match value {
            // The marker holds it.
            -32.. => self.bytes.push(value as u8),
            // The sign takes a bit.
            _ => self.number(0xd0, width((!value as u64) << 1), value as u64),
        }
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        match (i64::try_from(value), u64::try_from(value)) {
            (Ok(value), _) => self.serialize_i64(value),
            (_, Ok(value)) => self.serialize_u64(value),
            _ => self.serialize_bytes(&value.to_be_bytes()),
        }
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        match value {
            // The marker holds it.
            ..=0x7f => self.bytes.push(value as u8),
            _ => self.number(0xcc, width(value), value),
        }
        Ok(())
    }

    /// Beyond what is signed a zero comes first, so that it does not read as a negative number.
    fn serialize_u128(self, value: u128) -> Result<(), Error> {
        match i128::try_from(value) {
            Ok(value) => self.serialize_i128(value),
            Err(_) => self.serialize_bytes(&[&[0], value.to_be_bytes().as_slice()].concat()),
        }
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        // 0xca, after those of one byte and two, which nothing has.
        self.number(0xc8, 2, value.to_bits().into());
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.number(0xc8, 3, value.to_bits());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.length(Kind::Text, value.len())?;
        self.bytes.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.length(Kind::Bytes, value.len())?;
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        let outer = self.wrappers;
        self.wrappers = deeper(outer, MOST_WRAPPERS)?;
        value.serialize(&mut *self)?;
        self.wrappers = outer;
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.bytes.push(0xc0);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.serialize_some(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let outer = self.levels;
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.levels = outer;
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'w>, Error> {
        self.open(Kind::Array)
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'w>, Error> {
        self.open(Kind::Array)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'w>, Error> {
        self.open(Kind::Array)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'w>, Error> {
        self.open_variant(variant, Kind::Array)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'w>, Error> {
        self.open(Kind::Map)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'w>, Error> {
        self.open(Kind::Map)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'w>, Error> {
        self.open_variant(variant, Kind::Map)
    }
}

/// What serde calls by six names and MessagePack by two.
macro_rules! containers {
    ($($name:ident: $method:ident($($key:ident)?);)*) => {$(
        impl $name for Open<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: &'static str,)?
                value: &T,
            ) -> Result<(), Error> {
                $(self.item($key)?;)?
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close()
            }
        }
    )*};
}

containers! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeStruct: serialize_field(key);
    SerializeStructVariant: serialize_field(key);
}

impl SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.item(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}
