//! Keys through the public interface: which key is used when, and how a key file is read and changed.

use std::fmt::Debug;
use std::fs;
use std::time::Duration;

use proptest::prelude::*;
use sealed_session::key_files::{
    EditError, KeyInfo, KeyStatus, Rotation, Successor, mode_is_loose,
};
use sealed_session::time::UnixMillis;
use sealed_session::{
    ConfigError,
    keys::{KeyId, KeySource, KeyTables, Random, RandomError, Secret, SystemRandom},
};
use sha2::{Digest, Sha256};

const HOUR: Duration = Duration::from_secs(3600);

const DAY: Duration = Duration::from_secs(24 * 3600);

pub fn start() -> UnixMillis {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

/// Different secrets, the same in every run.
pub fn bytes(number: u64) -> [u8; 32] {
    Sha256::digest(number.to_be_bytes()).into()
}

pub fn secret(number: u64) -> Secret {
    Secret::from_bytes(bytes(number)).unwrap()
}

pub fn tables(text: &str) -> KeyTables {
    KeyTables::parse(text).unwrap()
}

/// A `[[key]]` with this secret, active since the start.
pub fn entry(number: u64) -> String {
    let text = secret(number).to_text();
    format!(
        "[[key]]\nsecret = \"{}\"\nactivate = \"{}\"\n",
        *text,
        start()
    )
}

/// A generator that repeats itself from one test run to the next, and never within one.
#[derive(Debug, Default)]
struct Counting(std::sync::atomic::AtomicU64);

impl Random for Counting {
    fn fill(&self, into: &mut [u8]) -> Result<(), RandomError> {
        let number = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        into.copy_from_slice(&bytes(number));
        Ok(())
    }
}

#[test]
fn the_tables_read_back_as_written() {
    let text = format!(
        "everyone_before = 2026-11-20T08:00:00.25Z\n{}retire = 2026-12-22 10:00:00+01:00\n{}\
         [[revoked]]\nid = \"{}\"\nat = \"2026-11-20T17:30:00Z\"\n\
         [[pruned]]\nid = \"{}\"\nretired = \"2026-10-01T00:00:00Z\"\n",
        entry(1),
        entry(2),
        secret(3).key_id(),
        secret(4).key_id(),
    );
    let read = tables(&text);
    let written = read.to_text();
    assert_eq!(tables(&written), read);
    assert!(
        written.contains("retire = \"2026-12-22T09:00:00Z\""),
        "{}",
        *written
    );
    assert!(read.ring(start()).is_ok());
    assert_eq!(read.list(start()).len(), 4);
}

#[test]
fn the_tables_stand_in_an_applications_own_configuration() {
    #[derive(serde::Deserialize)]
    struct Settings {
        keys: KeyTables,
    }
    let text = entry(1).replace("[[key]]", "[[keys.key]]");
    let settings: Settings = toml::from_str(&text).unwrap();
    let ring = KeySource::Tables(settings.keys).load(start()).unwrap();
    assert_eq!(ring.sealing(start()).unwrap().id(), secret(1).key_id());
    // Other formats have times as strings only.
    let json = serde_json::json!({ "key": [{
        "secret": *secret(1).to_text(),
        "activate": "2026-11-21T08:00:00Z",
    }]});
    assert_eq!(
        serde_json::from_value::<KeyTables>(json).unwrap(),
        tables(&entry(1))
    );
}

#[test]
fn bad_tables_are_refused() {
    let one = entry(1);
    let id = secret(1).key_id();
    let tombstone = |table: &str, field: &str, id: KeyId| {
        format!("[[{table}]]\nid = \"{id}\"\n{field} = \"2026-11-20T17:30:00Z\"\n")
    };
    for (text, word) in [
        (String::new(), "no key"),
        (format!("{one}{one}"), "twice"),
        (format!("{one}unknown = 1\n"), "unknown field"),
        (
            format!("{one}id = \"{}\"\n", secret(2).key_id()),
            "not that of the secret",
        ),
        (format!("{one}id = \"12\"\n"), "32 hexadecimal"),
        (
            format!("{one}retire = \"2026-11-21T08:00:00Z\"\n"),
            "retires before",
        ),
        (format!("{one}retire = 2026-12-22T09:00:00\n"), "RFC 3339"),
        (format!("{one}retire = 5\n"), "a time such as"),
        (one.replace("2026-11-21", "2026-11-22"), "no key is active"),
        (
            format!("everyone_before = 2026-11-21T08:01:01Z\n{one}"),
            "future",
        ),
        (one.clone() + &tombstone("pruned", "retired", id), "twice"),
        (one.clone() + &tombstone("revoked", "at", id), "revoked"),
        (
            "[[key]]\nactivate = 2026-11-21T08:00:00Z\n".to_owned(),
            "missing field `secret`",
        ),
        (
            format!("{one}[[revoked]]\nid = \"{id}\"\n"),
            "missing field `at`",
        ),
        (one.replace("secret = \"", "secret = \"x"), "32 bytes"),
    ] {
        let error = KeyTables::parse(&text).and_then(|tables| tables.ring(start()));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
        assert!(!error.contains(&secret(1).to_text()[..12]), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    // Revoked and still listed is fine as long as another key is left: revoked wins.
    let both = format!("{one}{}{}", entry(2), tombstone("revoked", "at", id));
    let ring = tables(&both).ring(start()).unwrap();
    assert_eq!(ring.sealing(start()).unwrap().id(), secret(2).key_id());
    assert_eq!(ring.opening(start()).count(), 1);
}

#[test]
fn errors_do_not_show_short_values_either() {
    for text in [
        "key = \"hunter2\"",
        "everyone_before = \"hunter2\"",
        "everyone_before = [\"hunter2\"]",
        "[[key]]\nsecret = [\"hunter2\"]",
        "[[key]]\nsecret = \"hunter2\"",
        "[[key]]\nsecret = \"hunter2",
        "[[key]]\nactivate = \"hunter2\"",
        "[[revoked]]\nid = \"hunter2\"",
    ] {
        let error = KeyTables::parse(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[test]
fn a_configuration_says_where_keys_come_from() {
    let read = |text: &str| toml::from_str::<KeySource>(text);
    assert!(matches!(
        read("file = \"keys.toml\""),
        Ok(KeySource::File(_))
    ));
    assert!(matches!(
        read("env = \"SESSION_KEYS\""),
        Ok(KeySource::Env(_))
    ));
    assert!(matches!(read(&entry(1)), Ok(KeySource::Tables(read)) if read == tables(&entry(1))));
    assert!(read("file = \"keys.toml\"\nenv = \"SESSION_KEYS\"").is_err());
    assert!(read(&format!("file = \"keys.toml\"\n{}", entry(1))).is_err());
    assert!(read("files = \"keys.toml\"").is_err());
    // No keys at all is noticed at the latest when they are loaded.
    assert!(read("").unwrap().load(start()).is_err());
    let text = secret(1).to_text();
    let mistaken = read(&format!("env = \"{}\"", *text))
        .unwrap()
        .load(start())
        .unwrap_err();
    assert!(!mistaken.to_string().contains(text.as_str()), "{mistaken}");
}

#[test]
fn of_keys_that_activate_together_the_first_seals() {
    for (first, second) in [(1, 2), (2, 1)] {
        let tables = tables(&(entry(first) + &entry(second)));
        let ring = tables.ring(start()).unwrap();
        assert_eq!(ring.sealing(start()).unwrap().id(), secret(first).key_id());
        assert_eq!(
            only(&tables.list(start()), KeyStatus::Sealing),
            [secret(first).key_id()]
        );
    }
}

#[test]
fn a_new_key_whose_id_begins_like_another_is_drawn_again() {
    let random = Counting::default();
    let mut tables = KeyTables::fresh(start(), &random).unwrap();
    let mut alike = *secret(1).key_id().as_bytes();
    alike[15] ^= 1;
    tables.revoke_unknown(KeyId::from_bytes(alike), start());
    let rotated = tables
        .rotate(start(), Rotation::default(), &random)
        .unwrap();
    assert_eq!(rotated.id, secret(2).key_id());
}

#[test]
fn files_that_are_no_key_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    let refusal = |word: &str| {
        let error = KeySource::File(file.clone()).load(start()).unwrap_err();
        assert!(matches!(error, ConfigError::File { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(word) && text.contains("keys.toml"), "{text}");
    };
    refusal("No such file");
    fs::create_dir(&file).unwrap();
    refusal("directory");
    fs::remove_dir(&file).unwrap();
    fs::write(&file, b"\xff\xfe").unwrap();
    refusal("UTF-8");
    fs::write(&file, "#".repeat((1 << 20) + 1)).unwrap();
    refusal("1 MiB");
    fs::write(&file, "").unwrap();
    refusal("no key");
    fs::write(&file, "[[key]]\nsecret = \"hunter2\"").unwrap();
    refusal("line 2");
    // A file at the very limit is one.
    let good = entry(1);
    let padding = "#".repeat((1 << 20) - good.len());
    fs::write(&file, good + &padding).unwrap();
    assert!(KeySource::File(file).load(start()).is_ok());
}

#[test]
fn the_environment_is_named_but_not_shown() {
    let unset = KeySource::Env("SEALED_SESSION_TEST_UNSET".to_owned()).load(start());
    assert!(
        unset
            .unwrap_err()
            .to_string()
            .contains("SEALED_SESSION_TEST_UNSET")
    );
    let path = std::env::var("PATH").unwrap();
    let error = KeySource::Env("PATH".to_owned())
        .load(start())
        .unwrap_err()
        .to_string();
    assert!(error.contains("PATH") && !error.contains(&path), "{error}");
}

#[test]
fn edits_that_fail_leave_the_file_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    KeyTables::fresh(start(), &SystemRandom)
        .unwrap()
        .create(&file)
        .unwrap();
    assert_eq!(mode_is_loose(&file), Ok(false));
    let before = fs::read_to_string(&file).unwrap();

    let stranger = KeyId::from_bytes([9; 16]);
    let failed = KeyTables::edit_file(&file, |tables| {
        tables.prune(start());
        tables.revoke(stranger, start(), &SystemRandom)
    });
    assert_eq!(failed, Err(EditError::Unknown(stranger)));
    // Tables that make no ring are not written either.
    assert!(KeyTables::default().write(&file).is_err());
    assert!(
        KeyTables::default()
            .create(folder.path().join("other.toml"))
            .is_err()
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// What an operator does, and how long after the step before.
#[derive(Clone, Debug)]
enum Step {
    Rotate { distribute: u64, force: bool },
    Prune,
    RevokeSealing,
    RevokeNewest,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u64..7200, any::<bool>())
            .prop_map(|(distribute, force)| Step::Rotate { distribute, force }),
        2 => Just(Step::Prune),
        1 => Just(Step::RevokeSealing),
        1 => Just(Step::RevokeNewest),
    ]
}

fn only(keys: &[KeyInfo], status: KeyStatus) -> Vec<KeyId> {
    let matching = keys.iter().filter(|key| key.status == status);
    matching.map(|key| key.id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is done to the tables, at every moment exactly one key seals, and whatever a key that was
    /// not revoked has sealed within the last lifetime opens. Looked at every half hour and around
    /// each step, by the tables that were in force then.
    #[test]
    fn nobody_is_logged_out_by_a_rotation(
        // Short waits as well, in which several keys wait to activate.
        steps in prop::collection::vec((
            prop_oneof![0u64..40 * 24 * 3600, 0u64..3600],
            step(),
        ), 1..12),
        lifetime in 1u32..30,
    ) {
        let lifetime = DAY * lifetime;
        let random = Counting::default();
        let mut now = start();
        let mut tables = KeyTables::fresh(now, &random).unwrap();
        // Which key sealed, and when last.
        let mut sealed: Vec<(KeyId, UnixMillis)> = Vec::new();
        let mut revoked: Vec<KeyId> = Vec::new();
        for (wait, step) in steps {
            let until = now + Duration::from_secs(wait);
            let ring = tables.ring(now).unwrap();
            while now <= until {
                let sealing: Vec<_> = only(&tables.list(now), KeyStatus::Sealing);
                let id = ring.sealing(now).expect("a key seals").id();
                prop_assert_eq!(sealing, vec![id], "tables and ring agree, on one");
                for (id, last) in &sealed {
                    if now.since(*last) < lifetime && !revoked.contains(id) {
                        prop_assert!(ring.opening(now).any(|key| key.id() == *id));
                    }
                }
                match sealed.iter_mut().find(|(known, _)| *known == id) {
                    Some((_, last)) => *last = now,
                    None => sealed.push((id, now)),
                }
                now = now + HOUR / 2;
            }
            now = until;

            let keys = tables.list(now);
            match step {
                Step::Rotate { distribute, force } => {
                    let distribute = Duration::from_secs(distribute);
                    let mut rotation = Rotation::default();
                    (rotation.distribute, rotation.lifetime) = (distribute, lifetime);
                    rotation.although_pending = force;
                    let rotated = tables.rotate(now, rotation, &random);
                    let is_pending = !only(&keys, KeyStatus::Pending).is_empty();
                    prop_assert_eq!(rotated.is_err(), is_pending && !force);
                }
                Step::Prune => {
                    prop_assert_eq!(tables.prune(now), only(&keys, KeyStatus::Retired));
                }
                Step::RevokeSealing | Step::RevokeNewest => {
                    let sealing = only(&keys, KeyStatus::Sealing);
                    let pending = only(&keys, KeyStatus::Pending);
                    let id = match step {
                        Step::RevokeNewest => *pending.first().unwrap_or(&sealing[0]),
                        _ => sealing[0],
                    };
                    let successor = tables.revoke(id, now, &random).unwrap();
                    let is_fresh = matches!(successor, Successor::Fresh(_));
                    let others = keys.iter().filter(|key| {
                        let usable = [KeyStatus::Sealing, KeyStatus::Pending, KeyStatus::Opening];
                        key.id != id && usable.contains(&key.status)
                    });
                    prop_assert_eq!(is_fresh, others.count() == 0);
                    revoked.push(id);
                }
            }
            prop_assert_eq!(&KeyTables::parse(&tables.to_text()).unwrap(), &tables);
        }
        prop_assert!(tables.ring(now).is_ok());
    }
}
