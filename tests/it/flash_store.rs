//! Messages of the crate actix-web-flash-messages.
//!
//! 1. They survive a redirect and are taken when they are read, not by whatever is asked for next.
//! 2. They are the messages of `session.flash()`.
//! 3. What cannot be stored does not take the response with it.

use actix_web::test::{TestRequest, call_and_read_body, call_service, init_service};
use actix_web::{App, HttpResponse, web};
use actix_web_flash_messages::{FlashMessage, FlashMessagesFramework, IncomingFlashMessages};
use sealed_session::actix::SealedMessageStore;
use sealed_session::{Session, SessionMiddleware};
use support::written::Written;
use support::{Browser, cookie, serve_app, started};

async fn saved() -> HttpResponse {
    FlashMessage::success("saved").send();
    FlashMessage::debug("in 3 ms").send();
    HttpResponse::SeeOther()
        .insert_header(("location", "/"))
        .finish()
}

async fn huge() -> &'static str {
    FlashMessage::error("x".repeat(100_000)).send();
    FlashMessage::error("it was too large").send();
    "done"
}

async fn theirs(messages: IncomingFlashMessages) -> String {
    let messages = messages.iter();
    messages
        .map(|message| format!("{}:{};", message.level(), message.content()))
        .collect()
}

async fn ours(session: Session) -> String {
    let messages = session.flash().messages().into_iter();
    messages.map(|message| message.text + ";").collect()
}

async fn browser() -> Browser {
    let sessions = started("flash", cookie("session", "/")).await;
    let framework = FlashMessagesFramework::builder(SealedMessageStore)
        .minimum_level(actix_web_flash_messages::Level::Debug)
        .build();
    let (url, _server) = serve_app!(
        1,
        App::new()
            .route("/theirs", web::get().to(theirs))
            .route("/ours", web::get().to(ours))
            .route("/asset", web::get().to(|| async { "an asset" }))
            .route("/saved", web::post().to(saved))
            .route("/huge", web::post().to(huge))
            .wrap(framework.clone())
            .wrap(SessionMiddleware::new(&sessions))
    );
    Browser::new(&url)
}

#[actix_web::test]
async fn another_crates_messages_survive_a_redirect_and_are_read_once() {
    let browser = browser().await;
    browser.get("/theirs").await.is(200);
    assert!(browser.names().is_empty(), "reading begins no session");
    browser.post("/saved").await.is(303);
    let asset = browser.get("/asset").await.is(200);
    assert!(asset.set_cookies().is_empty(), "{asset:?}");
    let page = browser.get("/theirs").await.is(200);
    assert_eq!(page.body, "success:saved;info:in 3 ms;");
    assert_eq!(browser.get("/theirs").await.body, "");
}

#[actix_web::test]
async fn another_crates_messages_are_those_of_the_session() {
    let browser = browser().await;
    browser.post("/saved").await.is(303);
    assert_eq!(browser.get("/ours").await.body, "saved;in 3 ms;");
    assert_eq!(browser.get("/theirs").await.body, "");
}

#[actix_web::test]
async fn a_message_that_does_not_fit_is_lost_with_a_warning_and_the_response_is_not() {
    let log = Written::default();
    let _listening = log.listen();
    let sessions = started("flash", cookie("session", "/")).await;
    let app = App::new()
        .route("/theirs", web::get().to(theirs))
        .route("/huge", web::post().to(huge))
        .wrap(FlashMessagesFramework::builder(SealedMessageStore).build())
        .wrap(SessionMiddleware::new(&sessions));
    // In this thread, where the log is listened to.
    let app = init_service(app).await;
    let response = call_service(&app, TestRequest::post().uri("/huge").to_request()).await;
    assert_eq!(response.status(), 200);
    let cookie = response.response().cookies().next().unwrap();
    let request = TestRequest::get().uri("/theirs").cookie(cookie);
    let page = call_and_read_body(&app, request.to_request()).await;
    assert_eq!(page, "error:it was too large;");
    let lost = log.lines("a flash message was lost");
    assert!(
        lost.len() == 1 && lost[0].contains("3584 are allowed"),
        "{lost:?}"
    );
}
