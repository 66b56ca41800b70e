//! How deep values may be, on the stack that a worker has.

use super::*;
use crate::wire::value::error::MOST_LEVELS;

/// What a thread of tokio has, and a thread of std.
const STACK: usize = 2 << 20;
/// Deep enough for any stack, if nothing bounds it.
const ENDLESS: usize = 100_000;

/// Runs on a worker's stack, of which a server has used a part already.
fn on_a_workers_stack(run: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK - (256 << 10));
        thread.spawn_scoped(scope, run).unwrap().join().unwrap();
    });
}

/// A list of one that holds a list of one, and so on: its innermost value is nothing.
trait Nested: Serialize + DeserializeOwned {
    fn within(inner: Option<Self>) -> Self;
    fn inner(self) -> Option<Self>;

    fn nested(times: usize) -> Self {
        (1..times).fold(Self::within(None), |inner, _| Self::within(Some(inner)))
    }
}

/// Whatever nests `each` levels a time is written and read up to the limit, and an error beyond it.
fn is_bounded<T: Nested>(each: usize) {
    on_a_workers_stack(|| {
        let most = usize::from(MOST_LEVELS) / each;
        let bytes = encode(&T::nested(most)).unwrap();
        let mut read = decode::<T>(&bytes).unwrap();
        let mut times = 1;
        while let Some(inner) = read.inner() {
            read = inner;
            times += 1;
        }
        assert_eq!(times, most);
        assert_eq!(encode(&T::nested(most + 1)), Err(Error::TooDeep));
        // Dropping it level by level would take as much stack.
        let endless = T::nested(ENDLESS);
        assert_eq!(encode(&endless), Err(Error::TooDeep));
        std::mem::forget(endless);
        // By another writer, such as rmp-serde, which bounds nothing.
        let deeper = encode_unbounded(&T::nested(most + 1));
        assert!(decode::<T>(&deeper).is_err());
        assert_eq!(
            decode::<de::IgnoredAny>(&deeper).err(),
            Some(Error::TooDeep)
        );
    });
}

fn encode_unbounded<T: Serialize>(value: &T) -> Vec<u8> {
    super::rmp(value)
}

