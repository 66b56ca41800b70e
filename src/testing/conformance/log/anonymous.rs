//! Sessions without a login: a limited number of ends, and none that comes undone.

use super::harness::LogHarness;
use super::tools::*;
use crate::error::StoreError;
use crate::revoke::{Announcement, Published, Revocation};
use crate::testing::conformance::report::{Checked, equal, require};
use crate::time::SKEW;
use crate::time::UnixMillis;

/// A log that keeps so many ends of anonymous sessions.
async fn with_capacity(h: &dyn LogHarness, capacity: u64) -> Checked<Log> {
    let log = fresh(h).await?;
    log.announce(Announcement::new(DAY, capacity, HOUR)).await?;
    Ok(log)
}

/// Session `n`, which began `n` minutes after `base`, has ended.
fn end(base: UnixMillis, n: u32, until: UnixMillis) -> Revocation {
    anonymous(n.into(), base + n * MINUTE, ended(base, until))
}

/// Since when anonymous sessions live, by the snapshot.
async fn since(log: &Log) -> Checked<UnixMillis> {
    let told = |each: &Revocation| match each {
        Revocation::Anonymous { since } => Some(*since),
        _ => None,
    };
    let all = seen(log).await?;
    Ok(all.iter().find_map(told).unwrap_or_default())
}

/// Fails unless exactly these anonymous sessions are not refused by their beginning, and their ends are stored.
async fn holds(log: &Log, want: &[u64], refused: UnixMillis) -> Checked {
    let since = since(log).await?;
    equal("refused up to", since, refused)?;
    let all = seen(log).await?;
    let lives = |each: &&Revocation| match each {
        Revocation::AnonymousSession { created, .. } => *created > since,
        _ => true,
    };
    let stored = all.iter().filter(lives).copied().collect::<Vec<_>>();
    let want = want.iter().map(|n| id(*n)).collect();
    equal("stored, and not refused", ids(&stored), want)
}

pub(super) async fn the_first_make_room(h: &dyn LogHarness) -> Checked {
    let log = with_capacity(h, 5).await?;
    let now = now(&log).await?;
    let base = now.minus(HOUR);
    // What is logged in does not count.
    let until = now + DAY;
    let logged_in: Vec<_> = (100..120).map(|n| session(n, ended(now, until))).collect();
    publish(&log, &logged_in).await?;
    // Whatever the order in which they come.
    for n in [4, 1, 5, 2, 3] {
        publish(&log, &[end(base, n, until)]).await?;
    }
    let others = 100..120;
    let kept = |from: u64, to: u64| (from..=to).chain(others.clone()).collect::<Vec<_>>();
    holds(&log, &kept(1, 5), UnixMillis::EPOCH).await?;
    publish(&log, &[end(base, 6, until)]).await?;
    holds(&log, &kept(2, 6), base + MINUTE).await?;
    // What began before all others is what makes room.
    let answer = publish(&log, &[end(base, 2, until), end(base, 8, until)]).await?;
    equal("the answers", answer, [Published::Known, Published::Fresh])?;
    holds(&log, &[kept(3, 6), vec![8]].concat(), base + 2 * MINUTE).await?;
    let more: Vec<_> = (10..20).map(|n| end(base, n, until)).collect();
    publish(&log, &more).await?;
    holds(&log, &kept(15, 19), base + 14 * MINUTE).await?;
    let found = log.find(id(8), &[]).await?.revocations;
    let refused = Revocation::Anonymous {
        since: base + 14 * MINUTE,
    };
    includes(&found, &refused)
}

pub(super) async fn the_expired_make_room_first(h: &dyn LogHarness) -> Checked {
    let log = with_capacity(h, 3).await?;
    let start = now(&log).await?;
    let base = start.minus(HOUR);
    let until = start + DAY;
    // The one that began last expires first.
    let all = [
        end(base, 1, until),
        end(base, 2, until),
        end(base, 3, start + HOUR),
    ];
    publish(&log, &all).await?;
    move_clock(h, 2 * HOUR)?;
    publish(&log, &[end(base, 4, until)]).await?;
    holds(&log, &[1, 2, 4], UnixMillis::EPOCH).await
}

