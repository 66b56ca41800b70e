//! Many subjects, many updates at once, and what concerns all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::harness::IndexHarness;
use super::scene::{Dice, HOUR, SECOND, Scene, session, subject};
use crate::ids::SubjectKey;
use crate::index::{IndexRow, IndexRows, IndexUpdate, RowLimit, RowState, WhenRowsFull};
use crate::testing::conformance::report::{Checked, Stop, able, equal, require, same};
use crate::time::UnixMillis;

pub(super) async fn subjects_are_apart(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    // The same sessions, which no two subjects have: so that a mix-up shows.
    for number in [0, 1, 0x80, 0xff] {
        for session in 1..=3 {
            let put = scene.put(scene.row(session, number + session));
            scene.step_of(subject(number), &put).await?;
        }
    }
    let full = scene.put_of(scene.row(9, 9), 1, WhenRowsFull::Drop);
    scene.step_of(subject(1), &full).await?;
    scene.step_of(subject(0xff), &scene.removing(&[2])).await?;
    scene
        .step_of(subject(0x80), &IndexUpdate::new(UnixMillis::MAX))
        .await?;
    for number in [0, 1, 0x80, 0xff, 2] {
        scene.holds(subject(number), "beside others").await?;
    }
    Ok(())
}

/// Makes all updates of one subject at once, and returns the answers.
async fn at_once(scene: &Scene, updates: Vec<IndexUpdate>) -> Checked<Vec<IndexRows>> {
    let mut tasks = JoinSet::new();
    for update in updates {
        let index = Arc::clone(&scene.index);
        tasks.spawn(async move { index.update(subject(0), &update).await });
    }
    let mut answers = Vec::new();
    while let Some(answer) = tasks.join_next().await {
        let answer = answer.map_err(|_| Stop::failed("an update panicked"))?;
        answers.push(answer?);
    }
    Ok(answers)
}

fn counted(rows: &IndexRows) -> usize {
    rows.rows
        .iter()
        .filter(|row| row.state.is_counted())
        .count()
}

pub(super) async fn updates_at_once(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    scene.steps(scene.listed(100..110)).await?;
    let rows: Vec<_> = (1..=40).map(|number| scene.row(number, number)).collect();
    let put = rows.iter().cloned().map(|row| scene.put(row));
    let removing = (100..110).map(|number| scene.removing(&[number]));
    at_once(&scene, put.chain(removing).collect()).await?;
    let held = scene.index.rows(subject(0)).await?;
    same("what is there", &held.rows, &rows)
}

pub(super) async fn a_limit_at_once(h: &dyn IndexHarness) -> Checked {
    const LIMIT: usize = 5;
    const LOGINS: usize = 40;
    for (when_full, taken, left) in [
        (WhenRowsFull::Refuse, LIMIT, LIMIT),
        (WhenRowsFull::Evict, LOGINS, LOGINS),
        (WhenRowsFull::Drop, LOGINS, LIMIT),
    ] {
        let scene = Scene::new(h).await?;
        let numbers = 1..=LOGINS as u64;
        let put = numbers.map(|number| scene.put_of(scene.row(number, number), LIMIT, when_full));
        let answers = at_once(&scene, put.collect()).await?;
        for answer in &answers {
            let counted = counted(answer);
            require(counted <= LIMIT, || {
                format!("with {when_full:?} {counted} are counted, of {LIMIT}")
            })?;
        }
        let put = answers.iter().filter(|answer| !answer.is_full).count();
        equal(&format!("how many {when_full:?} takes"), put, taken)?;
        let held = scene.index.rows(subject(0)).await?;
        let what = format!("how many are counted in the end with {when_full:?}");
        equal(&what, counted(&held), LIMIT)?;
        let what = format!("how many are there in the end with {when_full:?}");
        equal(&what, held.rows.len(), left)?;
    }
    Ok(())
}

pub(super) async fn random_updates(h: &dyn IndexHarness) -> Checked {
    for seed in 1..=4 {
        let mut scene = Scene::new(h).await?;
        let mut dice = Dice(seed);
        // Nothing that was swept is put back by a clock that is behind.
        let mut earliest = scene.start;
        for step in 0..300 {
            if dice.one_of(30) {
                let now = earliest + Duration::from_secs(dice.below(600));
                scene.index.sweep(now).await?;
                earliest = now;
                for rows in scene.held.values_mut() {
                    rows.retain(|row| row.until > now);
                }
                continue;
            }
            let now = earliest + Duration::from_secs(dice.below(2 * 3600));
            let update = random_update(&mut dice, &scene, now);
            let whose = subject(dice.below(3));
            scene
                .step_of(whose, &update)
                .await
                .map_err(|stop| stop.at(&format!("seed {seed}, step {step}")))?;
        }
    }
    Ok(())
}

