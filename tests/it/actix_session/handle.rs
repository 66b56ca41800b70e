//! What calls mean, one after another on one handle.

use sealed_session::SessionStatus::{Changed, Purged, Renewed, Unchanged};
use sealed_session::adapter::Incoming;
use sealed_session::testing::session;

#[actix_web::test]
async fn what_is_inserted_is_read_back_in_its_type() {
    let session = session().await;
    session.insert("text", "value").unwrap();
    session.insert("truth", true).unwrap();
    session.insert("number", 10_u32).unwrap();
    assert_eq!(session.get("text").unwrap(), Some("value".to_owned()));
    assert_eq!(session.get("truth").unwrap(), Some(true));
    assert_eq!(session.get("number").unwrap(), Some(10_u32));
    assert_eq!(session.get::<String>("nothing").unwrap(), None);
    assert!(session.get::<u32>("text").is_err());
}

#[actix_web::test]
async fn an_entry_that_is_inserted_again_is_replaced() {
    let session = session().await;
    session.insert("a", "text").unwrap();
    session.insert("a", 1).unwrap();
    assert_eq!(session.get("a").unwrap(), Some(1));
    assert_eq!(session.entries().len(), 1);
}

#[actix_web::test]
async fn entries_are_those_that_were_not_removed() {
    let session = session().await;
    assert!(session.entries().is_empty());
    session.insert("kept", "value").unwrap();
    session.insert("removed", 1).unwrap();
    let removed = session.remove("removed").unwrap();
    assert_eq!(removed.decode::<i32>().unwrap(), 1);
    let entries = session.entries();
    assert_eq!(entries.keys().collect::<Vec<_>>(), ["kept"]);
    assert_eq!(entries["kept"].decode::<String>().unwrap(), "value");
    assert!(session.contains_key("kept"));
    assert!(!session.contains_key("removed"));
    assert!(session.remove("removed").is_none());
}

#[actix_web::test]
async fn an_entry_is_removed_and_read_at_once() {
    let session = session().await;
    session.insert("a", 7).unwrap();
    session.insert("b", "text").unwrap();
    assert_eq!(session.remove_as::<i32>("a"), Some(Ok(7)));
    assert_eq!(session.remove_as::<i32>("a"), None);
    // It is gone, although it was of another type.
    assert!(session.remove_as::<i32>("b").unwrap().is_err());
    assert!(!session.contains_key("b"));
}

#[actix_web::test]
async fn an_update_changes_what_is_there_and_nothing_else() {
    let session = session().await;
    session.update("visits", |visits: u32| visits + 1).unwrap();
    assert_eq!(session.status(), Unchanged);
    assert!(!session.contains_key("visits"));
    session.insert("visits", 0).unwrap();
    for visits in 1..3 {
        session.update("visits", |visits: u32| visits + 1).unwrap();
        assert_eq!(session.get("visits").unwrap(), Some(visits));
    }
    assert!(session.update("visits", |text: String| text).is_err());
    assert_eq!(session.get("visits").unwrap(), Some(2));
}

#[actix_web::test]
async fn an_update_with_a_default_begins_with_it() {
    let session = session().await;
    for visits in 1..4 {
        let next = |visits: u32| visits + 1;
        session.update_or("visits", 1, next).unwrap();
        assert_eq!(session.get("visits").unwrap(), Some(visits));
        assert_eq!(session.status(), Changed);
    }
}

#[actix_web::test]
async fn reading_leaves_a_session_unchanged() {
    let session = session().await;
    assert_eq!(session.get::<u32>("a").unwrap(), None);
    assert!(!session.contains_key("a"));
    assert!(session.entries().is_empty());
    assert_eq!(session.status(), Unchanged);
}

#[actix_web::test]
async fn writing_changes_a_session() {
    for write in [
        (|session| session.insert("b", 1).unwrap()) as fn(&sealed_session::Session),
        |session| drop(session.remove("a")),
        |session| session.update("a", |a: u32| a + 1).unwrap(),
        |session| session.clear(),
    ] {
        let sessions = sealed_session::testing::sessions().await;
        let cookie = sealed_session::testing::cookie(&sessions, async |session| {
            session.insert("a", 1).unwrap();
        });
        let (_, header) = cookie.await.header();
        let lines = std::iter::once(header.as_bytes());
        let session = sessions.load(Incoming::new(lines)).unwrap().session;
        assert_eq!(session.status(), Unchanged);
        write(&session);
        assert_eq!(session.status(), Changed);
    }
}

#[actix_web::test]
async fn a_renewal_outranks_every_write() {
    let session = session().await;
    session.renew();
    assert_eq!(session.status(), Renewed);
    session.insert("a", 1).unwrap();
    assert_eq!(session.status(), Renewed);
    session.update("a", |a: u32| a + 1).unwrap();
    assert_eq!(session.status(), Renewed);
    session.remove("a").unwrap();
    assert_eq!(session.status(), Renewed);
    session.clear();
    assert_eq!(session.status(), Renewed);
}

#[actix_web::test]
async fn a_session_is_renewed_after_it_was_written_to() {
    let session = session().await;
    session.insert("a", 1).unwrap();
    session.remove("a").unwrap();
    assert_eq!(session.status(), Changed);
    session.insert("a", 1).unwrap();
    session.renew();
    assert_eq!(session.status(), Renewed);
    assert_eq!(session.get("a").unwrap(), Some(1));
}

#[actix_web::test]
async fn clearing_takes_all_entries_and_leaves_the_session() {
    let session = session().await;
    session.insert("a", 1).unwrap();
    session.insert("b", 2).unwrap();
    session.clear();
    assert_eq!(session.status(), Changed);
    assert!(session.entries().is_empty());
    session.insert("c", 3).unwrap();
    assert_eq!(session.get("c").unwrap(), Some(3));
}

#[actix_web::test]
async fn a_purge_is_final() {
    let session = session().await;
    session.insert("a", 1).unwrap();
    session.purge();
    assert_eq!(session.status(), Purged);
    assert_eq!(session.get::<u32>("a").unwrap(), None);
    session.insert("b", 1).unwrap();
    session.update_or("c", 1, |c: u32| c + 1).unwrap();
    session.clear();
    session.renew();
    assert!(session.remove("a").is_none());
    assert_eq!(session.status(), Purged);
    assert!(session.entries().is_empty());
}

#[actix_web::test]
async fn clones_are_the_same_session() {
    let session = session().await;
    let other = session.clone();
    session.insert("a", 1).unwrap();
    assert_eq!(other.get("a").unwrap(), Some(1));
    other.purge();
    assert_eq!(session.status(), Purged);
}
