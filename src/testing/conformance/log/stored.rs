//! What is stored: joining, and who is told to be first.

use std::time::Duration;

use tokio::task::JoinSet;

use super::LogHarness;
use super::tools::{
    DAY, HOUR, MINUTE, announce, anonymous, ended, entry, follow_until, fresh, id, ids, now,
    publish, raise, seen, session, snapshot, some_of_each, sorted, subject, sweep_all,
};
use crate::ids::{Generation, Serial};
use crate::revoke::{Published, Purpose, Revocation, SessionEntry, SubjectEntry, Target};
use crate::testing::conformance::report::{Checked, Stop, require};
use crate::time::UnixMillis;

pub(super) async fn a_new_log_is_empty(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let seen = seen(&log).await?;
    require(seen.is_empty(), || format!("it holds {seen:?}"))?;
    let reading = log.read(subject(1)).await?;
    require(reading.subject == Generation::NONE, || {
        format!("a subject has generation {}", reading.subject)
    })?;
    require(reading.everyone == Generation::NONE, || {
        format!("everyone has generation {}", reading.everyone)
    })?;
    let state = reading.state;
    let age = state.now.since(state.complete_since);
    require(state.complete_since <= state.now && age < HOUR, || {
        format!("a log that was just made: {state:?}")
    })?;
    let of_snapshot = snapshot(&log).await?.1.state;
    require(of_snapshot.complete_since == state.complete_since, || {
        format!("read says {state:?}, the snapshot {of_snapshot:?}")
    })?;
    require(of_snapshot.incarnation == state.incarnation, || {
        format!("read says {state:?}, the snapshot {of_snapshot:?}")
    })?;
    require(!log.name().is_empty(), || "it has no name".into())
}

pub(super) async fn published_is_in_the_snapshot(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let now = now(&log).await?;
    let since = snapshot(&log).await?.1.state.complete_since;
    let entry = entry(3, now, now + DAY);
    let generation = Generation::new(now.as_millis());
    let published = [
        Revocation::Session { id: id(1), entry },
        anonymous(2, now, entry),
        Revocation::Subject {
            key: subject(3),
            entry: SubjectEntry {
                generation,
                until: now + DAY,
            },
        },
        Revocation::Everyone { generation },
    ];
    let answers = publish(&log, &published).await?;
    require(answers == [Published::Fresh; 4], || {
        format!("four new entries answered {answers:?}")
    })?;
    let seen = seen(&log).await?;
    for revocation in published {
        require(seen.contains(&revocation), || {
            format!("{revocation:?} is missing in {seen:?}")
        })?;
    }
    require(seen.len() == 4, || format!("four were published: {seen:?}"))?;
    let reading = log.read(subject(3)).await?;
    require(
        (reading.subject, reading.everyone) == (generation, generation),
        || format!("published generation {generation}, read {reading:?}"),
    )?;
    let later = snapshot(&log).await?.1.state.complete_since;
    require(later == since, || {
        format!("it was complete since {since}, and since {later} once something was published")
    })
}

pub(super) async fn publishing_is_idempotent(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    let now = now(&log).await?;
    let all = some_of_each(now);
    publish(&log, &all).await?;
    let once = sorted(seen(&log).await?);
    let answers = publish(&log, &all).await?;
    require(answers.iter().all(|each| *each == Published::Known), || {
        format!("published again: {answers:?}")
    })?;
    let twice = sorted(seen(&log).await?);
    require(once == twice, || format!("once {once:?}, twice {twice:?}"))?;
    let none = publish(&log, &[]).await?;
    require(none.is_empty(), || format!("nothing published: {none:?}"))
}

pub(super) async fn publishing_is_commutative(h: &dyn LogHarness) -> Checked {
    let mut ends = Vec::new();
    let mut start = None;
    for reverse in [false, true] {
        let log = fresh(h).await?;
        let now = match start {
            Some(now) => now,
            None => now(&log).await?,
        };
        start = Some(now);
        let mut all = some_of_each(now);
        if reverse {
            all.reverse();
        }
        for revocation in &all {
            publish(&log, std::slice::from_ref(revocation)).await?;
        }
        ends.push(sorted(seen(&log).await?));
    }
    let same = ends.first() == ends.last();
    require(same, || format!("forwards and backwards: {ends:?}"))
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
        require(seen.contains(&want), || {
            format!("wanted {want:?}, got {seen:?}")
        })?;
    }
    Ok(())
}