fn random_update(dice: &mut Dice, scene: &Scene, now: UnixMillis) -> IndexUpdate {
    // None is over by the machine's clock: a store that forgets by that may have forgotten it.
    let row = IndexRow {
        session: session(dice.below(12)),
        state: match dice.below(5) {
            0 => RowState::Reserved,
            1 => RowState::Evicting,
            _ => RowState::Listed,
        },
        last_seen: scene.start + Duration::from_secs(dice.below(5)),
        until: match dice.below(8) {
            0 => UnixMillis::MAX,
            _ => scene.start + HOUR + Duration::from_secs(dice.below(2 * 3600)),
        },
        facts: dice.bytes(300),
        label: match dice.one_of(3) {
            true => Vec::new(),
            false => dice.bytes(200),
        },
    };
    let rows = match dice.one_of(4) {
        true => crate::index::MOST_ROWS,
        false => dice.below(6) as usize,
    };
    let when_full = match dice.below(3) {
        0 => WhenRowsFull::Refuse,
        1 => WhenRowsFull::Evict,
        _ => WhenRowsFull::Drop,
    };
    let removed = match dice.one_of(4) {
        true => 1 + dice.below(3),
        false => 0,
    };
    let replaced = match dice.one_of(4) {
        true => 1 + dice.below(3),
        false => 0,
    };
    let mut some = |count| (0..count).map(|_| session(dice.below(14))).collect();
    let (removed, replaced) = (some(removed), some(replaced));
    IndexUpdate {
        now,
        removed,
        replaced,
        row: Some(row).filter(|_| !dice.one_of(8)),
        limit: RowLimit::new(rows, when_full),
    }
}

pub(super) async fn a_sweep_forgets(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    let end = scene.start + HOUR;
    for number in 0..20 {
        for (session, until) in [
            (1, end),
            (2, end + SECOND),
            (3, end + Duration::from_millis(1)),
        ] {
            // Of some subjects nothing is left, of some everything.
            let until = match number % 3 {
                0 => end,
                1 => end + SECOND,
                _ => until,
            };
            let row = IndexRow {
                until,
                ..scene.row(session, 1)
            };
            scene.step_of(subject(number), &scene.put(row)).await?;
        }
    }
    scene.index.sweep(UnixMillis::EPOCH).await?;
    let subjects: Vec<_> = scene.held.keys().copied().collect();
    for subject in &subjects {
        scene.holds(*subject, "after a sweep of nothing").await?;
    }
    scene.index.sweep(end).await?;
    for subject in subjects {
        let rows = scene.index.rows(subject).await?.rows;
        let before = scene.held.get(&subject).map_or(&[][..], Vec::as_slice);
        let extra = rows.iter().find(|row| !before.contains(row));
        require(extra.is_none(), || format!("a sweep made {extra:?}"))?;
        let mut living = before.iter().filter(|row| row.until > end);
        let lost = living.find(|row| !rows.contains(row));
        require(lost.is_none(), || format!("a sweep lost {lost:?}"))?;
        scene.step_of(subject, &IndexUpdate::new(end)).await?;
    }
    Ok(())
}

pub(super) async fn each_is_once(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    for number in 0..700 {
        for session in 0..=number % 3 {
            let state = match session {
                0 => RowState::Listed,
                1 => RowState::Evicting,
                _ => RowState::Reserved,
            };
            let row = IndexRow {
                state,
                ..scene.row(number + session, 1)
            };
            let update = scene.put(row);
            update.apply(scene.held.entry(subject(number)).or_default());
            scene.index.update(subject(number), &update).await?;
        }
    }
    scene.step_of(subject(3), &scene.removing(&[3])).await?;
    let mut told: BTreeMap<SubjectKey, Vec<IndexRows>> = BTreeMap::new();
    scene
        .index
        .each(&mut |subject, rows| told.entry(subject).or_default().push(rows))
        .await?;
    for (subject, want) in &scene.held {
        let answers = told.remove(subject).unwrap_or_default();
        let is_once = answers.len() == 1 || want.is_empty() && answers.is_empty();
        require(is_once, || {
            format!(
                "a subject of {} rows is told {} times",
                want.len(),
                answers.len()
            )
        })?;
        let rows: Vec<_> = answers.into_iter().flat_map(|rows| rows.rows).collect();
        same("what is told of a subject", &rows, want)?;
    }
    require(told.is_empty(), || {
        format!("{} subjects are told that have no rows", told.len())
    })
}

pub(super) async fn the_unreadable_stays(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    scene.steps(scene.listed(1..=3)).await?;
    let can = h.damage(subject(0), session(2)).await;
    able(can, "rows cannot be damaged")?;
    let rows = scene.held.entry(subject(0)).or_default();
    rows.retain(|row| row.session != session(2));
    let full = scene.put_of(scene.row(5, 9), 3, WhenRowsFull::Refuse);
    let over = IndexUpdate::new(UnixMillis::MAX);
    let read = scene.index.rows(subject(0)).await?;
    let rows = scene.held.entry(subject(0)).or_default();
    same("what is read beside it", &read.rows, rows)?;
    equal("how many were not understood", read.unreadable, 1)?;
    // Two are counted, then three.
    for update in [full.clone(), scene.update(), over] {
        let want = update.apply(scene.held.entry(subject(0)).or_default());
        let answer = scene.index.update(subject(0), &update).await?;
        let want = IndexRows {
            unreadable: 1,
            ..want
        };
        equal("`is_full` beside it", answer.is_full, want.is_full)?;
        equal(
            "how many are told as not understood",
            answer.unreadable,
            want.unreadable,
        )?;
        same("the answer beside it", &answer.rows, &want.rows)?;
    }
    let in_its_place = scene.put_of(scene.row(2, 9), 3, WhenRowsFull::Refuse);
    let answer = scene.index.update(subject(0), &in_its_place).await?;
    equal("`is_full` of a put in its place", answer.is_full, false)?;
    same("what is put in its place", &answer.rows, &[])?;
    scene.index.sweep(UnixMillis::MAX).await?;
    let read = scene.index.rows(subject(0)).await?;
    equal("how many are left of it", read.unreadable, 1)?;
    let mut told: usize = 0;
    scene
        .index
        .each(&mut |_, rows| told = told.saturating_add(rows.unreadable))
        .await?;
    equal("how many are handed over as not understood", told, 1)
}
