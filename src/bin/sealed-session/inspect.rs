//! `sealed-session inspect`: what a cookie says.
//!
//! The cookie comes from standard input, because arguments show up in process lists and shell
//! histories, and a live cookie is a credential.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use sealed_session::{
    SessionConfig,
    inspect::{self, Inspected},
    keys::KeySource,
    session::Value,
    time::{Class, Clock, SystemClock, UnixMillis},
};
use serde_json::json;

use crate::failure::{CommandAnswer, Failure};

/// More than any Cookie header that a server takes.
const LONGEST_INPUT: u64 = 256 * 1024;

/// Open a cookie read from standard input and print what it says, as JSON.
///
/// The input is the cookie's value, or a whole Cookie header. Revocations are not looked at.
#[derive(Args)]
pub struct Inspect {
    /// A configuration, which names the keys, the cookie and the audience.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["keys", "cookie", "audience"])]
    config: Option<PathBuf>,
    /// A key file.
    #[arg(long, value_name = "FILE", required_unless_present = "config")]
    keys: Option<PathBuf>,
    /// The audience that the cookie was sealed for.
    #[arg(long, required_unless_present = "config")]
    audience: Option<String>,
    /// The cookie's name.
    #[arg(long, value_name = "NAME", default_value = "__Host-session")]
    cookie: String,
    /// Open it as if it were this time, such as 2026-11-21T08:00:00Z. Now, if not given.
    #[arg(long, value_name = "TIME")]
    at: Option<UnixMillis>,
}

pub fn run(arguments: Inspect) -> Result<CommandAnswer, Failure> {
    let now = arguments.at.unwrap_or_else(|| SystemClock::default().now());
    let (keys, cookie, audience) = origin(arguments)?;
    let keys = keys.load(now)?;
    let mut text = String::new();
    std::io::stdin()
        .take(LONGEST_INPUT)
        .read_to_string(&mut text)
        .map_err(|error| Failure::Failed(format!("standard input: {error}")))?;
    let inspected = inspect::token(&text, &cookie, &audience, &keys, now)
        .map_err(|reason| Failure::Failed(reason.to_string()))?;
    let text = serde_json::to_string_pretty(&describe(&inspected))?;
    Ok((escaped(&text) + "\n").into())
}

/// JSON leaves control characters beyond ASCII as they are. What a session holds may be a user's, and
/// must not speak to the operator's terminal.
pub fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\u{7f}'..='\u{9f}' => text += &format!("\\u{:04x}", u32::from(character)),
            _ => text.push(character),
        }
    }
    text
}

/// What opens the cookie, its name, and the audience.
fn origin(arguments: Inspect) -> Result<(KeySource, String, String), Failure> {
    match (arguments.config, arguments.keys, arguments.audience) {
        (Some(path), _, _) => {
            let config = SessionConfig::from_file(path)?;
            let audience = config.audience().to_owned();
            Ok((config.key_source(), config.cookie_name(), audience))
        }
        (None, Some(keys), Some(audience)) => {
            Ok((KeySource::File(keys), arguments.cookie, audience))
        }
        _ => Err(Failure::Failed(
            "either --config, or --keys and --audience".into(),
        )),
    }
}

fn describe(inspected: &Inspected) -> serde_json::Value {
    let entries: serde_json::Map<_, _> = inspected
        .entries
        .iter()
        .map(|(name, value)| (name.clone(), as_json(value)))
        .collect();
    let login = inspected.login.as_ref().map(|login| {
        let groups = login.groups.iter();
        let groups = groups.map(|(key, generation)| (key.to_string(), generation.get().into()));
        json!({
            "subject": login.subject,
            "subject_key": login.key.to_string(),
            "generation": login.generation.get(),
            "at": login.at.to_string(),
            "roles": login.roles,
            "groups": groups.collect::<serde_json::Map<_, _>>(),
            "fingerprint": login.fingerprint.map(|print| hex(&print)),
        })
    });
    json!({
        "key": inspected.key.to_string(),
        "session": inspected.session.to_string(),
        "serial": inspected.serial.get(),
        "login": login,
        "everyone_generation": inspected.everyone.get(),
        "created": inspected.created.to_string(),
        "refreshed": inspected.refreshed.to_string(),
        "expires": inspected.expires.to_string(),
        "remembered": inspected.class == Class::Remembered,
        "earlier_keys": inspected.earlier_keys,
        "entries": entries,
    })
}

/// What JSON has no form for is shown as the bytes it is stored as.
fn as_json(value: &Value) -> serde_json::Value {
    value
        .decode()
        .unwrap_or_else(|_| json!({ "messagepack": hex(value.as_bytes()) }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
