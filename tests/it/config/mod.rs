//! Settings from files: documented ones work, contradictions and slips are refused with a clear word.

mod refused;
mod server;
mod start;
mod words;

use std::path::Path;
use std::time::Duration;

use sealed_session::time::Clock;
use sealed_session::{
    ConfigError, SessionConfig,
    keys::{KeyTables, SystemRandom},
    time::SystemClock,
};

const DOCUMENTED: &str = include_str!("../../../examples/session.toml");

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let now = SystemClock::default().now();
    let keys = KeyTables::fresh(now, &SystemRandom).unwrap();
    keys.create(folder.path().join("keys.toml")).unwrap();
    folder
}

fn write(folder: &Path, text: &str) -> std::path::PathBuf {
    let path = folder.join("session.toml");
    std::fs::write(&path, text).unwrap();
    path
}

async fn start(text: &str) -> Result<(), ConfigError> {
    let folder = folder();
    let path = write(folder.path(), text);
    SessionConfig::from_file(path)?.start().await.map(|_| ())
}

fn minimal(more: &str) -> String {
    format!(
        "audience = \"a\"\n{more}\n[keys]\nfile = \"keys.toml\"\n[revocation]\nstore = \"memory\"\n"
    )
}

#[actix_web::test]
async fn the_documented_settings_are_the_defaults() {
    let folder = folder();
    let documented = write(
        folder.path(),
        &DOCUMENTED.replace("create = false", "create = true"),
    );
    let documented = SessionConfig::from_file(documented)
        .unwrap()
        .builder()
        .unwrap();
    let path = write(
        folder.path(),
        "audience = \"shop/production\"\n[keys]\nfile = \"keys.toml\"\n[revocation]\nstore = \"memory\"\n",
    );
    let defaults = SessionConfig::from_file(path).unwrap().builder().unwrap();
    // The stores differ, and so do their clocks' starts; everything else prints alike.
    let settings = |builder| {
        let text = format!("{builder:?}");
        let cookie = text.find("cookie: CookieSettings").unwrap();
        text[cookie..text.rfind("clock: ").unwrap()].to_owned()
    };
    assert_eq!(settings(documented), settings(defaults));
}

const TABLES: [&str; 8] = [
    "cookie",
    "csrf",
    "client",
    "login",
    "devices",
    "lifetime",
    "keys",
    "revocation",
];

/// The parser's words for an unknown setting list those that it knows.
#[test]
fn every_setting_is_in_the_documented_settings() {
    let (top, tables) = DOCUMENTED.split_once("\n[").unwrap();
    let part = |name: &str| {
        let mut parts = tables.split("\n[");
        parts.find(|part| part.starts_with(&format!("{name}]")))
    };
    let mut count = 0;
    for table in std::iter::once("").chain(TABLES) {
        let (header, part) = match table {
            "" => (String::new(), top),
            _ => (format!("{table}."), part(table).unwrap()),
        };
        let folder = folder();
        let path = write(folder.path(), &format!("{header}colour = \"red\"\n"));
        let error = SessionConfig::from_file(path).unwrap_err().to_string();
        let (_, known) = error.split_once(", expected ").expect(&error);
        for setting in known.split('`').skip(1).step_by(2) {
            count += 1;
            let is_set = |line: &str| {
                let line = line.strip_prefix("# ").unwrap_or(line);
                line.starts_with(&format!("{setting} = "))
            };
            // Tables have parts of their own, and those of a key file are in its documentation.
            let is_table = TABLES.contains(&setting);
            let is_of_keys = ["everyone_before", "revoked", "pruned"].contains(&setting);
            let is_documented = part.lines().any(is_set) || is_table || is_of_keys;
            assert!(is_documented, "{header}{setting}");
        }
    }
    assert!(count > 30, "{count}");
}

#[actix_web::test]
async fn a_missing_store_is_made_only_when_told_to() {
    let folder = folder();
    let path = write(folder.path(), DOCUMENTED);
    let error = SessionConfig::from_file(&path)
        .unwrap()
        .start()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    assert!(!folder.path().join("revocations.redb").exists());

    let path = write(
        folder.path(),
        &DOCUMENTED.replace("create = false", "create = true"),
    );
    let sessions = SessionConfig::from_file(&path)
        .unwrap()
        .start()
        .await
        .unwrap();
    assert_eq!(sessions.health().store, "redb");
    assert!(
        folder.path().join("revocations.redb").exists(),
        "relative to the configuration"
    );
}

