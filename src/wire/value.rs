//! The application's own values: MessagePack with named fields.
//!
//! postcard does not describe itself: what was written as `5u32` would read back as `-3i32`. A
//! session outlives deployments, so its values must notice that a type has changed. In MessagePack a
//! wrong type is an error, and a struct may gain fields that carry `#[serde(default)]`.

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(value).map_err(|error| error.to_string())
}

/// Reads a whole value: bytes that are left over are an error. Errors do not quote the value, which may
/// be personal and would end up in a log.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut rest = bytes;
    let mut reader = rmp_serde::Deserializer::new(&mut rest);
    let value = T::deserialize(&mut reader).map_err(|error| without_value(&error.to_string()))?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(format!("{} bytes are left over", rest.len()))
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
    use serde::Deserialize;

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
        assert!(decode::<()>(&[]).is_err());
    }
}
