//! What is stored: joining, and who is told to be first.

use std::time::Duration;

use tokio::task::JoinSet;

use super::harness::LogHarness;
use super::tools::*;
use crate::ids::{Generation, Serial};
use crate::revoke::{EntryKey, Published, Purpose, Revocation, SessionEntry, SubjectEntry, Target};
use crate::testing::conformance::report::{Checked, Stop, equal, require, same};
use crate::time::UnixMillis;

pub(super) async fn a_new_log_is_empty(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let seen = seen(&log).await?;
    same("stored", &seen, &[])?;
    let reading = log.read(&[subject(1)]).await?;
    equal("the subject's", reading.subjects, vec![Generation::NONE])?;
    equal("everyone's", reading.everyone, Generation::NONE)?;
    let state = reading.state;
    let age = state.now.since(state.complete_since);
    require(state.complete_since <= state.now && age < HOUR, || {
        format!("a log that was just made: {state:?}")
    })?;
    let of_snapshot = snapshot(&log).await?.1.state;
    let [read, of_snapshot] = [state, of_snapshot].map(|it| (it.complete_since, it.incarnation));
    equal("read, and by the snapshot", read, of_snapshot)?;
    require(!log.name().is_empty(), || "it has no name".into())
}

pub(super) async fn published_is_in_the_snapshot(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let now = now(&log).await?;
    let since = state(&log).await?.complete_since;
    let entry = entry(3, now, now + DAY);
    let generation = Generation::new(now.as_millis());
    let published = [
        Revocation::Session { id: id(1), entry },
        anonymous(2, now, entry),
        Target::Subject(subject(3)).at(SubjectEntry::new(generation, now + DAY)),
        Revocation::Everyone { generation },
    ];
    let answers = publish(&log, &published).await?;
    equal("four new entries", answers, [Published::Fresh; 4])?;
    let seen = seen(&log).await?;
    for revocation in published {
        includes(&seen, &revocation)?;
    }
    equal("how many are stored", seen.len(), 4)?;
    for target in [Target::Subject(subject(3)), Target::Everyone] {
        reads(&log, target, generation).await?;
    }
    equal(
        "the generations of nobody",
        log.read(&[]).await?.subjects,
        vec![],
    )?;
    let all = [subject(4), subject(3), subject(5), subject(3)];
    let all = log.read(&all).await?.subjects;
    let none = Generation::NONE;
    equal(
        "of several, in order",
        all,
        vec![none, generation, none, generation],
    )?;
    complete_since(&log, since, "once something was published").await
}

pub(super) async fn publishing_is_idempotent(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let now = now(&log).await?;
    let all = some_of_each(now);
    publish(&log, &all).await?;
    let once = seen(&log).await?;
    let answers = publish(&log, &all).await?;
    let known = vec![Published::Known; all.len()];
    same("the answers when published again", &answers, &known)?;
    same("published twice", &seen(&log).await?, &once)?;
    let none = publish(&log, &[]).await?;
    same("nothing published", &none, &[])
}

pub(super) async fn publishing_is_commutative(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let all = some_of_each(now(&log).await?);
    for revocation in &all {
        publish(&log, &[*revocation]).await?;
    }
    let forwards = seen(&log).await?;
    let log = fresh(h).await?;
    for revocation in all.iter().rev() {
        publish(&log, &[*revocation]).await?;
    }
    same("backwards", &seen(&log).await?, &forwards)
}

pub(super) async fn joining_takes_the_stricter(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let now = now(&log).await?;
    let a = entry(2, now, now + HOUR);
    let b = entry(1, now + HOUR, now + DAY);
    let c = entry(2, now + MINUTE, now + MINUTE);
    let later = now + Duration::from_millis(1);
    let of_session = [a, b, c].map(|each| session(1, each));
    let of_anonymous = [(now, a), (later, b), (now, c)];
    let of_anonymous = of_anonymous.map(|(created, each)| anonymous(1, created, each));
    for all in [of_session, of_anonymous] {
        for each in all {
            publish(&log, &[each]).await?;
        }
        let [first, second, third] = all;
        let want = first.join(second).join(third);
        let seen = seen(&log).await?;
        includes(&seen, &want)?;
    }
    Ok(())
}

