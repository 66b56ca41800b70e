//! A store on the journal: it forgets expired entries alone, and none by a wrong clock.

use std::time::Duration;

use super::harness::JournalHarness;
use super::tools::{
    DAY, HOUR, MINUTE, SECOND, TestedStore, one_of_each, raised, refuses_clock, renewed,
};
use crate::error::StoreError;
use crate::ids::Generation;
use crate::revoke::sample::{anonymous, session, subject};
use crate::revoke::{Revocation, Target};
use crate::testing::ManualClock;
use crate::testing::conformance::report::{Checked, require};
use crate::time::{Clock, UnixMillis};

pub(super) async fn a_sweep_forgets(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let mut open = TestedStore::new(h, &clock).await?;
    let now = clock.now();
    let all = |first, until| {
        [
            session(first, until),
            renewed(first + 1, now, until),
            anonymous(first + 2, now, until),
            // From long ago, so that `until` is what counts.
            raised(first + 3, Generation::new(1), until),
        ]
    };
    let everyone = Revocation::Everyone {
        generation: Generation::new(9),
    };
    let (expired, mut kept) = (all(1, now + HOUR), all(5, now + 2 * HOUR).to_vec());
    kept.push(everyone);
    for revocation in expired.iter().chain(&kept) {
        open.publish(*revocation).await?;
    }
    let all = [&expired[..], &kept].concat();
    clock.advance(HOUR);
    open.node.backend().sweep().await?;
    open.holds(&all, "in the last millisecond").await?;
    clock.advance(Duration::from_millis(1));
    for when in ["after a sweep", "opened again and swept again"] {
        open.node.backend().sweep().await?;
        open.holds(&kept, when).await?;
        open = open.again(h, &clock).await?;
    }
    clock.advance(HOUR);
    open.node.backend().sweep().await?;
    open.holds(&[everyone], "after everything has expired")
        .await
}

/// Times that cannot follow a sweep.
fn wrong_after(swept: UnixMillis) -> [UnixMillis; 2] {
    [swept.minus(MINUTE + SECOND), swept + 400 * DAY + SECOND]
}

pub(super) async fn a_wrong_clock_is_refused(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let mut open = TestedStore::new(h, &clock).await?;
    let used = session(1, clock.now() + HOUR);
    open.publish(used).await?;
    clock.advance(10 * MINUTE);
    open.node.backend().sweep().await?;
    let swept = clock.now();
    // So far in the past no sweep can have been by the clock that the next one has.
    for wrong in [swept.minus(401 * DAY), swept + 400 * DAY + SECOND] {
        clock.set(wrong);
        let answer = open.node.backend().sweep().await;
        require(matches!(answer, Err(StoreError::Clock(_))), || {
            format!("swept at {swept}, a sweep at {wrong} answers {answer:?}")
        })?;
        open.holds(&[used], "after that sweep").await?;
    }
    for wrong in wrong_after(swept) {
        clock.set(wrong);
        drop(open);
        refuses_clock(h, &clock).await?;
        clock.set(swept);
        open = TestedStore::reopened(h, &clock).await?;
        open.holds(&[used], "opened by the right clock").await?;
    }
    // As far as a clock may be off, and after a pause that is long and possible.
    clock.set(swept.minus(MINUTE));
    open.node.backend().sweep().await?;
    open.holds(&[used], "swept by a clock a minute behind")
        .await?;
    clock.set(swept + 400 * DAY);
    open = open.again(h, &clock).await?;
    open.node.backend().sweep().await?;
    open.holds(&[], "swept 400 days later").await
}

pub(super) async fn a_clock_set_back_begins_anew(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    for behind in [MINUTE + SECOND, 30 * DAY, 400 * DAY] {
        clock.set(clock.now() + 400 * DAY);
        let open = TestedStore::new(h, &clock).await?;
        let (soon, late) = (clock.now() + HOUR, clock.now() + 2 * DAY);
        open.publish(session(1, soon)).await?;
        open.publish(session(2, late)).await?;
        clock.advance(DAY);
        open.node.backend().sweep().await?;
        let swept = clock.now();
        let back = swept.minus(behind);
        // A list knows of nothing from before it was made, whatever the clock says.
        let since = open.store.contents().await?.complete_since.max(back);
        clock.set(back);
        open.node.backend().sweep().await?;
        open.publish(session(3, back + DAY)).await?;
        let kept = [session(2, late), session(3, back + DAY)];
        let mut open = open.again(h, &clock).await?;
        for _ in 0..2 {
            let when = format!("swept at {swept}, the clock then set to {back}");
            open.begins(since, &when).await?;
            // What was forgotten may be there again: by this clock it has not expired.
            let held = open.store.contents().await?.revocations;
            require(kept.iter().all(|it| held.contains(it)), || {
                format!("{when}, only {held:?} is left of {kept:?}")
            })?;
            open.node.backend().sweep().await?;
            open = open.again(h, &clock).await?;
        }
        // It was right before.
        clock.set(swept);
        open.node.backend().sweep().await?;
        open.begins(since, "by the clock from before").await?;
    }
    Ok(())
}

pub(super) async fn an_empty_list_begins_anew(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let right = clock.now();
    for wrong in [right + 2 * HOUR, UnixMillis::from_secs(1)] {
        clock.set(wrong);
        let open = TestedStore::new(h, &clock).await?;
        open.node.backend().sweep().await?;
        clock.set(right);
        let mut open = open.again(h, &clock).await?;
        for _ in 0..2 {
            let when = format!("made at {wrong}, opened at {right}");
            open.begins(right, &when).await?;
            open.node.backend().sweep().await?;
            open = open.again(h, &clock).await?;
        }
        let used = session(1, right + DAY);
        open.publish(used).await?;
        open.node.backend().sweep().await?;
        let open = open.again(h, &clock).await?;
        let when = format!("made at {wrong}, and used at {right}");
        open.begins(right, &when).await?;
        open.holds(&[used], &when).await?;
    }
    Ok(())
}

/// A clock by which a list is opened can be refused, and may be wrong. A node that runs cannot refuse the clock that
/// it judges by: there the list begins anew.
pub(super) async fn a_used_list_never_begins_anew(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let made = clock.now();
    let writes = one_of_each(&clock).into_iter().map(Ok);
    let raises = [Target::Subject(subject(1)), Target::Everyone].map(Err);
    for write in writes.chain(raises) {
        let open = TestedStore::new(h, &clock).await?;
        match write {
            Ok(revocation) => open.publish(revocation).await.map(drop)?,
            Err(target) => open.raise(target).await.map(drop)?,
        }
        drop(open);
        for wrong in wrong_after(made) {
            clock.set(wrong);
            refuses_clock(h, &clock).await?;
        }
        clock.set(made);
        let open = TestedStore::reopened(h, &clock).await?;
        open.begins(made, &format!("after {write:?}")).await?;
    }
    Ok(())
}
