//! Whether the session of a row still counts, by the rules for its cookie.
//!
//! 1. The label ties a row to its subject and session. Without one that opens, or whose key is at least known, the row is
//!    somebody else's, or a newer node's: it is not shown, and nothing is ended for it.
//! 2. A key that was revoked or has retired takes its sessions with it. A session that was sealed anew under another key
//!    says so with its next use.
//! 3. A row may lag behind the last use by `refresh_after`. So a session that is idle by its row is not shown, and is
//!    dropped, or makes room, only so much later.
//! 4. What may count again, as after an attestation, is not shown and not dropped.
//! 5. A row that is being evicted is that of a session until its end is published.

use std::sync::Arc;

use arc_swap::Guard;

use super::facts;
use super::labels::Labels;
use super::listed::ListedSession;
use crate::error::Rejected;
use crate::ids::SubjectKey;
use crate::index::{IndexRow, RowState};
use crate::session::service::Service;
use crate::session::validity::Rules;

/// How a row is judged.
pub(super) enum JudgedRow {
    /// Its session counts.
    Counts(ListedSession),
    /// It is not shown, and stays: it may count, or is another node's business.
    Hidden,
    /// Neither: it may count once this node's list, or its clock, is another.
    Doubtful,
    /// Its session has ended.
    Dead,
    /// It is not understood here, or not this subject's.
    Unreadable,
}

/// Judges the rows of one subject.
pub(super) struct RowJudge<'a> {
    service: &'a Service,
    pub(super) labels: Labels,
    rules: Rules<'a>,
    subject: SubjectKey,
}

impl<'a> RowJudge<'a> {
    pub(super) fn new(service: &'a Service, subject: SubjectKey) -> Self {
        let labels = service.labels();
        // A row and its label are judged by one ring, at one time.
        let rules = Rules {
            ring: Guard::from_inner(Arc::clone(&labels.ring)),
            ..service.rules(labels.now)
        };
        Self {
            service,
            labels,
            rules,
            subject,
        }
    }

    pub(super) fn judge(&self, row: &IndexRow) -> JudgedRow {
        match row.state {
            RowState::Listed | RowState::Evicting => (),
            RowState::Reserved => return JudgedRow::Hidden,
        }
        let Some(facts) = facts::read(row, self.subject) else {
            return JudgedRow::Unreadable;
        };
        let label = match self.labels.open(row, self.subject) {
            Ok(label) => label,
            // It is being put.
            Err(_) if row.label.is_empty() => return JudgedRow::Hidden,
            Err(_) => return JudgedRow::Unreadable,
        };
        let ring = &self.rules.ring;
        if !ring.knows(facts.key) {
            return JudgedRow::Unreadable;
        }
        let opens = ring.key_of(facts.key, self.rules.now).is_some();
        if !opens || facts.keys.iter().any(|key| ring.is_revoked(*key)) {
            return JudgedRow::Dead;
        }
        let record = &facts.record;
        let lag = self.service.lifetimes.refresh_after();
        match self.rules.check_open(record, None, row.last_seen) {
            Ok(()) => JudgedRow::Counts(ListedSession::of(record, row.last_seen, Some(label))),
            Err(refusal) if !refusal.is_final() => JudgedRow::Doubtful,
            Err(refusal) if refusal.reason == Rejected::Idle => {
                match self.rules.check_open(record, None, row.last_seen + lag) {
                    Ok(()) => JudgedRow::Hidden,
                    Err(_) => JudgedRow::Dead,
                }
            }
            Err(_) => JudgedRow::Dead,
        }
    }

    /// Whether its session has ended, so that the row can go.
    pub(super) fn is_dead(&self, row: &IndexRow) -> bool {
        matches!(self.judge(row), JudgedRow::Dead)
    }

    /// Whether it may keep a user from logging in: not one that nobody can tell to be theirs, or to count. If it does, it
    /// comes back with its next use.
    pub(super) fn is_worth_a_place(&self, row: &IndexRow) -> bool {
        match self.judge(row) {
            JudgedRow::Counts(_) | JudgedRow::Hidden => true,
            JudgedRow::Doubtful | JudgedRow::Dead | JudgedRow::Unreadable => false,
        }
    }

    /// Whether the row is its subject's, so that what makes room may be ended.
    pub(super) fn is_own(&self, row: &IndexRow) -> bool {
        self.labels.open(row, self.subject).is_ok()
    }
}
