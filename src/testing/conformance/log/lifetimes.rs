//! How long entries are kept: never too short.

use std::time::Duration;

use super::LogHarness;
use super::tools::{
    DAY, HOUR, MINUTE, announce, anonymous, ended, entry, fresh, generation, move_clock, now,
    publish, raise, raise_id, seen, session, snapshot, sorted, state, subject, sweep_all, until,
};
use crate::ids::Generation;
use crate::revoke::{Announcement, Raise, Revocation, SessionEntry, Target};
use crate::testing::conformance::report::{Checked, require};
use crate::time::UnixMillis;

pub(super) async fn announcements_only_grow(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let announced = state(&log).await?.announced;
    require(announced == Announcement::default(), || {
        format!("nothing was announced, it says {announced:?}")
    })?;
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
            require(state.announced == want, || {
                format!("announced {announcement:?}, wanted {want:?}, told {state:?}")
            })?;
        }
    }
    Ok(())
}

pub(super) async fn raises_last_long_enough(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    announce(&log, DAY).await?;
    let before = now(&log).await?;
    let of = |target, until| Raise::new(target, raise_id(1), Generation::NONE, until);
    let request = of(Target::Subject(subject(1)), UnixMillis::EPOCH);
    let raised = log.raise(request).await?;
    require(raised.until >= before + DAY, || {
        format!("raised at {before}, kept until {}", raised.until)
    })?;
    let stored = until(&log, subject(1)).await?;
    require(stored >= raised.until, || {
        format!(
            "kept until {} by the raise, {stored} by the snapshot",
            raised.until
        )
    })?;
    // A log that was never told how long cookies live, because it lost that too, is told by the raise.
    let longer = of(Target::Subject(subject(2)), before + 30 * DAY);
    let raised = log.raise(longer).await?;
    let stored = until(&log, subject(2)).await?;
    require(
        raised.until >= longer.until && stored >= longer.until,
        || {
            format!(
                "to be kept until {}, kept until {} by the raise, {stored} by the snapshot",
                longer.until, raised.until
            )
        },
    )?;
    let everyone = of(Target::Everyone, UnixMillis::EPOCH);
    let raised = log.raise(everyone).await?;
    require(raised.until == UnixMillis::MAX, || {
        format!("everyone's is kept until {}", raised.until)
    })
}

pub(super) async fn announcements_cover_the_past(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    announce(&log, HOUR).await?;
    let before = now(&log).await?;
    let target = Target::Subject(subject(1));
    let raised = raise(&log, target, 1, Generation::NONE).await?;
    announce(&log, DAY).await?;
    let kept = until(&log, subject(1)).await?;
    require(kept >= before + DAY, || {
        format!("raised at {before}, then a day announced, but kept until {kept}")
    })?;
    move_clock(h, 2 * HOUR)?;
    sweep_all(&log).await?;
    let read = generation(&log, target).await?;
    require(read == raised, || {
        format!("raised to {raised}; swept before its longer time, read {read}")
    })
}

pub(super) async fn a_sweep_drops(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    announce(&log, HOUR).await?;
    let now = now(&log).await?;
    let entry = entry(1, now, now + HOUR);
    publish(&log, &[session(1, entry), anonymous(2, now, entry)]).await?;
    raise(&log, Target::Subject(subject(3)), 1, Generation::NONE).await?;
    // More than the hour, for stores that keep entries a little longer.
    move_clock(h, DAY)?;
    let swept = sweep_all(&log).await?;
    require(swept == 3, || format!("swept {swept} of 3"))?;
    let seen = seen(&log).await?;
    require(seen.is_empty(), || format!("left behind: {seen:?}"))
}

pub(super) async fn a_sweep_keeps(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    announce(&log, HOUR).await?;
    let now = now(&log).await?;
    let entry = entry(1, now, now + HOUR);
    publish(&log, &[session(1, entry), anonymous(2, now, entry)]).await?;
    raise(&log, Target::Subject(subject(3)), 1, Generation::NONE).await?;
    let before = sorted(seen(&log).await?);
    let swept = sweep_all(&log).await?;
    require(swept == 0, || format!("swept {swept} at once"))?;
    move_clock(h, HOUR - Duration::from_millis(1))?;
    sweep_all(&log).await?;
    let after = sorted(seen(&log).await?);
    require(before == after, || {
        format!("before the end {before:?}, left {after:?}")
    })
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
    let swept = sweep_all(&log).await?;
    require(swept == 0, || format!("swept {swept} before their time"))?;
    for wrap in wraps {
        for n in [1, 2] {
            let want = wrap(n, ended(now, now + DAY));
            let seen = seen(&log).await?;
            require(seen.contains(&want), || {
                format!("{want:?} is missing in {seen:?}")
            })?;
        }
    }
    move_clock(h, 2 * DAY)?;
    let swept = sweep_all(&log).await?;
    require(swept == 4, || {
        format!("swept {swept} of 4 after their time")
    })
}

pub(super) async fn everyone_stays(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    announce(&log, HOUR).await?;
    let raised = raise(&log, Target::Everyone, 1, Generation::NONE).await?;
    for _ in 0..3 {
        move_clock(h, 300 * DAY)?;
        sweep_all(&log).await?;
    }
    let read = generation(&log, Target::Everyone).await?;
    require(read == raised, || {
        format!("raised to {raised}; 900 days later {read}")
    })
}
