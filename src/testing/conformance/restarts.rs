//! Restarts and births: what was acknowledged is still there, and since when the list vouches.

use std::time::Duration;

use super::tools::{
    Checked, DAY, HOUR, Store, ended, follow_until, fresh, id, ids, move_clock, now, raise, reopen,
    seen, session, snapshot, some_of_each, sorted, subject,
};
use super::{Harness, Stop, require};
use crate::clock::UnixMillis;
use crate::id::Generation;
use crate::revoke::{Followed, Position, Reach, SETTLING, Target};

pub(super) async fn a_restart_forgets_nothing(h: &dyn Harness) -> Checked {
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

pub(super) async fn positions_survive_or_gap(h: &dyn Harness) -> Checked {
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

pub(super) async fn a_later_store_is_younger(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let born = store.read(subject(1)).await?.born;
    drop(store);
    move_clock(h, HOUR)?;
    let later = fresh(h).await?.read(subject(1)).await?.born;
    require(later >= born + HOUR, || {
        format!("born {born}; made an hour later, born {later}")
    })
}

/// Longer than any session lives: what was made then, was made by a clock that stood behind.
const TOO_LONG: Duration = Duration::from_secs(401 * 24 * 3600);

pub(super) async fn an_empty_list_begins_anew(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    if store.reach() == Reach::Network {
        // Nodes compare the clock of a shared store with theirs before they start on it.
        return Ok(());
    }
    store.announce(DAY).await?;
    move_clock(h, TOO_LONG)?;
    let store = reopen(h, store).await?;
    let at = now(&store).await?;
    let (stored, end) = snapshot(&store).await?;
    require(stored.is_empty() && end.born <= at, || {
        format!("born {}, opened at {at}, holds {stored:?}", end.born)
    })?;
    store.publish(&[session(1, ended(at, at + HOUR))]).await?;
    store.sweep().await?;
    require(seen(&store).await?.len() == 1, || {
        "what was published then is gone".to_owned()
    })
}

pub(super) async fn a_vouch_makes_older(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let end = snapshot(&store).await?.1;
    let epoch = end.position.epoch;
    let earlier = UnixMillis::new(end.born.as_millis().saturating_sub(60_000));
    let other = store.vouch(epoch.wrapping_add(1), earlier).await?;
    born_is(&store, end.born, "after a vouch for another epoch").await?;
    let vouched = store.vouch(epoch, earlier).await?;
    born_is(&store, earlier, "after a vouch").await?;
    require((other, vouched) == (None, Some(earlier)), || {
        format!("a vouch for another epoch says {other:?}, one for this epoch {vouched:?}")
    })?;
    let after = snapshot(&store).await?.1;
    require(after.floor == earlier, || {
        format!("vouched for {earlier}, floor {}", after.floor)
    })?;
    store.vouch(after.position.epoch, end.born).await?;
    born_is(&store, earlier, "after a vouch for less").await?;
    told_of_birth(&store, end.position, earlier).await
}

pub(super) async fn reborn_makes_younger(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    store.announce(DAY).await?;
    let before = now(&store).await?;
    store.publish(&some_of_each(before)).await?;
    let (stored, end) = snapshot(&store).await?;
    move_clock(h, HOUR).or_else(|stop| match stop.0 {
        super::Outcome::Skipped(_) => Ok(()),
        _ => Err(stop),
    })?;
    let born = store.reborn().await?;
    let now = now(&store).await?;
    require(born >= before && born <= now, || {
        format!("reborn between {before} and {now}, says {born}")
    })?;
    born_is(&store, born, "after it was reborn").await?;
    let (after, again) = snapshot(&store).await?;
    require(again.floor == born, || {
        format!("reborn at {born}, floor {}", again.floor)
    })?;
    let vouched = store.vouch(again.position.epoch, before).await?;
    require(vouched == Some(born), || {
        format!("a vouch against it says {vouched:?}")
    })?;
    born_is(&store, born, "after a vouch against it").await?;
    require(sorted(stored) == sorted(after), || {
        "entries were changed".to_owned()
    })?;
    told_of_birth(&store, end.position, born).await
}

pub(super) async fn giving_back_settles(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let at = now(&store).await?;
    let given = vec![session(1, ended(at, at + HOUR))];
    store.give_back(&given).await?;
    let (stored, end) = snapshot(&store).await?;
    require(stored == given, || {
        format!("gave {given:?} back, stored is {stored:?}")
    })?;
    if store.reach() == Reach::Process {
        return Ok(());
    }
    require(!end.settling.is_zero() && end.settling <= SETTLING, || {
        format!(
            "something was given back, and it settles for {:?}",
            end.settling
        )
    })?;
    // Nodes that were cut off wait for this word.
    let mut position = end.position;
    for _ in 0..5 {
        match store.follow(position).await? {
            Followed::News(news) if news.complete => {
                let settling = news.settling;
                let told = settling.is_some_and(|left| !left.is_zero() && left <= SETTLING);
                return require(told, || {
                    format!("complete news say that it settles for {settling:?}")
                });
            }
            Followed::News(news) => position = news.position,
            Followed::Gap { .. } => position = snapshot(&store).await?.1.position,
        }
    }
    Err(Stop::failed("no news are complete"))
}

async fn born_is(store: &Store, want: UnixMillis, when: &str) -> Checked {
    let read = store.read(subject(1)).await?.born;
    let snapshot = snapshot(store).await?.1.born;
    require((read, snapshot) == (want, want), || {
        format!("{when} born {read} and {snapshot}, not {want}")
    })
}

/// A follower hears of another birth, or has to take a new snapshot.
async fn told_of_birth(store: &Store, from: Position, want: UnixMillis) -> Checked {
    let mut position = from;
    for _ in 0..5 {
        match store.follow(position).await? {
            Followed::Gap { .. } => return Ok(()),
            Followed::News(news) if news.born == Some(want) => return Ok(()),
            Followed::News(news) => position = news.position,
        }
    }
    Err(Stop::failed("a follower was not told"))
}
