//! Which list it is, on which server, and since when it is complete.

use super::harness::LogHarness;
use super::tools::*;
use crate::ids::{Generation, Serial};
use crate::revoke::{Followed, Incarnation, Published, Revocation, Target};
use crate::testing::conformance::report::{Checked, Stop, able, equal, require, same};

pub(super) async fn the_earliest_attestation_counts(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let began = state(&log).await?;
    let earlier = began.complete_since.minus(HOUR);
    let later = earlier + HOUR / 2;
    for (attested, want) in [
        (began.complete_since + HOUR, began.complete_since),
        (later, later),
        (earlier, earlier),
        (later, earlier),
    ] {
        let answer = log.attest(began.incarnation, attested).await?;
        let answered = answer.map(|state| state.complete_since);
        equal("after an attestation", answered, Some(want))?;
        complete_since(&log, want, "after an attestation").await?;
    }
    Ok(())
}

pub(super) async fn another_incarnation_attests_nothing(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let began = state(&log).await?;
    let Incarnation { epoch, server, .. } = began.incarnation;
    let earlier = began.complete_since.minus(HOUR);
    for other in [
        Incarnation::new(epoch ^ 1, server),
        Incarnation::new(epoch, server ^ 1),
    ] {
        let answer = log.attest(other, earlier).await?;
        equal("attested elsewhere", answer, None)?;
        complete_since(&log, began.complete_since, "after it").await?;
    }
    Ok(())
}

/// What was restored comes first, and no state in between knows of the attestation.
pub(super) async fn followers_are_told_of_attestations(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let end = snapshot(&log).await?.1;
    let at = now(&log).await?;
    publish(&log, &[session(1, ended(at, at + DAY))]).await?;
    let earlier = end.state.complete_since.minus(HOUR);
    log.attest(end.state.incarnation, earlier).await?;
    let (mut cursor, mut told) = (end.cursor, Vec::new());
    for _ in 0..5 {
        match log.follow(cursor).await? {
            Followed::Gap(_) => return Err(Stop::failed("a gap after an attestation")),
            Followed::Delta(delta) => {
                told.extend(delta.revocations);
                cursor = delta.cursor;
                let since = delta.state.map(|state| state.complete_since);
                if delta.is_complete && since == Some(earlier) {
                    return require(ids(&told).contains(&id(1)), || {
                        format!("an attestation came before what was restored: {told:?}")
                    });
                }
            }
        }
    }
    Err(Stop::failed("a follower was not told"))
}

pub(super) async fn a_later_log_is_younger(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let since = state(&log).await?.complete_since;
    drop(log);
    move_clock(h, HOUR)?;
    let later = state(&fresh(h).await?).await?.complete_since;
    at_least("complete since", later, since + HOUR)
}

pub(super) async fn a_loss_begins_an_epoch(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    let at = now(&log).await?;
    publish(&log, &some_of_each(at)).await?;
    let before = snapshot(&log).await?.1;
    let earlier = at.minus(HOUR);
    log.attest(before.state.incarnation, earlier).await?;
    let can = h.lose_everything().await;
    able(can, "the server cannot lose everything")?;
    let followed = log.follow(before.cursor).await?;
    let Followed::Gap(state) = followed else {
        return Err(Stop::failed(format!(
            "everything was lost, told {followed:?}"
        )));
    };
    require(
        state.incarnation.epoch != before.state.incarnation.epoch,
        || format!("{state:?} after a loss, {before:?} before"),
    )?;
    at_least("complete since", state.complete_since, at)?;
    let (all, end) = snapshot(&log).await?;
    same("left of what was lost", &all, &[])?;
    // The new list is one like any other.
    let later = session(1, ended(at, at + DAY));
    publish(&log, &[later]).await?;
    includes(&told(&log, end.cursor, 1).await?, &later)
}

pub(super) async fn another_server_shows(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    let at = now(&log).await?;
    publish(&log, &some_of_each(at)).await?;
    let targets = [Target::Subject(subject(9)), Target::Everyone];
    let mut raised = Vec::new();
    for target in targets {
        raised.push(raise(&log, target, 1, Generation::NONE).await?);
    }
    let (before, end) = snapshot(&log).await?;
    let earlier = at.minus(HOUR);
    log.attest(end.state.incarnation, earlier).await?;

    let state = replace(h, &log).await?;
    let (old, new) = (end.state.incarnation, state.incarnation);
    require(old.epoch == new.epoch && old.server != new.server, || {
        format!("{old:?} before another server took over, {new:?} after it")
    })?;
    equal("announced", state.announced, end.state.announced)?;
    complete_since(&log, earlier, "on another server").await?;
    same("on another server", &seen(&log).await?, &before)?;
    let mut again = Vec::new();
    for target in targets {
        again.push(raise(&log, target, 1, Generation::NONE).await?);
    }
    equal("raised, and repeated", again, raised)?;
    let answer = log.attest(old, earlier.minus(HOUR)).await?;
    equal("attested elsewhere", answer, None)
}

pub(super) async fn following_fails_once(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let at = now(&log).await?;
    let cursor = snapshot(&log).await?.1.cursor;
    log.follow(cursor).await?;
    publish(&log, &[session(1, ended(at, at + DAY))]).await?;
    replace(h, &log).await?;
    publish(&log, &[session(2, ended(at, at + DAY))]).await?;
    let first = log.follow(cursor).await;
    require(!matches!(first, Ok(Followed::Delta(_))), || {
        format!("another server answers, and a follower is told {first:?}")
    })?;
    match follow_until(&log, cursor, 2).await? {
        None => Ok(()),
        Some(told) => {
            let told = ids(&told);
            require(told.contains(&id(1)) && told.contains(&id(2)), || {
                format!("published 1 and 2 since, told {told:?}")
            })
        }
    }
}

pub(super) async fn the_unreadable_has_ended(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    let at = now(&log).await?;
    let renewed = |n| session(n, entry(1, at, at + HOUR));
    publish(&log, &[renewed(1), renewed(2)]).await?;
    damage(h, id(1)).await?;
    let (all, end) = snapshot(&log).await?;
    equal("not understood", end.state.unreadable, 1)?;
    includes(&all, &renewed(2))?;
    for all in [all, log.find(id(1), &[]).await?.revocations] {
        let has_ended = all.iter().any(|each| {
            matches!(each, Revocation::Session { id: of, entry }
            if *of == id(1) && entry.serial == Serial::ENDED && entry.until >= at + DAY)
        });
        require(has_ended, || {
            let count = all.len();
            format!("session 1, whose entry is not understood, has no end among {count} entries")
        })?;
    }
    // It is not written over, and followers are told what came.
    let end_of = session(1, ended(at, at + HOUR));
    let answer = publish(&log, &[end_of]).await?;
    equal("published over it", answer, [Published::Known])?;
    includes(&told(&log, end.cursor, 1).await?, &end_of)?;
    let unreadable = snapshot(&log).await?.1.state.unreadable;
    equal("still not understood", unreadable, 1)
}
