//! What a value reads as, beside rmp-serde and within one limit of nesting.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use serde::Deserialize;
use serde_bytes::ByteBuf;
use serde_json::{Value as Json, json};

use super::*;
use serde::de;
use serde::ser::SerializeSeq;

#[test]
fn a_changed_type_is_an_error_and_not_another_value() {
    let five = encode(&5u32).unwrap();
    assert_eq!(decode::<u64>(&five), Ok(5));
    assert!(decode::<String>(&five).is_err());
    assert!(decode::<bool>(&five).is_err());
    assert!(decode::<u8>(&encode(&300u32).unwrap()).is_err());
    assert!(decode::<u32>(&encode(&-1i32).unwrap()).is_err());
    assert!(decode::<i128>(&encode(&u128::MAX).unwrap()).is_err());
    assert!(decode::<u128>(&encode(&i128::MIN).unwrap()).is_err());
}

#[test]
fn bytes_are_never_read_as_text_and_text_never_as_bytes() {
    let bytes = encode(&ByteBuf::from(*b"sixteen letters!")).unwrap();
    assert!(decode::<String>(&bytes).is_err());
    assert!(decode::<Option<String>>(&bytes).is_err());
    assert!(decode::<char>(&encode(&ByteBuf::from(*b"c")).unwrap()).is_err());
    assert!(decode::<BTreeMap<String, u8>>(&[0x81, 0xc4, 1, b'k', 1]).is_err());
    let text = encode("sixteen letters!").unwrap();
    assert!(decode::<ByteBuf>(&text).is_err());
    assert!(decode::<Vec<u8>>(&text).is_err());
    // Text that is none.
    assert!(decode::<ByteBuf>(b"\xa2\xff\xff").is_err());
    assert!(decode::<String>(b"\xa2\xff\xff").is_err());
    // A list of small numbers is what bytes are, too.
    assert_eq!(decode::<Vec<u8>>(&bytes).unwrap(), b"sixteen letters!");
    let list = encode(&vec![1u8, 200]).unwrap();
    assert_eq!(decode::<ByteBuf>(&list).unwrap(), ByteBuf::from([1, 200]));
}

#[test]
fn errors_say_what_was_expected_and_not_what_is_there() {
    #[derive(Deserialize, Debug)]
    enum Color {
        Red,
    }
    #[derive(Debug)]
    struct Picky;
    impl<'de> Deserialize<'de> for Picky {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let text = String::deserialize(from)?;
            Err(de::Error::custom(format!("{text} is bad")))
        }
    }
    let secret = encode("4111 1111").unwrap();
    let errors = [
        decode::<Vec<u8>>(&secret).unwrap_err(),
        decode::<Color>(&secret).map(|Color::Red| ()).unwrap_err(),
        decode::<u32>(&secret).unwrap_err(),
        decode::<IpAddr>(&secret).unwrap_err(),
        decode::<Picky>(&secret).unwrap_err(),
    ];
    for error in &errors {
        assert!(!error.to_string().contains("4111"), "{error}");
    }
    let expected = "holds something else, expected a sequence";
    assert_eq!(errors[0].to_string(), expected);
    #[derive(Deserialize, Debug)]
    struct Name {
        #[expect(dead_code)]
        first: String,
    }
    let empty = encode(&BTreeMap::<String, u8>::new()).unwrap();
    let error = decode::<Name>(&empty).unwrap_err();
    assert_eq!(error.to_string(), "missing field `first`");
}

#[test]
fn a_struct_may_gain_and_lose_fields() {
    #[derive(Serialize)]
    struct Old {
        name: String,
        gone: Vec<u8>,
    }
    #[derive(Deserialize, PartialEq, Debug)]
    struct New {
        name: String,
        #[serde(default)]
        added: Vec<String>,
    }
    let old = Old {
        name: "a".into(),
        gone: vec![1, 2],
    };
    let new: New = decode(&encode(&old).unwrap()).unwrap();
    assert_eq!(new.name, "a");
    assert!(new.added.is_empty());
}

