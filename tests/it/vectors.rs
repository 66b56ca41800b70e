//! The format's vectors: made by another implementation (`tests/data/make.py` and those beside it), opened by this one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sealed_session::store::Memory;
use sealed_session::testing::{ManualClock, published_secret, token_cache_stats};
use sealed_session::{
    KeyRing, Sessions, SessionsBuilder,
    adapter::{Incoming, Loaded},
    inspect::{self, Inspected, InspectedLogin},
    revoke::SubjectKey,
    session::Rejected,
    settings::{CookieSettings, Lifetimes, PreviousCookie},
    time::{Class, UnixMillis},
};
use serde_json::{Value, json};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

/// All of them, by name.
pub fn vectors() -> BTreeMap<String, Value> {
    let files = fs::read_dir(Path::new(DATA).join("v1")).unwrap();
    let read = |path: &Path| {
        let vector = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        (
            path.file_stem().unwrap().to_str().unwrap().to_owned(),
            vector,
        )
    };
    files.map(|file| read(&file.unwrap().path())).collect()
}

/// What a vector is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Session,
    Activity,
    Csrf,
    Listed,
}

/// Those of one kind. One that nobody knows is a failure: its vectors would be checked by nobody.
pub fn of(kind: Kind) -> impl Iterator<Item = (String, Value)> {
    let known = |name: &str, vector: &Value| match vector["kind"].as_str().unwrap() {
        "session" => Kind::Session,
        "activity" => Kind::Activity,
        "csrf" => Kind::Csrf,
        "listed" => Kind::Listed,
        other => panic!("{name} is of the kind {other}, which nobody checks"),
    };
    let all = vectors().into_iter();
    all.filter(move |(name, vector)| known(name, vector) == kind)
}

#[test]
fn every_vector_opens_or_is_rejected_as_it_says() {
    let mut count = 0;
    for (name, vector) in of(Kind::Session) {
        check(&name, &vector);
        count += 1;
    }
    assert!(count >= 177, "{count} vectors");
}

/// A node with a cache, which has seen the token before from the third time on.
#[actix_web::test]
async fn every_vector_is_judged_alike_however_often_it_comes() {
    let (mut found, mut refused) = (0, 0);
    for (name, vector) in of(Kind::Session) {
        let header = [cookie_header(&vector)];
        let (sessions, _) = sessions_with(&vector, |builder| builder).await;
        let told = || {
            let session = load(&sessions, &header).session;
            (session.id(), session.subject(), session.rejected())
        };
        let first = told();
        for _ in 1..4 {
            assert_eq!(told(), first, "{name}");
        }
        let (id, _, rejected) = first;
        let stats = token_cache_stats(&sessions);
        match &vector["expect"]["rejected"] {
            Value::String(expected) => {
                assert_eq!(rejected.map(kind), Some(&expected[..]), "{name}");
                // Whether it passed through a revoked key is judged each time, as whether it was ended is.
                let opens = name.starts_with("rejects-through-a-revoked-key");
                let cached = if opens { (2, 1) } else { (0, 0) };
                assert_eq!((id, (stats.hits, stats.entries)), (None, cached), "{name}");
                refused += 1;
            }
            _ => {
                // A node refuses more: what is too large for its settings, or numbered higher than its list.
                let id = id.map(|id| id.to_string());
                let opened = vector["expect"]["opens"]["session"].as_str();
                assert!(rejected.is_some() || id.as_deref() == opened, "{name}");
                // A longer text is opened each time.
                let is_kept = stats.entries == 1;
                assert_eq!(stats.hits, if is_kept { 2 } else { 0 }, "{name}");
                found += u32::from(is_kept);
            }
        }
    }
    assert!(
        found >= 30 && refused >= 100,
        "{found} found, {refused} refused"
    );
}

