//! What a record reads as, beside postcard.

use super::*;
use crate::ids::KeyId;
use crate::wire::read::Reader;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// The fields that postcard writes, in order, up to the entries.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Layout<'a> {
    version: u8,
    id: [u8; 16],
    serial: u32,
    #[serde(borrow)]
    login: Option<LoginLayout<'a>>,
    everyone: u64,
    created: u64,
    refreshed: u64,
    expires: u64,
    class: u8,
    keys: &'a [u8],
    /// How many entries follow.
    entries: u64,
}

/// What a login adds.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct LoginLayout<'a> {
    subject: &'a str,
    key: [u8; 16],
    generation: u64,
    at: u64,
    #[serde(borrow)]
    roles: Vec<&'a str>,
    groups: Vec<([u8; 16], u64)>,
    fingerprint: Option<[u8; 16]>,
}

impl Record {
    fn layout(&self) -> Layout<'_> {
        Layout {
            version: 1,
            id: *self.id.as_bytes(),
            serial: self.serial.get(),
            login: self.login.as_ref().map(LoginFacts::layout),
            everyone: self.everyone.get(),
            created: self.created.as_millis(),
            refreshed: self.refreshed.as_millis(),
            expires: self.expires.as_millis(),
            class: match self.class {
                Class::Standard => 0,
                Class::Remembered => 1,
            },
            keys: self.keys.0.as_flattened(),
            entries: self.entries.parts().0 as u64,
        }
    }

    /// Its bytes, which are postcard's.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(self.refreshed, &mut bytes);
        let mut theirs = postcard::to_allocvec(&self.layout()).unwrap();
        theirs.extend_from_slice(self.entries.parts().1);
        assert_eq!(bytes, theirs);
        bytes
    }
}

impl LoginFacts {
    fn layout(&self) -> LoginLayout<'_> {
        LoginLayout {
            subject: &self.subject,
            key: *self.key.as_bytes(),
            generation: self.generation.get(),
            at: self.at.as_millis(),
            roles: self.roles.iter().map(String::as_str).collect(),
            groups: self.groups.iter().map(|group| (*group).into()).collect(),
            fingerprint: self.fingerprint,
        }
    }
}

fn record() -> Record {
    let mut keys = KeyTrail::default();
    assert!(keys.add(KeyId::from_bytes([5; 16])));
    let entries = Entries::default().with("theme", &[0xa4]).with("", &[]);
    Record {
        id: SessionId::from_bytes([1; 16]),
        serial: Serial::new(3),
        login: Some(LoginFacts {
            subject: "alice".into(),
            key: SubjectKey::new("test", "alice"),
            generation: Generation::new(77),
            at: UnixMillis::new(1_000_000),
            roles: vec!["admin".into(), "editor".into()],
            groups: [3, 5].map(group).to_vec(),
            fingerprint: Some([8; 16]),
        }),
        everyone: Generation::NONE,
        created: UnixMillis::new(1_000_000),
        refreshed: UnixMillis::new(2_000_000),
        expires: UnixMillis::new(9_000_000),
        class: Class::Remembered,
        keys,
        entries,
    }
}

fn group(number: u8) -> Group {
    Group {
        key: SubjectKey::from_bytes([number; 16]),
        generation: Generation::new(number.into()),
    }
}

/// A record whose login was changed.
fn with_login(change: impl FnOnce(&mut LoginFacts)) -> Record {
    let mut record = record();
    change(record.login.as_mut().unwrap());
    record
}

fn reads_back(record: &Record) -> bool {
    let bytes = record.encode();
    Record::decode(bytes, 0).is_some_and(|read| *read == *record)
}

#[test]
fn a_record_reads_back() {
    assert!(reads_back(&record()));
}

#[test]
fn what_a_login_does_not_carry_costs_a_byte_each() {
    let bare = with_login(|login| {
        login.roles.clear();
        login.groups.clear();
        login.fingerprint = None;
    });
    let all = record().encode().len();
    let roles = 1 + "admin".len() + 1 + "editor".len();
    assert_eq!(all - bare.encode().len(), roles + 2 * (16 + 1) + 16);
    let anonymous = Record {
        login: None,
        ..bare.clone()
    };
    let login = "alice".len() + 1 + 16 + 1 + 3;
    assert_eq!(bare.encode().len() - anonymous.encode().len(), login + 3);
}

