//! What gets into the cache and stays there, whatever comes in which order, and that its bounds hold.

use proptest::prelude::*;

use std::sync::Arc;

use super::*;
use crate::ids::{Generation, SubjectKey};
use crate::record::LoginFacts;
use crate::time::UnixMillis;

/// Something that a token could have been opened to.
fn found() -> Opened {
    let mut bytes = vec![1];
    bytes.extend([7; 16]);
    bytes.extend([0; 9]);
    let record = Record::decode(bytes, 0).unwrap();
    Opened::of(record, KeyId::from_bytes([3; 16]), 26)
}

/// The same of somebody who has so many roles.
fn found_with(roles: usize) -> Opened {
    let mut record = Record::clone(&found().into_record());
    record.login = Some(LoginFacts {
        subject: "alice".into(),
        key: SubjectKey::from_bytes([4; 16]),
        generation: Generation::new(0),
        at: UnixMillis::new(0),
        roles: (0..roles).map(|number| format!("role{number}")).collect(),
        groups: Vec::new(),
        fingerprint: None,
    });
    Opened::of(Arc::new(record), KeyId::from_bytes([3; 16]), 26)
}

/// How many hold its record.
fn holders(opened: &Opened) -> usize {
    Arc::strong_count(&opened.clone().into_record()) - 1
}

fn address(opened: &Opened) -> *const Record {
    opened.record()
}

fn opens(_: &KeyId) -> bool {
    true
}

/// A text of this length whose end is another for each number.
fn text(number: u64, length: usize) -> Vec<u8> {
    let end = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut text = vec![b'x'; length - 20];
    text.extend(format!("{end:020}").bytes());
    text
}

#[test]
fn only_the_very_token_is_found_and_only_once_it_came_twice() {
    let tokens = TokenCache::new(4);
    let (token, found) = (text(1, 120), found());
    for _ in 0..2 {
        assert!(tokens.get(&token, 1, opens).is_none());
        tokens.insert(&token, 1, &found);
    }
    let Cached(again) = tokens.get(&token, 1, opens).unwrap();
    assert_eq!((again.key(), again.length()), (found.key(), found.length()));
    assert!(std::ptr::eq(again.record(), found.record()));
    assert!(tokens.get(&token, 2, opens).is_none());
    assert!(tokens.get(&token[1..], 1, opens).is_none());
    assert!(tokens.get(&[&token[..], b"x"].concat(), 1, opens).is_none());
    for at in 0..token.len() {
        for bit in 0..8 {
            let mut other = token.clone();
            other[at] ^= 1 << bit;
            assert!(tokens.get(&other, 1, opens).is_none(), "{at}.{bit}");
        }
    }
    let stats = tokens.stats();
    assert_eq!((stats.hits, stats.entries), (1, 1));
    assert_eq!(stats.misses, 2, "only what was opened");
}

#[test]
fn a_token_whose_key_does_not_open_any_more_is_not_found_and_goes() {
    let tokens = TokenCache::new(4);
    let token = text(1, 100);
    tokens.announce(&token);
    tokens.insert(&token, 1, &found());
    tokens.sweep();
    let retired = |key: &KeyId| {
        assert_eq!(*key, found().key());
        false
    };
    assert!(tokens.get(&token, 1, retired).is_none());
    assert_eq!(tokens.stats().hits, 0);
    tokens.sweep();
    assert_eq!(tokens.stats().entries, 0, "it was not used");
}

#[test]
fn a_token_whose_mark_is_anothers_is_not_that_one() {
    let tokens = TokenCache::new(1);
    let (token, mut other) = (text(1, 100), text(1, 100));
    other[10] = b'y';
    tokens.announce(&token);
    tokens.insert(&token, 1, &found());
    assert!(tokens.get(&other, 1, opens).is_none());
    assert!(tokens.get(&token, 1, opens).is_some());
    // Nor does it drive that one out.
    tokens.insert(&other, 1, &found());
    assert!(tokens.get(&other, 1, opens).is_none());
    assert!(tokens.get(&token, 1, opens).is_some());
}

