//! How long entries are kept: never too short.

use std::time::Duration;

use super::tools::{
    Checked, DAY, HOUR, ended, entry, fresh, generation, move_clock, now, raise, raise_id, seen,
    session, snapshot, sorted, subject, sweep_all, until, visitor,
};
use super::{Harness, require};
use crate::clock::UnixMillis;
use crate::id::Generation;
use crate::revoke::{Raise, Target};

pub(super) async fn announcements_only_grow(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    for (announced, want) in [(HOUR, HOUR), (DAY, DAY), (HOUR, DAY), (DAY, DAY)] {
        store.announce(announced).await?;
        let longest = snapshot(&store).await?.1.longest;
        require(longest == want, || {
            format!("announced {announced:?}, longest is {longest:?}, not {want:?}")
        })?;
    }
    Ok(())
}

pub(super) async fn raises_last_long_enough(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(DAY).await?;
    let before = now(&store).await?;
    let request = Raise {
        target: Target::Subject(subject(1)),
        id: raise_id(1),
        known: Generation::NONE,
        until: UnixMillis::EPOCH,
    };
    let raised = store.raise(request).await?;
    require(raised.until >= before + DAY, || {
        format!("raised at {before}, kept until {}", raised.until)
    })?;
    let stored = until(&store, subject(1)).await?;
    require(stored >= raised.until, || {
        format!(
            "kept until {} by the raise, {stored} by the snapshot",
            raised.until
        )
    })?;
    // A store that was never told how long cookies live, because it lost that too, is told by the raise.
    let longer = Raise {
        target: Target::Subject(subject(2)),
        until: before + 30 * DAY,
        ..request
    };
    let raised = store.raise(longer).await?;
    let stored = until(&store, subject(2)).await?;
    require(
        raised.until >= longer.until && stored >= longer.until,
        || {
            format!(
                "to be kept until {}, kept until {} by the raise, {stored} by the snapshot",
                longer.until, raised.until
            )
        },
    )?;
    let everyone = Raise {
        target: Target::Everyone,
        ..request
    };
    let raised = store.raise(everyone).await?;
    require(raised.until == UnixMillis::MAX, || {
        format!("everyone's is kept until {}", raised.until)
    })
}

pub(super) async fn announcements_cover_the_past(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(HOUR).await?;
    let before = now(&store).await?;
    let target = Target::Subject(subject(1));
    let raised = raise(&store, target, 1, Generation::NONE).await?;
    store.announce(DAY).await?;
    let kept = until(&store, subject(1)).await?;
    require(kept >= before + DAY, || {
        format!("raised at {before}, then a day announced, but kept until {kept}")
    })?;
    move_clock(h, 2 * HOUR)?;
    sweep_all(&store).await?;
    let read = generation(&store, target).await?;
    require(read == raised, || {
        format!("raised to {raised}; swept before its longer time, read {read}")
    })
}

pub(super) async fn a_sweep_drops(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(HOUR).await?;
    let now = now(&store).await?;
    let entry = entry(1, now, now + HOUR);
    store
        .publish(&[session(1, entry), visitor(2, entry)])
        .await?;
    raise(&store, Target::Subject(subject(3)), 1, Generation::NONE).await?;
    // More than the hour, for stores that keep entries a little longer.
    move_clock(h, DAY)?;
    let swept = sweep_all(&store).await?;
    require(swept == 3, || format!("swept {swept} of 3"))?;
    let seen = seen(&store).await?;
    require(seen.is_empty(), || format!("left behind: {seen:?}"))
}

pub(super) async fn a_sweep_keeps(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(HOUR).await?;
    let now = now(&store).await?;
    let entry = entry(1, now, now + HOUR);
    store
        .publish(&[session(1, entry), visitor(2, entry)])
        .await?;
    raise(&store, Target::Subject(subject(3)), 1, Generation::NONE).await?;
    let before = sorted(seen(&store).await?);
    let swept = sweep_all(&store).await?;
    require(swept == 0, || format!("swept {swept} at once"))?;
    move_clock(h, HOUR - Duration::from_millis(1))?;
    sweep_all(&store).await?;
    let after = sorted(seen(&store).await?);
    require(before == after, || {
        format!("before the end {before:?}, left {after:?}")
    })
}

pub(super) async fn the_later_until_counts(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let now = now(&store).await?;
    for wrap in [session, visitor] {
        store.publish(&[wrap(1, ended(now, now + HOUR))]).await?;
        store.publish(&[wrap(1, entry(0, now, now + DAY))]).await?;
        store.publish(&[wrap(2, ended(now, now + DAY))]).await?;
        store.publish(&[wrap(2, entry(0, now, now + HOUR))]).await?;
    }
    move_clock(h, 2 * HOUR)?;
    let swept = sweep_all(&store).await?;
    require(swept == 0, || format!("swept {swept} before their time"))?;
    for wrap in [session, visitor] {
        for n in [1, 2] {
            let want = wrap(n, ended(now, now + DAY));
            let seen = seen(&store).await?;
            require(seen.contains(&want), || {
                format!("{want:?} is missing in {seen:?}")
            })?;
        }
    }
    move_clock(h, 2 * DAY)?;
    let swept = sweep_all(&store).await?;
    require(swept == 4, || {
        format!("swept {swept} of 4 after their time")
    })
}

pub(super) async fn everyone_stays(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(HOUR).await?;
    let raised = raise(&store, Target::Everyone, 1, Generation::NONE).await?;
    for _ in 0..3 {
        move_clock(h, 300 * DAY)?;
        sweep_all(&store).await?;
    }
    let read = generation(&store, Target::Everyone).await?;
    require(read == raised, || {
        format!("raised to {raised}; 900 days later {read}")
    })
}
