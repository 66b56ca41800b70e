//! Opening a journal: its records become the list.
//!
//! 1. A record that cannot be understood, or may be missing, is an error. None is skipped.
//! 2. The rest of an append that was never acknowledged is cut off, by a compaction before anything is appended.
//!    If that fails, nothing can be appended until one succeeds.
//! 3. A journal with nothing in it is a new list. It knows of sessions from now on, so that a lost file logs everyone
//!    out, and it is written before anyone can log in.

use std::sync::Arc;

use super::frame::{End, FrameReader};
use super::record::{self, JournalRecord};
use super::state::LocalState;
use super::writer::Writer;
use crate::error::StoreError;
use crate::revoke::Journal;

/// Loads everything that the journal holds into the state.
pub(super) fn open(
    state: &Arc<LocalState>,
    mut journal: Box<dyn Journal>,
) -> Result<Writer, StoreError> {
    let end = load(state, &mut *journal)?;
    let is_new = end.last.is_none();
    if is_new {
        tracing::warn!(
            journal = ?journal,
            "there is no revocation list yet; a new one begins, and refuses sessions from before"
        );
        state.begin();
    }
    let begins_anew = state.check_clock(state.clock.now())?;
    let mut writer = Writer::new(Arc::clone(state), journal, &end);
    if is_new || begins_anew {
        writer.compact()?;
    } else if end.is_torn {
        tracing::info!("the end of the revocation journal was not acknowledged; it is cut off");
        // The log says so if it fails, and it is tried again.
        drop(writer.compact());
    }
    Ok(writer)
}

fn load(state: &LocalState, journal: &mut dyn Journal) -> Result<End, StoreError> {
    let mut reader = FrameReader::default();
    // Whether the last compaction is there to its end.
    let mut is_whole = false;
    let mut is_used = false;
    let mut outcome = Ok(());
    journal.load(&mut |piece| {
        if outcome.is_ok() {
            outcome = reader.feed(piece, |body| {
                record::read(body, |record| match record {
                    JournalRecord::About(about) => state.load(&about),
                    JournalRecord::Revocation(revocation) => {
                        is_used = true;
                        state.list.join(&revocation);
                    }
                    JournalRecord::End => is_whole = true,
                })
            });
        }
    })?;
    if is_used {
        state.mark_used();
    }
    let end = outcome.and_then(|()| reader.finish());
    let end = end.and_then(|end| match is_whole || end.length == 0 {
        true => Ok(end),
        false => Err("its end is missing".into()),
    });
    end.map_err(|problem| StoreError::Damaged {
        path: None,
        problem: format!("{journal:?}: {problem}"),
    })
}
