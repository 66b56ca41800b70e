//! What a login finds, and what it leaves.

use std::sync::Arc;

use super::{Cause, Presence, RequestState};
use crate::error::Rejected;
use crate::ids::KeyId;
use crate::record::Record;
use crate::session::error::NotWritable;
use crate::session::service::Service;

impl RequestState {
    /// What a login is to know of what was here before. A session that was ended while this request ran
    /// hands nothing on, but to the second of two logins at once.
    pub(crate) fn before_login(&mut self, service: &Service) -> Result<Before<'_>, NotWritable> {
        if self.committed {
            return Err(NotWritable::AlreadyCommitted);
        }
        self.still_counts(service);
        let others = self.others.clone();
        Ok(match &self.presence {
            Presence::Presented { held, .. } => Before {
                heir: Some((&held.record, held.key)),
                live: Some(&held.record),
                dead: others,
            },
            Presence::Begun { record, cause } => Before {
                heir: Some((
                    record,
                    match cause {
                        Cause::OthersEnded(key) => *key,
                        Cause::Write | Cause::Login => None,
                    },
                )),
                live: None,
                dead: others,
            },
            Presence::Absent {
                dead: Some(dead), ..
            } => {
                let succeeded = dead.reason == Rejected::Succeeded;
                let rules = service.rules(service.now());
                let inherits = succeeded && rules.is_double_click(&dead.record);
                Before {
                    heir: inherits.then_some((&dead.record, dead.key)),
                    live: None,
                    // Where another login was first there is nothing to add.
                    dead: match succeeded {
                        true => others,
                        false => others
                            .into_iter()
                            .chain([Arc::clone(&dead.record)])
                            .collect(),
                    },
                }
            }
            Presence::Absent { dead: None, .. } | Presence::Ended(_) => Before {
                heir: None,
                live: None,
                dead: others,
            },
        })
    }

    /// Puts the new session in the place of the old one.
    pub(crate) fn install(&mut self, record: Arc<Record>) -> Result<(), NotWritable> {
        if self.committed {
            return Err(NotWritable::AlreadyCommitted);
        }
        let cause = Cause::Login;
        self.presence = Presence::Begun { record, cause };
        // They have ended with the login, and what was refused to the old session does not concern the new one.
        self.others.clear();
        self.refused = None;
        self.rejected = None;
        Ok(())
    }
}

/// What a login finds.
pub(crate) struct Before<'s> {
    /// The session whose entries it may take over, and the key that it was opened with.
    pub(crate) heir: Option<(&'s Arc<Record>, Option<KeyId>)>,
    /// The session that counted until now.
    pub(crate) live: Option<&'s Arc<Record>>,
    /// What else the request carried. None of it is the session that the browser shows, but it may count.
    pub(crate) dead: Vec<Arc<Record>>,
}
