//! The token format's vectors: made by another implementation (`tests/data/make.py`), opened by this one.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sealed_session::testing::published_secret;
use sealed_session::{
    KeyRing,
    inspect::{self, Inspected, InspectedLogin},
    revoke::SubjectKey,
    session::Rejected,
    time::{Class, UnixMillis},
};
use serde_json::{Value, json};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

/// All of them, by name.
fn vectors() -> BTreeMap<String, Value> {
    let files = fs::read_dir(Path::new(DATA).join("v1")).unwrap();
    let read = |path: &Path| {
        let vector = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        (
            path.file_stem().unwrap().to_str().unwrap().to_owned(),
            vector,
        )
    };
    files.map(|file| read(&file.unwrap().path())).collect()
}

#[test]
fn every_vector_opens_or_is_rejected_as_it_says() {
    let vectors = vectors();
    for (name, vector) in &vectors {
        match vector["kind"].as_str().unwrap() {
            "session" => check(name, vector),
            other => panic!("{name} is of the kind {other}, which nobody checks"),
        }
    }
    assert!(vectors.len() >= 160, "{} vectors", vectors.len());
}

/// Two tokens under one nonce and key tell what both say. Nobody is to learn that from the vectors.
#[test]
fn every_vector_has_a_nonce_of_its_own() {
    let mut nonces = BTreeSet::new();
    let mut count = 0;
    for (name, vector) in vectors() {
        let text = vector["cookies"]["session"].as_str().unwrap_or_default();
        let text = text.split_once('.').map_or(text, |(_, text)| text);
        // The first 45 bytes; of some vectors there are none.
        let Some(Ok(bytes)) = text.get(..60).map(|text| BASE64.decode(text)) else {
            continue;
        };
        assert!(nonces.insert(bytes[21..45].to_vec()), "{name}");
        count += 1;
    }
    assert!(count > 150, "{count}");
}

#[test]
fn every_file_is_listed() {
    let text = fs::read_to_string(Path::new(DATA).join("README.md")).unwrap();
    let listed: BTreeSet<&str> = text.split('`').skip(1).step_by(2).collect();
    let mut files: BTreeSet<String> = vectors().into_keys().collect();
    for file in fs::read_dir(DATA).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            files.insert(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    let missing: Vec<_> = files
        .iter()
        .filter(|file| !listed.contains(&file[..]))
        .collect();
    assert!(missing.is_empty(), "not in the README: {missing:?}");
    let is_vector = |name: &&&str| name.starts_with("opens-") || name.starts_with("rejects-");
    let absent: Vec<_> = listed
        .iter()
        .filter(is_vector)
        .filter(|it| !files.contains(**it))
        .collect();
    assert!(absent.is_empty(), "in the README only: {absent:?}");
}

fn check(name: &str, vector: &Value) {
    let cookies = vector["cookies"].as_object().unwrap();
    let pairs = cookies
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()));
    let header = pairs.collect::<Vec<_>>().join("; ");
    let audience = vector["audience"].as_str().unwrap();
    let found = inspect::token(
        &header,
        vector["cookie"].as_str().unwrap(),
        audience,
        &ring(&vector["keys"]),
        time(&vector["now"]),
    );
    match (found, &vector["expect"]["rejected"]) {
        (Err(reason), Value::String(expected)) => {
            assert_eq!(kind(reason), expected, "{name}: {reason}");
        }
        (Ok(found), Value::Null) => {
            assert_eq!(found.login.as_ref().map(|login| login.key), {
                let login = found.login.as_ref();
                login.map(|login| SubjectKey::new(audience, &login.subject))
            });
            opens(name, &found, &vector["expect"]["opens"]);
        }
        (found, expected) => panic!("{name}: {found:?}, but expected {expected}"),
    }
}

fn opens(name: &str, found: &Inspected, expected: &Value) {
    let says = |field: &str, value: Value| assert_eq!(value, expected[field], "{name}: {field}");
    says("session", found.session.to_string().into());
    says("serial", found.serial.get().into());
    says("login", found.login.as_ref().map(login).into());
    says("everyone", found.everyone.get().into());
    says("created", found.created.as_millis().into());
    says("refreshed", found.refreshed.as_millis().into());
    says("expires", found.expires.as_millis().into());
    says("remembered", (found.class == Class::Remembered).into());
    says("earlier_keys", found.earlier_keys.into());
    let entries = found.entries.iter();
    let entries = entries.map(|(name, value)| (name.clone(), hex(value.as_bytes()).into()));
    says("entries", Value::Object(entries.collect()));
    let read = |entry: &str| found.entries[entry].decode::<Value>();
    for (entry, value) in expected["values"].as_object().into_iter().flatten() {
        assert_eq!(read(entry).as_ref(), Ok(value), "{name}: {entry}");
    }
    for (list, reads) in [("readable", true), ("unreadable", false)] {
        for entry in expected[list].as_array().into_iter().flatten() {
            let entry = entry.as_str().unwrap();
            assert_eq!(read(entry).is_ok(), reads, "{name}: {entry}");
        }
    }
}

fn login(login: &InspectedLogin) -> Value {
    let groups = login.groups.iter();
    let groups = groups
        .map(|(key, generation)| json!({ "key": key.to_string(), "generation": generation.get() }));
    json!({
        "subject": login.subject,
        "key": login.key.to_string(),
        "generation": login.generation.get(),
        "at": login.at.as_millis(),
        "roles": login.roles,
        "groups": groups.collect::<Vec<_>>(),
        "fingerprint": login.fingerprint.map(|print| hex(&print)),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ring(keys: &Value) -> KeyRing {
    let mut builder = KeyRing::builder();
    for key in keys.as_array().unwrap() {
        let secret = published_secret(u8::try_from(key["published"].as_u64().unwrap()).unwrap());
        match key.get("revoked") {
            Some(at) => builder = builder.revoked(secret.key_id(), time(at)),
            None => {
                let activate = key.get("activate").map_or(UnixMillis::EPOCH, time);
                let retire = key.get("retire").map(time);
                builder = builder.key(secret, activate, retire);
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