pub(super) async fn room_is_made_by_time(h: &dyn LogHarness) -> Checked {
    let log = with_capacity(h, 4).await?;
    let now = now(&log).await?;
    let base = now.minus(HOUR);
    let entry = ended(now, now + DAY);
    let together: Vec<_> = (1..4).map(|n| anonymous(n, base, entry)).collect();
    publish(&log, &together).await?;
    publish(&log, &[end(base, 4, now + DAY), end(base, 5, now + DAY)]).await?;
    holds(&log, &[4, 5], base).await
}

pub(super) async fn making_room_is_told(h: &dyn LogHarness) -> Checked {
    let log = with_capacity(h, 2).await?;
    let now = now(&log).await?;
    let base = now.minus(HOUR);
    let all = |range: std::ops::Range<u32>| {
        let end = |n| end(base, n, now + DAY);
        range.map(end).collect::<Vec<_>>()
    };
    publish(&log, &all(1..3)).await?;
    let cursor = snapshot(&log).await?.1.cursor;
    publish(&log, &all(3..5)).await?;
    let later = told(&log, cursor, 3).await?;
    let since = base + 2 * MINUTE;
    includes(&later, &Revocation::Anonymous { since })?;
    includes(&later, &end(base, 4, now + DAY))?;
    // A rise that was published is told as well.
    let cursor = snapshot(&log).await?.1.cursor;
    let rise = Revocation::Anonymous { since: now };
    publish(&log, &[rise]).await?;
    equal("told", told(&log, cursor, 1).await?, [rise])?;
    holds(&log, &[], now).await
}

pub(super) async fn what_began_before_has_ended(h: &dyn LogHarness) -> Checked {
    use Published::{Ended, Fresh, Known, Succeeded};
    let log = with_capacity(h, 5).await?;
    let now = now(&log).await?;
    let base = now.minus(HOUR);
    let since = base + 2 * MINUTE;
    let entry = ended(now, now + DAY);
    let mut succeeded = entry;
    succeeded.serial = crate::ids::Serial::SUCCEEDED;
    let steps = [
        (Revocation::Anonymous { since }, Fresh),
        (Revocation::Anonymous { since }, Known),
        (Revocation::Anonymous { since: base }, Known),
        (end(base, 1, now + DAY), Ended),
        (end(base, 2, now + DAY), Ended),
        (end(base, 3, now + DAY), Fresh),
        // That a login succeeded it matters more.
        (session(2, succeeded), Fresh),
        (end(base, 2, now + DAY), Succeeded),
    ];
    answers(&log, &steps).await?;
    holds(&log, &[2, 3], since).await
}

pub(super) async fn none_begins_ahead(h: &dyn LogHarness) -> Checked {
    let log = with_capacity(h, 5).await?;
    let now = now(&log).await?;
    let entry = ended(now, now + DAY);
    // A little of the skew is left for a clock that runs.
    let fine = now + (SKEW - MINUTE / 60);
    let answer = publish(&log, &[anonymous(1, fine, entry)]).await?;
    equal("within the skew ahead", answer, [Published::Fresh])?;
    let ahead = now + SKEW + HOUR;
    let both = [anonymous(2, ahead, entry), anonymous(3, fine, entry)];
    let answer = publish(&log, &both).await?;
    equal("one ahead and one beside it", answer, [Published::Fresh; 2])?;
    let refused = Revocation::Anonymous { since: ahead };
    let both = [session(4, entry), refused];
    let outcome = log.publish(&both, crate::revoke::Purpose::Revoke).await;
    require(matches!(outcome, Err(StoreError::Clock(_))), || {
        format!("{refused:?} at {now} answered {outcome:?}")
    })?;
    // All or none.
    holds(&log, &[1, 2, 3], UnixMillis::EPOCH).await?;
    let all = seen(&log).await?;
    require(all.contains(&session(2, entry)), || {
        format!("in the main list: {all:?}")
    })
}
