//! Reading and sealing the labels of rows.
//!
//! 1. Every row gets a label, an empty text where nothing is known: it is what ties the row to its subject and session.
//! 2. A label that was sealed by another key than seals now is sealed anew when it is looked at. One whose key has gone is
//!    as if nothing were known.

use std::sync::Arc;

use arc_swap::Guard;

use crate::ids::{SessionId, SubjectKey};
use crate::index::IndexRow;
use crate::keys::KeyRing;
use crate::random::{self, Random};
use crate::seal::label::{LabelPlace, NoLabel, is_by_another};
use crate::session::service::Service;
use crate::time::UnixMillis;

/// What is needed to read and write labels, also when the request has gone.
pub(super) struct Labels {
    audience: String,
    pub(super) ring: Arc<KeyRing>,
    random: Arc<dyn Random>,
    pub(super) now: UnixMillis,
}

impl Service {
    pub(super) fn labels(&self) -> Labels {
        Labels {
            audience: self.binding.names.audience.clone(),
            ring: Guard::into_inner(self.keys.load()),
            random: Arc::clone(&self.random),
            now: self.now(),
        }
    }
}

impl Labels {
    /// The text, sealed for its row. Empty, which is no label, where that is not possible: no key is active, or there are
    /// no random bytes.
    pub(super) fn seal(&self, text: &str, subject: SubjectKey, session: SessionId) -> Vec<u8> {
        let sealed = self.ring.sealing(self.now).and_then(|key| {
            let nonce = random::bytes(&*self.random).ok()?;
            self.place(subject, session).seal(text, key, nonce)
        });
        sealed.unwrap_or_default()
    }

    /// What the row's session is called; empty where nobody knows.
    pub(super) fn open(&self, row: &IndexRow, subject: SubjectKey) -> Result<String, NoLabel> {
        let place = self.place(subject, row.session);
        match place.open(&row.label, &self.ring, self.now) {
            Err(NoLabel::KeyGone) => Ok(String::new()),
            opened => opened,
        }
    }

    /// The label that the row is to have instead of its own, if it is to have another: its own under the key that seals
    /// now, or `fallback` where there is none.
    pub(super) fn renewed(
        &self,
        row: &IndexRow,
        subject: SubjectKey,
        fallback: Option<String>,
    ) -> Option<Vec<u8>> {
        let key = self.ring.sealing(self.now)?;
        let text = match self.open(row, subject) {
            Ok(_) if !is_by_another(&row.label, key) => return None,
            Ok(text) if !text.is_empty() => text,
            // Another node can read it.
            Err(NoLabel::KeyUnknown) => return None,
            _ => fallback.unwrap_or_default(),
        };
        let sealed = self.seal(&text, subject, row.session);
        (!sealed.is_empty()).then_some(sealed)
    }

    fn place(&self, subject: SubjectKey, session: SessionId) -> LabelPlace<'_> {
        LabelPlace {
            audience: &self.audience,
            subject,
            session,
        }
    }
}