#[test]
fn trailing_bytes_and_cut_values_are_errors() {
    let mut bytes = encode("text").unwrap();
    bytes.push(0);
    assert!(decode::<String>(&bytes).is_err());
    bytes.truncate(3);
    assert!(decode::<String>(&bytes).is_err());
    // Whatever it is: nothing, the marker that is never used, a list whose item is missing.
    for more in [0xc0, 0xc1, 0x91, 0xd9] {
        let bytes = [encode(&5).unwrap(), vec![more]].concat();
        assert_eq!(
            decode::<u8>(&bytes),
            Err(Error::other("bytes are left over")),
            "{more:#x}"
        );
    }
    assert!(decode::<()>(&[]).is_err());
    // More than the bytes can hold is announced.
    assert!(decode::<Vec<u64>>(&[0xdd, 0xff, 0xff, 0xff, 0xff]).is_err());
    assert!(decode::<ByteBuf>(&[0xc6, 0xff, 0xff, 0xff, 0xff]).is_err());
}

#[test]
fn a_type_that_says_a_wrong_length_is_written_with_the_right_one() {
    struct Wrong;
    impl Serialize for Wrong {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            let mut list = to.serialize_seq(Some(5))?;
            list.serialize_element(&7)?;
            list.end()
        }
    }
    assert_eq!(decode::<Vec<u8>>(&encode(&Wrong).unwrap()), Ok(vec![7]));
}

/// Every shape in which serde reads a field by way of a buffer of its own, and those in which it does not.
fn comes_back<T>(value: T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + Clone,
{
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    enum External<T> {
        Newtype(T),
        Tuple(T, u8),
        Struct { field: T },
    }
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    #[serde(tag = "tag")]
    enum Internal<T> {
        Struct { field: T },
    }
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    #[serde(tag = "tag", content = "content")]
    enum Adjacent<T> {
        Newtype(T),
        Tuple(u8, T),
    }
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    #[serde(untagged)]
    enum Untagged<T> {
        Struct { field: T },
    }
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Flat<T> {
        #[serde(flatten)]
        inner: Inner<T>,
        other: u8,
    }
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Inner<T> {
        field: T,
    }
    fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
        let bytes = encode(&value).unwrap();
        assert_eq!(decode::<T>(&bytes).as_ref(), Ok(&value), "{bytes:02x?}");
    }
    let field = || value.clone();
    check(field());
    check(vec![field(), field()]);
    check((1u8, field()));
    check(BTreeMap::from([("key".to_owned(), field())]));
    check(External::Newtype(field()));
    check(External::Tuple(field(), 1));
    check(External::Struct { field: field() });
    check(Internal::Struct { field: field() });
    check(Adjacent::Newtype(field()));
    check(Adjacent::Tuple(1, field()));
    check(Untagged::Struct { field: field() });
    check(Flat {
        inner: Inner { field: field() },
        other: 1,
    });
}

#[test]
fn what_is_written_comes_back_also_by_way_of_serdes_buffers() {
    #[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
    struct Unit;
    #[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
    struct Newtype(u16);
    #[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
    enum Kind {
        Unit,
        Newtype(i8),
        Tuple(u8, String),
        Struct { ip: IpAddr },
    }
    comes_back("127.0.0.1".parse::<IpAddr>().unwrap());
    comes_back("::1".parse::<IpAddr>().unwrap());
    comes_back("127.0.0.1:80".parse::<SocketAddr>().unwrap());
    comes_back("[::1]:80".parse::<SocketAddr>().unwrap());
    comes_back(std::time::Duration::from_millis(1500));
    comes_back(std::path::PathBuf::from("/etc"));
    comes_back(());
    comes_back(Unit);
    comes_back(Newtype(500));
    comes_back(None::<u8>);
    comes_back(Some(Kind::Unit));
    comes_back(Kind::Newtype(-1));
    comes_back(Kind::Tuple(1, "two".into()));
    let ip = "127.0.0.1".parse().unwrap();
    comes_back(Kind::Struct { ip });
    comes_back(ByteBuf::from([0, 200]));
    comes_back('\u{2603}');
    comes_back((f32::MAX, f64::MIN_POSITIVE));
    comes_back(BTreeMap::from([(1u32, true), (300, false)]));
    comes_back(json!({"a": [1, -1, 2.5, null, true, "text", {}]}));
}