#[actix_web::test]
async fn every_activity_cookie_counts_or_is_none_as_its_vector_says() {
    let (mut later, mut none) = (0, 0);
    for (name, vector) in of(Kind::Activity) {
        let [refreshed, last_use] = ["refreshed", "last_use"].map(|it| &vector["expect"][it]);
        let counter = match name.split_once("activity-").unwrap().0 {
            "" => &mut later,
            "no-" => &mut none,
            other => panic!("{name} begins with {other}"),
        };
        *counter += 1;
        assert_eq!(refreshed == last_use, name.starts_with("no-"), "{name}");
        check_activity(&name, &vector).await;
    }
    assert!(later >= 30 && none >= 50, "{later} count, {none} do not");
}

#[actix_web::test]
async fn the_crate_writes_the_activity_cookies_of_the_vectors() {
    let mut written = 0;
    for (name, vector) in of(Kind::Activity) {
        let used = millis(&vector["expect"]["last_use"]);
        let unknown = used.since(millis(&vector["expect"]["refreshed"]));
        let lines = headers(&vector);
        let [line] = &lines[..] else { continue };
        let Some((before, value, after)) = only_activity(line) else {
            continue;
        };
        // None counts, or it is the other implementation's alone: a node would not have sent it so early.
        if unknown < refresh_after(&vector) {
            continue;
        }
        let (sessions, clock) = sessions(&vector).await;
        clock.set(used);
        let loaded = load(&sessions, &[format!("{before}=none{after}")]);
        assert!(loaded.session.id().is_some(), "{name}");
        let outcome = sessions.commit(&loaded.session, loaded.ticket).await;
        let [cookie] = &outcome.cookies[..] else {
            panic!("{name}: {:?}", outcome.cookies);
        };
        assert!(
            cookie.contains(&format!(".seen={value};")),
            "{name}: {cookie}"
        );
        written += 1;
    }
    assert!(written >= 12, "{written}");
}

/// The value of the one activity cookie of a line, with what stands before and behind it.
fn only_activity(line: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = line.split_once(".seen=")?;
    let end = rest.find(';').unwrap_or(rest.len());
    let (value, after) = rest.split_at(end);
    let is_only = !after.contains(".seen=");
    // The name stays, without the sign.
    is_only.then_some((&line[..before.len() + 5], value, after))
}

/// Two tokens under one nonce and key tell what both say. Nobody is to learn that from the vectors.
#[test]
fn every_vector_has_a_nonce_of_its_own() {
    let mut nonces = BTreeSet::new();
    let mut count = 0;
    for (name, vector) in vectors() {
        for text in data_cookies(&vector) {
            let text = text.split_once('.').map_or(&text[..], |(_, text)| text);
            // The first 45 bytes; of some vectors there are none.
            let Some(Ok(bytes)) = text.get(..60).map(|text| BASE64.decode(text)) else {
                continue;
            };
            assert!(nonces.insert(bytes[21..45].to_vec()), "{name}");
            count += 1;
        }
        // Those of labels stand behind the first of the key's id.
        if let Some(label) = vector["row"]["label"].as_str().filter(|it| !it.is_empty()) {
            assert!(nonces.insert(label.as_bytes()[8..56].to_vec()), "{name}");
            count += 1;
        }
    }
    assert!(count > 290, "{count}");
}

