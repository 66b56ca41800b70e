use proptest::prelude::*;

use super::*;

/// Something that a token could have been opened to.
fn found() -> FoundToken {
    let mut bytes = vec![1];
    bytes.extend([7; 16]);
    bytes.extend([0; 9]);
    FoundToken {
        key: KeyId::from_bytes([3; 16]),
        record: Record::decode(bytes, 0).unwrap(),
        length: 26,
    }
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
    let tokens = RememberedTokens::new(4);
    let (token, found) = (text(1, 120), found());
    for _ in 0..2 {
        assert!(tokens.find(&token, 1).is_none());
        tokens.remember(&token, 1, found.clone());
    }
    let again = tokens.find(&token, 1).unwrap();
    assert_eq!((again.key, again.length), (found.key, found.length));
    assert!(Arc::ptr_eq(&again.record, &found.record));
    assert!(tokens.find(&token, 2).is_none());
    assert!(tokens.find(&token[1..], 1).is_none());
    assert!(tokens.find(&[&token[..], b"x"].concat(), 1).is_none());
    for place in 0..token.len() {
        for bit in 0..8 {
            let mut other = token.clone();
            other[place] ^= 1 << bit;
            assert!(tokens.find(&other, 1).is_none(), "{place}.{bit}");
        }
    }
    let usage = tokens.usage();
    assert_eq!((usage.hits, usage.entries), (1, 1));
    assert_eq!(usage.misses, 2 + 3 + 8 * 120);
}

#[test]
fn a_token_whose_mark_is_anothers_is_not_that_one() {
    let tokens = RememberedTokens::new(1);
    let (token, mut other) = (text(1, 100), text(1, 100));
    other[10] = b'y';
    tokens.expect(&token);
    tokens.remember(&token, 1, found());
    assert!(tokens.find(&other, 1).is_none());
    assert!(tokens.find(&token, 1).is_some());
    // Nor does it drive that one out.
    tokens.remember(&other, 1, found());
    assert!(tokens.find(&other, 1).is_none());
    assert!(tokens.find(&token, 1).is_some());
}

#[test]
fn what_was_sealed_here_is_remembered_when_it_first_comes() {
    let tokens = RememberedTokens::new(4);
    let token = text(1, 100);
    tokens.expect(&token[60..]);
    assert!(tokens.find(&token, 1).is_none());
    tokens.remember(&token, 1, found());
    assert!(tokens.find(&token, 1).is_some());
}

#[test]
fn places_and_bytes_are_bounded_and_given_back() {
    let (tokens, found) = (RememberedTokens::new(1024), found());
    for number in 0..20_000 {
        let token = text(number, 3_000);
        tokens.expect(&token);
        tokens.remember(&token, 1, found.clone());
        let held = tokens.bytes.load(Ordering::Relaxed);
        assert!(held <= MOST_BYTES, "{held}");
    }
    let held = tokens.places.iter().map(|place| {
        let kept = place.kept.lock().unwrap();
        kept.token.as_ref().map_or(0, |token| token.bytes())
    });
    assert_eq!(held.sum::<usize>(), tokens.bytes.load(Ordering::Relaxed));
    let entries = tokens.usage().entries;
    assert_eq!(Arc::strong_count(&found.record) - 1, entries);
    assert!(entries > 200, "{entries}");
    tokens.clear();
    assert_eq!(tokens.bytes.load(Ordering::Relaxed), 0);
    assert_eq!(tokens.usage().entries, 0);
    assert_eq!(Arc::strong_count(&found.record), 1);
}

#[test]
fn one_place_holds_one_token_and_none_nothing() {
    let found = found();
    let (one, none) = (RememberedTokens::new(1), RememberedTokens::new(0));
    for number in 0..10 {
        let token = text(number, 50);
        for tokens in [&one, &none] {
            tokens.expect(&token);
            tokens.remember(&token, 1, found.clone());
        }
        assert!(one.find(&token, 1).is_some());
        assert!(none.find(&token, 1).is_none());
    }
    assert_eq!(Arc::strong_count(&found.record), 2);
    assert_eq!(none.usage(), TokenUse::default());
}

