//! What a list remembers and forgets.

use super::*;
use crate::ids::Serial;
use crate::revoke::sample::{anonymous, id, session};
use std::time::Duration;

#[test]
fn a_sweep_forgets_what_has_expired_and_nothing_else() {
    let list = List::default();
    let now = UnixMillis::new(1_000_000);
    let later = now + Duration::from_millis(1);
    list.join(&session(1, now));
    list.join(&session(2, later));
    list.join(&anonymous(3, now, now));
    list.join(&Revocation::Everyone {
        generation: Generation::new(5),
    });
    assert_eq!(list.sweep(now), 0, "in its last millisecond an entry holds");
    assert_eq!(list.sweep(later), 2);
    assert_eq!(list.session(&id(1), false), None);
    assert_eq!(
        list.session(&id(2), false),
        Some(SessionEntry::ended(later))
    );
    assert_eq!(list.session(&id(3), true), None);
    assert_eq!(list.everyone(), Generation::new(5));
    assert_eq!(list.len(), 1);
}

#[test]
fn a_clock_that_is_set_back_behind_a_sweep_is_noticed() {
    let list = List::default();
    let now = UnixMillis::new(1_000_000_000);
    let day = Duration::from_secs(24 * 3600);
    list.join(&session(1, now + day));
    list.sweep(now + day / 2);
    assert!(!list.has_forgotten(now), "nothing was forgotten");
    list.sweep(now + 2 * day);
    assert!(!list.has_forgotten((now + 2 * day).minus(SKEW)));
    assert!(list.has_forgotten(now));
    list.begin_anew(now);
    assert!(!list.has_forgotten(now));
    assert_eq!(list.complete_since(), now);
}

#[test]
fn the_first_of_two_equal_entries_is_news() {
    let list = List::default();
    let revocation = session(1, UnixMillis::MAX);
    assert_eq!(list.join(&revocation), Published::Fresh);
    assert_eq!(list.join(&revocation), Published::Known);
    let raise = Revocation::Everyone {
        generation: Generation::new(1),
    };
    assert_eq!(list.join(&raise), Published::Fresh);
    assert_eq!(list.join(&raise), Published::Known);
}

#[test]
fn a_subject_is_kept_as_long_as_any_node_needs_it() {
    let list = List::default();
    let now = UnixMillis::new(1_000_000_000);
    let key = SubjectKey::from_bytes([1; 16]);
    let entry = SubjectEntry::new(Generation::new(now.as_millis()), now);
    list.join(&Revocation::Subject { key, entry });
    let hour = Duration::from_secs(3600);
    list.announce(hour);
    assert_eq!(list.sweep(now + hour / 2), 0);
    assert_eq!(list.sweep(now + hour), 0);
    assert_eq!(list.sweep(now + hour + Duration::from_millis(1)), 1);
}

#[test]
fn a_succession_of_an_anonymous_session_is_told_to_its_logout() {
    let list = List::default();
    let entry = SessionEntry::new(Serial::SUCCEEDED, UnixMillis::EPOCH, UnixMillis::MAX);
    list.join(&Revocation::Session { id: id(1), entry });
    let logout = anonymous(1, UnixMillis::new(5), UnixMillis::MAX);
    assert_eq!(list.join(&logout), Published::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn whatever_can_end_a_session_is_heard_by_who_waits() {
    let changes: [fn(&List); 4] = [
        |list| {
            let generation = Generation::new(1);
            list.join(&Revocation::Everyone { generation });
        },
        |list| list.mark(Target::Everyone, None),
        |list| list.set_complete_since(UnixMillis::new(1)),
        |list| list.begin_anew(UnixMillis::new(1)),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let list = List::small();
        let mut looks = 0;
        let second = list.bell().until(|| {
            looks += 1;
            (looks == 2).then_some(())
        });
        let mut second = std::pin::pin!(second);
        let soon = Duration::from_millis(300);
        assert!(tokio::time::timeout(soon, &mut second).await.is_err());
        change(&list);
        let heard = tokio::time::timeout(soon, &mut second).await;
        assert!(heard.is_ok(), "{number}");
    }
}
