//! What a compaction writes: all that still counts, piece by piece.
//!
//! 1. A list of millions is not copied as a whole: it is gone through several times, and each time some of it is
//!    shown. Nothing of the list is locked while a journal writes.
//! 2. What changes meanwhile is in the journal too: it is appended after the compaction. That goes for what
//!    is revoked, and for the rise by which an anonymous entry is missing here; the last piece tells it again.

use std::collections::VecDeque;

use super::book::Book;
use super::frame;
use super::record::{About, Record};
use crate::revoke::{Matter, Revocation};

/// How long the body of a frame gets before another one is begun.
pub(super) const BODY: usize = 64 << 10;

/// How many entries are copied at once, roughly; not the list over and over for it.
const ENTRIES: usize = 1 << 16;
const MOST_PARTS: usize = 16;

pub(super) struct Pieces<'b> {
    book: &'b Book,
    /// What comes first, and is written with the first piece.
    first: Vec<Record>,
    /// The number of the next frame.
    next: u64,
    part: usize,
    parts: usize,
    bodies: VecDeque<Vec<u8>>,
    /// How many bytes were written.
    length: u64,
}

impl<'b> Pieces<'b> {
    /// The whole list, in frames from the number `next` on.
    pub(super) fn new(
        book: &'b Book,
        about: About,
        raises: impl Iterator<Item = Revocation>,
        next: u64,
    ) -> Self {
        let parts = (book.list.len() / ENTRIES).clamp(1, MOST_PARTS);
        Self {
            book,
            first: std::iter::once(Record::About(about))
                .chain(raises.map(Record::Revocation))
                .collect(),
            next,
            part: 0,
            parts,
            bodies: VecDeque::new(),
            length: 0,
        }
    }

    /// The number after the last frame, and how many bytes there were; none if not all were taken.
    pub(super) fn finish(&self) -> Option<(u64, u64)> {
        let has_ended = self.part == self.parts && self.bodies.is_empty();
        has_ended.then_some((self.next, self.length))
    }

    /// Gathers the next part of the list.
    fn gather(&mut self) {
        let (part, parts) = (self.part, self.parts);
        let mut bodies = std::mem::take(&mut self.bodies);
        let mut body = Vec::new();
        for record in self.first.drain(..) {
            push(record, &mut body, &mut bodies);
        }
        self.book.list.for_each(|revocation| {
            if place(&revocation) % parts == part {
                push(Record::Revocation(revocation), &mut body, &mut bodies);
            }
        });
        self.part = part.saturating_add(1);
        if self.part == parts {
            let since = self.book.list.find(Matter::Anonymous);
            let last = since.map(Record::Revocation).into_iter();
            for record in last.chain([Record::End]) {
                push(record, &mut body, &mut bodies);
            }
        }
        if !body.is_empty() {
            bodies.push_back(body);
        }
        self.bodies = bodies;
    }
}

fn push(record: Record, body: &mut Vec<u8>, bodies: &mut VecDeque<Vec<u8>>) {
    record.write(body);
    if body.len() >= BODY {
        bodies.push_back(std::mem::take(body));
    }
}

/// Ids and keys are random, or hashes.
fn place(revocation: &Revocation) -> usize {
    let bytes = match revocation {
        Revocation::Session { id, .. } | Revocation::AnonymousSession { id, .. } => id.as_bytes(),
        Revocation::Subject { key, .. } => key.as_bytes(),
        Revocation::Everyone { .. } | Revocation::Anonymous { .. } => return 0,
    };
    let [.., last] = bytes;
    usize::from(*last)
}

impl Iterator for Pieces<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        while self.bodies.is_empty() && self.part < self.parts {
            self.gather();
        }
        let body = self.bodies.pop_front()?;
        let piece = frame::frame(self.next, &body);
        self.next = self.next.saturating_add(1);
        self.length = self.length.saturating_add(piece.len() as u64);
        Some(piece)
    }
}
