//! The checks, in the order of the contract's sentences.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Harness, Stop, Suite, require};
use crate::id::{Generation, RaiseId, Serial, SessionId, SubjectKey};
use crate::revoke::{
    Followed, Position, Published, Raise, Revocation, RevocationStore, SessionEntry, SnapshotEnd,
    SubjectEntry, Target, VISITOR_CAPACITY,
};
use crate::time::UnixMillis;

type Checked = Result<(), Stop>;
type Store = Arc<dyn RevocationStore>;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn all(h: &dyn Harness, suite: &mut Suite) {
    macro_rules! run {
        ($($name:literal: $check:ident;)*) => {
            $(suite.check($name, $check(h)).await;)*
        };
    }
    run! {
        "a new store is empty and born when it was made": a_new_store_is_empty;
        "what was published is in the snapshot": published_is_in_the_snapshot;
        "publishing twice changes nothing and succeeds": publishing_is_idempotent;
        "the order of publications does not matter": publishing_is_commutative;
        "joining takes the stricter of two entries": joining_takes_the_stricter;
        "publishing tells whether the serial was still free": publishing_tells_fresh;
        "of concurrent renewals exactly one is fresh": one_renewal_wins;
        "a raise follows the stored and the known value and the clock": a_raise_follows_all;
        "generations of different targets are apart": targets_are_apart;
        "concurrent raises return different, growing values": raises_are_unique;
        "a repeated raise returns the same and raises nothing": a_repeat_raises_nothing;
        "a repeat of an older raise raises again": an_older_raise_raises_again;
        "at the top of its range a raise is an error": the_top_is_an_error;
        "a published generation is one that raises follow": published_generations_count;
        "what was announced only grows": announcements_only_grow;
        "a raise is remembered for the longest life announced": raises_last_long_enough;
        "a later announcement also covers earlier raises": announcements_cover_the_past;
        "following delivers what came after the snapshot": following_delivers;
        "following delivers raises": following_delivers_raises;
        "a waiting follower is woken or answered": a_follower_is_answered;
        "following from a foreign position is a gap": a_foreign_position_is_a_gap;
        "nothing is missed between snapshot and following": nothing_is_missed;
        "a sweep drops entries after their time": a_sweep_drops;
        "a sweep drops nothing before its time": a_sweep_keeps;
        "a later `until` is what counts": the_later_until_counts;
        "everyone's generation never expires": everyone_stays;
        "ten thousand entries in one publication": a_large_batch;
        "visitors are bounded, the oldest make room": visitors_are_bounded;
        "what was acknowledged survives a restart": a_restart_forgets_nothing;
        "a position from before a restart misses nothing": positions_survive_or_gap;
        "a store made later is born later": a_later_store_is_younger;
    }
}

// --- what is stored -------------------------------------------------------------------------

