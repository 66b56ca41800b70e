//! Whether the session of a row still counts, by the rules for its cookie.
//!
//! 1. A key that no longer opens takes its sessions with it. A session that was sealed anew under another key says so
//!    with its next use.
//! 2. A row may lag behind the last use by `refresh_after`. So a session that is idle by its row is not shown, and is
//!    dropped, or makes room, only so much later.
//! 3. A row whose label does not open is another's, or was changed: it is not shown, whatever else it says.
//! 4. What may count again, as after an attestation, is not shown and not dropped.

use super::facts;
use super::labels::Labels;
use crate::error::Rejected;
use crate::ids::SubjectKey;
use crate::index::{IndexRow, RowState};
use crate::session::service::Service;
use crate::session::validity::Rules;
use crate::time::{Class, UnixMillis};

/// What becomes of a row.
pub(super) enum JudgedRow {
    /// Its session counts.
    Counts {
        created: UnixMillis,
        is_remembered: bool,
        /// Empty where nothing is known.
        label: String,
    },
    /// It is not shown, and stays: it may count, or is another node's business.
    Hidden,
    /// Its session has ended.
    Dead,
    /// It is not understood, or not this subject's.
    Unreadable,
}

/// Judges the rows of one subject.
pub(super) struct RowJudge<'a> {
    service: &'a Service,
    labels: &'a Labels,
    rules: Rules<'a>,
    subject: SubjectKey,
}

impl<'a> RowJudge<'a> {
    pub(super) fn new(service: &'a Service, labels: &'a Labels, subject: SubjectKey) -> Self {
        Self {
            service,
            labels,
            rules: service.rules_with(labels.ring(), service.now()),
            subject,
        }
    }

    pub(super) fn judge(&self, row: &IndexRow) -> JudgedRow {
        match row.state {
            RowState::Listed => (),
            RowState::Reserved | RowState::Evicting => return JudgedRow::Hidden,
        }
        let Some(facts) = facts::read(row, self.subject) else {
            return JudgedRow::Unreadable;
        };
        if self
            .labels
            .ring()
            .key_of(facts.key, self.rules.now)
            .is_none()
        {
            return JudgedRow::Dead;
        }
        let record = &facts.record;
        let lag = self.service.lifetimes.refresh_after();
        match self.rules.check_open(record, row.last_seen) {
            Ok(()) => match self.labels.open(row, self.subject) {
                Ok(label) => JudgedRow::Counts {
                    created: record.created,
                    is_remembered: record.class == Class::Remembered,
                    label,
                },
                // It is being put.
                Err(_) if row.label.is_empty() => JudgedRow::Hidden,
                Err(_) => JudgedRow::Unreadable,
            },
            Err(refusal) if !refusal.is_final() => JudgedRow::Hidden,
            Err(refusal) if refusal.reason == Rejected::Idle => {
                match self.rules.check_open(record, row.last_seen + lag) {
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
}
