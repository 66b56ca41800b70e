//! What a record reads as, beside postcard.

use super::*;
use proptest::prelude::*;

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

#[test]
fn a_record_reads_back() {
    let record = record();
    let bytes = record.encode();
    assert_eq!(bytes.len(), record.encoded_len());
    assert_eq!(*Record::decode(bytes, 0).unwrap(), record);
}

#[test]
fn trailing_bytes_prefixes_other_versions_and_classes_are_rejected() {
    let good = record().encode();
    for cut in 0..good.len() {
        assert!(Record::decode(good[..cut].to_vec(), 0).is_err(), "{cut}");
    }
    let mut longer = good.clone();
    longer.push(0);
    assert!(Record::decode(longer, 0).is_err());
    let mut newer = good;
    newer[0] = 2;
    assert!(Record::decode(newer, 0).is_err());
}

#[test]
fn a_trail_remembers_each_key_once_and_refuses_what_it_can_not_hold() {
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
    fn what_is_read_is_what_postcard_reads(
        numbers in proptest::array::uniform6(number()),
        serial in any::<u32>(),
        subject in proptest::option::of(".{0,140}"),
        keys in 0..=KeyTrail::CAPACITY,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), odd_byte()), 0..3),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let [generation, at, everyone, created, refreshed, expires] = numbers;
        let mut honest = record();
        honest.serial = Serial::new(serial);
        honest.login = subject.map(|subject| LoginFacts {
            subject,
            key: SubjectKey::from_bytes([0x81; 16]),
            generation: Generation::new(generation),
            at: UnixMillis::new(at),
        });
        honest.everyone = Generation::new(everyone);
        honest.created = UnixMillis::new(created);
        honest.refreshed = UnixMillis::new(refreshed);
        honest.expires = UnixMillis::new(expires);
        honest.keys = KeyTrail(vec![*b"keys"; keys]);
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
                record.with_layout(|ours| {
                    let ours = Layout { entries: count, ..*ours };
                    prop_assert_eq!(&ours, &theirs);
                    Ok(())
                })?;
            }
            // What postcard takes and a record is not.
            (None, Ok((theirs, _))) => prop_assert!(
                theirs.version != VERSION
                    || theirs.class > 1
                    || theirs.keys.len() % 4 > 0
                    || theirs.keys.len() > 4 * KeyTrail::CAPACITY
            ),
            (Some((record, _)), Err(error)) => prop_assert!(false, "{error}: {record:?}"),
            (None, Err(_)) => {}
        }
    }
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
