//! What is stored: joining, and who is told to be first.

use tokio::task::JoinSet;

use super::tools::{
    Checked, DAY, HOUR, MINUTE, ended, entry, follow_until, fresh, id, ids, now, raise, seen,
    session, snapshot, some_of_each, sorted, subject, sweep_all, visitor,
};
use super::{Harness, Stop, require};
use crate::clock::UnixMillis;
use crate::id::{Generation, Serial};
use crate::revoke::{Published, Revocation, SessionEntry, SubjectEntry, Target, VISITOR_CAPACITY};

pub(super) async fn a_new_store_is_empty(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let seen = seen(&store).await?;
    require(seen.is_empty(), || format!("it holds {seen:?}"))?;
    let reading = store.read(subject(1)).await?;
    require(reading.subject == Generation::NONE, || {
        format!("a subject has generation {}", reading.subject)
    })?;
    require(reading.everyone == Generation::NONE, || {
        format!("everyone has generation {}", reading.everyone)
    })?;
    require(reading.born <= reading.now, || {
        format!("born {}, now {}", reading.born, reading.now)
    })?;
    let age = reading.now.since(reading.born);
    require(age < HOUR, || format!("born {} s ago", age.as_secs()))?;
    let (_, end) = snapshot(&store).await?;
    require(end.born == reading.born, || {
        "the snapshot's `born` is not that of `read`".into()
    })?;
    require(!store.name().is_empty(), || "it has no name".into())
}

pub(super) async fn published_is_in_the_snapshot(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let now = now(&store).await?;
    let born = snapshot(&store).await?.1.born;
    let entry = entry(3, now, now + DAY);
    let generation = Generation::new(now.as_millis());
    let published = [
        Revocation::Session { id: id(1), entry },
        Revocation::Visitor { id: id(2), entry },
        Revocation::Subject {
            key: subject(3),
            entry: SubjectEntry {
                generation,
                until: now + DAY,
            },
        },
        Revocation::Everyone { generation },
    ];
    let answers = store.publish(&published).await?;
    require(answers == [Published::Fresh; 4], || {
        format!("four new entries answered {answers:?}")
    })?;
    let seen = seen(&store).await?;
    for revocation in published {
        require(seen.contains(&revocation), || {
            format!("{revocation:?} is missing in {seen:?}")
        })?;
    }
    require(seen.len() == 4, || format!("four were published: {seen:?}"))?;
    let reading = store.read(subject(3)).await?;
    require(
        (reading.subject, reading.everyone) == (generation, generation),
        || format!("published generation {generation}, read {reading:?}"),
    )?;
    let later = snapshot(&store).await?.1.born;
    require(later == born && reading.born == born, || {
        format!("`born` moved from {born} to {later}")
    })
}

pub(super) async fn publishing_is_idempotent(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let now = now(&store).await?;
    let all = some_of_each(now);
    store.publish(&all).await?;
    let once = sorted(seen(&store).await?);
    let answers = store.publish(&all).await?;
    require(answers.iter().all(|each| *each == Published::Known), || {
        format!("published again: {answers:?}")
    })?;
    let twice = sorted(seen(&store).await?);
    require(once == twice, || format!("once {once:?}, twice {twice:?}"))?;
    let none = store.publish(&[]).await?;
    require(none.is_empty(), || format!("nothing published: {none:?}"))
}

pub(super) async fn publishing_is_commutative(h: &dyn Harness) -> Checked {
    let mut ends = Vec::new();
    let mut start = None;
    for reverse in [false, true] {
        let store = fresh(h).await?;
        let now = match start {
            Some(now) => now,
            None => now(&store).await?,
        };
        start = Some(now);
        let mut all = some_of_each(now);
        if reverse {
            all.reverse();
        }
        for revocation in &all {
            store.publish(std::slice::from_ref(revocation)).await?;
        }
        ends.push(sorted(seen(&store).await?));
    }
    let same = ends.first() == ends.last();
    require(same, || format!("forwards and backwards: {ends:?}"))
}

pub(super) async fn joining_takes_the_stricter(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let now = now(&store).await?;
    let a = entry(2, now, now + HOUR);
    let b = entry(1, now + HOUR, now + DAY);
    let c = entry(2, now + MINUTE, now + MINUTE);
    for (n, wrap) in [session, visitor].into_iter().enumerate() {
        for each in [a, b, c] {
            store.publish(&[wrap(n as u64, each)]).await?;
        }
        let want = wrap(n as u64, a.join(b).join(c));
        let seen = seen(&store).await?;
        require(seen.contains(&want), || {
            format!("wanted {want:?}, got {seen:?}")
        })?;
    }
    Ok(())
}

pub(super) async fn publishing_tells_fresh(h: &dyn Harness) -> Checked {
    use Published::{Fresh, Known};
    let store = fresh(h).await?;
    let now = now(&store).await?;
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
        (visitor(3, entry(1, now, until)), Fresh),
        (visitor(3, entry(1, now, until)), Known),
        (visitor(3, entry(2, now, until)), Fresh),
        (of_subject(1), Fresh),
        (of_subject(1), Known),
        (of_subject(0), Known),
        (of_subject(2), Fresh),
        (of_everyone(1), Fresh),
        (of_everyone(1), Known),
        (of_everyone(2), Fresh),
    ];
    for (revocation, want) in steps {
        let got = store.publish(&[revocation]).await?;
        require(got == [want], || {
            format!("{revocation:?} answered {got:?}, wanted {want:?}")
        })?;
    }
    Ok(())
}

