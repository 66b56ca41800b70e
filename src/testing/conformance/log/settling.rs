//! For how long nodes may restore what a log has lost.

use std::time::Duration;

use super::harness::LogHarness;
use super::tools::*;
use crate::revoke::{Announcement, Followed, Published, Purpose, Revocation, SETTLING};
use crate::testing::conformance::report::{Checked, Stop, equal, require};

/// What may pass while a check runs.
const SLACK: Duration = Duration::from_secs(5);

/// A log that has settled.
async fn settled(h: &dyn LogHarness) -> Checked<Log> {
    let log = announced(h, DAY).await?;
    move_clock(h, SETTLING + SLACK)?;
    settles(&log, Duration::ZERO, "half a minute after it was made").await?;
    Ok(log)
}

/// Fails unless it settles for `want` from now, or up to [`SLACK`] less.
async fn settles(log: &Log, want: Duration, when: &str) -> Checked {
    let settling = state(log).await?.settling;
    let is_right =
        settling <= want && settling + SLACK >= want && settling.is_zero() == want.is_zero();
    require(is_right, || {
        format!("{when} it is to settle for {want:?}, it says {settling:?}")
    })
}

pub(super) async fn what_is_restored_is_stored(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    let at = now(&log).await?;
    for (n, purpose) in [(1, Purpose::Restoration), (2, Purpose::FirstRestoration)] {
        let restored = session(n, ended(at, at + HOUR));
        let receipt = log.publish(&[restored], purpose).await?;
        equal("restored", receipt.published, [Published::Fresh])?;
        let state = state(&log).await?;
        equal("who took it", receipt.incarnation, state.incarnation)?;
        let stored = seen(&log).await?;
        includes(&stored, &restored)?;
    }
    Ok(())
}

pub(super) async fn a_log_settles(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    settles(&log, SETTLING, "at first").await?;
    // Nodes that were cut off wait for this word.
    let mut cursor = snapshot(&log).await?.1.cursor;
    let mut told = None;
    for _ in 0..5 {
        match log.follow(cursor).await? {
            Followed::Delta(delta) if delta.is_complete && delta.state.is_some() => {
                told = delta.state;
                break;
            }
            Followed::Delta(delta) => cursor = delta.cursor,
            Followed::Gap(_) => cursor = snapshot(&log).await?.1.cursor,
        }
    }
    let told = told.ok_or_else(|| Stop::failed("a follower is not told how it is"))?;
    require(
        !told.settling.is_zero() && told.settling <= SETTLING,
        || format!("a log that just began tells its followers {told:?}"),
    )?;
    move_clock(h, SETTLING + SLACK)?;
    settles(&log, Duration::ZERO, "half a minute later").await
}

pub(super) async fn revoking_prolongs_nothing(h: &dyn LogHarness) -> Checked {
    let log = settled(h).await?;
    let at = now(&log).await?;
    let all = [
        session(1, ended(at, at + DAY)),
        anonymous(2, at, ended(at, at + DAY)),
    ];
    log.publish(&all, Purpose::Revoke).await?;
    settles(&log, Duration::ZERO, "after something was revoked").await
}

pub(super) async fn restoring_prolongs(h: &dyn LogHarness) -> Checked {
    let log = settled(h).await?;
    let at = now(&log).await?;
    let lost = [session(1, ended(at, at + DAY))];
    log.publish(&lost, Purpose::Restoration).await?;
    settles(&log, SETTLING, "after something was restored").await?;
    move_clock(h, SETTLING / 2)?;
    log.publish(&lost, Purpose::Restoration).await?;
    settles(&log, SETTLING / 2, "after it was restored again").await
}

pub(super) async fn anonymous_ends_prolong_once(h: &dyn LogHarness) -> Checked {
    let log = settled(h).await?;
    let at = now(&log).await?;
    let of_anonymous = |n| anonymous(n, at, ended(at, at + DAY));
    let since = at.minus(HOUR);
    let all = [Revocation::Anonymous { since }, of_anonymous(1)];
    log.publish(&all, Purpose::Restoration).await?;
    settles(&log, Duration::ZERO, "after ends of anonymous sessions").await?;
    log.publish(&[of_anonymous(2)], Purpose::FirstRestoration)
        .await?;
    settles(&log, SETTLING, "after those of a first restoration").await
}

pub(super) async fn settling_has_an_end(h: &dyn LogHarness) -> Checked {
    let log = settled(h).await?;
    let at = now(&log).await?;
    let lost = |n| [session(n, ended(at, at + DAY))];
    let passed = SETTLING + SLACK;
    move_clock(h, OUTAGE - passed - SETTLING / 2)?;
    log.publish(&lost(1), Purpose::Restoration).await?;
    let when = "a quarter of a minute before the outage announced is over";
    settles(&log, SETTLING / 2, when).await?;
    move_clock(h, SETTLING)?;
    log.publish(&lost(2), Purpose::Restoration).await?;
    settles(&log, Duration::ZERO, "after the outage announced").await?;
    log.publish(&lost(3), Purpose::FirstRestoration).await?;
    settles(&log, SETTLING, "in a first restoration after it").await?;
    // A longer outage is heard of.
    log.announce(Announcement::new(DAY, 0, 3 * OUTAGE)).await?;
    move_clock(h, MINUTE)?;
    log.publish(&lost(4), Purpose::Restoration).await?;
    settles(&log, SETTLING, "within a longer outage").await
}

pub(super) async fn another_server_settles(h: &dyn LogHarness) -> Checked {
    let log = settled(h).await?;
    let at = now(&log).await?;
    move_clock(h, 2 * OUTAGE)?;
    replace(h, &log).await?;
    settles(&log, SETTLING, "after another server took over").await?;
    move_clock(h, SETTLING + SLACK)?;
    settles(&log, Duration::ZERO, "half a minute later").await?;
    // The outage counts anew.
    let lost = [session(1, ended(at, at + DAY))];
    log.publish(&lost, Purpose::Restoration).await?;
    settles(&log, SETTLING, "after something was restored to it").await
}

/// Nobody can keep a log settling with what no node can read.
pub(super) async fn the_unreadable_prolongs_nothing(h: &dyn LogHarness) -> Checked {
    let log = settled(h).await?;
    let at = now(&log).await?;
    let lost = session(1, ended(at, at + DAY));
    publish(&log, &[lost]).await?;
    damage(h, id(1)).await?;
    for _ in 0..3 {
        log.publish(&[lost], Purpose::Restoration).await?;
        let when = "after what is not understood was restored";
        settles(&log, Duration::ZERO, when).await?;
        move_clock(h, MINUTE)?;
    }
    Ok(())
}
