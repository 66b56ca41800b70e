//! Messages for the next page.
//!
//! 1. They survive a redirect, and are gone once they were read.
//! 2. Read twice in one request they are the same.
//! 3. They are bounded in number and size, and are no entries of the application's.

use sealed_session::session::{FlashKind, FlashMessage, SessionInsertError};
use sealed_session::testing::ManualClock;
use support::{SECOND, builder, memory};

use super::direct::{load, login, sent, sessions};

fn texts(messages: &[FlashMessage]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.text.as_str())
        .collect()
}

#[actix_web::test]
async fn a_message_is_shown_on_the_next_page_and_no_other() {
    let (sessions, _) = sessions().await;
    let loaded = load(&sessions, "");
    assert_eq!(loaded.session.flash().messages(), []);
    assert_eq!(loaded.session.id(), None, "reading begins no session");
    loaded.session.flash().success("saved").unwrap();
    loaded.session.flash().error("but not all").unwrap();
    let redirect = sent(&sessions, loaded).await;

    let page = load(&sessions, &redirect);
    let flash = page.session.flash();
    assert!(flash.has_errors());
    assert_eq!(texts(&flash.messages()), ["saved", "but not all"]);
    assert_eq!(texts(&flash.by_kind(FlashKind::Success)), ["saved"]);
    assert_eq!(texts(&flash.messages()), ["saved", "but not all"], "again");
    assert!(page.session.entries().is_empty() && page.session.remove("\0flash").is_none());
    let next = sent(&sessions, page).await;
    assert_eq!(load(&sessions, &next).session.flash().messages(), []);
}

#[actix_web::test]
async fn what_is_pushed_after_reading_waits_for_the_next_page_unless_it_is_read_too() {
    let (sessions, _) = sessions().await;
    let loaded = load(&sessions, "");
    let flash = loaded.session.flash();
    flash.info("one").unwrap();
    assert_eq!(texts(&flash.messages()), ["one"]);
    flash.warning("two").unwrap();
    assert_eq!(texts(&flash.messages()), ["one", "two"]);
    flash.push(FlashKind::Info, "three").unwrap();
    let next = sent(&sessions, loaded).await;
    let next = load(&sessions, &next);
    assert_eq!(texts(&next.session.flash().messages()), ["three"]);
}

#[actix_web::test]
async fn messages_follow_into_a_login_and_not_out_of_a_logout() {
    let (sessions, _) = sessions().await;
    let loaded = load(&sessions, "");
    loaded.session.flash().info("log in first").unwrap();
    let cookie = sent(&sessions, loaded).await;
    let cookie = login(&sessions, &cookie, "alice").await;
    let loaded = load(&sessions, &cookie);
    loaded.session.logout().await.unwrap();
    loaded.session.flash().success("logged out").unwrap();
    let cookie = sent(&sessions, loaded).await;
    let session = load(&sessions, &cookie).session;
    assert_eq!(texts(&session.flash().messages()), ["logged out"]);
    assert!(!session.is_authenticated());
}

#[actix_web::test]
async fn messages_are_bounded_in_number_and_size() {
    let (sessions, _) = sessions().await;
    let loaded = load(&sessions, "");
    let flash = loaded.session.flash();
    for n in 0..20 {
        flash.info(n.to_string()).unwrap();
    }
    let refused = flash.error("x".repeat(100_000));
    assert!(matches!(refused, Err(SessionInsertError::TooLarge(_))));
    let messages = flash.messages();
    assert_eq!(messages.len(), 16);
    assert_eq!((&*messages[0].text, &*messages[15].text), ("4", "19"));
}

/// The cookie only reads: another request has renewed the session.
#[actix_web::test]
async fn messages_of_a_superseded_cookie_are_shown_and_stay() {
    let clock = ManualClock::default();
    let sessions = builder(&clock, memory(&clock)).start().await.unwrap();
    let loaded = load(&sessions, "");
    loaded.session.flash().info("hello").unwrap();
    let before = sent(&sessions, loaded).await;
    let renewal = load(&sessions, &before);
    renewal.session.renew();
    let after = sent(&sessions, renewal).await;
    clock.advance(SECOND);
    let page = load(&sessions, &before);
    assert_eq!(texts(&page.session.flash().messages()), ["hello"]);
    assert_eq!(texts(&page.session.flash().messages()), ["hello"]);
    let outcome = sessions.commit(&page.session, page.ticket).await;
    assert!(outcome.error.is_none() && outcome.cookies.is_empty());
    let page = load(&sessions, &after);
    assert_eq!(texts(&page.session.flash().messages()), ["hello"]);
}

#[test]
fn each_kind_has_a_class_and_an_icon() {
    let kinds = [
        (FlashKind::Success, "flash-success", "\"success\""),
        (FlashKind::Info, "flash-info", "\"info\""),
        (FlashKind::Warning, "flash-warning", "\"warning\""),
        (FlashKind::Error, "flash-error", "\"error\""),
    ];
    let icons: std::collections::HashSet<_> = kinds.iter().map(|it| it.0.icon()).collect();
    assert_eq!(icons.len(), kinds.len());
    for (kind, class, json) in kinds {
        assert_eq!(kind.css_class(), class);
        assert_eq!(serde_json::to_string(&kind).unwrap(), json);
    }
}

#[actix_web::test]
async fn asking_for_errors_takes_nothing_and_clearing_entries_neither() {
    let (sessions, _) = sessions().await;
    let loaded = load(&sessions, "");
    loaded.session.flash().error("no").unwrap();
    loaded.session.insert("a", 1).unwrap();
    assert!(loaded.session.flash().has_errors());
    loaded.session.clear();
    assert_eq!(loaded.session.get_or_discard::<u8>("\0flash"), None);
    assert!(!loaded.session.contains_key("a"));
    let next = sent(&sessions, loaded).await;
    let next = load(&sessions, &next);
    assert_eq!(texts(&next.session.flash().messages()), ["no"]);
    assert!(next.session.flash().has_errors());
}

#[actix_web::test]
async fn messages_for_one_user_are_not_shown_to_the_next() {
    let (sessions, _) = sessions().await;
    let session = load(&sessions, "").session;
    session.authenticate("alice").await.unwrap();
    session.flash().info("for alice").unwrap();
    assert_eq!(texts(&session.flash().messages()), ["for alice"]);
    session.flash().info("too").unwrap();
    session.authenticate("bob").await.unwrap();
    assert_eq!(session.flash().messages(), []);
}
