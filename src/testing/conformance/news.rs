//! Following: nothing is missed.

use std::time::Duration;

use super::tools::{
    Checked, DAY, ended, follow_until, fresh, ids, now, raise, seen, session, snapshot, subject,
    visitor,
};
use super::{Harness, Stop, require};
use crate::id::Generation;
use crate::revoke::{Followed, Position, Revocation, Target};

pub(super) async fn following_delivers(h: &dyn Harness) -> Checked {
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

pub(super) async fn following_delivers_raises(h: &dyn Harness) -> Checked {
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

pub(super) async fn a_follower_is_answered(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let now = now(&store).await?;
    let position = snapshot(&store).await?.1.position;
    let quiet = tokio::time::timeout(Duration::from_secs(5), store.follow(position));
    match quiet.await {
        Ok(Ok(Followed::News(news))) if news.revocations.is_empty() => {}
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

pub(super) async fn a_foreign_position_is_a_gap(h: &dyn Harness) -> Checked {
    let other = fresh(h).await?;
    let now = now(&other).await?;
    other.publish(&[session(1, ended(now, now + DAY))]).await?;
    let foreign = snapshot(&other).await?.1.position;
    drop(other);
    let store = fresh(h).await?;
    store.publish(&[session(2, ended(now, now + DAY))]).await?;
    for position in [foreign, Position::default()] {
        let followed = store.follow(position).await?;
        require(matches!(followed, Followed::Gap { .. }), || {
            format!("from {position:?}, which is not its own: {followed:?}")
        })?;
    }
    Ok(())
}

/// Entries published while a snapshot is taken are in it or come after it.
pub(super) async fn nothing_is_missed(h: &dyn Harness) -> Checked {
    let store = fresh(h).await?;
    let now = now(&store).await?;
    let total: u64 = 400;
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for n in 0..total {
                store.publish(&[session(n, ended(now, now + DAY))]).await?;
            }
            Ok::<_, crate::error::StoreError>(())
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
