//! The store's contract.
//!
//! 1. Each method is one call of the script, but reading everything, following, and a sweep in steps.
//! 2. A renewal whose call was said twice is an error unless it was the first: nobody can tell which attempt won.

use std::sync::Arc;

use async_trait::async_trait;

use super::handle::{Answered, Redis};
use super::record::{self, ANONYMOUS_SESSION, LARGEST, SESSION, SUBJECT, stored, time};
use super::script::incarnation;
use super::snapshot::of_all;
use crate::error::StoreError;
use crate::ids::{Generation, Serial, SessionId, SubjectKey};
use crate::index::SessionIndex;
use crate::revoke::{
    Announcement, Cursor, Followed, Found, Incarnation, LogState, Published, Purpose, Raise,
    Raised, Reading, Receipt, ReplicatedLog, Revocation, SnapshotEnd, Spared, SubjectEntry,
};
use crate::store::sweep::{SWEEP_BATCH, check_clock};
use crate::time::{SKEW, UnixMillis};

/// How many revocations one publication may hold: about 0.1 s of the server's time, in which
/// it answers nobody else.
const LARGEST_PUBLICATION: usize = 10_000;
/// How many entries one call of a sweep looks at.
const SWEEP_STEP: usize = 1_000;

#[async_trait]
impl ReplicatedLog for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn session_index(&self) -> Option<Arc<dyn SessionIndex>> {
        Some(Arc::clone(&self.index) as _)
    }

    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError> {
        let capacity = announcement.anonymous_capacity.min(LARGEST);
        let [longest, max_outage] =
            [announcement.longest, announcement.max_outage].map(record::duration);
        let arguments = (longest, capacity, max_outage);
        let answered = self.call(&self.link, "announce", arguments).await;
        answered.map(|Answered::<()> { .. }| ())
    }

    async fn publish(
        &self,
        revocations: &[Revocation],
        purpose: Purpose,
    ) -> Result<Receipt, StoreError> {
        if revocations.len() > LARGEST_PUBLICATION {
            return Err(StoreError::unavailable(format_args!(
                "{} revocations in one publication; {LARGEST_PUBLICATION} are the most",
                revocations.len()
            )));
        }
        let purpose = match purpose {
            Purpose::Revoke => "revoke",
            Purpose::Restoration => "restoration",
            Purpose::FirstRestoration => "first",
        };
        let arguments = (record::pack(revocations)?, purpose);
        let answered = self.call_replicated("publish", arguments).await?;
        let (answers, ahead): (Vec<u8>, u64) = answered.result;
        if ahead > 0 {
            return Err(StoreError::clocks(time(ahead), answered.state.now, SKEW));
        }
        let published: Vec<_> = answers.into_iter().map(published).collect();
        let mut renewals = revocations.iter().zip(&published);
        if answered.is_repeated
            && renewals.any(|(each, published)| is_renewal(each) && *published != Published::Fresh)
        {
            return Err(self.server().unavailable(
                "a connection was lost, and with it which of two renewals was first",
            ));
        }
        Ok(Receipt::new(published, answered.state.incarnation))
    }

    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError> {
        let subject = raise.target.subject();
        let known = raise.known.get().min(LARGEST);
        let spared = raise.spared.unwrap_or(Spared::NOBODY);
        let arguments = (
            bytes(subject.as_slice()),
            raise.id.as_bytes(),
            known,
            record::number(raise.until),
            spared.session.as_bytes(),
            spared.generation.get().min(LARGEST),
        );
        let answered = self.call_written("raise", arguments).await?;
        let (generation, until, session, least) = answered.result;
        let entry = SubjectEntry::new(Generation::new(generation), time(until));
        let entry = entry.sparing(Spared {
            session: SessionId::from_bytes(session),
            generation: Generation::new(least),
        });
        // What was raised was raised, also if it may be lost.
        let unreplicated = self.replicated(&answered).await.err();
        Ok(Raised {
            unreplicated,
            ..Raised::new(entry, answered.state)
        })
    }

    async fn read(&self, subjects: &[SubjectKey]) -> Result<Reading, StoreError> {
        let answered = self.call(&self.link, "read", bytes(subjects)).await?;
        let (everyone, generations): (u64, Vec<u64>) = answered.result;
        let generations = generations.into_iter().map(Generation::new).collect();
        Ok(Reading::new(
            generations,
            Generation::new(everyone),
            answered.state,
        ))
    }

    async fn find(&self, session: SessionId, subjects: &[SubjectKey]) -> Result<Found, StoreError> {
        type Values = (
            u64,
            u64,
            Option<Vec<u8>>,
            Option<Vec<u8>>,
            Vec<Option<Vec<u8>>>,
        );
        let id = session.as_bytes();
        let answered = self.call(&self.link, "find", (id, bytes(subjects))).await?;
        let (everyone, since, session, anonymous, of_subjects): Values = answered.result;
        let mut found = of_all(everyone, since);
        let of_session = [(SESSION, id, session), (ANONYMOUS_SESSION, id, anonymous)];
        let of_subjects = subjects.iter().map(SubjectKey::as_bytes).zip(of_subjects);
        let of_subjects = of_subjects.map(|(key, value)| (SUBJECT, key, value));
        for (kind, id, value) in of_session.into_iter().chain(of_subjects) {
            if let Some(value) = value {
                found.push(stored(kind, *id, &value, &answered.state).0);
            }
        }
        Ok(Found::new(found, answered.state))
    }

    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        self.read_all(receive).await
    }

    async fn follow(&self, cursor: Cursor) -> Result<Followed, StoreError> {
        self.follow_from(cursor).await
    }

    async fn attest(
        &self,
        on: Incarnation,
        since: UnixMillis,
    ) -> Result<Option<LogState>, StoreError> {
        let arguments = (incarnation(on), record::number(since));
        let answered = self.call_replicated("attest", arguments).await?;
        let (is_same,) = answered.result;
        Ok(Some(answered.state).filter(|_| is_same))
    }

    async fn sweep(&self) -> Result<usize, StoreError> {
        if self.replicas.are_wanted() {
            // A connection that is silent between two logouts may be closed by a proxy.
            self.writer.ask(&redis::cmd("TIME")).await?;
        }
        let (mut dropped, mut seen) = (0_usize, 0_usize);
        // In short steps, so that nobody else waits long for the server.
        while seen < SWEEP_BATCH {
            let step = self.call(&self.link, "sweep", SWEEP_STEP).await?;
            let (of_step, due, last_sweep): (usize, usize, u64) = step.result;
            check_clock(step.state.now, time(last_sweep))?;
            dropped = dropped.saturating_add(of_step);
            seen = seen.saturating_add(due);
            if due < SWEEP_STEP {
                break;
            }
        }
        Ok(dropped)
    }
}

/// Subjects, as the script takes them: one after the other.
fn bytes(subjects: &[SubjectKey]) -> Vec<u8> {
    let subjects = subjects.iter().map(SubjectKey::as_bytes);
    subjects.flatten().copied().collect()
}

/// Whether only the first of two publications may succeed.
fn is_renewal(revocation: &Revocation) -> bool {
    let session = revocation.session();
    session.is_some_and(|(_, entry)| entry.serial < Serial::ENDED)
}

/// What the script says of one entry.
fn published(answer: u8) -> Published {
    match answer {
        b'1' => Published::Fresh,
        b'2' => Published::Succeeded,
        b'3' => Published::Ended,
        _ => Published::Known,
    }
}
