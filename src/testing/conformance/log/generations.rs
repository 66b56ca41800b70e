//! Generations: always above, never twice, and a repeat raises nothing.

use std::collections::HashSet;

use tokio::task::JoinSet;

use super::harness::LogHarness;
use super::tools::*;
use crate::error::StoreError;
use crate::ids::Generation;
use crate::revoke::{Raise, Revocation, Spared, SubjectEntry, Target};
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

pub(super) async fn a_raise_spares_one(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    let target = Target::Subject(subject(1));
    let spares = |raise, session, generation| Raise {
        spared: Some(Spared {
            session: id(session),
            generation,
        }),
        ..Raise::new(target, raise_id(raise), Generation::NONE, UnixMillis::EPOCH)
    };
    // Everybody from before the first raise is dead, whoever is spared later.
    let first = raise(&log, target, 1, Generation::NONE).await?;
    let second = log.raise(spares(2, 1, Generation::NONE)).await?.entry;
    require(second.generation > first, || {
        format!("{first}, then {second:?}")
    })?;
    equal("who is spared, from then on", second.least(id(1)), first)?;
    equal(
        "anybody else, from then on",
        second.least(id(2)),
        second.generation,
    )?;
    let repeated = log.raise(spares(2, 1, Generation::NONE)).await?.entry;
    equal("repeated", repeated, second)?;
    let third = log.raise(spares(3, 1, Generation::NONE)).await?.entry;
    equal("spared again", third.least(id(1)), first)?;
    let key = subject(1);
    let stored = Revocation::Subject { key, entry: third };
    includes(&snapshot(&log).await?.0, &stored)?;
    includes(&log.find(id(1), &[key]).await?.revocations, &stored)?;
    let known = Generation::new(third.generation.get() - 1);
    let fourth = log.raise(spares(4, 1, known)).await?.entry;
    equal("spared, as the caller knew", fourth.least(id(1)), known)?;
    let fifth = log.raise(spares(5, 2, Generation::NONE)).await?.entry;
    equal("another spared", fifth.least(id(2)), fourth.generation)?;
    equal("the one before", fifth.least(id(1)), fifth.generation)
}

/// A raise that was lost comes back after one that spared somebody.
pub(super) async fn a_raise_that_comes_late_ends_who_was_spared(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    let target = Target::Subject(subject(1));
    let first = raise(&log, target, 1, Generation::NONE).await?;
    let spared = Spared {
        session: id(1),
        generation: Generation::NONE,
    };
    let known = Generation::new(first.get() + 10);
    let request = Raise::new(target, raise_id(2), known, UnixMillis::EPOCH);
    let second = log
        .raise(Raise {
            spared: Some(spared),
            ..request
        })
        .await?
        .entry;
    equal("who is spared, from then on", second.least(id(1)), first)?;
    let lost = Generation::new(first.get() + 5);
    let lost = target.at(SubjectEntry::new(lost, second.until));
    publish(&log, &[lost]).await?;
    let stored = log.find(id(1), &[subject(1)]).await?.revocations;
    includes(&stored, &target.at(second).join(lost))?;
    reads(&log, target, second.generation).await
}

pub(super) async fn an_overtaken_raise_is_recognised(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        let first = raise(&log, target, 1, Generation::NONE).await?;
        let mut last = first;
        for id in 2..5 {
            last = raise(&log, target, id, Generation::NONE).await?;
            let again = raise(&log, target, 1, last).await?;
            equal("repeated", again, last)?;
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
    let moved_to = SubjectEntry::new(moved, now + DAY);
    publish(&log, &targets.map(|it| it.at(moved_to))).await?;
    for target in targets {
        let raised = raise(&log, target, 1, Generation::NONE).await?;
        equal("after a publication", raised.get(), moved.get() + 1)?;
    }
    Ok(())
}
