//! Files that are not what they should be.

use std::fs;
use std::path::Path;

use sealed_session::revoke::Store;
use sealed_session::store::{Redb, StoreError};

use super::{Place, assert_damaged, ended, sessions};

#[test]
fn a_missing_file_is_an_error_and_stays_missing() {
    let place = Place::new();
    assert_eq!(place.open().unwrap_err(), StoreError::Missing(place.path()));
    assert!(!place.path().exists());
}

#[tokio::test]
async fn a_deleted_file_is_missing_and_its_successor_is_younger() {
    let place = Place::new();
    let since = async |redb: Redb| Store::from(redb).contents().await.unwrap().complete_since;
    let made = since(place.create().unwrap()).await;
    assert_eq!(since(place.open().unwrap()).await, made);
    fs::remove_file(place.path()).unwrap();
    assert!(matches!(place.open(), Err(StoreError::Missing(_))));
    std::thread::sleep(std::time::Duration::from_millis(2));
    assert!(since(place.create().unwrap()).await > made);
}

#[tokio::test]
async fn create_refuses_a_file_and_leaves_it_as_it_is() {
    let place = Place::new();
    place.filled(3).await;
    assert!(matches!(place.create(), Err(StoreError::Unavailable(_))));
    assert_eq!(place.read().await.unwrap().len(), 3);
    let files = fs::read_dir(place.folder.path()).unwrap().count();
    assert_eq!(files, 1, "no temporary file is left behind");
}

#[tokio::test]
async fn open_or_create_does_either() {
    let place = Place::new();
    drop(Redb::open_or_create(place.path()).unwrap());
    let store = Store::from(Redb::open_or_create(place.path()).unwrap());
    store.publish(&[ended(1)]).await.unwrap();
    drop(store);
    let store = Store::from(Redb::open_or_create(place.path()).unwrap());
    assert_eq!(sessions(&store).await.unwrap().len(), 1);
    drop(store);
    fs::write(place.path(), "").unwrap();
    assert_damaged(Redb::open_or_create(place.path()), "not replaced");
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    drop(place.create().unwrap());
    let mode = fs::metadata(place.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn other_things_than_a_list_are_errors() {
    let place = Place::new();
    fs::create_dir(place.path()).unwrap();
    assert!(matches!(place.open(), Err(StoreError::Unavailable(_))));
    assert!(matches!(place.create(), Err(StoreError::Unavailable(_))));
    fs::remove_dir(place.path()).unwrap();

    for content in [
        &b""[..],
        b"x",
        b"[keys]\nfile = \"keys.toml\"\n",
        &[0; 100_000],
    ] {
        fs::write(place.path(), content).unwrap();
        assert_damaged(place.open(), "not a database");
        assert_eq!(fs::read(place.path()).unwrap(), content, "left as it is");
    }
    let nowhere = place.folder.path().join("no/such/folder.redb");
    assert!(matches!(
        Redb::create(nowhere),
        Err(StoreError::Unavailable(_))
    ));
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    // Not even root can write here.
    let created = Redb::create("/proc/revocations.redb");
    assert!(
        matches!(created, Err(StoreError::Unavailable(_))),
        "{created:?}"
    );
}

/// Changes the file with redb itself, past the store.
fn meddle(path: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = redb::Database::create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

const META: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("meta");
const JOURNAL: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("journal");

#[test]
fn a_foreign_database_is_refused() {
    let place = Place::new();
    const OTHER: redb::TableDefinition<'_, u64, u64> = redb::TableDefinition::new("other");
    meddle(&place.path(), |t| {
        t.open_table(OTHER).unwrap().insert(1, 1).unwrap();
    });
    assert_damaged(place.open(), "no meta table");
    meddle(&place.path(), |t| {
        t.open_table(META).unwrap();
    });
    assert_damaged(place.open(), "no format");
}

#[test]
fn another_format_version_is_refused_by_name() {
    let place = Place::new();
    drop(place.create().unwrap());
    meddle(&place.path(), |t| {
        let mut meta = t.open_table(META).unwrap();
        let format = &b"sealed-session revocations 1"[..];
        meta.insert("format", format).unwrap();
    });
    let error = place.open().unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }));
    let text = error.to_string();
    assert!(
        text.contains("revocations 2") && text.contains("revocations 1"),
        "{text}"
    );
}

#[test]
fn a_file_once_found_damaged_stays_refused() {
    let place = Place::new();
    drop(place.create().unwrap());
    meddle(&place.path(), |t| {
        let mut meta = t.open_table(META).unwrap();
        meta.insert("damaged", &b""[..]).unwrap();
    });
    assert_damaged(place.open(), "marked");
}

#[test]
fn a_missing_or_different_table_is_refused() {
    let place = Place::new();
    drop(place.create().unwrap());
    meddle(&place.path(), |t| {
        t.delete_table(JOURNAL).unwrap();
    });
    assert_damaged(place.open(), "missing");
    const OTHER: redb::TableDefinition<'_, &[u8; 16], &[u8]> =
        redb::TableDefinition::new("journal");
    meddle(&place.path(), |t| {
        t.open_table(OTHER).unwrap();
    });
    assert_damaged(place.open(), "different");
}

/// redb itself has no objection to any of these.
#[tokio::test]
async fn rows_that_are_not_understood_or_missing_are_damage_and_not_absence() {
    type Journal<'t> = redb::Table<'t, u64, &'static [u8]>;
    type Change<'c> = &'c dyn Fn(&mut Journal<'_>);
    let changes: [(&str, Change<'_>); 4] = [
        ("a row that is missing", &|journal| {
            journal.remove(2).unwrap();
        }),
        ("the first row is missing", &|journal| {
            journal.remove(0).unwrap();
        }),
        ("a row that is none of ours", &|journal| {
            journal.insert(2, &b"\x02short"[..]).unwrap();
        }),
        ("a row that comes again", &|journal| {
            use redb::ReadableTable;
            let row = journal.get(3).unwrap().unwrap().value().to_vec();
            journal.insert(9, row.as_slice()).unwrap();
        }),
    ];
    for (what, change) in changes {
        let place = Place::new();
        place.filled(5).await;
        meddle(&place.path(), |t| {
            change(&mut t.open_table(JOURNAL).unwrap())
        });
        for _ in 0..2 {
            assert_damaged(place.read().await, what);
        }
    }
}

#[tokio::test]
async fn a_second_open_is_refused_until_the_first_is_closed() {
    let place = Place::new();
    let first = place.create().unwrap();
    assert_eq!(place.open().unwrap_err(), StoreError::InUse(place.path()));
    let first = Store::from(first);
    first.publish(&[ended(1)]).await.unwrap();
    assert_eq!(place.open().unwrap_err(), StoreError::InUse(place.path()));
    drop(first);
    place.open().unwrap();
}