pub(super) async fn publishing_tells_fresh(h: &dyn LogHarness) -> Checked {
    use Published::{Fresh, Known};
    let log = fresh(h).await?;
    let now = now(&log).await?;
    let until = now + DAY;
    let generation = |value| Generation::new(now.as_millis() + value);
    let of_subject = |value| Revocation::Subject {
        key: subject(1),
        entry: SubjectEntry {
            generation: generation(value),
            until,
        },
    };
    let of_everyone = |value| Revocation::Everyone {
        generation: generation(value),
    };
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
    for (revocation, want) in steps {
        let got = publish(&log, &[revocation]).await?;
        require(got == [want], || {
            format!("{revocation:?} answered {got:?}, wanted {want:?}")
        })?;
    }
    Ok(())
}

/// Whoever logs out has to learn that a login made another session of this one, which lives on.
pub(super) async fn a_succession_is_told(h: &dyn LogHarness) -> Checked {
    use Published::{Fresh, Succeeded};
    let log = fresh(h).await?;
    let now = now(&log).await?;
    let succeeded = SessionEntry {
        serial: Serial::SUCCEEDED,
        from: now,
        until: now + DAY,
    };
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
    for (revocation, want) in steps {
        let got = publish(&log, &[revocation]).await?;
        require(got == [want], || {
            format!("{revocation:?} answered {got:?}, wanted {want:?}")
        })?;
    }
    let stands = session(1, succeeded);
    let seen = seen(&log).await?;
    require(seen.contains(&stands), || {
        format!("a logout hid the login that came before it: {seen:?}")
    })
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
        require(winners == 1, || format!("{winners} of 8 renewals won"))?;
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
    require(answers.len() == all.len(), || {
        format!("{} entries, {} answers", all.len(), answers.len())
    })?;
    let fresh = answers.iter().all(|each| *each == Published::Fresh);
    require(fresh, || "not all of them are fresh".into())?;
    let stored = ids(&seen(&log).await?);
    require(stored.len() == all.len(), || {
        format!("{} published, {} in the snapshot", all.len(), stored.len())
    })?;
    if let Some(told) = follow_until(&log, start, all.len()).await? {
        require(ids(&told).len() == all.len(), || {
            format!("{} published, {} followed", all.len(), told.len())
        })?;
    }
    if h.advance(2 * HOUR) {
        let swept = sweep_all(&log).await?;
        require(swept == all.len(), || format!("swept {swept} of 10,000"))?;
    }
    Ok(())
}

pub(super) async fn one_session_is_found(h: &dyn LogHarness) -> Checked {
    let log = fresh(h).await?;
    announce(&log, DAY).await?;
    let now = now(&log).await?;
    let none = log.find(id(1), Some(subject(1))).await?;
    require(none.revocations.is_empty(), || {
        format!("nothing was stored: {none:?}")
    })?;
    let state = snapshot(&log).await?.1.state;
    require(none.state.incarnation == state.incarnation, || {
        format!("the snapshot says {state:?}, found {none:?}")
    })?;
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
    let all = seen(&log).await?;
    let concerns = |with_subject: bool| {
        all.iter().copied().filter(move |each| match each {
            Revocation::Session { id: of, .. } | Revocation::AnonymousSession { id: of, .. } => {
                *of == id(1)
            }
            Revocation::Subject { key, .. } => with_subject && *key == subject(1),
            Revocation::Everyone { .. } | Revocation::Anonymous { .. } => true,
        })
    };
    for asked in [Some(subject(1)), None] {
        let found = sorted(log.find(id(1), asked).await?.revocations);
        let want = sorted(concerns(asked.is_some()).collect());
        require(found == want, || format!("found {found:?}, not {want:?}"))?;
    }
    Ok(())
}
