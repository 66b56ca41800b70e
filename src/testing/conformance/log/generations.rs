//! Generations: always above, never twice, and a repeat raises nothing.

use std::collections::HashSet;

use tokio::task::JoinSet;

use super::harness::LogHarness;
use super::tools::*;
use crate::error::StoreError;
use crate::ids::Generation;
use crate::revoke::{Incarnation, Raise, Target};
use crate::testing::conformance::report::{Checked, Stop, equal, require};
use crate::time::UnixMillis;

pub(super) async fn a_raise_follows_all(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
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
        equal("above what the caller knew", third.get(), known.get() + 1)?;
        let fourth = raise(&log, target, 4, Generation::NONE).await?;
        equal("above what is stored", fourth.get(), third.get() + 1)?;
        reads(&log, target, fourth).await?;
    }
    Ok(())
}

pub(super) async fn targets_are_apart(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    raise(&log, Target::Subject(subject(1)), 1, Generation::NONE).await?;
    reads(&log, Target::Subject(subject(2)), Generation::NONE).await?;
    reads(&log, Target::Everyone, Generation::NONE).await?;
    // The id of another target's raise is not a repeat.
    let everyone = raise(&log, Target::Everyone, 1, Generation::NONE).await?;
    reads(&log, Target::Subject(subject(2)), Generation::NONE).await?;
    reads(&log, Target::Everyone, everyone).await
}

pub(super) async fn raises_are_unique(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
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
        equal("different values", different.len(), 80)?;
        let last = all.into_iter().max().unwrap_or_default();
        reads(&log, target, last).await?;
    }
    Ok(())
}

pub(super) async fn a_repeat_raises_nothing(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        let first = raise(&log, target, 1, Generation::NONE).await?;
        h.advance(MINUTE);
        // Also if the caller learned more in between.
        for known in [Generation::NONE, first, Generation::new(first.get() + 5)] {
            let again = raise(&log, target, 1, known).await?;
            equal("repeated", again, first)?;
        }
        reads(&log, target, first).await?;
    }
    Ok(())
}

pub(super) async fn a_raise_tells_the_one_before(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        let request = |id, known| Raise::new(target, raise_id(id), known, UnixMillis::EPOCH);
        let first = log.raise(request(1, Generation::NONE)).await?;
        equal("before", first.previous, Generation::NONE)?;
        let second = log.raise(request(2, Generation::NONE)).await?;
        let repeated = log.raise(request(2, second.generation)).await?;
        for raised in [second, repeated] {
            equal("before", raised.previous, first.generation)?;
        }
        let known = Generation::new(second.generation.get() + 1_000_000_000);
        let third = log.raise(request(3, known)).await?;
        equal("before, as the caller knew", third.previous, known)?;
    }
    Ok(())
}

pub(super) async fn an_overtaken_raise_is_recognised(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        let first = raise(&log, target, 1, Generation::NONE).await?;
        let mut last = first;
        for id in 2..5 {
            last = raise(&log, target, id, Generation::NONE).await?;
            let again = raise(&log, target, 1, last).await?;
            equal("repeated", again, first)?;
        }
        reads(&log, target, last).await?;
    }
    Ok(())
}

pub(super) async fn the_top_is_an_error(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    let target = Target::Subject(subject(1));
    let known = Generation::new(u64::MAX);
    let request = Raise::new(target, raise_id(1), known, UnixMillis::EPOCH);
    match log.raise(request).await {
        Err(StoreError::Exhausted) => {}
        other => return Err(Stop::failed(format!("answered {other:?}"))),
    }
    reads(&log, target, Generation::NONE).await
}

pub(super) async fn published_generations_count(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    let now = now(&log).await?;
    let moved = Generation::new((now + HOUR).as_millis());
    let targets = [Target::Subject(subject(1)), Target::Everyone];
    publish(&log, &targets.map(|it| it.at(moved, now + DAY))).await?;
    for target in targets {
        let raised = raise(&log, target, 1, Generation::NONE).await?;
        equal("after a publication", raised.get(), moved.get() + 1)?;
    }
    Ok(())
}

pub(super) async fn another_incarnation_raises_nothing(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
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
            reads(&log, target, Generation::NONE).await?;
        }
        let raised = log.raise(on(1, here)).await?;
        equal("who raised", raised.state.incarnation, here)?;
        // What was raised was raised, whichever incarnation it is by now.
        let again = log
            .raise(on(1, others.into_iter().next().unwrap_or(here)))
            .await?;
        equal("repeated", again.generation, raised.generation)?;
    }
    Ok(())
}