#[test]
fn what_was_sealed_here_is_cached_when_it_first_comes() {
    let tokens = TokenCache::new(4);
    let token = text(1, 100);
    tokens.announce(&token[60..]);
    assert!(tokens.get(&token, 1, opens).is_none());
    tokens.insert(&token, 1, &found());
    assert!(tokens.get(&token, 1, opens).is_some());
}

#[test]
fn slots_and_bytes_are_bounded_and_given_back() {
    let (tokens, found) = (TokenCache::new(1024), found());
    for number in 0..20_000 {
        let token = text(number, 3_000);
        tokens.announce(&token);
        tokens.insert(&token, 1, &found);
        let held = tokens.bytes.load(Ordering::Relaxed);
        assert!(held <= MOST_BYTES, "{held}");
    }
    let held = tokens.slots.iter().map(|slot| {
        let content = slot.content.lock().unwrap();
        content.token.as_ref().map_or(0, |token| token.bytes())
    });
    assert_eq!(held.sum::<usize>(), tokens.bytes.load(Ordering::Relaxed));
    let entries = tokens.stats().entries;
    assert_eq!(holders(&found) - 1, entries);
    assert!(entries > 200, "{entries}");
    tokens.clear();
    assert_eq!(tokens.bytes.load(Ordering::Relaxed), 0);
    assert_eq!(tokens.stats().entries, 0);
    assert_eq!(holders(&found), 1);
}

/// Each is a string of its own, so many small tokens could take more than was counted.
#[test]
fn roles_count_towards_the_bytes() {
    let bytes_with = |roles| {
        let tokens = TokenCache::new(1);
        let token = text(1, 200);
        tokens.announce(&token);
        tokens.insert(&token, 1, &found_with(roles));
        assert_eq!(tokens.stats().entries, 1);
        tokens.bytes.load(Ordering::Relaxed)
    };
    let without = size_of::<CachedToken>() + 2 * 200 + size_of::<Record>();
    assert_eq!(bytes_with(0), without);
    let roles = bytes_with(32) - bytes_with(0);
    assert!(
        roles >= 32 * (size_of::<String>() + "role31".len()),
        "{roles}"
    );
}

#[test]
fn one_slot_holds_one_token_and_none_nothing() {
    let found = found();
    let (one, none) = (TokenCache::new(1), TokenCache::new(0));
    for number in 0..10 {
        let token = text(number, 50);
        for tokens in [&one, &none] {
            tokens.announce(&token);
            tokens.insert(&token, 1, &found);
        }
        assert!(one.get(&token, 1, opens).is_some());
        assert!(none.get(&token, 1, opens).is_none());
    }
    assert_eq!(holders(&found), 2);
    assert_eq!(none.stats(), TokenCacheStats::default());
}

#[test]
fn what_is_not_used_for_a_while_goes() {
    let tokens = TokenCache::new(64);
    let texts: Vec<_> = (0..8).map(|number| text(number, 100)).collect();
    for token in &texts {
        tokens.announce(token);
        tokens.insert(token, 1, &found());
    }
    let held = || {
        texts
            .iter()
            .filter(|it| tokens.get(it, 1, opens).is_some())
            .count()
    };
    let all = held();
    assert!(all > 4);
    tokens.sweep();
    // Found meanwhile.
    let kept = texts
        .iter()
        .find(|it| tokens.get(it, 1, opens).is_some())
        .unwrap();
    tokens.sweep();
    assert_eq!(tokens.stats().entries, 1);
    assert!(tokens.get(kept, 1, opens).is_some());
    tokens.sweep();
    tokens.sweep();
    assert_eq!(tokens.stats().entries, 0);
}

#[test]
fn a_slot_that_somebody_looks_at_is_passed_by() {
    let tokens = TokenCache::new(1);
    let token = text(1, 50);
    tokens.announce(&token);
    tokens.insert(&token, 1, &found());
    let looking = tokens.slots[0].content.lock().unwrap();
    assert!(tokens.get(&token, 1, opens).is_none());
    tokens.insert(&token, 1, &found());
    drop(looking);
    assert!(tokens.get(&token, 1, opens).is_some());
}