#[test]
fn every_file_is_listed() {
    let text = fs::read_to_string(Path::new(DATA).join("README.md")).unwrap();
    let listed: BTreeSet<&str> = text.split('`').skip(1).step_by(2).collect();
    let mut files: BTreeSet<String> = vectors().into_keys().collect();
    for file in fs::read_dir(DATA).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            files.insert(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    let missing: Vec<_> = files
        .iter()
        .filter(|file| !listed.contains(&file[..]))
        .collect();
    assert!(missing.is_empty(), "not in the README: {missing:?}");
    let kinds = [
        "opens-",
        "rejects-",
        "activity-",
        "no-activity-",
        "csrf-",
        "no-csrf-",
        "label-",
        "no-label-",
        "no-row-",
    ];
    let is_vector = |name: &&&str| kinds.iter().any(|kind| name.starts_with(kind));
    let absent: Vec<_> = listed
        .iter()
        .filter(is_vector)
        .filter(|it| !files.contains(**it))
        .collect();
    assert!(absent.is_empty(), "in the README only: {absent:?}");
}

/// The first part of each data cookie.
fn data_cookies(vector: &Value) -> Vec<String> {
    if let Some(text) = vector["cookies"]["session"].as_str() {
        return vec![text.to_owned()];
    }
    if vector["headers"].is_null() {
        return Vec::new();
    }
    let names = [&vector["cookie"]].into_iter();
    let names = names.chain(vector["previous"].as_array().into_iter().flatten());
    let names: Vec<_> = names.map(|name| name.as_str().unwrap()).collect();
    let lines = headers(vector);
    let pairs = lines.iter().flat_map(|line| line.split(';'));
    let pairs = pairs.filter_map(|pair| pair.trim_start().split_once('='));
    pairs
        .filter(|(name, _)| names.contains(name))
        .map(|(_, text)| text.to_owned())
        .collect()
}

/// What the last use is shows where the session goes idle: it is one to the last millisecond before, and then not.
async fn check_activity(name: &str, vector: &Value) {
    let (sessions, clock) = sessions(vector).await;
    let loaded = load(&sessions, &headers(vector));
    let session = loaded.session;
    let id = session.id().map(|id| id.to_string());
    assert_eq!(
        id.as_deref(),
        vector["expect"]["session"].as_str(),
        "{name}"
    );
    let idle = millis(&vector["expect"]["last_use"]) + Lifetimes::default().standard.idle;
    clock.set(idle.minus(Duration::from_millis(1)));
    assert_eq!(session.confirm().await, Ok(()), "{name}");
    clock.set(idle);
    assert!(session.confirm().await.is_err(), "{name}");
    assert_eq!(session.rejected(), Some(Rejected::Idle), "{name}");
}

/// A node as an activity vector wants it, and its clock.
pub async fn sessions(vector: &Value) -> (Sessions, ManualClock) {
    sessions_with(vector, |builder| builder).await
}

pub async fn sessions_with(
    vector: &Value,
    change: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
) -> (Sessions, ManualClock) {
    // The list is older than the sessions.
    let clock = ManualClock::new(UnixMillis::EPOCH);
    let name = vector["cookie"].as_str().unwrap().to_owned();
    let previous = vector["previous"].as_array().into_iter().flatten();
    let previous = previous.map(|name| PreviousCookie::new(name.as_str().unwrap()));
    let mut cookie = CookieSettings::default();
    cookie.name = name;
    cookie.previous = previous.collect();
    cookie.max_chunks = 2;
    let mut lifetimes = Lifetimes::default();
    lifetimes.refresh_after = vector.get("refresh_after").map(|_| refresh_after(vector));
    let builder = Sessions::builder(vector["audience"].as_str().unwrap())
        .keys(ring(&vector["keys"]))
        .store(Memory::new())
        .cookie(cookie)
        .lifetimes(lifetimes)
        .clock(Arc::new(clock.clone()));
    let sessions = change(builder).start().await.unwrap();
    clock.set(time(&vector["now"]));
    (sessions, clock)
}

pub fn load(sessions: &Sessions, lines: &[String]) -> Loaded {
    let lines = lines.iter().map(String::as_bytes);
    sessions.load(Incoming::new(lines)).unwrap()
}

pub fn headers(vector: &Value) -> Vec<String> {
    let lines = vector["headers"].as_array().unwrap().iter();
    lines
        .map(|line| line.as_str().unwrap().to_owned())
        .collect()
}

fn refresh_after(vector: &Value) -> Duration {
    Duration::from_millis(vector["refresh_after"].as_u64().unwrap())
}

fn millis(value: &Value) -> UnixMillis {
    UnixMillis::new(value.as_u64().unwrap())
}

fn check(name: &str, vector: &Value) {
    let header = cookie_header(vector);
    let audience = vector["audience"].as_str().unwrap();
    let found = inspect::token(
        &header,
        vector["cookie"].as_str().unwrap(),
        audience,
        &ring(&vector["keys"]),
        time(&vector["now"]),
    );
    match (found, &vector["expect"]["rejected"]) {
        (Err(reason), Value::String(expected)) => {
            assert_eq!(kind(reason), expected, "{name}: {reason}");
        }
        (Ok(found), Value::Null) => {
            assert_eq!(found.login.as_ref().map(|login| login.key), {
                let login = found.login.as_ref();
                login.map(|login| SubjectKey::new(audience, &login.subject))
            });
            opens(name, &found, &vector["expect"]["opens"]);
        }
        (found, expected) => panic!("{name}: {found:?}, but expected {expected}"),
    }
}

/// What a browser sends of a session vector.
fn cookie_header(vector: &Value) -> String {
    let cookies = vector["cookies"].as_object().unwrap();
    let pairs = cookies
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()));
    pairs.collect::<Vec<_>>().join("; ")
}

