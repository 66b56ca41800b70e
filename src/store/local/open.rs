//! Opening a journal: what it holds becomes the list.
//!
//! 1. Nothing that cannot be understood, or may be missing, is left out: it is an error.
//! 2. What an append left behind that was never acknowledged is cut off, by a compaction before anything is
//!    appended. If that fails, nothing can be appended until one succeeds.
//! 3. A journal with nothing in it is a new list. It knows of sessions from now on, so that a lost file logs everyone
//!    out, and it is written before anyone can log in.

use std::sync::Arc;

use super::book::Book;
use super::frame::{End, Reader};
use super::record::{self, Record};
use super::writer::Writer;
use crate::error::StoreError;
use crate::revoke::Journal;

/// Loads everything that the journal holds into the book.
pub(super) fn open(book: &Arc<Book>, mut journal: Box<dyn Journal>) -> Result<Writer, StoreError> {
    let end = load(book, &mut *journal)?;
    let Some(last) = end.last else {
        tracing::warn!(
            journal = ?journal,
            "there is no revocation list yet; a new one begins, and refuses sessions from before"
        );
        book.begin();
        let mut writer = Writer::new(Arc::clone(book), journal, 0, 0);
        writer.compact()?;
        return Ok(writer);
    };
    let before = book.about();
    book.prepare_sweep(book.clock.now())?;
    let next = last.saturating_add(1);
    let mut writer = Writer::new(Arc::clone(book), journal, next, end.length);
    let begins_anew = book.about().complete_since != before.complete_since;
    if begins_anew {
        writer.compact()?;
    } else if end.is_torn {
        tracing::info!("the end of the revocation journal was not acknowledged; it is cut off");
        // If it fails, that is said in the log, and it is tried again.
        let _ = writer.compact();
    }
    Ok(writer)
}

fn load(book: &Book, journal: &mut dyn Journal) -> Result<End, StoreError> {
    let mut reader = Reader::default();
    let mut contents = Contents::default();
    let mut outcome = Ok(());
    journal.load(&mut |piece| {
        if outcome.is_ok() {
            outcome = reader.feed(piece, |body| {
                record::read(body, |record| contents.take(book, record))
            });
        }
    })?;
    let end = outcome.and_then(|()| reader.finish());
    let end = end.and_then(|end| match end {
        End { length: 0, .. } => Ok(end),
        _ if contents.is_whole => Ok(end),
        _ => Err("its end is missing".into()),
    });
    end.map_err(|problem| StoreError::Damaged {
        path: None,
        problem: format!("{journal:?}: {problem}"),
    })
}

/// What was read so far.
#[derive(Debug, Default)]
struct Contents {
    /// Whether all is there that the last compaction wrote.
    is_whole: bool,
}

impl Contents {
    fn take(&mut self, book: &Book, record: Record) {
        match record {
            Record::About(about) => book.load(&about),
            Record::Revocation(revocation) => {
                book.use_it();
                book.list.join(&revocation);
            }
            Record::End => self.is_whole = true,
        }
    }
}
