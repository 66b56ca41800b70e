//! What logs and metrics call reasons, sessions and subjects.

use sha2::{Digest, Sha256};

use crate::error::Rejected;

/// The reason without what the client chose: the version, the key's id.
pub(super) fn word(reason: &Rejected) -> &'static str {
    match reason {
        Rejected::Length => "length",
        Rejected::Malformed => "malformed",
        Rejected::Version(_) => "version",
        Rejected::UnknownKey(_) => "unknown_key",
        Rejected::RetiredKey(_) => "retired_key",
        Rejected::RevokedKey => "revoked_key",
        Rejected::NotAuthentic => "not_authentic",
        Rejected::Implausible => "implausible",
        Rejected::Expired => "expired",
        Rejected::Idle => "idle",
        Rejected::Ended => "ended",
        Rejected::Succeeded => "succeeded",
        Rejected::Superseded => "superseded",
        Rejected::SubjectEnded => "subject_ended",
        Rejected::GroupEnded => "group_ended",
        Rejected::TooManyKeys => "too_many_keys",
        Rejected::TooLarge => "too_large",
        Rejected::EveryoneEnded => "everyone_ended",
        Rejected::ClientChanged => "client_changed",
        Rejected::OlderThanList => "older_than_list",
    }
}

/// What the log calls the session or the subject with this id: eight digits, the same on every node.
///
/// Enough to find the lines about one session, and not the id, with which somebody who reads the log
/// could name it to the store or the command line. A tag of 32 bits can be shared by two of many.
pub(crate) fn tag(id: &[u8; 16]) -> String {
    let mut hash = Sha256::new();
    // What else is a hash of the same id stays apart from this one.
    hash.update(b"sealed-session/log");
    hash.update(id);
    let digest: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, ..] = digest;
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}
