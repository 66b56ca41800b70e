//! Following: nothing is missed.

use std::time::Duration;

use super::harness::LogHarness;
use super::tools::*;
use crate::ids::Generation;
use crate::revoke::{Cursor, Followed, Revocation, SubjectEntry, Target};
use crate::testing::conformance::report::{Checked, Stop, equal, require};

pub(super) async fn following_delivers(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let now = now(&log).await?;
    publish(&log, &[session(1, ended(now, now + DAY))]).await?;
    let cursor = snapshot(&log).await?.1.cursor;
    let later = [
        session(2, ended(now, now + DAY)),
        anonymous(3, now, ended(now, now + DAY)),
        Revocation::Everyone {
            generation: Generation::new(now.as_millis()),
        },
        Revocation::Anonymous {
            since: now.minus(DAY),
        },
    ];
    publish(&log, &later).await?;
    let told = told(&log, cursor, later.len()).await?;
    for revocation in later {
        includes(&told, &revocation)?;
    }
    Ok(())
}

pub(super) async fn following_delivers_raises(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    let cursor = snapshot(&log).await?.1.cursor;
    let of_subject = raise(&log, Target::Subject(subject(1)), 1, Generation::NONE).await?;
    let of_everyone = raise(&log, Target::Everyone, 2, Generation::NONE).await?;
    let told = told(&log, cursor, 2).await?;
    let until = until(&log, subject(1)).await?;
    let at = |generation| SubjectEntry::new(generation, until);
    includes(&told, &Target::Subject(subject(1)).at(at(of_subject)))?;
    includes(&told, &Target::Everyone.at(at(of_everyone)))
}

pub(super) async fn a_follower_is_answered(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let now = now(&log).await?;
    let cursor = snapshot(&log).await?.1.cursor;
    let quiet = tokio::time::timeout(Duration::from_secs(5), log.follow(cursor));
    match quiet.await {
        Ok(Ok(Followed::Delta(delta))) if delta.revocations.is_empty() => {}
        Ok(other) => return Err(Stop::failed(format!("with nothing to tell: {other:?}"))),
        Err(_) => return Err(Stop::failed("no answer in 5 s with nothing to tell")),
    }
    let follower = tokio::spawn({
        let log = log.clone();
        async move { follow_until(&log, cursor, 1).await }
    });
    tokio::task::yield_now().await;
    let later = session(1, ended(now, now + DAY));
    publish(&log, &[later]).await?;
    let told = follower
        .await
        .map_err(|error| Stop::failed(error.to_string()))??;
    equal("a waiting follower is told", told, Some(vec![later]))
}

pub(super) async fn a_foreign_cursor_is_a_gap(h: &dyn LogHarness) -> Checked {
    let other = fresh(h).await?;
    let now = now(&other).await?;
    publish(&other, &[session(1, ended(now, now + DAY))]).await?;
    let foreign = snapshot(&other).await?.1.cursor;
    drop(other);
    let log = fresh(h).await?;
    publish(&log, &[session(2, ended(now, now + DAY))]).await?;
    for cursor in [foreign, Cursor::default()] {
        let followed = log.follow(cursor).await?;
        require(matches!(followed, Followed::Gap(_)), || {
            format!("from {cursor:?}, which is not its own: {followed:?}")
        })?;
    }
    Ok(())
}

/// Entries published while a snapshot is taken are in it or come after it.
pub(super) async fn nothing_is_missed(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let now = now(&log).await?;
    let total: u64 = 400;
    let writer = tokio::spawn({
        let log = log.clone();
        async move {
            for n in 0..total {
                publish(&log, &[session(n, ended(now, now + DAY))]).await?;
                // Between any two of them a snapshot can begin.
                tokio::task::yield_now().await;
            }
            Ok::<_, Stop>(())
        }
    });
    tokio::task::yield_now().await;
    let (mut known, end) = snapshot(&log).await?;
    writer
        .await
        .map_err(|error| Stop::failed(error.to_string()))??;
    match follow_until(
        &log,
        end.cursor,
        (total as usize).saturating_sub(known.len()),
    )
    .await?
    {
        Some(told) => known.extend(told),
        // Allowed: the follower then takes a new one.
        None => known = seen(&log).await?,
    }
    let missing = total as usize - ids(&known).len();
    equal("missed", missing, 0)
}

pub(super) async fn the_state_is_told(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let end = snapshot(&log).await?.1;
    let mut cursor = end.cursor;
    let started = tokio::time::Instant::now();
    // Twice that long, on a busy machine.
    while started.elapsed() < Duration::from_secs(2) {
        match log.follow(cursor).await? {
            Followed::Delta(delta) => {
                cursor = delta.cursor;
                if let Some(state) = delta.state {
                    return require(state.incarnation == end.state.incarnation, || {
                        format!("the snapshot says {end:?}, a follower is told {state:?}")
                    });
                }
            }
            Followed::Gap(_) => return Err(Stop::failed("a gap, and nothing has happened")),
        }
        tokio::task::yield_now().await;
    }
    Err(Stop::failed("a follower is not told the state"))
}
