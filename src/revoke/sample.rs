//! Revocations as tests and the conformance suite begin with them: each number is another session, or another subject.

use crate::ids::{SessionId, SubjectKey};
use crate::revoke::revocation::{Revocation, SessionEntry};
use crate::time::UnixMillis;

/// Spread as random ids are: a list takes them as they come.
pub(crate) fn id(n: u64) -> SessionId {
    SessionId::from_bytes(spread(n))
}

pub(crate) fn subject(n: u64) -> SubjectKey {
    SubjectKey::from_bytes(spread(n))
}

fn spread(n: u64) -> [u8; 16] {
    let n = u128::from(n).wrapping_add(1);
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        .to_be_bytes()
}

/// The end of a session.
pub(crate) fn session(n: u64, until: UnixMillis) -> Revocation {
    let (id, entry) = (id(n), SessionEntry::ended(until));
    Revocation::Session { id, entry }
}

/// The end of a session without a login.
pub(crate) fn anonymous(n: u64, created: UnixMillis, until: UnixMillis) -> Revocation {
    let (id, entry) = (id(n), SessionEntry::ended(until));
    Revocation::AnonymousSession { id, created, entry }
}
