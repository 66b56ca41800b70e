//! What an error says, to whom.

use std::error::Error;
use std::io;
use std::path::Path;

use sealed_session::{ConfigError, SessionConfig, Sessions};

use super::{folder, minimal, write};

/// Starts with these settings in a file. As an application would: `?` has to do.
async fn run(folder: &Path, text: &str) -> io::Result<()> {
    Sessions::from_file(write(folder, text)).await?;
    Ok(())
}

async fn refused(text: &str) -> ConfigError {
    let folder = folder();
    Sessions::from_file(write(folder.path(), text))
        .await
        .unwrap_err()
}

#[actix_web::test]
async fn an_error_names_the_file_and_the_setting() {
    let redis =
        |more: &str| minimal("").replace("\"memory\"", &format!("\"redis://127.0.0.1:1\"\n{more}"));
    let cases = [
        (
            minimal("[cookie]\nsecure = false"),
            "setting `cookie.name`: ",
        ),
        (
            minimal("[lifetime]\nidle = \"0s\""),
            "setting `lifetime.idle`: ",
        ),
        (minimal("").replace("\"a\"", "\"\""), "setting `audience`: "),
        (
            minimal("").replace("memory", "etcd:x"),
            "setting `revocation.store`: ",
        ),
        (
            redis("max_staleness = \"1s\""),
            "setting `revocation.max_staleness`: ",
        ),
        (redis("list = \"\""), "setting `revocation.list`: "),
        (
            minimal("[cookie]\nnmae = \"x\""),
            "line 3: unknown field `nmae`",
        ),
        (
            minimal("[lifetime]\nidle = 5"),
            "line 3: setting `lifetime.idle`: wrong type, expected a string such as \"5m\"",
        ),
        (
            minimal("[lifetime]\nidle = 5m"),
            "line 3: setting `lifetime.idle`: ",
        ),
        (
            minimal("lifetime.idle = \"soon\""),
            "line 2: setting `lifetime.idle`: \"soon\": ",
        ),
        (
            minimal("").replace("file = \"keys.toml\"", "env = \"NO_SUCH_VARIABLE\""),
            "key ring: environment variable NO_SUCH_VARIABLE: is not set",
        ),
        (
            minimal("").replace("file = \"keys.toml\"", "key = []"),
            "key ring: ",
        ),
    ];
    for (text, words) in cases {
        if !cfg!(feature = "redis") && text.contains("redis:") {
            continue;
        }
        let error = refused(&text).await.to_string();
        let (file, rest) = error.split_once(": ").unwrap();
        assert!(file.ends_with("/session.toml"), "{error}");
        assert!(rest.starts_with(words), "{error}");
    }
    // Other files are named by themselves.
    let error = refused(&minimal("").replace("keys.toml", "other.toml"))
        .await
        .to_string();
    assert!(
        error.contains("other.toml") && !error.contains("session.toml"),
        "{error}"
    );
}

/// As the standard library prints what `main` returns.
#[actix_web::test]
async fn an_error_that_main_returns_is_printed_in_words() {
    let error = refused(&minimal("[cookie]\nsecure = false")).await;
    let words = error.to_string();
    assert_eq!(format!("{error:?}"), words);
    let boxed: Box<dyn Error> = error.into();
    assert_eq!(format!("Error: {boxed:?}"), format!("Error: {words}"));
    assert!(
        words.contains("session.toml: setting `cookie.name`: the prefix __Host-"),
        "{words}"
    );
    // In one line, whatever it came from.
    let missing = SessionConfig::from_file("/no/such/session.toml").unwrap_err();
    assert_eq!(
        format!("{missing:?}"),
        "/no/such/session.toml: No such file or directory (os error 2)"
    );
}

#[actix_web::test]
async fn a_main_that_returns_an_io_error_prints_the_words_too() {
    let folder = folder();
    let error = run(folder.path(), &minimal("[cookie]\nsecure = false"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    for printed in [error.to_string(), format!("{error:?}")] {
        assert!(
            printed.contains("session.toml: setting `cookie.name`: the prefix"),
            "{printed}"
        );
        assert!(!printed.contains("Setting {"), "{printed}");
    }
    let inner = error.get_ref().unwrap();
    assert!(inner.downcast_ref::<ConfigError>().is_some());

    let missing = minimal("").replace("keys.toml", "other.toml");
    let error = run(folder.path(), &missing).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
    assert!(
        error.to_string().contains("other.toml: No such file"),
        "{error}"
    );
    for next_step in ["`keys.file`", "`sealed-session keys new"] {
        assert!(error.to_string().contains(next_step), "{error}");
    }
    let store = minimal("").replace("memory", "redb:list.redb");
    let error = run(folder.path(), &store).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
    assert!(
        error.to_string().contains("list.redb does not exist"),
        "{error}"
    );
    assert!(
        error.to_string().contains("revocation.create = true"),
        "{error}"
    );
    run(folder.path(), &minimal("")).await.unwrap();
}

#[actix_web::test]
async fn an_error_keeps_what_it_came_from() {
    let missing = SessionConfig::from_file("/no/such/session.toml").unwrap_err();
    let source = missing.source().unwrap();
    let source = source.downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::NotFound);

    let setting = refused(&minimal("[cookie]\nsecure = false")).await;
    let source = setting.source().unwrap().downcast_ref::<ConfigError>();
    assert!(matches!(
        source,
        Some(ConfigError::Setting {
            setting: "cookie.name",
            ..
        })
    ));
}