#[test]
fn what_is_not_used_for_a_while_goes() {
    let tokens = RememberedTokens::new(64);
    let texts: Vec<_> = (0..8).map(|number| text(number, 100)).collect();
    for token in &texts {
        tokens.expect(token);
        tokens.remember(token, 1, found());
    }
    let held = || {
        texts
            .iter()
            .filter(|it| tokens.find(it, 1).is_some())
            .count()
    };
    let all = held();
    assert!(all > 4);
    tokens.sweep();
    // Found meanwhile.
    let kept = texts
        .iter()
        .find(|it| tokens.find(it, 1).is_some())
        .unwrap();
    tokens.sweep();
    assert_eq!(tokens.usage().entries, 1);
    assert!(tokens.find(kept, 1).is_some());
    tokens.sweep();
    tokens.sweep();
    assert_eq!(tokens.usage().entries, 0);
}

#[test]
fn a_place_that_somebody_looks_at_is_passed_by() {
    let tokens = RememberedTokens::new(1);
    let token = text(1, 50);
    tokens.expect(&token);
    tokens.remember(&token, 1, found());
    let looking = tokens.places[0].kept.lock().unwrap();
    assert!(tokens.find(&token, 1).is_none());
    tokens.remember(&token, 1, found());
    drop(looking);
    assert!(tokens.find(&token, 1).is_some());
}

#[test]
fn texts_that_are_no_token_or_too_long_leave_nothing() {
    let tokens = RememberedTokens::new(4);
    for length in [0, 1, 9] {
        let short = vec![b'A'; length];
        tokens.expect(&short);
        tokens.remember(&short, 1, found());
        assert!(tokens.find(&short, 1).is_none());
    }
    for (length, is_kept) in [(LONGEST, true), (LONGEST + 1, false), (100_000, false)] {
        let token = text(7, length);
        tokens.expect(&token);
        tokens.remember(&token, 1, found());
        assert_eq!(tokens.find(&token, 1).is_some(), is_kept, "{length}");
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
fn colliding() -> Vec<(Vec<u8>, u8, FoundToken)> {
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
        places in 0..5_usize,
        happenings in proptest::collection::vec(happening(), 1..60),
    ) {
        let (tokens, all) = (RememberedTokens::new(places), colliding());
        for happening in happenings {
            match happening {
                Happening::Sealed(number) => tokens.expect(&all[number].0),
                Happening::Swept => tokens.sweep(),
                Happening::Cleared => tokens.clear(),
                Happening::Opened(number) => {
                    let (text, chunks, found) = &all[number];
                    match tokens.find(text, *chunks) {
                        Some(again) => prop_assert!(Arc::ptr_eq(&again.record, &found.record)),
                        None => tokens.remember(text, *chunks, found.clone()),
                    }
                }
            }
            let held: Vec<_> = all.iter().filter(|it| Arc::strong_count(&it.2.record) > 1).collect();
            prop_assert!(held.iter().all(|it| Arc::strong_count(&it.2.record) == 2));
            prop_assert_eq!(tokens.usage().entries, held.len());
            // Of those that collide one, and of the others one for a place.
            prop_assert!(held.len() <= places.min(2));
            let bytes = held.len() * (2 * 100 + size_of::<Record>());
            prop_assert_eq!(tokens.bytes.load(Ordering::Relaxed), bytes);
        }
    }
}

/// The first is found, and the other opened each time: coming and going would cost more.
#[test]
fn of_two_that_collide_the_first_stays_until_it_is_not_used() {
    let tokens = RememberedTokens::new(1);
    let all = colliding();
    let [(one, _, first), _, (other, _, second)] = &all[..3] else {
        panic!()
    };
    for _ in 0..2 {
        tokens.remember(one, 1, first.clone());
    }
    for _ in 0..5 {
        assert!(Arc::ptr_eq(
            &tokens.find(one, 1).unwrap().record,
            &first.record
        ));
        assert!(tokens.find(other, 1).is_none());
        tokens.remember(other, 1, second.clone());
    }
    tokens.sweep();
    tokens.sweep();
    tokens.remember(other, 1, second.clone());
    assert!(Arc::ptr_eq(
        &tokens.find(other, 1).unwrap().record,
        &second.record
    ));
    assert!(tokens.find(one, 1).is_none());
}

/// What ends a token may stand in several cookies, and [`RememberedTokens::expect`] is told of the last.
#[test]
fn a_token_whose_last_part_is_short_is_remembered_when_it_comes_twice() {
    let tokens = RememberedTokens::new(1);
    let token = text(1, 100);
    for (short, comes) in [(9, 2), (1, 2), (10, 1)] {
        tokens.clear();
        tokens.expect(&text(2, 100));
        tokens.expect(&token[100 - short..]);
        for _ in 0..comes {
            assert!(tokens.find(&token, 2).is_none(), "{short}");
            tokens.remember(&token, 2, found());
        }
        assert!(tokens.find(&token, 2).is_some(), "{short}");
    }
}
