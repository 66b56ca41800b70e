//! A store on the journal: what was acknowledged is there when it is opened again.

use super::harness::JournalHarness;
use super::tools::{
    DAY, HOUR, MINUTE, Open, announcement, anonymous, durable, fresh, id, one_of_each, require_all,
    session, subject,
};
use crate::revoke::{Announcement, Published, Target};
use crate::testing::ManualClock;
use crate::testing::conformance::report::{Checked, Stop, require};
use crate::time::Clock;
use std::time::Duration;

use crate::ids::Generation;

pub(super) async fn a_new_list_begins_now(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let made = clock.now();
    let open = Open::new(fresh(h)?, &clock).await?;
    require_all(&open, &[], "in a new list").await?;
    let since = open.complete_since().await?;
    require(since == made, || {
        format!("made at {made}, it knows of sessions since {since}")
    })?;
    clock.advance(HOUR);
    let open = open.again(h, &clock).await?;
    let since = open.complete_since().await?;
    require(since == made, || {
        format!("made at {made} and opened again, it knows of sessions since {since}")
    })
}

pub(super) async fn published_is_kept(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let mut open = Open::new(durable(h)?, &clock).await?;
    let all = one_of_each(&clock);
    for (n, revocation) in all.iter().enumerate() {
        open.publish(*revocation).await?;
        let known = all.get(..=n).unwrap_or_default();
        open = open.again(h, &clock).await?;
        require_all(&open, known, "opened again").await?;
    }
    // By a tool, all at once.
    let open = Open::new(durable(h)?, &clock).await?;
    open.store.publish(&all).await?;
    let open = open.again(h, &clock).await?;
    require_all(&open, &all, "published at once and opened again").await
}

pub(super) async fn raises_are_kept(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let mut open = Open::new(durable(h)?, &clock).await?;
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        let mut last = Generation::NONE;
        for _ in 0..3 {
            let raised = open.node.raise(target, Generation::NONE, false).await?;
            require(raised.previous == last && raised.generation > last, || {
                format!("after {last} came {raised:?}")
            })?;
            last = raised.generation;
            open = open.again(h, &clock).await?;
            let held = open.node.list().generation(target);
            require(held == last, || {
                format!("raised to {last}, opened again it is {held}")
            })?;
        }
    }
    Ok(())
}

pub(super) async fn announcements_are_kept(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let mut open = Open::new(durable(h)?, &clock).await?;
    let mut largest = announcement();
    for (days, capacity, outage) in [(3, 10, 9), (1, 5000, 1), (2, 20, 30)] {
        let news = Announcement::new(days * DAY, capacity, outage * MINUTE);
        largest = largest.join(news);
        open.store.announce(news).await?;
        open = open.again(h, &clock).await?;
        let held = open.store.contents().await?.announced;
        require(held == largest, || {
            format!("announced {largest:?}, opened again it is {held:?}")
        })?;
    }
    Ok(())
}

pub(super) async fn attestations_are_kept(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let mut open = Open::new(durable(h)?, &clock).await?;
    let made = clock.now();
    for (attested, counts) in [
        (made + HOUR, made),
        (made.minus(HOUR), made.minus(HOUR)),
        (made.minus(MINUTE), made.minus(HOUR)),
    ] {
        open.store.attest(attested).await?;
        open = open.again(h, &clock).await?;
        let since = open.complete_since().await?;
        require(since == counts, || {
            format!("{counts} was attested, opened again it knows of sessions since {since}")
        })?;
    }
    Ok(())
}

pub(super) async fn capacity_is_kept(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let limit = Announcement::new(DAY, 3, MINUTE);
    let open = Open::announcing(durable(h)?, &clock, limit).await?;
    let now = clock.now();
    let began = |n: u32| now.minus(Duration::from_secs(60 - u64::from(n)));
    for n in 1..=5 {
        open.publish(anonymous(n.into(), began(n), now + DAY))
            .await?;
    }
    drop(open);
    let open = Open::announcing(super::tools::open(h)?, &clock, limit).await?;
    let list = open.node.list();
    let since = list.anonymous().since();
    require(since == began(2), || {
        format!("two had to make room, but those are refused that began until {since}")
    })?;
    require(list.anonymous().len() == 3, || {
        format!("of 3 there are {} left", list.anonymous().len())
    })?;
    let late = open.publish(anonymous(9, began(2), now + DAY)).await?;
    require(late == Published::Ended, || {
        format!("one that was refused was ended once more, with the answer {late:?}")
    })
}

pub(super) async fn many_at_once_are_kept(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let open = Open::new(durable(h)?, &clock).await?;
    let until = clock.now() + DAY;
    let all: Vec<_> = (0..300).map(|n| session(n, until)).collect();
    // All are told before any is waited for.
    let told: Vec<_> = all.iter().map(|each| open.node.revoke(*each)).collect();
    for revoking in told {
        revoking.there.await?;
    }
    let open = open.again(h, &clock).await?;
    require_all(&open, &all, "opened again").await
}

pub(super) async fn a_long_list_is_kept(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let mut open = Open::new(durable(h)?, &clock).await?;
    let until = clock.now() + DAY;
    let all: Vec<_> = (0..140_000).map(|n| session(n, until)).collect();
    let (many, few) = all.split_at(all.len() - 5);
    open.store.publish(many).await?;
    // Among the first it is compacted.
    for revocation in few {
        open.publish(*revocation).await?;
    }
    for _ in 0..2 {
        open = open.again(h, &clock).await?;
        let held = open.node.list();
        let numbers = 0..all.len() as u64;
        let lost = numbers.filter(|n| held.session(&id(*n), false).is_none());
        let lost = lost.count();
        require(lost == 0 && held.len() == all.len(), || {
            format!("of {} entries {lost} are lost", all.len())
        })?;
    }
    Ok(())
}

pub(super) async fn a_failure_is_made_good(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let open = Open::new(durable(h)?, &clock).await?;
    let kept = session(1, clock.now() + DAY);
    open.publish(kept).await?;
    if !h.fail_appends(true) {
        return Err(Stop::skipped("its appends cannot be made to fail"));
    }
    let failed = session(2, clock.now() + DAY);
    let told = open.publish(failed).await;
    let raised = open.node.raise(Target::Everyone, Generation::NONE, false);
    let raised = raised.await;
    h.fail_appends(false);
    require(told.is_err() && raised.is_err(), || {
        "what could not be made durable was acknowledged".into()
    })?;
    let left = open.node.close(MINUTE).await;
    require(left == 0, || {
        format!("{left} revocations could still not be written")
    })?;
    let generation = open.node.list().everyone();
    require(generation > Generation::NONE, || {
        "a raise that could be written does not count".into()
    })?;
    let open = open.again(h, &clock).await?;
    let everyone = Target::Everyone.at(generation, clock.now());
    require_all(&open, &[kept, failed, everyone], "opened again").await
}