#[test]
fn numbers_of_128_bits_come_back() {
    for number in [
        i128::MIN,
        i64::MIN.into(),
        -1,
        0,
        u64::MAX.into(),
        i128::MAX,
    ] {
        assert_eq!(decode::<i128>(&encode(&number).unwrap()), Ok(number));
    }
    for number in [0, u64::MAX.into(), 1 << 127, u128::MAX] {
        assert_eq!(decode::<u128>(&encode(&number).unwrap()), Ok(number));
    }
    assert_eq!(decode::<u8>(&encode(&5i128).unwrap()), Ok(5));
}

/// A type with two forms: 16 bytes, or text.
#[test]
fn what_has_two_forms_is_written_as_text() {
    let address = "2001:db8::1".parse::<IpAddr>().unwrap();
    let bytes = encode(&address).unwrap();
    assert_eq!(decode::<String>(&bytes).as_deref(), Ok("2001:db8::1"));
    assert_eq!(decode::<Json>(&bytes), Ok(json!("2001:db8::1")));
}

fn rmp<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut writer = rmp_serde::Serializer::new(Vec::new())
        .with_struct_map()
        .with_human_readable();
    value.serialize(&mut writer).unwrap();
    writer.into_inner()
}

/// Why it does not write and read values itself.
#[test]
fn rmp_serde_breaks_the_rules_on_strings_numbers_errors_and_nesting() {
    let bytes = rmp(&ByteBuf::from(*b"text"));
    assert_eq!(rmp_serde::from_slice::<String>(&bytes).unwrap(), "text");
    assert!(rmp_serde::from_slice::<ByteBuf>(&rmp("text")).is_ok());
    assert_eq!(rmp(&u128::MAX), rmp(&-1i128));
    let error = rmp_serde::from_slice::<Vec<u8>>(&rmp("4111 1111")).unwrap_err();
    assert!(error.to_string().contains("4111"), "{error}");
    let nested = (0..200).fold(json!([]), |inner, _| json!([inner]));
    assert_eq!(rmp(&nested).len(), 201);
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (any::<i64>(), 0..64u32).prop_map(|(number, shift)| (number >> shift).into()),
        (any::<u64>(), 0..64u32).prop_map(|(number, shift)| (number >> shift).into()),
        any::<f64>().prop_map(Json::from),
        "[a-zä]{0,40}".prop_map(Json::from),
        (0..70_000usize).prop_map(|length| "x".repeat(length).into()),
    ];
    leaf.prop_recursive(4, 64, 20, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(Json::from),
            proptest::collection::btree_map("[a-z]{0,40}", inner, 0..20)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn values_are_written_as_rmp_serde_does_and_read_back(value in any_json()) {
        let bytes = encode(&value).unwrap();
        prop_assert_eq!(&bytes, &rmp(&value));
        prop_assert_eq!(decode::<Json>(&bytes), Ok(value));
    }

    #[test]
    fn any_bytes_are_read_as_rmp_serde_does_or_are_an_error(
        value in any_json(),
        noise in proptest::collection::vec(any::<u8>(), 0..40),
        place in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut changed = encode(&value).unwrap();
        let place = place.index(changed.len());
        changed[place] = byte;
        for bytes in [noise, changed] {
            let mut reader = rmp_serde::Deserializer::from_read_ref(&bytes).with_human_readable();
            let theirs = Json::deserialize(&mut reader);
            match (decode::<Json>(&bytes), theirs) {
                (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
                (Ok(ours), Err(theirs)) => prop_assert!(false, "{ours}: {theirs}"),
                // Bytes that are left over, and text that is none.
                (Err(_), _) => {}
            }
        }
    }

    #[test]
    fn lists_of_any_length_read_back(length in prop_oneof![0..300usize, 65_530..65_540usize]) {
        let list = vec![true; length];
        let bytes = encode(&list).unwrap();
        prop_assert_eq!(&bytes, &rmp(&list));
        prop_assert_eq!(decode::<Vec<bool>>(&bytes), Ok(list));
        let data = ByteBuf::from(vec![7; length]);
        let bytes = encode(&data).unwrap();
        prop_assert_eq!(&bytes, &rmp(&data));
        prop_assert_eq!(decode::<ByteBuf>(&bytes), Ok(data));
    }
}

mod nesting;