#[test]
fn room_is_left_for_the_longest_login_and_for_all_that_grows() {
    let latest = (1 << 49) - 1;
    let longest = with_login(|login| {
        login.subject = "s".repeat(LONGEST_SUBJECT).into();
        login.roles.clear();
        login.groups.clear();
        login.fingerprint = None;
    });
    let anonymous = Record {
        login: None,
        ..longest.clone()
    };
    assert_eq!(anonymous.longest_len(), longest.longest_len());
    let early = record();
    let mut late = Record {
        serial: Serial::new(u32::MAX),
        everyone: Generation::new(latest),
        created: UnixMillis::new(latest),
        refreshed: UnixMillis::new(latest),
        expires: UnixMillis::new(latest),
        keys: KeyTrail((0..16).map(|key| [key; 4]).collect()),
        ..early.clone()
    };
    let login = late.login.as_mut().unwrap();
    login.generation = Generation::new(latest);
    login.at = UnixMillis::new(latest);
    for group in &mut login.groups {
        group.generation = Generation::new(latest);
    }
    assert_eq!(early.longest_len(), late.encode().len());
}

#[test]
fn a_reader_bounds_what_a_writer_bounds() {
    let names = |count: usize| {
        (0..count)
            .map(|name| format!("{name:02}"))
            .collect::<Vec<_>>()
    };
    let groups = |count: u8| (0..count).map(group).collect::<Vec<_>>();
    let subject = |bytes| with_login(|login| login.subject = "s".repeat(bytes).into());
    let roles = |roles: &[String]| with_login(|login| login.roles = roles.to_vec());
    let in_groups = |groups: &[Group]| with_login(|login| login.groups = groups.to_vec());
    for (what, good, bad) in [
        ("short subject", subject(1), subject(0)),
        ("long subject", subject(255), subject(256)),
        ("roles", roles(&names(32)), roles(&names(33))),
        ("short role", roles(&["r".into()]), roles(&[String::new()])),
        (
            "long role",
            roles(&["r".repeat(64)]),
            roles(&["r".repeat(65)]),
        ),
        (
            "order of roles",
            roles(&["a".into(), "b".into()]),
            roles(&["b".into(), "a".into()]),
        ),
        (
            "equal roles",
            roles(&["a".into(), "aa".into()]),
            roles(&["a".into(), "a".into()]),
        ),
        ("groups", in_groups(&groups(8)), in_groups(&groups(9))),
        (
            "order of groups",
            in_groups(&[group(1), group(2)]),
            in_groups(&[group(2), group(1)]),
        ),
        (
            "equal groups",
            in_groups(&[group(1)]),
            in_groups(&[
                group(1),
                Group {
                    generation: Generation::NONE,
                    ..group(1)
                },
            ]),
        ),
    ] {
        assert!(reads_back(&good), "{what}");
        assert!(!reads_back(&bad), "{what}");
    }
}

#[test]
fn trailing_bytes_prefixes_other_versions_and_classes_are_rejected() {
    let good = record().encode();
    for cut in 0..good.len() {
        assert!(Record::decode(good[..cut].to_vec(), 0).is_none(), "{cut}");
    }
    let mut longer = good.clone();
    longer.push(0);
    assert!(Record::decode(longer, 0).is_none());
    let mut newer = good;
    newer[0] = 2;
    assert!(Record::decode(newer, 0).is_none());
}

#[test]
fn a_trail_with_a_key_twice_is_refused() {
    assert!(KeyTrail::read(b"aaaabbbbcccc").is_some());
    for twice in [b"aaaaaaaabbbb", b"aaaabbbbbbbb", b"aaaabbbbaaaa"] {
        assert_eq!(KeyTrail::read(twice), None);
    }
}

