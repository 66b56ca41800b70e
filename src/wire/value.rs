//! The application's own values: MessagePack with named fields.
//!
//! postcard does not describe itself: what was written as `5u32` would read back as `-3i32`. A
//! session outlives deployments, so its values must notice that a type has changed. In MessagePack a
//! wrong type is an error, and a struct may gain fields that carry `#[serde(default)]`.

use rmp_serde::decode::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(value).map_err(|error| error.to_string())
}

/// Reads a whole value: bytes that are left over are an error. Errors do not quote the value, which may
/// be personal and would end up in a log.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    // Strings and bytes are taken from where they stand. Another reader would copy each before.
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    let value = T::deserialize(&mut reader).map_err(|error| without_value(&error.to_string()))?;
    // The reader does not tell where it is. A value begins with a marker: there must be none.
    match <()>::deserialize(&mut reader) {
        Err(Error::InvalidMarkerRead(_)) => Ok(value),
        _ => Err("bytes are left over".to_owned()),
    }
}

/// What was expected, without what was found: errors are logged, and a session's content is not.
fn without_value(message: &str) -> String {
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("holds something else, expected {expected}"),
        None if message.starts_with("missing field") => message.to_owned(),
        None => "can not be read as this type".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_type_is_an_error_and_not_another_value() {
        let five = encode(&5u32).unwrap();
        assert_eq!(decode::<u64>(&five), Ok(5));
        assert!(decode::<String>(&five).is_err());
        assert!(decode::<bool>(&five).is_err());
        assert!(decode::<u8>(&encode(&300u32).unwrap()).is_err());
        assert!(decode::<u32>(&encode(&-1i32).unwrap()).is_err());
    }

    #[test]
    fn errors_say_what_was_expected_and_not_what_is_there() {
        #[derive(Deserialize, Debug)]
        enum Color {
            Red,
        }
        let secret = encode("4111 1111").unwrap();
        let errors = [
            decode::<Vec<u8>>(&secret).unwrap_err(),
            decode::<Color>(&secret).map(|Color::Red| ()).unwrap_err(),
            decode::<u32>(&secret).unwrap_err(),
            decode::<std::net::IpAddr>(&secret).unwrap_err(),
        ];
        for error in &errors {
            assert!(!error.contains("4111"), "{error}");
        }
        assert_eq!(errors[0], "holds something else, expected a sequence");
        #[derive(Deserialize, Debug)]
        struct Name {
            #[expect(dead_code)]
            first: String,
        }
        let empty = encode(&std::collections::BTreeMap::<String, u8>::new()).unwrap();
        assert_eq!(decode::<Name>(&empty).unwrap_err(), "missing field `first`");
    }

    #[test]
    fn a_struct_may_gain_and_lose_fields() {
        #[derive(Serialize)]
        struct Old {
            name: String,
            gone: u8,
        }
        #[derive(Deserialize, PartialEq, Debug)]
        struct New {
            name: String,
            #[serde(default)]
            added: Vec<String>,
        }
        let old = encode(&Old {
            name: "a".into(),
            gone: 1,
        })
        .unwrap();
        let new: New = decode(&old).unwrap();
        assert_eq!(
            new,
            New {
                name: "a".into(),
                added: vec![]
            }
        );
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
                Err("bytes are left over".into()),
                "{more:#x}"
            );
        }
        assert!(decode::<()>(&[]).is_err());
    }
}