async fn a_new_store_is_empty(h: &dyn Harness) -> Checked {
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

async fn published_is_in_the_snapshot(h: &dyn Harness) -> Checked {
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

async fn publishing_is_idempotent(h: &dyn Harness) -> Checked {
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

async fn publishing_is_commutative(h: &dyn Harness) -> Checked {
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

async fn joining_takes_the_stricter(h: &dyn Harness) -> Checked {
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

async fn publishing_tells_fresh(h: &dyn Harness) -> Checked {
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

async fn one_renewal_wins(h: &dyn Harness) -> Checked {
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

// --- generations ----------------------------------------------------------------------------

async fn a_raise_follows_all(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(DAY).await?;
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        let before = now(&store).await?;
        let first = raise(&store, target, 1, Generation::NONE).await?;
        let after = now(&store).await?;
        require(
            (before.as_millis()..=after.as_millis()).contains(&first.get()),
            || format!("raised to {first} between {before:?} and {after:?}"),
        )?;
        let second = raise(&store, target, 2, Generation::NONE).await?;
        require(second > first, || format!("{first}, then {second}"))?;

        let known = Generation::new(second.get() + 1_000_000_000);
        let third = raise(&store, target, 3, known).await?;
        require(third.get() == known.get() + 1, || {
            format!("the caller knew {known}, raised to {third}")
        })?;
        let fourth = raise(&store, target, 4, Generation::NONE).await?;
        require(fourth.get() == third.get() + 1, || {
            format!("{third} was stored, raised to {fourth}")
        })?;
        let read = generation(&store, target).await?;
        require(read == fourth, || {
            format!("raised to {fourth}, read {read}")
        })?;
    }
    Ok(())
}

async fn targets_are_apart(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(DAY).await?;
    raise(&store, Target::Subject(subject(1)), 1, Generation::NONE).await?;
    let reading = store.read(subject(2)).await?;
    require(
        (reading.subject, reading.everyone) == (Generation::NONE, Generation::NONE),
        || format!("subject 1 was raised, and now subject 2 reads {reading:?}"),
    )?;
    // The id of another target's raise is not a repeat.
    let everyone = raise(&store, Target::Everyone, 1, Generation::NONE).await?;
    let reading = store.read(subject(2)).await?;
    require(
        (reading.subject, reading.everyone) == (Generation::NONE, everyone),
        || format!("everyone was raised to {everyone}, and now subject 2 reads {reading:?}"),
    )
}

async fn raises_are_unique(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(DAY).await?;
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        let mut tasks = JoinSet::new();
        for task in 0..8 {
            let store = store.clone();
            tasks.spawn(async move {
                let mut values = Vec::new();
                for n in 0..10 {
                    let id = 1 + task * 10 + n;
                    values.push(raise(&store, target, id, Generation::NONE).await?);
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
        let read = generation(&store, target).await?;
        require(read == last, || format!("raised to {last}, read {read}"))?;
    }
    Ok(())
}

async fn a_repeat_raises_nothing(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(DAY).await?;
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        let first = raise(&store, target, 1, Generation::NONE).await?;
        h.advance(MINUTE);
        // Also if the caller learned more in between.
        for known in [Generation::NONE, first, Generation::new(first.get() + 5)] {
            let again = raise(&store, target, 1, known).await?;
            require(again == first, || format!("{first}, repeated {again}"))?;
        }
        let read = generation(&store, target).await?;
        require(read == first, || format!("raised to {first}, read {read}"))?;
    }
    Ok(())
}

async fn an_older_raise_raises_again(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(DAY).await?;
    for target in [Target::Subject(subject(1)), Target::Everyone] {
        raise(&store, target, 1, Generation::NONE).await?;
        let second = raise(&store, target, 2, Generation::NONE).await?;
        let third = raise(&store, target, 1, Generation::NONE).await?;
        require(third > second, || format!("{second}, then {third}"))?;
    }
    Ok(())
}

async fn the_top_is_an_error(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(DAY).await?;
    let target = Target::Subject(subject(1));
    let known = Generation::new(u64::MAX);
    let request = Raise {
        target,
        id: raise_id(1),
        known,
    };
    match store.raise(request).await {
        Err(crate::StoreError::Exhausted) => {}
        other => return Err(Stop::failed(format!("answered {other:?}"))),
    }
    let read = generation(&store, target).await?;
    require(read == Generation::NONE, || {
        format!("the failed raise left {read}")
    })
}

async fn published_generations_count(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(DAY).await?;
    let now = now(&store).await?;
    let moved = Generation::new((now + HOUR).as_millis());
    let entry = SubjectEntry {
        generation: moved,
        until: now + DAY,
    };
    let key = subject(1);
    let everyone = Revocation::Everyone { generation: moved };
    store
        .publish(&[Revocation::Subject { key, entry }, everyone])
        .await?;
    for target in [Target::Subject(key), Target::Everyone] {
        let raised = raise(&store, target, 1, Generation::NONE).await?;
        require(raised.get() == moved.get() + 1, || {
            format!("{moved} was published, raised to {raised}")
        })?;
    }
    Ok(())
}

// --- how long -------------------------------------------------------------------------------

async fn announcements_only_grow(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    for (announced, want) in [(HOUR, HOUR), (DAY, DAY), (HOUR, DAY), (DAY, DAY)] {
        store.announce(announced).await?;
        let longest = snapshot(&store).await?.1.longest;
        require(longest == want, || {
            format!("announced {announced:?}, longest is {longest:?}, not {want:?}")
        })?;
    }
    Ok(())
}

async fn raises_last_long_enough(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(DAY).await?;
    let before = now(&store).await?;
    let request = Raise {
        target: Target::Subject(subject(1)),
        id: raise_id(1),
        known: Generation::NONE,
    };
    let raised = store.raise(request).await?;
    require(raised.until >= before + DAY, || {
        format!("raised at {before}, kept until {}", raised.until)
    })?;
    let stored = until(&store, subject(1)).await?;
    require(stored >= raised.until, || {
        format!(
            "kept until {} by the raise, {stored} by the snapshot",
            raised.until
        )
    })?;
    let everyone = Raise {
        target: Target::Everyone,
        ..request
    };
    let raised = store.raise(everyone).await?;
    require(raised.until == UnixMillis::MAX, || {
        format!("everyone's is kept until {}", raised.until)
    })
}

async fn announcements_cover_the_past(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(HOUR).await?;
    let before = now(&store).await?;
    let target = Target::Subject(subject(1));
    let raised = raise(&store, target, 1, Generation::NONE).await?;
    store.announce(DAY).await?;
    let kept = until(&store, subject(1)).await?;
    require(kept >= before + DAY, || {
        format!("raised at {before}, then a day announced, but kept until {kept}")
    })?;
    move_clock(h, 2 * HOUR)?;
    sweep_all(&store).await?;
    let read = generation(&store, target).await?;
    require(read == raised, || {
        format!("raised to {raised}; swept before its longer time, read {read}")
    })
}

async fn a_sweep_drops(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(HOUR).await?;
    let now = now(&store).await?;
    let entry = entry(1, now, now + HOUR);
    store
        .publish(&[session(1, entry), visitor(2, entry)])
        .await?;
    raise(&store, Target::Subject(subject(3)), 1, Generation::NONE).await?;
    // More than the hour, for stores that keep entries a little longer.
    move_clock(h, DAY)?;
    let swept = sweep_all(&store).await?;
    require(swept == 3, || format!("swept {swept} of 3"))?;
    let seen = seen(&store).await?;
    require(seen.is_empty(), || format!("left behind: {seen:?}"))
}

async fn a_sweep_keeps(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(HOUR).await?;
    let now = now(&store).await?;
    let entry = entry(1, now, now + HOUR);
    store
        .publish(&[session(1, entry), visitor(2, entry)])
        .await?;
    raise(&store, Target::Subject(subject(3)), 1, Generation::NONE).await?;
    let before = sorted(seen(&store).await?);
    let swept = sweep_all(&store).await?;
    require(swept == 0, || format!("swept {swept} at once"))?;
    move_clock(h, HOUR - Duration::from_millis(1))?;
    sweep_all(&store).await?;
    let after = sorted(seen(&store).await?);
    require(before == after, || {
        format!("before the end {before:?}, left {after:?}")
    })
}

async fn the_later_until_counts(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let now = now(&store).await?;
    for wrap in [session, visitor] {
        store.publish(&[wrap(1, ended(now, now + HOUR))]).await?;
        store.publish(&[wrap(1, entry(0, now, now + DAY))]).await?;
        store.publish(&[wrap(2, ended(now, now + DAY))]).await?;
        store.publish(&[wrap(2, entry(0, now, now + HOUR))]).await?;
    }
    move_clock(h, 2 * HOUR)?;
    let swept = sweep_all(&store).await?;
    require(swept == 0, || format!("swept {swept} before their time"))?;
    for wrap in [session, visitor] {
        for n in [1, 2] {
            let want = wrap(n, ended(now, now + DAY));
            let seen = seen(&store).await?;
            require(seen.contains(&want), || {
                format!("{want:?} is missing in {seen:?}")
            })?;
        }
    }
    move_clock(h, 2 * DAY)?;
    let swept = sweep_all(&store).await?;
    require(swept == 4, || {
        format!("swept {swept} of 4 after their time")
    })
}

async fn everyone_stays(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(HOUR).await?;
    let raised = raise(&store, Target::Everyone, 1, Generation::NONE).await?;
    for _ in 0..3 {
        move_clock(h, 300 * DAY)?;
        sweep_all(&store).await?;
    }
    let read = generation(&store, Target::Everyone).await?;
    require(read == raised, || {
        format!("raised to {raised}; 900 days later {read}")
    })
}

// --- how many -------------------------------------------------------------------------------

async fn a_large_batch(h: &dyn Harness) -> Checked {
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

async fn visitors_are_bounded(h: &dyn Harness) -> Checked {
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

// --- news -----------------------------------------------------------------------------------

async fn following_delivers(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let now = now(&store).await?;
    store.publish(&[session(1, ended(now, now + DAY))]).await?;
    let position = snapshot(&store).await?.1.position;
    let later = [
        session(2, ended(now, now + DAY)),
        visitor(3, ended(now, now + DAY)),
        Revocation::Everyone {
            generation: Generation::new(now.as_millis()),
        },
    ];
    store.publish(&later).await?;
    let Some(told) = follow_until(&store, position, later.len()).await? else {
        return Err(Stop::failed("a gap, three entries after the snapshot"));
    };
    for revocation in later {
        require(told.contains(&revocation), || {
            format!("{revocation:?} is missing in {told:?}")
        })?;
    }
    Ok(())
}

async fn following_delivers_raises(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(DAY).await?;
    let position = snapshot(&store).await?.1.position;
    let of_subject = raise(&store, Target::Subject(subject(1)), 1, Generation::NONE).await?;
    let of_everyone = raise(&store, Target::Everyone, 2, Generation::NONE).await?;
    let Some(told) = follow_until(&store, position, 2).await? else {
        return Err(Stop::failed("a gap, two raises after the snapshot"));
    };
    let subject_told = told.iter().any(|each| {
        matches!(each, Revocation::Subject { key, entry }
            if *key == subject(1) && entry.generation == of_subject)
    });
    let generation = of_everyone;
    let everyone_told = told.contains(&Revocation::Everyone { generation });
    require(subject_told && everyone_told, || {
        format!("raised to {of_subject} and {of_everyone}, told {told:?}")
    })
}

async fn a_follower_is_answered(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let now = now(&store).await?;
    let position = snapshot(&store).await?.1.position;
    let quiet = tokio::time::timeout(Duration::from_secs(5), store.follow(position));
    match quiet.await {
        Ok(Ok(Followed::Entries { revocations, .. })) if revocations.is_empty() => {}
        Ok(other) => return Err(Stop::failed(format!("without news: {other:?}"))),
        Err(_) => return Err(Stop::failed("no answer in 5 s without news")),
    }
    let follower = tokio::spawn({
        let store = store.clone();
        async move { follow_until(&store, position, 1).await }
    });
    tokio::task::yield_now().await;
    let news = session(1, ended(now, now + DAY));
    store.publish(&[news]).await?;
    let told = follower
        .await
        .map_err(|error| Stop::failed(error.to_string()))??;
    require(told == Some(vec![news]), || {
        format!("a waiting follower was told {told:?}")
    })
}

async fn a_foreign_position_is_a_gap(h: &dyn Harness) -> Checked {
    let other = fresh(h).await?;
    let now = now(&other).await?;
    other.publish(&[session(1, ended(now, now + DAY))]).await?;
    let foreign = snapshot(&other).await?.1.position;
    drop(other);
    let store = fresh(h).await?;
    store.publish(&[session(2, ended(now, now + DAY))]).await?;
    for position in [foreign, Position::default()] {
        let followed = store.follow(position).await?;
        require(followed == Followed::Gap, || {
            format!("from {position:?}, which is not its own: {followed:?}")
        })?;
    }
    Ok(())
}

/// Entries published while a snapshot is taken are in it or come after it.
async fn nothing_is_missed(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let now = now(&store).await?;
    let total: u64 = 400;
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for n in 0..total {
                store.publish(&[session(n, ended(now, now + DAY))]).await?;
            }
            Ok::<_, crate::StoreError>(())
        }
    });
    tokio::task::yield_now().await;
    let (mut known, end) = snapshot(&store).await?;
    writer
        .await
        .map_err(|error| Stop::failed(error.to_string()))??;
    match follow_until(
        &store,
        end.position,
        (total as usize).saturating_sub(known.len()),
    )
    .await?
    {
        Some(told) => known.extend(told),
        // Allowed: the follower then takes a new one.
        None => known = seen(&store).await?,
    }
    let missing = total as usize - ids(&known).len();
    require(missing == 0, || format!("{missing} entries were missed"))
}

// --- restarts -------------------------------------------------------------------------------

async fn a_restart_forgets_nothing(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(DAY).await?;
    let now = now(&store).await?;
    store.publish(&some_of_each(now)).await?;
    let raised = [
        raise(&store, Target::Subject(subject(9)), 1, Generation::NONE).await?,
        raise(&store, Target::Everyone, 2, Generation::NONE).await?,
    ];
    let (before, end) = snapshot(&store).await?;

    let store = reopen(h, store).await?;
    let (after, reopened) = snapshot(&store).await?;
    let (before, after) = (sorted(before), sorted(after));
    require(before == after, || {
        format!("before {before:?}, after {after:?}")
    })?;
    require(
        (end.born, end.longest) == (reopened.born, reopened.longest),
        || format!("before {end:?}, after {reopened:?}"),
    )?;
    let again = [
        raise(&store, Target::Subject(subject(9)), 1, Generation::NONE).await?,
        raise(&store, Target::Everyone, 2, Generation::NONE).await?,
    ];
    require(raised == again, || {
        format!("raised to {raised:?}, repeated after the restart {again:?}")
    })
}

async fn positions_survive_or_gap(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let now = now(&store).await?;
    store.publish(&[session(1, ended(now, now + DAY))]).await?;
    let position = snapshot(&store).await?.1.position;
    store.publish(&[session(2, ended(now, now + DAY))]).await?;
    let store = reopen(h, store).await?;
    store.publish(&[session(3, ended(now, now + DAY))]).await?;
    match follow_until(&store, position, 2).await? {
        None => Ok(()),
        Some(told) => {
            let told = ids(&told);
            require(told.contains(&id(2)) && told.contains(&id(3)), || {
                format!("published 2 and 3 since, told {told:?}")
            })
        }
    }
}

async fn a_later_store_is_younger(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let born = store.read(subject(1)).await?.born;
    drop(store);
    move_clock(h, HOUR)?;
    let later = fresh(h).await?.read(subject(1)).await?.born;
    require(later >= born + HOUR, || {
        format!("born {born}; made an hour later, born {later}")
    })
}

// --- helpers --------------------------------------------------------------------------------

async fn fresh(h: &dyn Harness) -> Result<Store, Stop> {
    let failed = |error| Stop::failed(format!("no store: {error}"));
    h.fresh().await.map_err(failed)
}

async fn reopen(h: &dyn Harness, store: Store) -> Result<Store, Stop> {
    let reopened = h.reopen(store).await;
    let reopened = reopened.ok_or_else(|| Stop::skipped("the store does not survive a restart"))?;
    reopened.map_err(|error| Stop::failed(format!("not opened again: {error}")))
}

fn move_clock(h: &dyn Harness, by: Duration) -> Checked {
    if h.advance(by) {
        Ok(())
    } else {
        Err(Stop::skipped("the store's clock can not be moved"))
    }
}

async fn now(store: &Store) -> Result<UnixMillis, Stop> {
    Ok(store.read(subject(0)).await?.now)
}

async fn snapshot(store: &Store) -> Result<(Vec<Revocation>, SnapshotEnd), Stop> {
    let mut all = Vec::new();
    let end = store.snapshot(&mut |batch| all.extend(batch)).await?;
    // A snapshot may hand over an entry twice, as it changes: then it counts joined.
    let mut joined: HashMap<(u8, [u8; 16]), Revocation> = HashMap::new();
    for revocation in all {
        let slot = joined.entry(place(&revocation)).or_insert(revocation);
        *slot = join(*slot, revocation);
    }
    Ok((joined.into_values().collect(), end))
}

async fn seen(store: &Store) -> Result<Vec<Revocation>, Stop> {
    Ok(snapshot(store).await?.0)
}

async fn until(store: &Store, of: SubjectKey) -> Result<UnixMillis, Stop> {
    for revocation in seen(store).await? {
        if let Revocation::Subject { key, entry } = revocation
            && key == of
        {
            return Ok(entry.until);
        }
    }
    Err(Stop::failed("a raised subject is not in the snapshot"))
}

/// What is told after `position`, at least `count` entries or until nothing more comes. `None` at a
/// gap.
async fn follow_until(
    store: &Store,
    mut position: Position,
    count: usize,
) -> Result<Option<Vec<Revocation>>, Stop> {
    let mut told = Vec::new();
    let mut quiet = 0;
    while told.len() < count && quiet < 3 {
        match store.follow(position).await? {
            Followed::Entries {
                revocations,
                position: next,
            } => {
                quiet = if revocations.is_empty() { quiet + 1 } else { 0 };
                told.extend(revocations);
                position = next;
            }
            Followed::Gap => return Ok(None),
        }
    }
    Ok(Some(told))
}

async fn sweep_all(store: &Store) -> Result<usize, Stop> {
    let mut total = 0;
    loop {
        match store.sweep().await? {
            0 => return Ok(total),
            swept => total += swept,
        }
    }
}

async fn raise(
    store: &Store,
    target: Target,
    id: u64,
    known: Generation,
) -> Result<Generation, Stop> {
    let id = raise_id(id);
    Ok(store.raise(Raise { target, id, known }).await?.generation)
}

async fn generation(store: &Store, target: Target) -> Result<Generation, Stop> {
    Ok(match target {
        Target::Subject(key) => store.read(key).await?.subject,
        Target::Everyone => store.read(subject(0)).await?.everyone,
    })
}

/// Entries of every kind that overlap, so that their order could matter.
fn some_of_each(now: UnixMillis) -> Vec<Revocation> {
    let mut all = Vec::new();
    for n in 0..6u64 {
        let from = now + MINUTE * (6 - n as u32);
        let until = now + HOUR * (1 + (n as u32 * 5) % 6);
        let serial = (n as u32 * 2) % 5;
        let generation = Generation::new(now.as_millis() + (n * 7) % 5);
        all.push(session(n / 3, entry(serial, from, until)));
        all.push(visitor(n / 3, entry(serial, from, until)));
        all.push(Revocation::Subject {
            key: subject(n / 3),
            entry: SubjectEntry { generation, until },
        });
        all.push(Revocation::Everyone { generation });
    }
    all
}

fn session(n: u64, entry: SessionEntry) -> Revocation {
    Revocation::Session { id: id(n), entry }
}

fn visitor(n: u64, entry: SessionEntry) -> Revocation {
    Revocation::Visitor { id: id(n), entry }
}

fn entry(serial: u32, from: UnixMillis, until: UnixMillis) -> SessionEntry {
    let serial = Serial::new(serial);
    SessionEntry {
        serial,
        from,
        until,
    }
}

fn ended(now: UnixMillis, until: UnixMillis) -> SessionEntry {
    SessionEntry {
        serial: Serial::ENDED,
        ..entry(0, now, until)
    }
}

fn id(n: u64) -> SessionId {
    SessionId::from_bytes(bytes(n))
}

fn subject(n: u64) -> SubjectKey {
    SubjectKey::from_bytes(bytes(n))
}

fn raise_id(n: u64) -> RaiseId {
    RaiseId::from_bytes(bytes(n))
}

fn bytes(n: u64) -> [u8; 16] {
    (u128::from(n) << 64 | 0x5ea1).to_be_bytes()
}

/// The sessions and visitors among `revocations`.
fn ids(revocations: &[Revocation]) -> HashSet<SessionId> {
    let id = |each: &Revocation| match each {
        Revocation::Session { id, .. } | Revocation::Visitor { id, .. } => Some(*id),
        _ => None,
    };
    revocations.iter().filter_map(id).collect()
}

fn sorted(mut revocations: Vec<Revocation>) -> Vec<Revocation> {
    revocations.sort_by_key(place);
    revocations
}

/// What two revocations have in common that join.
fn place(revocation: &Revocation) -> (u8, [u8; 16]) {
    match revocation {
        Revocation::Session { id, .. } => (0, *id.as_bytes()),
        Revocation::Visitor { id, .. } => (1, *id.as_bytes()),
        Revocation::Subject { key, .. } => (2, *key.as_bytes()),
        Revocation::Everyone { .. } => (3, [0; 16]),
    }
}

/// Two revocations of the same place.
fn join(a: Revocation, b: Revocation) -> Revocation {
    use Revocation::{Everyone, Session, Subject, Visitor};
    match (a, b) {
        (Session { id, entry: a }, Session { entry: b, .. }) => session_of(id, a.join(b)),
        (Visitor { id, entry: a }, Visitor { entry: b, .. }) => Visitor {
            id,
            entry: a.join(b),
        },
        (Subject { key, entry: a }, Subject { entry: b, .. }) => Subject {
            key,
            entry: a.join(b),
        },
        (Everyone { generation: a }, Everyone { generation: b }) => Everyone {
            generation: a.max(b),
        },
        (a, _) => a,
    }
}

fn session_of(id: SessionId, entry: SessionEntry) -> Revocation {
    Revocation::Session { id, entry }
}
