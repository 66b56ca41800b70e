//! Reading the whole list.
//!
//! 1. The cursor is noted first, and all is read over one connection. If that breaks, or the list
//!    is another one at the end, there is no snapshot: a list that was emptied on the way must not
//!    pass for a short one.
//! 2. What changes on the way is told after the cursor. What expires on the way is not missed.

use std::sync::atomic::Ordering;

use redis::{cmd, from_redis_value};

use super::handle::{Answered, Redis, Whole};
use super::link::Held;
use super::record::{ANONYMOUS_SESSION, Id, SESSION, SUBJECT, stored, time};
use crate::error::StoreError;
use crate::ids::Generation;
use crate::revoke::{Cursor, Revocation, SnapshotEnd};
use crate::time::UnixMillis;

/// How many entries the server is asked for at once.
const BATCH: usize = 1000;

/// What concerns more than one session or subject.
pub(super) fn of_all(everyone: u64, since: u64) -> Vec<Revocation> {
    let (generation, since) = (Generation::new(everyone), time(since));
    let everyone = (generation > Generation::NONE).then_some(Revocation::Everyone { generation });
    let anonymous = (since > UnixMillis::EPOCH).then_some(Revocation::Anonymous { since });
    everyone.into_iter().chain(anonymous).collect()
}

impl Redis {
    pub(super) async fn read_all(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        let before = self.whole().await?;
        let (sequence, mark, everyone, since) = before.result;
        let [_, sessions, anonymous, subjects, ..] = &self.keys;
        let sessions = self.scan(&before, SESSION, sessions, receive).await?;
        let anonymous = self
            .scan(&before, ANONYMOUS_SESSION, anonymous, receive)
            .await?;
        let subjects = self.scan(&before, SUBJECT, subjects, receive).await?;
        let of_all = of_all(everyone, since);
        if !of_all.is_empty() {
            receive(of_all);
        }

        let unreadable = sessions.saturating_add(anonymous).saturating_add(subjects);
        self.unreadable.store(unreadable, Ordering::Relaxed);
        if unreadable > 0 {
            tracing::error!(
                list = self.list,
                sessions,
                anonymous,
                subjects,
                "the revocation store holds entries that are not understood; their sessions count as \
                 ended"
            );
        }
        let after = self.whole().await?;
        if after.held.number != before.held.number
            || after.state.incarnation != before.state.incarnation
            || after.result.0 < sequence
        {
            return Err(self
                .server()
                .unavailable("the list began anew, or another server answers, while it was read"));
        }
        let epoch = before.state.incarnation.epoch;
        let cursor = Cursor::new(epoch, sequence, u64::from_be_bytes(mark));
        Ok(SnapshotEnd::new(cursor, after.state))
    }

    /// Hands over the entries of one kind. Returns how many were not understood.
    async fn scan(
        &self,
        before: &Answered<Whole>,
        kind: u8,
        key: &str,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<u64, StoreError> {
        let (mut cursor, mut unreadable) = (0_u64, 0_u64);
        loop {
            let (next, fields) = self.page(&before.held, key, cursor).await?;
            let mut batch = Vec::with_capacity(fields.len());
            for (id, value) in fields {
                // A name that is no id concerns nobody.
                if let Ok(id) = Id::try_from(id) {
                    let (revocation, is_understood) = stored(kind, id, &value, &before.state);
                    unreadable = unreadable.saturating_add(u64::from(!is_understood));
                    batch.push(revocation);
                }
            }
            if !batch.is_empty() {
                receive(batch);
            }
            if next == 0 {
                return Ok(unreadable);
            }
            cursor = next;
        }
    }

    /// Some fields of a hash and their values, and the cursor of those that come next.
    async fn page(
        &self,
        held: &Held,
        key: &str,
        cursor: u64,
    ) -> Result<(u64, Vec<(Vec<u8>, Vec<u8>)>), StoreError> {
        let mut command = cmd("HSCAN");
        command.arg(key).arg(cursor).arg("COUNT").arg(BATCH);
        let page = self.link.say(held, &command).await;
        let page = page.map_err(|error| self.server().told(&error))?;
        from_redis_value(page).map_err(|_| self.server().odd())
    }
}
