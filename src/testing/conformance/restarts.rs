//! Restarts: what was acknowledged is still there.

use super::tools::{
    Checked, DAY, HOUR, ended, follow_until, fresh, id, ids, move_clock, now, raise, reopen,
    session, snapshot, some_of_each, sorted, subject,
};
use super::{Harness, require};
use crate::id::Generation;
use crate::revoke::Target;

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
