//! Keeping this node's list complete: load everything, follow what comes, forget what expired.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::error::StoreError;
use crate::revoke::outbox::Shared;
use crate::revoke::store::{Followed, Position};

/// How often expired entries are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// The wait after a store could not be followed; doubles up to [`SLOWEST`].
const BACKOFF: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(5);

/// Joins the store's whole state into the list.
pub(super) async fn load(shared: &Shared) -> Result<Position, StoreError> {
    let list = &shared.list;
    let mut receive = |revocations: Vec<_>| {
        for revocation in &revocations {
            list.join(revocation);
        }
    };
    let end = shared.store.snapshot(&mut receive).await?;
    list.raise_born(end.born);
    shared.lengthen(end.longest);
    shared.vigil.complete(&*shared.clock);
    Ok(end.position)
}

/// Joins what is published, for as long as anyone holds the sessions.
pub(super) async fn follow(shared: Weak<Shared>, mut position: Position) {
    let mut backoff = BACKOFF;
    loop {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        match step(&shared, position).await {
            Ok(next) => {
                position = next;
                backoff = BACKOFF;
            }
            Err(error) => {
                tracing::warn!(%error, "the revocation store can not be followed");
                drop(shared);
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(SLOWEST);
            }
        }
    }
}

async fn step(shared: &Arc<Shared>, position: Position) -> Result<Position, StoreError> {
    match shared.store.follow(position).await? {
        Followed::News(news) => {
            for revocation in &news.revocations {
                shared.list.join(revocation);
            }
            shared.vigil.complete(&*shared.clock);
            Ok(news.position)
        }
        Followed::Gap => load(shared).await,
    }
}

/// Forgets what has expired, from time to time.
pub(super) async fn sweep(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        if let Err(error) = sweep_once(&shared).await {
            tracing::warn!(%error, "the revocation store can not be swept");
        }
    }
}

/// The store first: where it does not believe its clock, nothing is forgotten here either.
pub(super) async fn sweep_once(shared: &Shared) -> Result<(), StoreError> {
    let now = shared.clock.now();
    if shared.list.has_forgotten(now) {
        tracing::error!(
            %now,
            "the clock was set back behind a time at which revocations were forgotten; sessions from \
             before now are refused"
        );
        shared.list.begin_anew(now);
    }
    while shared.store.sweep().await? > 0 {}
    shared.list.sweep(now);
    Ok(())
}
