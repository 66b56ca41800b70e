//! Which sessions count, whatever a list was told.

use super::*;
use crate::ids::{Generation, SessionId, SubjectKey};
use crate::record::{Entries, LoginFacts};
use crate::revoke::{Revocation, Spared, SubjectEntry, Target};
use crate::time::Class;
use proptest::prelude::*;

const NOW: UnixMillis = UnixMillis::from_secs(1_800_000_000);

impl<'a> Rules<'a> {
    /// As by default: with keys of which none is revoked, and for any client.
    pub(crate) fn plain(list: &'a List, lifetimes: &'a Lifetimes, now: UnixMillis) -> Self {
        Self {
            list,
            lifetimes,
            ring: Guard::from_inner(Arc::default()),
            accept_older: false,
            room: CookieRoom {
                overhead: 100,
                max_bytes: 3584,
                max_chunks: 1,
            },
            client: None,
            now,
        }
    }
}

fn record(serial: u32, generation: u64, everyone: u64) -> Record {
    Record {
        id: SessionId::from_bytes([1; 16]),
        serial: Serial::new(serial),
        login: Some(LoginFacts {
            subject: "alice".into(),
            key: alice(),
            generation: Generation::new(generation),
            at: NOW,
            roles: Vec::new(),
            groups: Vec::new(),
            fingerprint: None,
        }),
        everyone: Generation::new(everyone),
        created: NOW,
        refreshed: NOW,
        expires: NOW + Duration::from_secs(3600),
        class: Class::Standard,
        keys: KeyTrail::default(),
        entries: Entries::default(),
    }
}

fn judge_at(list: &List, record: &Record, now: UnixMillis) -> Result<Freshness, Refusal> {
    Rules::plain(list, &Lifetimes::default(), now).judge(record, None, record.refreshed)
}

fn alice() -> SubjectKey {
    SubjectKey::new("test", "alice")
}

fn session_revocation(serial: Serial, from: UnixMillis) -> Revocation {
    Revocation::Session {
        id: SessionId::from_bytes([1; 16]),
        entry: SessionEntry::new(serial, from, UnixMillis::MAX),
    }
}

#[test]
fn the_grace_of_a_renewal_reads_and_ends() {
    let list = List::default();
    let from = NOW + Duration::from_secs(10);
    list.join(&session_revocation(Serial::new(3), from));
    assert_eq!(
        judge_at(&list, &record(3, 0, 0), NOW),
        Ok(Freshness::Newest)
    );
    assert_eq!(
        judge_at(&list, &record(4, 0, 0), NOW),
        Ok(Freshness::Newest)
    );
    assert_eq!(
        judge_at(&list, &record(2, 0, 0), NOW),
        Ok(Freshness::Superseded)
    );
    let after = judge_at(&list, &record(2, 0, 0), from).unwrap_err();
    assert_eq!(after.reason, Rejected::Superseded);
    assert!(judge_at(&list, &record(1, 0, 0), NOW).is_err());
}

#[test]
fn a_grace_further_ahead_than_any_renewal_grants_is_none() {
    let list = List::default();
    list.join(&session_revocation(Serial::new(1), UnixMillis::MAX));
    assert!(judge_at(&list, &record(0, 0, 0), NOW).is_err());
}

#[test]
fn a_logout_ends_every_serial_at_once() {
    let list = List::default();
    list.join(&session_revocation(
        Serial::ENDED,
        NOW + Duration::from_secs(5),
    ));
    for serial in [0, 1, 1000, Serial::LAST.get(), Serial::LAST.get() + 1] {
        let refusal = judge_at(&list, &record(serial, 0, 0), NOW).unwrap_err();
        assert_eq!(refusal.reason, Rejected::Ended, "{serial}");
    }
}

#[test]
fn a_login_over_a_session_outranks_its_logout_and_has_no_grace() {
    let (earlier, later) = (NOW, NOW + Duration::from_secs(5));
    let both = [
        session_revocation(Serial::SUCCEEDED, later),
        session_revocation(Serial::ENDED, earlier),
    ];
    for order in [[0, 1], [1, 0]] {
        let list = List::default();
        for revocation in order {
            list.join(&both[revocation]);
        }
        for serial in [0, 1, Serial::LAST.get(), Serial::LAST.get() + 1] {
            let refusal = judge_at(&list, &record(serial, 0, 0), NOW).unwrap_err();
            assert_eq!(refusal.reason, Rejected::Succeeded, "{serial}");
        }
    }
}

#[test]
fn a_generation_that_was_never_handed_out_is_implausible() {
    let list = List::default();
    let ahead = (NOW + SKEW).as_millis() + 1;
    let refusal = judge_at(&list, &record(0, ahead, 0), NOW).unwrap_err();
    assert_eq!(refusal.reason, Rejected::Implausible);
    let refusal = judge_at(&list, &record(0, 0, ahead), NOW).unwrap_err();
    assert_eq!(refusal.reason, Rejected::Implausible);
    // Unless the list knows of it: a store whose counter ran ahead.
    let generation = Generation::new(ahead);
    let until = UnixMillis::MAX;
    let entry = SubjectEntry::new(generation, until);
    list.join(&Revocation::Subject {
        key: alice(),
        entry,
    });
    assert!(judge_at(&list, &record(0, ahead, 0), NOW).is_ok());
}