#[test]
fn a_trail_remembers_each_key_once_and_refuses_what_it_cannot_hold() {
    let mut trail = KeyTrail::default();
    for key in 0..KeyTrail::CAPACITY as u8 {
        assert!(trail.add(KeyId::from_bytes([key; 16])));
        assert!(trail.add(KeyId::from_bytes([key; 16])));
    }
    assert_eq!(trail.iter().count(), KeyTrail::CAPACITY);
    assert!(!trail.add(KeyId::from_bytes([99; 16])));
    assert!(trail.add(KeyId::from_bytes([3; 16])));
}

proptest! {
    #[test]
    fn any_bytes_decode_to_a_record_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Record::decode(bytes, 0);
    }

    #[test]
    fn what_is_read_is_what_postcard_reads_and_writes_again_as_the_same_bytes(
        numbers in proptest::array::uniform6(number()),
        serial in any::<u32>(),
        subject in proptest::option::of(".{0,140}"),
        roles in proptest::collection::btree_set("[a-c]{1,3}", 0..3),
        groups in proptest::collection::btree_set(0..9u8, 0..3),
        fingerprint in any::<Option<[u8; 16]>>(),
        keys in 0..=KeyTrail::CAPACITY as u8,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), odd_byte()), 0..3),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let [generation, at, everyone, created, refreshed, expires] = numbers;
        let mut honest = record();
        honest.serial = Serial::new(serial);
        honest.login = subject.map(|subject| LoginFacts {
            subject: subject.into(),
            key: SubjectKey::from_bytes([0x81; 16]),
            generation: Generation::new(generation),
            at: UnixMillis::new(at),
            roles: roles.into_iter().collect(),
            groups: groups.into_iter().map(group).collect(),
            fingerprint,
        });
        honest.everyone = Generation::new(everyone);
        honest.created = UnixMillis::new(created);
        honest.refreshed = UnixMillis::new(refreshed);
        honest.expires = UnixMillis::new(expires);
        honest.keys = KeyTrail((0..keys).map(|key| [key; 4]).collect());
        let mut bytes = honest.encode();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let mut reader = Reader::new(&bytes);
        let read = Record::read(&mut reader);
        let theirs = postcard::take_from_bytes::<Layout<'_>>(&bytes);
        match (read, theirs) {
            (Some((record, count)), Ok((theirs, rest))) => {
                prop_assert_eq!(reader.rest(), rest);
                let taken = &bytes[..bytes.len() - rest.len()];
                prop_assert_eq!(postcard::to_allocvec(&theirs).unwrap(), taken);
                let ours = Layout {
                    entries: count,
                    ..record.layout()
                };
                prop_assert_eq!(&ours, &theirs);
            }
            // What postcard takes and a record is not.
            (None, Ok((theirs, rest))) => {
                let taken = &bytes[..bytes.len() - rest.len()];
                let is_shortest = postcard::to_allocvec(&theirs).unwrap() == taken;
                prop_assert!(!is_shortest || !is_bounded(&theirs), "{theirs:?}");
            }
            (Some((record, _)), Err(error)) => prop_assert!(false, "{error}: {record:?}"),
            (None, Err(_)) => {}
        }
    }
}

fn is_bounded(layout: &Layout<'_>) -> bool {
    let keys = layout
        .keys
        .chunks(4)
        .collect::<std::collections::BTreeSet<_>>();
    let login = layout.login.as_ref().is_none_or(|login| {
        (1..=255).contains(&login.subject.len())
            && login.roles.len() <= 32
            && login
                .roles
                .iter()
                .all(|role| (1..=64).contains(&role.len()))
            && login.roles.is_sorted_by(|one, other| one < other)
            && login.groups.len() <= 8
            && login
                .groups
                .is_sorted_by(|(one, _), (other, _)| one < other)
    });
    let keys_fit = layout.keys.len() <= 64 && keys.len() * 4 == layout.keys.len();
    login && keys_fit && layout.version == 1 && layout.class <= 1
}

/// Of every length.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64u32).prop_map(|(number, shift)| number >> shift)
}

/// Such as lengths and numbers turn on.
fn odd_byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(2),
        Just(0x7f),
        Just(0x80),
        Just(0xff),
        any::<u8>()
    ]
}