macro_rules! fields {
    ($($name:ident)*) => {
        #[derive(Serialize, Deserialize, Default)]
        struct Wide {
            inner: Option<Box<Wide>>,
            $(#[serde(default, skip_serializing_if = "Option::is_none")] $name: Option<String>,)*
        }
    };
}

/// What serde keeps and reads again by code of its own: an enum by a tag, with a large struct that is flattened.
macro_rules! kept {
    ($($name:ident)*) => {
        #[derive(Serialize, Deserialize, Default)]
        struct KeptWide {
            $(#[serde(default, skip_serializing_if = "Option::is_none")] $name: Option<[u64; 8]>,)*
            #[serde(flatten)]
            rest: KeptRest,
        }
    };
}

#[derive(Serialize, Deserialize, Default)]
struct KeptRest {
    inner: Option<Box<Kept>>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "tag")]
enum Kept {
    Wide(KeptWide),
}

impl Nested for Kept {
    fn within(inner: Option<Self>) -> Self {
        let inner = inner.map(Box::new);
        Self::Wide(KeptWide {
            rest: KeptRest { inner },
            ..KeptWide::default()
        })
    }
    fn inner(self) -> Option<Self> {
        let Self::Wide(wide) = self;
        wide.rest.inner.map(|inner| *inner)
    }
}

kept! {
    a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 a11 a12 a13 a14 a15 a16 a17 a18 a19 a20 a21 a22 a23 a24 a25 a26 a27
    a28 a29 a30 a31
}

fields! {
    a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 a11 a12 a13 a14 a15 a16 a17 a18 a19 a20 a21 a22 a23 a24 a25 a26 a27
    a28 a29 a30 a31
}

impl Nested for Wide {
    fn within(inner: Option<Self>) -> Self {
        Self {
            inner: inner.map(Box::new),
            ..Self::default()
        }
    }
    fn inner(self) -> Option<Self> {
        self.inner.map(|inner| *inner)
    }
}

#[derive(Serialize, Deserialize)]
struct List(Vec<List>);

impl Nested for List {
    fn within(inner: Option<Self>) -> Self {
        Self(inner.into_iter().collect())
    }
    fn inner(mut self) -> Option<Self> {
        self.0.pop()
    }
}

#[derive(Serialize, Deserialize)]
enum External {
    Newtype(Option<Box<External>>),
}

impl Nested for External {
    fn within(inner: Option<Self>) -> Self {
        Self::Newtype(inner.map(Box::new))
    }
    fn inner(self) -> Option<Self> {
        let Self::Newtype(inner) = self;
        inner.map(|inner| *inner)
    }
}

/// An enum of one struct variant, however it is tagged.
macro_rules! struct_variants {
    ($($name:ident $(#[$tagging:meta])?;)*) => {$(
        #[derive(Serialize, Deserialize)]
        $(#[$tagging])?
        enum $name {
            Struct { inner: Option<Box<$name>> },
        }

        impl Nested for $name {
            fn within(inner: Option<Self>) -> Self {
                let inner = inner.map(Box::new);
                Self::Struct { inner }
            }
            fn inner(self) -> Option<Self> {
                let Self::Struct { inner } = self;
                inner.map(|inner| *inner)
            }
        }
    )*};
}

struct_variants! {
    ExternalStruct;
    Internal #[serde(tag = "tag")];
    Untagged #[serde(untagged)];
}

#[derive(Serialize, Deserialize)]
struct Flat {
    #[serde(flatten)]
    inner: FlatInner,
}

#[derive(Serialize, Deserialize)]
struct FlatInner {
    inner: Option<Box<Flat>>,
}

impl Nested for Flat {
    fn within(inner: Option<Self>) -> Self {
        let inner = inner.map(Box::new);
        Self {
            inner: FlatInner { inner },
        }
    }
    fn inner(self) -> Option<Self> {
        self.inner.inner.map(|inner| *inner)
    }
}

#[test]
fn a_struct_of_32_fields_is_read_up_to_the_limit_and_not_beyond() {
    is_bounded::<Wide>(1);
}

#[test]
fn a_list_is_read_up_to_the_limit_and_not_beyond() {
    is_bounded::<List>(1);
}

#[test]
fn an_enum_is_read_up_to_the_limit_and_not_beyond() {
    is_bounded::<External>(1);
    is_bounded::<ExternalStruct>(2);
    is_bounded::<Internal>(1);
    is_bounded::<Untagged>(1);
}

#[test]
fn what_serde_keeps_is_read_up_to_the_limit_and_not_beyond() {
    is_bounded::<Kept>(1);
}

#[test]
fn a_flattened_struct_is_read_up_to_the_limit_and_not_beyond() {
    is_bounded::<Flat>(1);
}

#[test]
fn json_is_read_up_to_the_limit_and_not_beyond() {
    on_a_workers_stack(|| {
        let nested = |times| (1..times).fold(json!([]), |inner, _| json!([inner]));
        let most = nested(usize::from(MOST_LEVELS));
        assert_eq!(decode::<Json>(&encode(&most).unwrap()), Ok(most));
        let deeper = nested(usize::from(MOST_LEVELS) + 1);
        assert_eq!(encode(&deeper), Err(Error::TooDeep));
        assert_eq!(decode::<Json>(&super::rmp(&deeper)), Err(Error::TooDeep));
        assert_eq!(decode::<Json>(&vec![0x91; ENDLESS]), Err(Error::TooDeep));
        assert_eq!(
            decode::<External>(&b"\x81\xa7Newtype".repeat(ENDLESS)).err(),
            Some(Error::TooDeep)
        );
    });
}

/// Neither an option nor a newtype adds a byte.
#[test]
fn a_type_that_holds_itself_without_an_array_or_a_map_is_an_error() {
    #[derive(Serialize, Deserialize, Debug)]
    struct Endless(Option<Box<Endless>>);
    on_a_workers_stack(|| {
        assert_eq!(decode::<Endless>(&[5]).err(), Some(Error::TooDeep));
        let endless = (0..ENDLESS).fold(Endless(None), |inner, _| Endless(Some(Box::new(inner))));
        assert_eq!(encode(&endless), Err(Error::TooDeep));
        std::mem::forget(endless);
    });
}
