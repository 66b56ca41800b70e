//! Generations: always above, never twice, and a repeat raises nothing.

use std::collections::HashSet;

use tokio::task::JoinSet;

use super::LogHarness;
use super::tools::{
    DAY, HOUR, MINUTE, announce, fresh, generation, now, publish, raise, raise_id, state, subject,
};
use crate::error::StoreError;
use crate::ids::Generation;
use crate::revoke::{Incarnation, Raise, Revocation, SubjectEntry, Target};
use crate::testing::conformance::report::{Checked, Stop, require};
use crate::time::UnixMillis;

pub(super) async fn a_raise_follows_all(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    announce(&log, DAY).await?;
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        let before = now(&log).await?;
        let first = raise(&log, target, 1, Generation::NONE).await?;
        let after = now(&log).await?;
        require(
            (before.as_millis()..=after.as_millis()).contains(&first.get()),
            || format!("raised to {first} between {before:?} and {after:?}"),
        )?;
        let second = raise(&log, target, 2, Generation::NONE).await?;
        require(second > first, || format!("{first}, then {second}"))?;

        let known = Generation::new(second.get() + 1_000_000_000);
        let third = raise(&log, target, 3, known).await?;
        require(third.get() == known.get() + 1, || {
            format!("the caller knew {known}, raised to {third}")
        })?;
        let fourth = raise(&log, target, 4, Generation::NONE).await?;
        require(fourth.get() == third.get() + 1, || {
            format!("{third} was stored, raised to {fourth}")
        })?;
        let read = generation(&log, target).await?;
        require(read == fourth, || {
            format!("raised to {fourth}, read {read}")
        })?;
    }
    Ok(())
}

pub(super) async fn targets_are_apart(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    announce(&log, DAY).await?;
    raise(&log, Target::Subject(subject(1)), 1, Generation::NONE).await?;
    let reading = log.read(subject(2)).await?;
    require(
        (reading.subject, reading.everyone) == (Generation::NONE, Generation::NONE),
        || format!("subject 1 was raised, and now subject 2 reads {reading:?}"),
    )?;
    // The id of another target's raise is not a repeat.
    let everyone = raise(&log, Target::Everyone, 1, Generation::NONE).await?;
    let reading = log.read(subject(2)).await?;
    require(
        (reading.subject, reading.everyone) == (Generation::NONE, everyone),
        || format!("everyone was raised to {everyone}, and now subject 2 reads {reading:?}"),
    )
}

pub(super) async fn raises_are_unique(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    announce(&log, DAY).await?;
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        let mut tasks = JoinSet::new();
        for task in 0..8 {
            let log = log.clone();
            tasks.spawn(async move {
                let mut values = Vec::new();
                for n in 0..10 {
                    let id = 1 + task * 10 + n;
                    values.push(raise(&log, target, id, Generation::NONE).await?);
                }
                Ok::<_, Stop>(values)
            });
        }
        let mut all = Vec::new();
        while let Some(values) = tasks.join_next().await {
            let values = values.map_err(|error| Stop::failed(error.to_string()))??;
            require(values.is_sorted(), || format!("not growing: {values:?}"))?;
            all.extend(values);
        }
        let different: HashSet<_> = all.iter().collect();
        require(different.len() == 80, || {
            format!("80 raises returned {} values", different.len())
        })?;
        let last = all.into_iter().max().unwrap_or_default();
        let read = generation(&log, target).await?;
        require(read == last, || format!("raised to {last}, read {read}"))?;
    }
    Ok(())
}

pub(super) async fn a_repeat_raises_nothing(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    announce(&log, DAY).await?;
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        let first = raise(&log, target, 1, Generation::NONE).await?;
        h.advance(MINUTE);
        // Also if the caller learned more in between.
        for known in [Generation::NONE, first, Generation::new(first.get() + 5)] {
            let again = raise(&log, target, 1, known).await?;
            require(again == first, || format!("{first}, repeated {again}"))?;
        }
        let read = generation(&log, target).await?;
        require(read == first, || format!("raised to {first}, read {read}"))?;
    }
    Ok(())
}

