//! The token format's vectors: made by another implementation (`tests/data/make.py`), opened by this one.
#![allow(clippy::unwrap_used)]

use sealed_session::testing::published_secret;
use sealed_session::{Class, KeyRing, Rejected, SubjectKey, UnixMillis, inspect};
use serde_json::Value;

#[test]
fn every_vector_opens_or_is_rejected_as_it_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/v1");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let vector: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        check(&path.file_stem().unwrap().to_string_lossy(), &vector);
        count += 1;
    }
    assert!(count >= 55, "{count} vectors");
}

fn check(name: &str, vector: &Value) {
    let cookies = vector["cookies"].as_object().unwrap();
    let pairs = cookies
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()));
    let header = pairs.collect::<Vec<_>>().join("; ");
    let found = inspect(
        &header,
        vector["cookie"].as_str().unwrap(),
        vector["audience"].as_str().unwrap(),
        &ring(&vector["keys"]),
        time(&vector["now"]),
    );
    match (found, &vector["expect"]["rejected"]) {
        (Err(reason), Value::String(expected)) => {
            assert_eq!(kind(reason), expected, "{name}: {reason}");
        }
        (Ok(found), Value::Null) => {
            let expected = &vector["expect"]["opens"];
            assert_eq!(found.session.to_string(), expected["session"], "{name}");
            assert_eq!(found.serial.get(), expected["serial"], "{name}");
            let subject = found.login.as_ref().map(|login| login.subject.as_str());
            assert_eq!(subject, expected["subject"].as_str(), "{name}");
            if let Some(generation) = expected.get("generation") {
                assert_eq!(
                    found.login.as_ref().unwrap().generation.get(),
                    *generation,
                    "{name}"
                );
            }
            if let Some(login) = &found.login {
                // Another program computed the one in the cookie.
                let audience = vector["audience"].as_str().unwrap();
                assert_eq!(
                    login.key,
                    SubjectKey::new(audience, &login.subject),
                    "{name}"
                );
            }
            let remembered = expected["remembered"].as_bool().unwrap_or(false);
            assert_eq!(found.class == Class::Remembered, remembered, "{name}");
            if let Some(keys) = expected.get("earlier_keys") {
                assert_eq!(found.earlier_keys, *keys, "{name}");
            }
            if let Some(entries) = expected["entries"].as_object() {
                assert_eq!(found.entries.len(), entries.len(), "{name}");
                for (key, value) in entries {
                    assert_eq!(
                        found.entries[key].decode::<Value>().as_ref(),
                        Ok(value),
                        "{name}"
                    );
                }
            }
        }
        (found, expected) => panic!("{name}: {found:?}, but expected {expected}"),
    }
}

fn ring(keys: &Value) -> KeyRing {
    let mut builder = KeyRing::builder();
    for key in keys.as_array().unwrap() {
        let secret = published_secret(u8::try_from(key["published"].as_u64().unwrap()).unwrap());
        match key.get("revoked") {
            Some(at) => builder = builder.revoked(secret.key_id(), time(at)),
            None => {
                let retire = key.get("retire").map(time);
                builder = builder.key(secret, UnixMillis::EPOCH, retire);
            }
        }
    }
    builder.build().unwrap()
}

fn time(value: &Value) -> UnixMillis {
    value.as_str().unwrap().parse().unwrap()
}

fn kind(reason: Rejected) -> &'static str {
    match reason {
        Rejected::Length => "Length",
        Rejected::Malformed => "Malformed",
        Rejected::Version(_) => "Version",
        Rejected::UnknownKey(_) => "UnknownKey",
        Rejected::RetiredKey(_) => "RetiredKey",
        Rejected::RevokedKey => "RevokedKey",
        Rejected::NotAuthentic => "NotAuthentic",
        Rejected::Implausible => "Implausible",
        _ => "another reason",
    }
}