#[test]
fn marks_refuse_until_they_are_lifted() {
    let list = List::default();
    let other = SessionId::from_bytes([9; 16]);
    for target in [Target::Subject(alice()), Target::Everyone] {
        for spared in [None, Some(other)] {
            list.mark(target, spared);
            assert!(judge_at(&list, &record(0, 0, 0), NOW).is_err());
            list.unmark(target);
            assert!(judge_at(&list, &record(0, 0, 0), NOW).is_ok());
        }
    }
    list.mark(Target::Subject(alice()), Some(record(0, 0, 0).id));
    assert!(
        judge_at(&list, &record(0, 0, 0), NOW).is_ok(),
        "it is spared"
    );
}

#[test]
fn who_logged_others_out_lives_unless_it_was_ended_otherwise() {
    let list = List::default();
    let own = record(0, 5, 0);
    let raise = |generation, spared: Option<(SessionId, u64)>| {
        let entry = SubjectEntry::new(Generation::new(generation), UnixMillis::MAX);
        let entry = spared.map_or(entry, |(session, generation)| {
            entry.sparing(Spared {
                session,
                generation: Generation::new(generation),
            })
        });
        list.join(&Revocation::Subject {
            key: alice(),
            entry,
        });
    };
    raise(10, Some((own.id, 5)));
    assert!(judge_at(&list, &own, NOW).is_ok());
    let other = Record {
        id: SessionId::from_bytes([9; 16]),
        ..record(0, 9, 0)
    };
    assert!(judge_at(&list, &other, NOW).is_err());
    raise(4, None);
    assert!(judge_at(&list, &own, NOW).is_ok(), "it began after that");
    // A store had lost this one, and gets it back.
    raise(7, None);
    assert!(judge_at(&list, &own, NOW).is_err());
}

#[test]
fn the_second_check_refuses_a_superseded_cookie() {
    let list = List::default();
    let lifetimes = Lifetimes::default();
    let rules = Rules::plain(&list, &lifetimes, NOW);
    let record = record(0, 0, 0);
    assert!(rules.clear(&record, None).is_ok());
    list.join(&session_revocation(
        Serial::new(1),
        NOW + Duration::from_secs(9),
    ));
    assert!(rules.clear(&record, None).is_err());
}

fn revocation() -> impl Strategy<Value = Revocation> {
    let until = UnixMillis::MAX;
    prop_oneof![
        (0..4u32, 0..20_000u64).prop_map(|(serial, ahead)| {
            let from = NOW + Duration::from_millis(ahead);
            session_revocation(Serial::new(serial), from)
        }),
        (0..4u64).prop_map(move |generation| {
            let generation = Generation::new(generation);
            let entry = SubjectEntry::new(generation, until);
            Revocation::Subject {
                key: alice(),
                entry,
            }
        }),
        (0..4u64).prop_map(|generation| Revocation::Everyone {
            generation: Generation::new(generation)
        }),
    ]
}

proptest! {
    /// Whatever is joined, in whatever order: a session that was refused stays refused.
    #[test]
    fn a_join_only_ever_refuses_more(
        revocations in proptest::collection::vec(revocation(), 1..8),
        serial in 0..4u32, generation in 0..4u64, everyone in 0..4u64,
        ahead in 0..20_000u64,
    ) {
        let list = List::default();
        let now = NOW + Duration::from_millis(ahead);
        let record = record(serial, generation, everyone);
        let rank = |outcome: Result<Freshness, Refusal>| match outcome {
            Ok(Freshness::Newest) => 0,
            Ok(Freshness::Superseded) => 1,
            Err(_) => 2,
        };
        let mut worst = rank(judge_at(&list, &record, now));
        for revocation in &revocations {
            list.join(revocation);
            let next = rank(judge_at(&list, &record, now));
            prop_assert!(next >= worst, "{revocation:?} made {worst} into {next}");
            worst = next;
        }
    }

    #[test]
    fn lists_that_heard_the_same_agree(
        revocations in proptest::collection::vec(revocation(), 1..8),
        shuffled in any::<proptest::sample::Index>(),
        serial in 0..4u32, generation in 0..4u64, everyone in 0..4u64,
    ) {
        let (one, two) = (List::default(), List::default());
        revocations.iter().for_each(|revocation| { one.join(revocation); });
        let turn = shuffled.index(revocations.len());
        let (late, early) = revocations.split_at(turn);
        for revocation in early.iter().chain(late.iter().rev()).chain(early) {
            two.join(revocation);
        }
        let record = record(serial, generation, everyone);
        prop_assert_eq!(judge_at(&one, &record, NOW), judge_at(&two, &record, NOW));
    }
}