#[test]
fn texts_that_are_no_token_or_too_long_leave_nothing() {
    let tokens = TokenCache::new(4);
    for length in [0, 1, 9] {
        let short = vec![b'A'; length];
        tokens.announce(&short);
        tokens.insert(&short, 1, &found());
        assert!(tokens.get(&short, 1, opens).is_none());
    }
    for (length, is_kept) in [(LONGEST, true), (LONGEST + 1, false), (100_000, false)] {
        let token = text(length as u64, length);
        tokens.announce(&token);
        tokens.insert(&token, 1, &found());
        assert_eq!(tokens.get(&token, 1, opens).is_some(), is_kept, "{length}");
    }
}

/// What may happen to one of the tokens of [`colliding`], or to all of them.
#[derive(Debug, Clone)]
enum Happening {
    Sealed(usize),
    Opened(usize),
    Swept,
    Cleared,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => (0..12_usize).prop_map(Happening::Sealed),
        8 => (0..12_usize).prop_map(Happening::Opened),
        1 => Just(Happening::Swept),
        1 => Just(Happening::Cleared),
    ]
}

/// Three texts for each of two ends, each in one cookie and in two: whoever holds a key can make such.
fn colliding() -> Vec<(Vec<u8>, u8, Opened)> {
    let mut all = Vec::new();
    for end in 0..2 {
        for start in [b'x', b'y', b'z'] {
            let mut text = text(end, 100);
            text[0] = start;
            all.extend([1, 2].map(|chunks| (text.clone(), chunks, found())));
        }
    }
    all
}

proptest! {
    #[test]
    fn tokens_that_collide_never_get_anothers_record(
        slots in 0..5_usize,
        happenings in proptest::collection::vec(happening(), 1..60),
    ) {
        let (tokens, all) = (TokenCache::new(slots), colliding());
        for happening in happenings {
            match happening {
                Happening::Sealed(number) => tokens.announce(&all[number].0),
                Happening::Swept => tokens.sweep(),
                Happening::Cleared => tokens.clear(),
                Happening::Opened(number) => {
                    let (text, chunks, found) = &all[number];
                    match tokens.get(text, *chunks, opens) {
                        Some(Cached(again)) => prop_assert!(std::ptr::eq(again.record(), found.record())),
                        None => tokens.insert(text, *chunks, found),
                    }
                }
            }
            let held: Vec<_> = all.iter().filter(|it| holders(&it.2) > 1).collect();
            prop_assert!(held.iter().all(|it| holders(&it.2) == 2));
            prop_assert_eq!(tokens.stats().entries, held.len());
            // Of those that collide one, and of the others one for a slot.
            prop_assert!(held.len() <= slots.min(2));
            let bytes = held.len() * (2 * 100 + size_of::<Record>() + size_of::<CachedToken>());
            prop_assert_eq!(tokens.bytes.load(Ordering::Relaxed), bytes);
        }
    }
}

/// The first is found, and the other opened each time: coming and going would cost more.
#[test]
fn of_two_that_collide_the_first_stays_until_it_is_not_used() {
    let tokens = TokenCache::new(1);
    let all = colliding();
    let [(one, _, first), _, (other, _, second)] = &all[..3] else {
        panic!()
    };
    for _ in 0..2 {
        tokens.insert(one, 1, first);
    }
    for _ in 0..5 {
        assert_eq!(
            address(&tokens.get(one, 1, opens).unwrap().0),
            address(first)
        );
        assert!(tokens.get(other, 1, opens).is_none());
        tokens.insert(other, 1, second);
    }
    tokens.sweep();
    tokens.sweep();
    tokens.insert(other, 1, second);
    assert_eq!(
        address(&tokens.get(other, 1, opens).unwrap().0),
        address(second)
    );
    assert!(tokens.get(one, 1, opens).is_none());
}
