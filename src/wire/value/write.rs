//! A type to MessagePack: every number, length and text in its shortest form.
//!
//! One file, although a long one: the traits of serde that it implements name each other.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::depth::Depth;
use super::error::Error;

#[derive(Default)]
pub(super) struct ValueWriter {
    bytes: Vec<u8>,
    depth: Depth,
}

/// What begins with how many values follow.
#[derive(Clone, Copy)]
enum Container {
    Array,
    Map,
}

impl ValueWriter {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// A marker, and a number behind it.
    fn number<const N: usize>(&mut self, marker: u8, number: [u8; N]) {
        self.bytes.push(marker);
        self.bytes.extend_from_slice(&number);
    }

    /// A marker, the next one or the one after it, by how many bytes the length needs.
    fn length(&mut self, marker: u8, length: usize) -> Result<(), Error> {
        if let Ok(length) = u8::try_from(length) {
            self.number(marker, [length]);
        } else if let Ok(length) = u16::try_from(length) {
            self.number(marker + 1, length.to_be_bytes());
        } else {
            let length = u32::try_from(length).map_err(|_| Error::other("is too long"))?;
            self.number(marker + 2, length.to_be_bytes());
        }
        Ok(())
    }

    /// How many values follow: in the marker, or in two bytes or four.
    fn count(&mut self, kind: Container, count: usize) -> Result<(), Error> {
        let (small, marker) = match kind {
            Container::Array => (0x90, 0xdc),
            Container::Map => (0x80, 0xde),
        };
        match u8::try_from(count) {
            Ok(few @ ..=15) => self.bytes.push(small | few),
            Ok(more) => self.number(marker, u16::from(more).to_be_bytes()),
            Err(_) => self.length(marker - 1, count)?,
        }
        Ok(())
    }

    /// The only pair of a map, up to its value.
    fn variant(&mut self, name: &str) -> Result<(), Error> {
        self.depth.enter()?;
        self.count(Container::Map, 1)?;
        self.serialize_str(name)
    }

    /// The only pair of a map, whose value is an array or a map.
    fn open_variant(
        &mut self,
        name: &str,
        kind: Container,
        count: usize,
    ) -> Result<Open<'_>, Error> {
        self.variant(name)?;
        let open = self.open(kind, Some(count))?;
        let is_variant = true;
        Ok(Open { is_variant, ..open })
    }

    fn open(&mut self, kind: Container, count: Option<usize>) -> Result<Open<'_>, Error> {
        self.depth.enter()?;
        if let Some(count) = count {
            self.count(kind, count)?;
        }
        Ok(Open {
            kind,
            announced: count,
            count: 0,
            start: self.bytes.len(),
            is_variant: false,
            writer: self,
        })
    }
}

/// An array or a map whose values are being written.
pub(super) struct Open<'w> {
    writer: &'w mut ValueWriter,
    kind: Container,
    announced: Option<usize>,
    /// How many there are so far.
    count: usize,
    /// Where they begin.
    start: usize,
    /// Whether it is what the map of an enum holds.
    is_variant: bool,
}

impl Open<'_> {
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(&mut *self.writer)
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.count += 1;
        self.value(value)
    }

    fn close(self) -> Result<(), Error> {
        let writer = self.writer;
        match self.announced {
            Some(announced) if announced == self.count => (),
            Some(_) => return Err(Error::other("has another length than it says")),
            // Nobody knew: the count is put in front now.
            None => {
                let values = writer.bytes.split_off(self.start);
                writer.count(self.kind, self.count)?;
                writer.bytes.extend(values);
            }
        }
        writer.depth.leave();
        if self.is_variant {
            writer.depth.leave();
        }
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
        match (
            i8::try_from(value),
            i16::try_from(value),
            i32::try_from(value),
        ) {
            // The marker says it.
            (Ok(value @ -32..), ..) => self.bytes.extend(value.to_be_bytes()),
            (Ok(value), ..) => self.number(0xd0, value.to_be_bytes()),
            (_, Ok(value), _) => self.number(0xd1, value.to_be_bytes()),
            (.., Ok(value)) => self.number(0xd2, value.to_be_bytes()),
            _ => self.number(0xd3, value.to_be_bytes()),
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
        match (
            u8::try_from(value),
            u16::try_from(value),
            u32::try_from(value),
        ) {
            // The marker says it.
            (Ok(value @ ..=0x7f), ..) => self.bytes.push(value),
            (Ok(value), ..) => self.number(0xcc, value.to_be_bytes()),
            (_, Ok(value), _) => self.number(0xcd, value.to_be_bytes()),
            (.., Ok(value)) => self.number(0xce, value.to_be_bytes()),
            _ => self.number(0xcf, value.to_be_bytes()),
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
        self.number(0xca, value.to_be_bytes());
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.number(0xcb, value.to_be_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        match u8::try_from(value.len()) {
            Ok(few @ ..=31) => self.bytes.push(0xa0 | few),
            _ => self.length(0xd9, value.len())?,
        }
        self.bytes.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.length(0xc4, value.len())?;
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.depth.enter_wrapper()?;
        value.serialize(&mut *self)?;
        self.depth.leave_wrapper();
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
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.depth.leave();
        Ok(())
    }

    fn serialize_seq(self, count: Option<usize>) -> Result<Open<'w>, Error> {
        self.open(Container::Array, count)
    }

    fn serialize_tuple(self, count: usize) -> Result<Open<'w>, Error> {
        self.open(Container::Array, Some(count))
    }

    fn serialize_tuple_struct(self, _: &'static str, count: usize) -> Result<Open<'w>, Error> {
        self.open(Container::Array, Some(count))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        count: usize,
    ) -> Result<Open<'w>, Error> {
        self.open_variant(variant, Container::Array, count)
    }

    fn serialize_map(self, count: Option<usize>) -> Result<Open<'w>, Error> {
        self.open(Container::Map, count)
    }

    fn serialize_struct(self, _: &'static str, count: usize) -> Result<Open<'w>, Error> {
        self.open(Container::Map, Some(count))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        count: usize,
    ) -> Result<Open<'w>, Error> {
        self.open_variant(variant, Container::Map, count)
    }
}

/// What serde calls by four names and MessagePack by one.
macro_rules! arrays {
    ($($name:ident: $method:ident;)*) => {$(
        impl $name for Open<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close()
            }
        }
    )*};
}

arrays! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

impl SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.item(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.value(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

macro_rules! structs {
    ($($name:ident),*) => {$(
        impl $name for Open<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.item(key)?;
                self.value(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close()
            }
        }
    )*};
}

structs!(SerializeStruct, SerializeStructVariant);
