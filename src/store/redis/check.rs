//! Whether a server can be trusted with the list. Looked at once on every new connection.
//!
//! 1. Older than Redis 7, and the script would not run as a whole or not at all.
//! 2. A server that evicts whatever it likes when its memory is full would drop revocations, which
//!    brings sessions back to life. Refused, also while there is room.

use std::sync::atomic::{AtomicBool, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value, cmd};

use super::fault::{is_forbidden, is_unknown_command, unavailable};
use crate::error::StoreError;

/// The first version with script flags, and the first that checks them before a script begins.
const OLDEST: u32 = 7;

pub(super) async fn check(
    connection: &MultiplexedConnection,
    address: &str,
    warned: &AtomicBool,
) -> Result<(), StoreError> {
    let told = |error: &RedisError| match is_forbidden(error) || is_unknown_command(error) {
        true => StoreError::Unsuitable(format!("{address}: the user may not ask for INFO")),
        false => unavailable(address, error),
    };
    let server = info(connection, "server")
        .await
        .map_err(|error| told(&error))?;
    check_version(address, field(&server, "redis_version"))?;
    let policy = match configured_policy(connection).await {
        Some(policy) => Some(policy),
        None => {
            let memory = info(connection, "memory")
                .await
                .map_err(|error| told(&error))?;
            field(&memory, "maxmemory_policy").map(str::to_owned)
        }
    };
    match policy.as_deref() {
        Some(policy) if policy.starts_with("allkeys-") => Err(StoreError::Unsuitable(format!(
            "{address}: its maxmemory-policy is {}, so it could evict revocations, which \
             would revive sessions; set it to noeviction or volatile-lru",
            word(policy)
        ))),
        None if !warned.swap(true, Ordering::Relaxed) => {
            tracing::warn!(
                address,
                "the maxmemory-policy of the revocation store could not be found out; if it is one \
                 of allkeys-*, the server may evict revocations"
            );
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_version(address: &str, version: Option<&str>) -> Result<(), StoreError> {
    let major = version.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    match major {
        Some(major) if major >= OLDEST => Ok(()),
        Some(_) => Err(StoreError::Unsuitable(format!(
            "{address}: it is Redis {}; {OLDEST}.0 is the oldest that works",
            word(version.unwrap_or_default())
        ))),
        None => Err(StoreError::Unsuitable(format!(
            "{address}: it does not say which version it is"
        ))),
    }
}

/// `None` where CONFIG is not allowed, as at many hosting companies.
async fn configured_policy(connection: &MultiplexedConnection) -> Option<String> {
    let mut command = cmd("CONFIG");
    command.arg("GET").arg("maxmemory-policy");
    let answer = connection.clone().send_packed_command(&command).await;
    match answer.and_then(Value::extract_error) {
        Ok(Value::Array(pair)) => pair.get(1).and_then(text),
        _ => None,
    }
}

async fn info(connection: &MultiplexedConnection, section: &str) -> Result<String, RedisError> {
    let mut command = cmd("INFO");
    command.arg(section);
    let answer = connection.clone().send_packed_command(&command).await;
    let answer = answer.and_then(Value::extract_error)?;
    Ok(text(&answer).unwrap_or_default())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

/// A version or the name of a policy. Whatever else a server says is not repeated.
fn word(text: &str) -> &str {
    let of_word = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    match text.len() <= 32 && text.chars().all(of_word) {
        true => text,
        false => "something odd",
    }
}

/// A line `name:value` of INFO.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = info.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_below_seven_are_refused() {
        for fine in ["7.0.0", "7.2.4", "8.0", "10.1"] {
            check_version("here", Some(fine)).unwrap();
        }
        for bad in [Some("6.2.14"), Some("5"), Some("seven"), Some(""), None] {
            let error = check_version("here", bad).unwrap_err();
            assert!(matches!(error, StoreError::Unsuitable(_)), "{error}");
        }
    }

    #[test]
    fn fields_are_whole_names() {
        let info = "# Server\r\nredis_version:7.0.15\r\nredis_version_x:1\r\n";
        assert_eq!(field(info, "redis_version"), Some("7.0.15"));
        assert_eq!(field(info, "version"), None);
    }
}
