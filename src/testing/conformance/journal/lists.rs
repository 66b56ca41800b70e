//! A store on the journal: opened again, it holds what was acknowledged.

use super::harness::JournalHarness;
use super::tools::{
    DAY, HOUR, MINUTE, SECOND, TestedStore, announcement, durable, fail_appends, fresh, one_of_each,
};
use crate::ids::Generation;
use crate::revoke::sample::{anonymous, id, session, subject};
use crate::revoke::{Announcement, Published, Revocation, Target};
use crate::testing::ManualClock;
use crate::testing::conformance::report::{Checked, equal, require};
use crate::time::Clock;

pub(super) async fn a_new_list_begins_now(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let made = clock.now();
    let open = TestedStore::announcing(fresh(h)?, &clock, announcement()).await?;
    open.holds(&[], "in a new list").await?;
    open.begins(made, "new").await?;
    clock.advance(HOUR);
    let open = open.again(h, &clock).await?;
    open.begins(made, "opened again").await
}

pub(super) async fn published_is_kept(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let mut open = TestedStore::new(h, &clock).await?;
    let all = one_of_each(&clock);
    for (n, revocation) in all.iter().enumerate() {
        open.publish(*revocation).await?;
        let known = all.get(..=n).unwrap_or_default();
        open = open.again(h, &clock).await?;
        open.holds(known, "opened again").await?;
    }
    // By a tool, all at once.
    let open = TestedStore::new(h, &clock).await?;
    open.store.publish(&all).await?;
    let open = open.again(h, &clock).await?;
    open.holds(&all, "published at once and opened again").await
}

pub(super) async fn raises_are_kept(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let mut open = TestedStore::new(h, &clock).await?;
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        let mut last = Generation::NONE;
        for _ in 0..3 {
            let raised = open.raise(target).await?;
            require(raised > last, || format!("after {last} came {raised}"))?;
            last = raised;
            open = open.again(h, &clock).await?;
            let held = open.node.list().generation(target);
            equal("opened again, the generation", held, last)?;
        }
    }
    Ok(())
}

pub(super) async fn announcements_are_kept(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let mut open = TestedStore::new(h, &clock).await?;
    let mut largest = announcement();
    for (days, capacity, outage) in [(3, 10, 9), (1, 5000, 1), (2, 20, 30)] {
        let news = Announcement::new(days * DAY, capacity, outage * MINUTE);
        largest = largest.join(news);
        open.store.announce(news).await?;
        open = open.again(h, &clock).await?;
        let held = open.store.contents().await?.announced;
        equal("opened again, what was announced", held, largest)?;
    }
    Ok(())
}

pub(super) async fn attestations_are_kept(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let mut open = TestedStore::new(h, &clock).await?;
    let made = clock.now();
    for (attested, counts) in [
        (made + HOUR, made),
        (made.minus(HOUR), made.minus(HOUR)),
        (made.minus(MINUTE), made.minus(HOUR)),
    ] {
        open.store.attest(attested).await?;
        open = open.again(h, &clock).await?;
        let when = format!("after {attested} was attested, opened again");
        open.begins(counts, &when).await?;
    }
    Ok(())
}

pub(super) async fn capacity_is_kept(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let limit = Announcement::new(DAY, 3, MINUTE);
    let open = TestedStore::announcing(durable(h)?, &clock, limit).await?;
    let now = clock.now();
    let began = |n: u32| now.minus(MINUTE) + n * SECOND;
    for n in 1..=5 {
        let end = anonymous(n.into(), began(n), now + DAY);
        open.publish(end).await?;
    }
    drop(open);
    let open = TestedStore::announcing(super::tools::open_again(h).await?, &clock, limit).await?;
    let list = open.node.list().anonymous();
    let since = "two had to make room, and the time until which all that began are refused";
    equal(since, list.since(), began(2))?;
    equal("the number of those that are left", list.len(), 3)?;
    let late = open.publish(anonymous(9, began(2), now + DAY)).await?;
    let answer = "the answer to one more end of one that is refused";
    equal(answer, late, Published::Ended)
}

pub(super) async fn many_at_once_are_kept(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let open = TestedStore::new(h, &clock).await?;
    let until = clock.now() + DAY;
    let all: Vec<_> = (0..300).map(|n| session(n, until)).collect();
    // All are told before any is waited for.
    let told: Vec<_> = all.iter().map(|each| open.node.revoke(*each)).collect();
    for revoking in told {
        revoking.there.await?;
    }
    let open = open.again(h, &clock).await?;
    open.holds(&all, "opened again").await
}

pub(super) async fn a_long_list_is_kept(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let mut open = TestedStore::new(h, &clock).await?;
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
        equal("the number of entries that are lost", lost.count(), 0)?;
        equal("the number of entries", held.len(), all.len())?;
    }
    Ok(())
}

pub(super) async fn a_failure_is_made_good(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let open = TestedStore::new(h, &clock).await?;
    let (kept, failed) = (session(1, clock.now() + DAY), session(2, clock.now() + DAY));
    open.publish(kept).await?;
    fail_appends(h)?;
    let told = open.publish(failed).await;
    let raised = open.raise(Target::Everyone).await;
    h.fail_appends(false);
    require(told.is_err() && raised.is_err(), || {
        "what could not be made durable was acknowledged".into()
    })?;
    let left = open.node.close(MINUTE).await;
    equal("the number that could still not be written", left, 0)?;
    let generation = open.node.list().everyone();
    require(generation > Generation::NONE, || {
        "a raise that could be written does not count".into()
    })?;
    let open = open.again(h, &clock).await?;
    let everyone = Revocation::Everyone { generation };
    open.holds(&[kept, failed, everyone], "opened again").await
}