pub(super) async fn a_raise_tells_the_one_before(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    announce(&log, DAY).await?;
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        let request = |id, known| Raise::new(target, raise_id(id), known, UnixMillis::EPOCH);
        let first = log.raise(request(1, Generation::NONE)).await?;
        require(first.previous == Generation::NONE, || {
            format!("nothing came before {first:?}")
        })?;
        let second = log.raise(request(2, Generation::NONE)).await?;
        let repeated = log.raise(request(2, second.generation)).await?;
        for raised in [second, repeated] {
            require(raised.previous == first.generation, || {
                format!("{first:?} came before {raised:?}")
            })?;
        }
        let known = Generation::new(second.generation.get() + 1_000_000_000);
        let third = log.raise(request(3, known)).await?;
        require(third.previous == known, || {
            format!("the caller knew {known} before {third:?}")
        })?;
    }
    Ok(())
}

pub(super) async fn an_overtaken_raise_is_recognised(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    announce(&log, DAY).await?;
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        let first = raise(&log, target, 1, Generation::NONE).await?;
        let mut last = first;
        for id in 2..5 {
            last = raise(&log, target, id, Generation::NONE).await?;
            let again = raise(&log, target, 1, last).await?;
            require(again == first, || format!("{first}, repeated {again}"))?;
        }
        let read = generation(&log, target).await?;
        require(read == last, || format!("raised to {last}, read {read}"))?;
    }
    Ok(())
}

pub(super) async fn the_top_is_an_error(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    announce(&log, DAY).await?;
    let target = Target::Subject(subject(1));
    let known = Generation::new(u64::MAX);
    let request = Raise::new(target, raise_id(1), known, UnixMillis::EPOCH);
    match log.raise(request).await {
        Err(StoreError::Exhausted) => {}
        other => return Err(Stop::failed(format!("answered {other:?}"))),
    }
    let read = generation(&log, target).await?;
    require(read == Generation::NONE, || {
        format!("the failed raise left {read}")
    })
}

pub(super) async fn published_generations_count(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    announce(&log, DAY).await?;
    let now = now(&log).await?;
    let moved = Generation::new((now + HOUR).as_millis());
    let entry = SubjectEntry {
        generation: moved,
        until: now + DAY,
    };
    let key = subject(1);
    let everyone = Revocation::Everyone { generation: moved };
    publish(&log, &[Revocation::Subject { key, entry }, everyone]).await?;
    for target in [Target::Subject(key), Target::Everyone] {
        let raised = raise(&log, target, 1, Generation::NONE).await?;
        require(raised.get() == moved.get() + 1, || {
            format!("{moved} was published, raised to {raised}")
        })?;
    }
    Ok(())
}

pub(super) async fn another_incarnation_raises_nothing(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    announce(&log, DAY).await?;
    let here = state(&log).await?.incarnation;
    let others = [
        Incarnation::new(here.epoch ^ 1, here.server),
        Incarnation::new(here.epoch, here.server ^ 1),
    ];
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        let on = |id, on| Raise {
            on: Some(on),
            ..Raise::new(target, raise_id(id), Generation::NONE, UnixMillis::EPOCH)
        };
        for other in others {
            let outcome = log.raise(on(1, other)).await;
            require(outcome == Err(StoreError::Replaced), || {
                format!("a raise for {other:?} on {here:?} answered {outcome:?}")
            })?;
            let read = generation(&log, target).await?;
            require(read == Generation::NONE, || {
                format!("a raise for another incarnation left {read}")
            })?;
        }
        let raised = log.raise(on(1, here)).await?;
        require(raised.state.incarnation == here, || {
            format!("raised on {here:?}, told {raised:?}")
        })?;
        // What was raised was raised, whichever incarnation it is by now.
        let again = log
            .raise(on(1, others.into_iter().next().unwrap_or(here)))
            .await?;
        require(again.generation == raised.generation, || {
            format!("{raised:?}, repeated {again:?}")
        })?;
    }
    Ok(())
}