/// Whoever logs out has to learn that a login made another session of this one, which lives on.
pub(super) async fn a_succession_is_told(h: &dyn Harness) -> Checked {
    use Published::{Fresh, Succeeded};
    let store = fresh(h).await?;
    let now = now(&store).await?;
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
        (visitor(2, logout), Succeeded),
        (visitor(3, logout), Fresh),
    ];
    for (revocation, want) in steps {
        let got = store.publish(&[revocation]).await?;
        require(got == [want], || {
            format!("{revocation:?} answered {got:?}, wanted {want:?}")
        })?;
    }
    let stands = session(1, succeeded);
    let seen = seen(&store).await?;
    require(seen.contains(&stands), || {
        format!("a logout hid the login that came before it: {seen:?}")
    })
}

pub(super) async fn one_renewal_wins(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let now = now(&store).await?;
    for round in 0..20 {
        let renewal = session(round, entry(1, now, now + DAY));
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let store = store.clone();
            tasks.spawn(async move { store.publish(&[renewal]).await });
        }
        let mut winners = 0;
        while let Some(answer) = tasks.join_next().await {
            let answer = answer.map_err(|error| Stop::failed(error.to_string()))??;
            winners += usize::from(answer == [Published::Fresh]);
        }
        require(winners == 1, || format!("{winners} of 8 renewals won"))?;
    }
    Ok(())
}

pub(super) async fn a_large_batch(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let now = now(&store).await?;
    let start = snapshot(&store).await?.1.position;
    let all: Vec<_> = (0..10_000)
        .map(|n| session(n, ended(now, now + HOUR)))
        .collect();
    let answers = store.publish(&all).await?;
    require(answers.len() == all.len(), || {
        format!("{} entries, {} answers", all.len(), answers.len())
    })?;
    let fresh = answers.iter().all(|each| *each == Published::Fresh);
    require(fresh, || "not all of them are fresh".into())?;
    let stored = ids(&seen(&store).await?);
    require(stored.len() == all.len(), || {
        format!("{} published, {} in the snapshot", all.len(), stored.len())
    })?;
    if let Some(told) = follow_until(&store, start, all.len()).await? {
        require(ids(&told).len() == all.len(), || {
            format!("{} published, {} followed", all.len(), told.len())
        })?;
    }
    if h.advance(2 * HOUR) {
        let swept = sweep_all(&store).await?;
        require(swept == all.len(), || format!("swept {swept} of 10,000"))?;
    }
    Ok(())
}

pub(super) async fn visitors_are_bounded(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let now = now(&store).await?;
    let entry = entry(1, now, now + DAY);
    let extra: u64 = 100;
    let total = VISITOR_CAPACITY as u64 + extra;
    let numbers: Vec<u64> = (0..total).collect();
    store.publish(&[session(total, entry)]).await?;
    for chunk in numbers.chunks(10_000) {
        let visitors: Vec<_> = chunk.iter().map(|n| visitor(*n, entry)).collect();
        store.publish(&visitors).await?;
    }
    let seen = seen(&store).await?;
    require(seen.contains(&session(total, entry)), || {
        "visitors drove out a session that was logged in".into()
    })?;
    let stored = ids(&seen);
    require(stored.len() <= VISITOR_CAPACITY + 1, || {
        format!("{} visitors are stored", stored.len() - 1)
    })?;
    let newest = (extra..total).all(|n| stored.contains(&id(n)));
    require(newest, || {
        "it dropped a visitor other than the oldest".into()
    })
}

pub(super) async fn one_session_is_found(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(DAY).await?;
    let now = now(&store).await?;
    let none = store.find(id(1), Some(subject(1))).await?;
    let born = snapshot(&store).await?.1.born;
    require(none.revocations.is_empty() && none.born == born, || {
        format!("nothing was stored, born {born}: {none:?}")
    })?;
    let entry = ended(now, now + HOUR);
    store
        .publish(&[session(1, entry), visitor(1, entry), session(2, entry)])
        .await?;
    for target in [subject(1), subject(2)] {
        raise(&store, Target::Subject(target), 1, Generation::NONE).await?;
    }
    raise(&store, Target::Everyone, 1, Generation::NONE).await?;
    let all = seen(&store).await?;
    let concerns = |with_subject: bool| {
        all.iter().copied().filter(move |each| match each {
            Revocation::Session { id: of, .. } | Revocation::Visitor { id: of, .. } => *of == id(1),
            Revocation::Subject { key, .. } => with_subject && *key == subject(1),
            Revocation::Everyone { .. } => true,
        })
    };
    for asked in [Some(subject(1)), None] {
        let found = sorted(store.find(id(1), asked).await?.revocations);
        let want = sorted(concerns(asked.is_some()).collect());
        require(found == want, || format!("found {found:?}, not {want:?}"))?;
    }
    Ok(())
}
