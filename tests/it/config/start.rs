//! What a start does, in which order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sealed_session::store::Memory;
use sealed_session::{ConfigError, SessionConfig, Sessions, keys::KeySource};

use super::{folder, minimal, write};

/// Names in the folder.
fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn on_redb(more: &str) -> String {
    minimal(more).replace("\"memory\"", "\"redb:list.redb\"\ncreate = true")
}

#[actix_web::test]
async fn a_start_that_fails_for_keys_or_settings_has_created_nothing() {
    let good = on_redb("");
    let cases = [
        good.replace("keys.toml", "missing.toml"),
        good.replace("keys.toml", "empty.toml"),
        good.replace("keys.toml", "folder"),
        good.replace("file = \"keys.toml\"", "env = \"NO_SUCH_VARIABLE\""),
        good.replace("file = \"keys.toml\"", "key = []"),
        on_redb("[lifetime]\nidle = \"2 days\""),
        on_redb("[cookie]\ndomain = \"example.org\""),
        good.replace("audience = \"a\"", "audience = \"\""),
        good.replace("create = true", "create = true\nanonymous_capacity = 0"),
    ];
    for text in cases {
        let folder = folder();
        std::fs::write(folder.path().join("empty.toml"), "").unwrap();
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        let path = write(folder.path(), &text);
        let before = names(folder.path());
        let error = Sessions::from_file(&path).await.unwrap_err();
        assert_eq!(names(folder.path()), before, "{error}");
    }
    let folder = folder();
    Sessions::from_file(write(folder.path(), &good))
        .await
        .unwrap();
    assert!(names(folder.path()).contains(&"list.redb".to_owned()));
}

#[actix_web::test]
async fn a_builder_that_is_not_started_has_created_nothing() {
    let folder = folder();
    let path = write(folder.path(), &on_redb(""));
    let builder = SessionConfig::from_file(path).unwrap().builder().unwrap();
    let shown = format!("{builder:?}");
    assert!(shown.contains("list.redb"), "{shown}");
    drop(builder);
    assert!(!folder.path().join("list.redb").exists());
}

#[actix_web::test]
async fn a_store_that_is_opened_by_the_application_is_opened_last() {
    let opened = Arc::new(AtomicBool::new(false));
    let builder = |keys: KeySource| {
        let opened = opened.clone();
        Sessions::builder("a").key_source(keys).open_store(move || {
            opened.store(true, Ordering::Relaxed);
            Ok::<_, ConfigError>(Memory::new())
        })
    };
    let folder = folder();
    let missing = KeySource::File(folder.path().join("missing.toml"));
    builder(missing).start().await.unwrap_err();
    assert!(!opened.load(Ordering::Relaxed));
    let keys = KeySource::File(folder.path().join("keys.toml"));
    assert_eq!(
        builder(keys).start().await.unwrap().health().store,
        "memory"
    );
    assert!(opened.load(Ordering::Relaxed));
}
