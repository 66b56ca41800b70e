//! A store on the journal: what may be forgotten, and when.

use std::time::Duration;

use super::harness::JournalHarness;
use super::tools::{
    DAY, HOUR, MINUTE, Open, announcement, anonymous, durable, id, open, require_all, session,
    subject,
};
use crate::error::StoreError;
use crate::ids::{Generation, Serial};
use crate::revoke::{Revocation, SessionEntry, SubjectEntry};
use crate::testing::ManualClock;
use crate::testing::conformance::report::{Checked, require};
use crate::time::{Clock, UnixMillis};

pub(super) async fn a_sweep_forgets(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let mut open = Open::new(durable(h)?, &clock).await?;
    let now = clock.now();
    let subject = |n, until| Revocation::Subject {
        key: subject(n),
        entry: SubjectEntry {
            // From long ago, so that `until` is what counts.
            generation: Generation::new(1),
            until,
        },
    };
    let serial = Serial::new(3);
    let renewed = |n, until| Revocation::Session {
        id: id(n),
        entry: SessionEntry {
            serial,
            from: now,
            until,
        },
    };
    let kept = [
        session(1, now + 2 * HOUR),
        renewed(2, now + 2 * HOUR),
        anonymous(3, now, now + 2 * HOUR),
        subject(4, now + 2 * HOUR),
    ];
    let expired = [
        session(5, now + HOUR),
        renewed(6, now + HOUR),
        anonymous(7, now, now + HOUR),
        subject(8, now + HOUR),
    ];
    let everyone = Revocation::Everyone {
        generation: Generation::new(9),
    };
    for revocation in kept.iter().chain(&expired).chain([&everyone]) {
        open.publish(*revocation).await?;
    }
    clock.advance(HOUR);
    for when in ["after a sweep", "opened again and swept again"] {
        open.node.sweep().await?;
        let mut want = kept.to_vec();
        want.push(everyone);
        require_all(&open, &want, when).await?;
        open = open.again(h, &clock).await?;
    }
    clock.advance(HOUR);
    open.node.sweep().await?;
    require_all(&open, &[everyone], "after everything has expired").await
}

pub(super) async fn a_wrong_clock_is_refused(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let mut opened = Open::new(durable(h)?, &clock).await?;
    let used = session(1, clock.now() + HOUR);
    opened.publish(used).await?;
    clock.advance(10 * MINUTE);
    opened.node.sweep().await?;
    let swept = clock.now();
    let second = Duration::from_secs(1);
    for wrong in [swept.minus(MINUTE + second), swept + 400 * DAY + second] {
        clock.set(wrong);
        let answer = opened.node.sweep().await;
        require(matches!(answer, Err(StoreError::Clock(_))), || {
            format!("swept at {swept}, a sweep at {wrong} answers {answer:?}")
        })?;
        require_all(&opened, &[used], "after that sweep").await?;
        drop(opened);
        let answer = Open::announcing(open(h)?, &clock, announcement()).await;
        let is_refused = matches!(answer, Err(StoreError::Clock(_)));
        require(is_refused, || {
            format!("swept at {swept}, it opens at {wrong}")
        })?;
        clock.set(swept);
        opened = Open::new(open(h)?, &clock).await?;
        require_all(&opened, &[used], "opened by the right clock").await?;
    }
    Ok(())
}

pub(super) async fn an_empty_list_begins_anew(h: &dyn JournalHarness) -> Checked {
    let clock = ManualClock::default();
    let right = clock.now();
    for wrong in [right + 2 * HOUR, UnixMillis::from_secs(1)] {
        clock.set(wrong);
        let open = Open::new(durable(h)?, &clock).await?;
        open.node.sweep().await?;
        clock.set(right);
        let mut open = open.again(h, &clock).await?;
        for _ in 0..2 {
            let since = open.complete_since().await?;
            require(since == right, || {
                format!("made at {wrong}, opened at {right}, it knows of sessions since {since}")
            })?;
            open.node.sweep().await?;
            open = open.again(h, &clock).await?;
        }
    }
    Ok(())
}