pub(super) async fn publishing_tells_fresh(h: &dyn LogHarness) -> Checked {
    use Published::{Fresh, Known};
    let log = fresh(h).await?;
    let now = now(&log).await?;
    let until = now + DAY;
    let raised = |value| SubjectEntry::new(Generation::new(now.as_millis() + value), until);
    let of_subject = |value| Target::Subject(subject(1)).at(raised(value));
    let of_everyone = |value| Target::Everyone.at(raised(value));
    let steps = [
        (session(1, entry(1, now, until)), Fresh),
        (session(1, entry(1, now, until)), Known),
        // Stricter, but not a serial that was still free.
        (session(1, entry(1, UnixMillis::EPOCH, until + DAY)), Known),
        (session(1, entry(0, now, until)), Known),
        (session(1, entry(2, now, until)), Fresh),
        (session(1, ended(now, until)), Fresh),
        (session(1, entry(3, now, until)), Known),
        (session(2, entry(0, now, until)), Fresh),
        (anonymous(3, now, entry(1, now, until)), Fresh),
        (anonymous(3, now, entry(1, now, until)), Known),
        (anonymous(3, now, entry(2, now, until)), Fresh),
        (of_subject(1), Fresh),
        (of_subject(1), Known),
        (of_subject(0), Known),
        (of_subject(2), Fresh),
        (of_everyone(1), Fresh),
        (of_everyone(1), Known),
        (of_everyone(2), Fresh),
    ];
    answers(&log, &steps).await
}

/// Whoever logs out has to learn that a login made another session of this one, which lives on.
pub(super) async fn a_succession_is_told(h: &dyn LogHarness) -> Checked {
    use Published::{Fresh, Succeeded};
    let log = fresh(h).await?;
    let now = now(&log).await?;
    let succeeded = SessionEntry::new(Serial::SUCCEEDED, now, now + DAY);
    let logout = ended(now, now + DAY);
    let steps = [
        (session(1, logout), Fresh),
        (session(1, succeeded), Fresh),
        (session(1, succeeded), Succeeded),
        (session(1, logout), Succeeded),
        (session(1, entry(1, now, now + DAY)), Succeeded),
        // A session without a login has its ends elsewhere, and its succession here.
        (session(2, succeeded), Fresh),
        (anonymous(2, now, logout), Succeeded),
        (anonymous(3, now, logout), Fresh),
    ];
    answers(&log, &steps).await?;
    let stands = session(1, succeeded);
    let seen = seen(&log).await?;
    includes(&seen, &stands)
}

pub(super) async fn one_renewal_wins(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let now = now(&log).await?;
    for round in 0..20 {
        let renewal = session(round, entry(1, now, now + DAY));
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let log = log.clone();
            let publish = async move { log.publish(&[renewal], Purpose::Revoke).await };
            tasks.spawn(publish);
        }
        let mut winners = 0;
        while let Some(answer) = tasks.join_next().await {
            let answer = answer.map_err(|error| Stop::failed(error.to_string()))??;
            winners += usize::from(answer.published == [Published::Fresh]);
        }
        equal("winners of 8 renewals", winners, 1)?;
    }
    Ok(())
}

pub(super) async fn a_large_batch(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let now = now(&log).await?;
    let start = snapshot(&log).await?.1.cursor;
    let all: Vec<_> = (0..10_000)
        .map(|n| session(n, ended(now, now + HOUR)))
        .collect();
    let answers = publish(&log, &all).await?;
    equal("answers", answers.len(), all.len())?;
    let fresh = answers.iter().all(|each| *each == Published::Fresh);
    require(fresh, || "not all of them are fresh".into())?;
    let stored = ids(&seen(&log).await?);
    equal("in the snapshot", stored.len(), all.len())?;
    if let Some(told) = follow_until(&log, start, all.len()).await? {
        equal("followed", ids(&told).len(), all.len())?;
    }
    if h.advance(2 * HOUR) {
        sweeps(&log, all.len()).await?;
    }
    Ok(())
}

pub(super) async fn one_session_is_found(h: &dyn LogHarness) -> Checked {
    let log = announced(h, DAY).await?;
    let now = now(&log).await?;
    let none = log.find(id(1), &[subject(1)]).await?;
    same("found where nothing is", &none.revocations, &[])?;
    let incarnation = snapshot(&log).await?.1.state.incarnation;
    equal("who answered", none.state.incarnation, incarnation)?;
    let entry = ended(now, now + HOUR);
    let revoked = [
        session(1, entry),
        anonymous(1, now, entry),
        session(2, entry),
    ];
    publish(&log, &revoked).await?;
    for target in [subject(1), subject(2)] {
        raise(&log, Target::Subject(target), 1, Generation::NONE).await?;
    }
    raise(&log, Target::Everyone, 1, Generation::NONE).await?;
    let since = now.minus(DAY);
    publish(&log, &[Revocation::Anonymous { since }]).await?;
    for asked in [
        &[][..],
        &[subject(1)],
        &[subject(3), subject(2), subject(1)],
    ] {
        let mut want = seen(&log).await?;
        want.retain(|each| match each.key() {
            EntryKey::Session(of) | EntryKey::AnonymousSession(of) => of == id(1),
            EntryKey::Subject(of) => asked.contains(&of),
            EntryKey::Everyone | EntryKey::Anonymous => true,
        });
        let found = log.find(id(1), asked).await?.revocations;
        same("found", &found, &want)?;
    }
    Ok(())
}