#[actix_web::test]
async fn contradictions_are_refused_and_named() {
    let cases = [
        ("[cookie]\nsecure = false", "cookie.name"),
        ("[cookie]\npath = \"/app\"", "cookie.name"),
        (
            "[cookie]\nname = \"s\"\nsecure = false\nsame_site = \"none\"",
            "cookie.same_site",
        ),
        (
            "[cookie]\nname = \"s\"\nsecure = false\npartitioned = true",
            "cookie.partitioned",
        ),
        ("[cookie]\nmax_chunks = 9", "cookie.max_chunks"),
        ("[cookie]\nname = \"a b\"", "cookie.name"),
        ("[lifetime]\nidle = \"2 days\"", "lifetime.absolute"),
        ("[lifetime]\nidle = \"0s\"", "lifetime.idle"),
        (
            "[lifetime]\nremembered_absolute = \"401 days\"",
            "lifetime.remembered_absolute",
        ),
        (
            "[lifetime]\nrefresh_after = \"1h\"",
            "lifetime.refresh_after",
        ),
        ("[lifetime]\nrenew_grace = \"6m\"", "lifetime.renew_grace"),
    ];
    for (settings, named) in cases {
        let error = start(&minimal(settings)).await.unwrap_err();
        assert!(error.to_string().contains(named), "{settings}: {error}");
    }
    start(&minimal("")).await.unwrap();
}

#[actix_web::test]
async fn slips_are_refused() {
    let cases = [
        (minimal("[cookie]\nnmae = \"x\""), "nmae"),
        (minimal("[lifetime]\nidle = \"soon\""), "soon"),
        (minimal("[lifetime]\nidle = 5"), "string"),
        (minimal("[cookie]\nsame_site = \"loose\""), "loose"),
        (minimal("colour = \"red\""), "colour"),
        (minimal("").replace("memory", "etcd:x"), "revocation.store"),
        (minimal("").replace("memory", "redb:"), "revocation.store"),
        (minimal("").replace("audience = \"a\"", ""), "audience"),
        (minimal("").replace("\"a\"", "\"\""), "audience"),
        (minimal("").replace("keys.toml", "other.toml"), "other.toml"),
        (
            minimal("").replace("file =", "env = \"NO_SUCH_VARIABLE\"\nfile ="),
            "one of",
        ),
        (
            minimal("").replace("file = \"keys.toml\"", "env = \"NO_SUCH_VARIABLE\""),
            "NO_SUCH_VARIABLE",
        ),
        ("not toml at all".into(), "session.toml"),
    ];
    for (text, word) in cases {
        let error = start(&text).await.unwrap_err();
        assert!(error.to_string().contains(word), "{text}\n{error}");
    }
    let missing = SessionConfig::from_file("/no/such/session.toml").unwrap_err();
    assert!(
        missing.to_string().contains("/no/such/session.toml"),
        "{missing}"
    );
}

#[actix_web::test]
async fn a_secret_in_the_wrong_place_is_not_printed() {
    let secret = "76mGqsUeYxEC7Jqw8KZuns9cvUJrOqY_kq0nVewktwg";
    for text in [
        minimal(&format!("secret = \"{secret}\"")),
        minimal("").replace("file = \"keys.toml\"", &format!("key = \"{secret}\"")),
        minimal("").replace(
            "file = \"keys.toml\"",
            &format!("key = [{{ secret = \"{secret}\" }}]"),
        ),
        minimal("").replace("file = \"keys.toml\"", &format!("env = \"{secret}\"")),
    ] {
        let error = start(&text).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret), "{error}");
    }
}

#[actix_web::test]
async fn keys_may_stand_in_the_configuration_itself() {
    let secret = sealed_session::keys::Secret::generate(&SystemRandom).unwrap();
    let text = minimal("").replace(
        "file = \"keys.toml\"",
        &format!(
            "key = [{{ secret = \"{}\", activate = \"2026-01-01T00:00:00Z\" }}]",
            *secret.to_text()
        ),
    );
    let folder = folder();
    let config = SessionConfig::from_file(write(folder.path(), &text)).unwrap();
    assert!(!format!("{config:?}").contains(secret.to_text().as_str()));
    let sessions = config.start().await.unwrap();
    assert_eq!(sessions.health().sealing, Some(secret.key_id()));
}

#[test]
fn the_longest_lifetime_is_what_rotation_has_to_wait_for() {
    let folder = folder();
    let path = write(
        folder.path(),
        &minimal("[lifetime]\nremembered_absolute = \"60 days\""),
    );
    let config = SessionConfig::from_file(path).unwrap();
    assert_eq!(
        config.longest_lifetime(),
        Duration::from_secs(60 * 24 * 3600)
    );
}
