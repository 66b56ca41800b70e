//! What can go wrong on the way to the server, in words.
//!
//! 1. The server's own words are not repeated: an error of Redis may quote a command's arguments,
//!    and so ids, or a password. Its code says enough.
//! 2. An error ends the connection if the next answer on it could belong to another command.

use std::error::Error;

use redis::{ErrorKind, RedisError};

use crate::error::StoreError;

/// Answers after which another connection may do better: the server has lost its role, or is not
/// ready, or wants another login.
const ELSEWHERE: [&str; 7] = [
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "NOAUTH",
    "UNBLOCKED",
    "NOREPLICAS",
];

/// Whether the connection is to be given up.
pub(super) fn ends_connection(error: &RedisError) -> bool {
    error.code().is_none_or(|code| ELSEWHERE.contains(&code))
}

/// Whether the user may not do this.
pub(super) fn is_forbidden(error: &RedisError) -> bool {
    // Inside of a script, and while connecting, the code is a general one.
    let says_so = |detail: &str| {
        detail.contains("The user executing the script") || detail.contains("has no permissions")
    };
    error.code() == Some("NOPERM") || error.detail().is_some_and(says_so)
}

/// Whether the server has no such command, because it is renamed or disabled.
pub(super) fn is_unknown_command(error: &RedisError) -> bool {
    let unknown = |detail: &str| detail.starts_with("unknown");
    error.code() == Some("ERR") && error.detail().is_some_and(unknown)
}

/// To which host and port the list has moved within its cluster. The host is empty where it is the
/// one that was asked.
pub(super) fn moved(error: &RedisError) -> Option<(String, u16)> {
    if error.code() != Some("MOVED") {
        return None;
    }
    let (node, _) = error.redirect_node()?;
    let (host, port) = node.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some((host.to_owned(), port.parse().ok()?))
}

/// What is told about `error`, which came from the server at `address`. The script's own errors come first.
pub(super) fn told(address: &str, error: &RedisError) -> StoreError {
    let detail = error.detail().unwrap_or_default();
    let problem = match error.code() {
        Some("EXHAUSTED") => return StoreError::Exhausted,
        Some("NAMELESS") => {
            return StoreError::Unsuitable(format!(
                "{address}: it does not say which server it is (`run_id` in INFO)"
            ));
        }
        Some("UNREADABLE") => {
            let what = word(detail);
            return StoreError::Unsuitable(format!(
                "{address}: the list is not one that this release can read ({what}). It is left as it is"
            ));
        }
        _ if is_forbidden(error) => {
            "the user lacks a permission; `store::Redis` documents which are needed"
        }
        _ if is_unknown_command(error) => "the server lacks a command that is needed",
        _ if detail.starts_with("DB index") => "the server has no such database",
        Some("READONLY") => "the server is a replica that cannot be written to",
        Some("LOADING") => "the server is still loading its data",
        Some("MASTERDOWN") => "the server is a replica without its primary",
        Some("CLUSTERDOWN") => "the cluster is down",
        Some("ASK" | "TRYAGAIN") => "the list is moving within its cluster",
        Some("MOVED") => "the list is on another node of the cluster",
        Some("OOM") => "the server has used up its memory (maxmemory)",
        Some("MISCONF") => "the server cannot save its data to disk",
        Some("NOREPLICAS") => "the server has too few replicas (min-replicas-to-write)",
        Some("NOAUTH" | "WRONGPASS") => "the server refused the user or password",
        Some("BUSY") => "the server is busy with somebody's script",
        Some("WRONGTYPE") => "a key of the list holds something else",
        Some(code) => &format!("the server answered {}", word(code)),
        None => &connection_problem(error),
    };
    StoreError::unavailable(format_args!("{address}: {problem}"))
}

/// A code, the name of a field, a version. Whatever else a server says is not repeated.
pub(super) fn word(text: &str) -> &str {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    match text.len() <= 32 && text.chars().all(is_of_word) {
        true => text,
        false => "something odd",
    }
}

fn connection_problem(error: &RedisError) -> String {
    match error.kind() {
        ErrorKind::AuthenticationFailed => "the server refused the user or password".to_owned(),
        _ if error.is_timeout() => "no answer in time".to_owned(),
        // From the operating system or the TLS library, before the server said anything.
        ErrorKind::Io => match error.source() {
            Some(source) => format!("no connection ({source})"),
            None => format!("no connection ({})", error.category()),
        },
        ErrorKind::Parse => "what answers there is no Redis".to_owned(),
        kind => format!("no connection ({kind:?})"),
    }
}
