//! How long entries are kept: never too short.

use std::time::Duration;

use super::harness::LogHarness;
use super::tools::*;
use crate::ids::Generation;
use crate::revoke::{Announcement, Raise, Revocation, SessionEntry, Target};
use crate::testing::conformance::report::{Checked, equal, same};
use crate::time::UnixMillis;

pub(super) async fn announcements_only_grow(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let announced = state(&log).await?.announced;
    equal("announced", announced, Announcement::default())?;
    let mut want = announced;
    for (longest, capacity, max_outage) in [
        (HOUR, 20, MINUTE),
        (DAY, 10, HOUR),
        (HOUR, 30, MINUTE),
        (DAY, 30, HOUR),
    ] {
        let announcement = Announcement::new(longest, capacity, max_outage);
        log.announce(announcement).await?;
        want = want.join(announcement);
        let told = [state(&log).await?, snapshot(&log).await?.1.state];
        for state in told {
            equal("announced", state.announced, want)?;
        }
    }
    Ok(())
}

pub(super) async fn raises_last_long_enough(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    let before = now(&log).await?;
    let of = |target, until| Raise::new(target, raise_id(1), Generation::NONE, until);
    let request = of(Target::Subject(subject(1)), UnixMillis::EPOCH);
    let raised = log.raise(request).await?;
    at_least("kept until", raised.entry.until, before + DAY)?;
    let stored = until(&log, subject(1)).await?;
    at_least("in the snapshot", stored, raised.entry.until)?;
    // A log that was never told how long cookies live, because it lost that too, is told by the raise.
    let longer = of(Target::Subject(subject(2)), before + 30 * DAY);
    let raised = log.raise(longer).await?;
    let stored = until(&log, subject(2)).await?;
    at_least("kept until", raised.entry.until.min(stored), longer.until)?;
    let everyone = of(Target::Everyone, UnixMillis::EPOCH);
    let raised = log.raise(everyone).await?;
    equal("everyone's until", raised.entry.until, UnixMillis::MAX)
}

pub(super) async fn announcements_cover_the_past(h: &dyn LogHarness) -> Checked {
    let log = announced(h, HOUR).await?;
    let before = now(&log).await?;
    let target = Target::Subject(subject(1));
    let raised = raise(&log, target, 1, Generation::NONE).await?;
    announce(&log, DAY).await?;
    let kept = until(&log, subject(1)).await?;
    at_least("kept until", kept, before + DAY)?;
    move_clock(h, 2 * HOUR)?;
    sweep_all(&log).await?;
    reads(&log, target, raised).await
}

pub(super) async fn a_sweep_drops(h: &dyn LogHarness) -> Checked {
    let log = announced(h, HOUR).await?;
    let now = now(&log).await?;
    let entry = entry(1, now, now + HOUR);
    publish(&log, &[session(1, entry), anonymous(2, now, entry)]).await?;
    raise(&log, Target::Subject(subject(3)), 1, Generation::NONE).await?;
    // More than the hour, for stores that keep entries a little longer.
    move_clock(h, DAY)?;
    sweeps(&log, 3).await?;
    same("left behind", &seen(&log).await?, &[])
}

pub(super) async fn a_sweep_keeps(h: &dyn LogHarness) -> Checked {
    let log = announced(h, HOUR).await?;
    let now = now(&log).await?;
    let entry = entry(1, now, now + HOUR);
    publish(&log, &[session(1, entry), anonymous(2, now, entry)]).await?;
    raise(&log, Target::Subject(subject(3)), 1, Generation::NONE).await?;
    let before = seen(&log).await?;
    sweeps(&log, 0).await?;
    let millisecond = Duration::from_millis(1);
    for (by, when) in [
        (HOUR - millisecond, "before the end"),
        (millisecond, "in the last millisecond"),
    ] {
        move_clock(h, by)?;
        // A clock that also runs by itself may have passed it.
        if state(&log).await?.now <= now + HOUR {
            sweep_all(&log).await?;
            same(when, &seen(&log).await?, &before)?;
        }
    }
    Ok(())
}

pub(super) async fn the_later_until_counts(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let now = now(&log).await?;
    let of_anonymous = |n, entry| anonymous(n, now, entry);
    let wraps: [&dyn Fn(u64, SessionEntry) -> Revocation; 2] = [&session, &of_anonymous];
    for wrap in wraps {
        publish(&log, &[wrap(1, ended(now, now + HOUR))]).await?;
        publish(&log, &[wrap(1, entry(0, now, now + DAY))]).await?;
        publish(&log, &[wrap(2, ended(now, now + DAY))]).await?;
        publish(&log, &[wrap(2, entry(0, now, now + HOUR))]).await?;
    }
    move_clock(h, 2 * HOUR)?;
    sweeps(&log, 0).await?;
    for wrap in wraps {
        for n in [1, 2] {
            let want = wrap(n, ended(now, now + DAY));
            let seen = seen(&log).await?;
            includes(&seen, &want)?;
        }
    }
    move_clock(h, 2 * DAY)?;
    sweeps(&log, 4).await
}

pub(super) async fn everyone_stays(h: &dyn LogHarness) -> Checked {
    let log = announced(h, HOUR).await?;
    let raised = raise(&log, Target::Everyone, 1, Generation::NONE).await?;
    for _ in 0..3 {
        move_clock(h, 300 * DAY)?;
        sweep_all(&log).await?;
    }
    reads(&log, Target::Everyone, raised).await
}