fn opens(name: &str, found: &Inspected, expected: &Value) {
    let says = |field: &str, value: Value| assert_eq!(value, expected[field], "{name}: {field}");
    says("session", found.session.to_string().into());
    says("serial", found.serial.get().into());
    says("login", found.login.as_ref().map(login).into());
    says("everyone", found.everyone.get().into());
    says("created", found.created.as_millis().into());
    says("refreshed", found.refreshed.as_millis().into());
    says("expires", found.expires.as_millis().into());
    says("remembered", (found.class == Class::Remembered).into());
    says("earlier_keys", found.earlier_keys.into());
    let entries = found.entries.iter();
    let entries = entries.map(|(name, value)| (name.clone(), hex(value.as_bytes()).into()));
    says("entries", Value::Object(entries.collect()));
    let read = |entry: &str| found.entries[entry].decode::<Value>();
    for (entry, value) in expected["values"].as_object().into_iter().flatten() {
        assert_eq!(read(entry).as_ref(), Ok(value), "{name}: {entry}");
    }
    for (list, reads) in [("readable", true), ("unreadable", false)] {
        for entry in expected[list].as_array().into_iter().flatten() {
            let entry = entry.as_str().unwrap();
            assert_eq!(read(entry).is_ok(), reads, "{name}: {entry}");
        }
    }
}

fn login(login: &InspectedLogin) -> Value {
    let groups = login.groups.iter();
    let groups = groups
        .map(|(key, generation)| json!({ "key": key.to_string(), "generation": generation.get() }));
    json!({
        "subject": login.subject,
        "key": login.key.to_string(),
        "generation": login.generation.get(),
        "at": login.at.as_millis(),
        "roles": login.roles,
        "groups": groups.collect::<Vec<_>>(),
        "fingerprint": login.fingerprint.map(|print| hex(&print)),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ring(keys: &Value) -> KeyRing {
    let mut builder = KeyRing::builder();
    for key in keys.as_array().unwrap() {
        let secret = published_secret(u8::try_from(key["published"].as_u64().unwrap()).unwrap());
        match (key.get("revoked"), key.get("pruned")) {
            (Some(_), _) => builder = builder.revoked(secret.key_id()),
            (None, Some(_)) => builder = builder.pruned(secret.key_id()),
            (None, None) => {
                let activate = key.get("activate").map_or(UnixMillis::EPOCH, time);
                let retire = key.get("retire").map(time);
                builder = builder.key(secret, activate, retire);
            }
        }
    }
    builder.build().unwrap()
}

fn time(value: &Value) -> UnixMillis {
    value.as_str().unwrap().parse().unwrap()
}

fn kind(reason: Rejected) -> &'static str {
    match reason {
        Rejected::Length => "Length",
        Rejected::Malformed => "Malformed",
        Rejected::Version(_) => "Version",
        Rejected::UnknownKey(_) => "UnknownKey",
        Rejected::RetiredKey(_) => "RetiredKey",
        Rejected::RevokedKey => "RevokedKey",
        Rejected::NotAuthentic => "NotAuthentic",
        Rejected::Implausible => "Implausible",
        _ => "another reason",
    }
}
