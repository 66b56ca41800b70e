//! Secrets: what is refused, and what is never shown.

use std::fmt::Debug;

use proptest::prelude::*;
use sealed_session::keys::{KeySource, KeyTables, Secret};
use sealed_session::testing::published_secret;
use sealed_session::{ConfigError, KeyRing};
use sha2::{Digest, Sha256};

use super::key_files::{bytes, entry, secret, start, tables};

#[test]
fn weak_secrets_are_refused() {
    let mut counting = [0; 32];
    for (byte, value) in counting.iter_mut().zip(1..) {
        *byte = value;
    }
    for weak in [
        [0; 32],
        [0xff; 32],
        counting,
        *b"0123456789abcdef0123456789abcdef",
        *b"change me! change me! change me!",
        *b"Tr0ub4dor&3 is not a random key.",
        *b"correct horse battery staple 123",
    ] {
        assert!(matches!(
            Secret::from_bytes(weak),
            Err(ConfigError::WeakSecret(_))
        ));
    }
    let all_of_them = (1..=4).map(|number| -> [u8; 32] {
        Sha256::digest(format!("sealed-session published secret {number}")).into()
    });
    for published in all_of_them {
        let why = Secret::from_bytes(published).unwrap_err().to_string();
        assert!(why.contains("published"), "{why}");
    }
    for number in 1..=4 {
        let text = published_secret(number).to_text();
        let refused = Secret::parse(&text);
        assert!(matches!(refused, Err(ConfigError::WeakSecret(_))));
    }
    for text in ["", "changeme", "AAAA", &"a".repeat(43), &"0".repeat(64)] {
        assert!(Secret::parse(text).is_err(), "{text}");
    }
}

#[test]
fn refusals_do_not_show_the_text() {
    for text in [
        "hunter2hunter2",
        "correct horse battery staple",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        &"0123456789abcdef".repeat(4),
    ] {
        let error = Secret::parse(text).unwrap_err();
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!shown.contains(&text[..8]), "{shown}");
        }
    }
    for number in 1..=4 {
        let text = published_secret(number).to_text();
        let tables = format!(
            "[[key]]\nsecret = \"{}\"\nactivate = \"2026-01-01T00:00:00Z\"\n",
            *text
        );
        let error = KeyTables::parse(&tables).unwrap_err().to_string();
        assert!(!error.contains(text.as_str()), "{error}");
    }
}

proptest! {
    #[test]
    fn random_secrets_are_accepted_and_read_back(bytes: [u8; 32]) {
        let secret = Secret::from_bytes(bytes).unwrap();
        prop_assert!(Secret::parse(&secret.to_text()).unwrap() == secret);
        prop_assert_eq!(secret.to_text().len(), 43);
    }
}

/// Every way in which bytes could turn up in a Debug text.
fn shapes(bytes: &[u8]) -> Vec<String> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{bytes:?}");
    let mut shapes = vec![
        hex.to_uppercase(),
        hex,
        list.trim_matches(['[', ']']).to_owned(),
    ];
    for engine in [
        base64::engine::general_purpose::STANDARD_NO_PAD,
        base64::engine::general_purpose::URL_SAFE_NO_PAD,
    ] {
        shapes.push(base64::Engine::encode(&engine, bytes));
    }
    shapes
}

fn assert_hidden(value: &dyn Debug, secrets: &[Vec<u8>]) {
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        let on_one_line = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        for bytes in secrets {
            // Halves, so that a part is found as well. A half of base64 is looked for by its inside,
            // which does not depend on where it was cut.
            for shape in shapes(bytes).into_iter().chain(shapes(&bytes[..15])) {
                assert!(!shown.contains(&shape), "{shown}");
                assert!(!on_one_line.contains(&shape), "{shown}");
            }
        }
    }
}

#[test]
fn debug_shows_no_secret() {
    let mut cipher_key = vec![0; 32];
    hkdf::Hkdf::<Sha256>::new(Some(b"sealed-session/v1"), &bytes(1))
        .expand(b"xchacha20poly1305", &mut cipher_key)
        .unwrap();
    let secrets = [bytes(1).to_vec(), cipher_key];

    let ring = KeyRing::single(secret(1));
    let tables = tables(&entry(1));
    assert_hidden(&secret(1), &secrets);
    assert_hidden(&ring, &secrets);
    assert_hidden(&ring.sealing(start()).unwrap(), &secrets);
    assert_hidden(&KeyRing::builder().key(secret(1), start(), None), &secrets);
    assert_hidden(&tables, &secrets);
    assert_hidden(&tables.list(start()), &secrets);
    assert_hidden(&KeySource::Ring(ring), &secrets);
    assert_hidden(&KeySource::Tables(tables), &secrets);
    // The test itself would notice.
    let leak = std::panic::catch_unwind(|| assert_hidden(&bytes(1), &[bytes(1).to_vec()]));
    assert!(leak.is_err());
}
