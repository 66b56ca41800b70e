//! Whether a server can be trusted with the list. Looked at once on every new connection.
//!
//! 1. Redis before version 7 cannot promise that the script runs as a whole or not at all.
//! 2. A server that evicts whatever it likes when its memory is full would drop revocations, which
//!    brings sessions back to life. Refused, also while there is room.

use std::sync::atomic::{AtomicBool, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{InfoDict, cmd};

use super::fault::{is_forbidden, is_unknown_command, told, word};
use crate::error::StoreError;

/// The first version with script flags, and the first that checks them before a script begins.
const OLDEST: u32 = 7;

pub(super) async fn check(
    connection: &MultiplexedConnection,
    address: &str,
    warned: &AtomicBool,
) -> Result<(), StoreError> {
    let server = info(connection, address, "server").await?;
    check_version(address, server.get("redis_version"))?;
    // CONFIG is not allowed at many hosting companies.
    let mut config = cmd("CONFIG");
    config.arg("GET").arg("maxmemory-policy");
    let policy = match config.query_async(&mut connection.clone()).await {
        Ok((_, policy)) => Some(policy),
        Err::<(String, String), _>(_) => {
            let memory = info(connection, address, "memory").await?;
            memory.get::<String>("maxmemory_policy")
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

fn check_version(address: &str, version: Option<String>) -> Result<(), StoreError> {
    let major = |version: &str| version.split('.').next()?.parse::<u32>().ok();
    let problem = match version {
        Some(version) if major(&version).is_some_and(|major| major >= OLDEST) => return Ok(()),
        Some(version) if major(&version).is_some() => format!(
            "it is Redis {}; {OLDEST}.0 is the oldest that works",
            word(&version)
        ),
        _ => "it does not say which version it is".to_owned(),
    };
    Err(StoreError::Unsuitable(format!("{address}: {problem}")))
}

async fn info(
    connection: &MultiplexedConnection,
    address: &str,
    section: &str,
) -> Result<InfoDict, StoreError> {
    let mut info = cmd("INFO");
    info.arg(section);
    let answer = info.query_async(&mut connection.clone()).await;
    answer.map_err(
        |error| match is_forbidden(&error) || is_unknown_command(&error) {
            true => StoreError::Unsuitable(format!("{address}: the user may not ask for INFO")),
            false => told(address, &error),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_below_seven_are_refused() {
        for fine in ["7.0.0", "7.2.4", "8.0", "10.1"] {
            check_version("here", Some(fine.into())).unwrap();
        }
        for bad in [Some("6.2.14"), Some("5"), Some("seven"), Some(""), None] {
            let error = check_version("here", bad.map(str::to_owned)).unwrap_err();
            assert!(matches!(error, StoreError::Unsuitable(_)), "{error}");
        }
    }

    #[test]
    fn fields_of_info_are_whole_names() {
        let info = "# Server\r\nredis_version:7.0.15\r\nredis_version_x:1\r\n";
        let info = InfoDict::new(info);
        assert_eq!(info.get("redis_version"), Some("7.0.15".to_owned()));
        assert_eq!(info.get::<String>("version"), None);
    }
}
