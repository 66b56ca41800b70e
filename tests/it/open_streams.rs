//! A WebSocket and a stream of server-sent events close when their session ends, whichever node ends it.
//!
//! 1. What ends a session on another node, and the revocation of a key, closes them here.
//! 2. A node whose list is too old to judge by closes them for a reason of its own.

use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpRequest, HttpResponse, Result, rt};
use futures_util::{StreamExt, stream};
use sealed_session::Session;
use sealed_session::actix::Authenticated;
use sealed_session::revoke::WhenStale;
use sealed_session::session::SessionEnd;
use sealed_session::testing::ManualClock;
use support::faulty::{Call, Faulty, Mode};
use support::web_socket::WebSocket;
use support::{Browser, SECOND, builder, eventually, log, serve};

use super::rotation::{Bench, key_of};

fn streams(config: &mut web::ServiceConfig) {
    config
        .configure(support::routes)
        .route("/events", web::get().to(events))
        .route("/login-events/{user}", web::get().to(login_events))
        .route("/socket", web::get().to(socket));
}

/// Says why it ends.
fn event_stream(ended: SessionEnd) -> HttpResponse {
    let first = stream::once(async { Bytes::from_static(b"event: open\ndata:\n\n") });
    let last = stream::once(async {
        let reason = ended.await;
        Bytes::from(format!("event: ended\ndata: {reason:?}\n\n"))
    });
    let events = first.chain(last).map(Ok::<_, Error>);
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .streaming(events)
}

async fn events(user: Authenticated) -> HttpResponse {
    event_stream(user.session().ended())
}

/// A login, and what it opens at once.
async fn login_events(session: Session, user: web::Path<String>) -> Result<HttpResponse> {
    session.authenticate(user.into_inner()).await?;
    Ok(event_stream(session.ended()))
}

async fn socket(
    request: HttpRequest,
    body: web::Payload,
    user: Authenticated,
) -> Result<HttpResponse> {
    let (response, mut socket, mut messages) = actix_ws::handle(&request, body)?;
    let mut ended = user.session().ended();
    rt::spawn(async move {
        loop {
            tokio::select! {
                reason = &mut ended => {
                    let description = Some(format!("{reason:?}"));
                    let reason = actix_ws::CloseReason { code: actix_ws::CloseCode::Policy, description };
                    return socket.close(Some(reason)).await;
                }
                message = messages.recv() => match message {
                    Some(Ok(actix_ws::Message::Text(text))) => socket.text(text).await?,
                    _ => return Ok(()),
                },
            }
        }
    });
    Ok(response)
}

/// A stream that a browser has open.
struct EventSource(reqwest::Response);

impl EventSource {
    async fn open(browser: &Browser, path: &str) -> Self {
        let url = format!("{}{path}", browser.url());
        let request = reqwest::Client::new().get(url);
        let cookies = browser.header().unwrap_or_default();
        let response = request.header("cookie", cookies).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let mut source = Self(response);
        assert_eq!(source.next().await, "event: open\ndata:\n\n");
        source
    }

    async fn next(&mut self) -> String {
        let chunk = tokio::time::timeout(20 * SECOND, self.0.chunk()).await;
        let chunk = chunk.expect("something comes").unwrap();
        String::from_utf8(chunk.expect("the stream has not ended").to_vec()).unwrap()
    }

    /// Why it ended, once it has.
    async fn ended(mut self) -> String {
        let event = self.next().await;
        assert_eq!(self.0.chunk().await.unwrap(), None, "nothing follows");
        let reason = event.strip_prefix("event: ended\ndata: ").unwrap();
        reason.trim_end().to_owned()
    }
}

#[actix_web::test]
async fn a_websocket_closes_at_the_logout_and_not_before() {
    let clock = ManualClock::default();
    let sessions = builder(&clock, log(&clock)).start().await.unwrap();
    let (url, _server) = serve(&sessions, streams);
    let browser = Browser::new(&url);
    browser.post("/login/alice").await.is(200);
    let (mut socket, mut other) = (WebSocket::open(&browser).await, {
        let browser = Browser::new(&url);
        browser.post("/login/alice").await.is(200);
        WebSocket::open(&browser).await
    });
    browser.post("/renew").await.is(200);
    socket.send("still there?").await;
    assert_eq!(socket.next().await, (0x81, b"still there?".to_vec()));
    browser.post("/logout").await.is(204);
    let (first, payload) = socket.next().await;
    assert_eq!(first, 0x88, "a close frame");
    let (code, reason) = payload.split_at(2);
    assert_eq!(code, 1008_u16.to_be_bytes());
    assert_eq!(reason, b"Over(Ended)");
    other.send("and I?").await;
    assert_eq!(other.next().await, (0x81, b"and I?".to_vec()));
}

/// Two nodes on one store, with the routes above.
async fn two_nodes() -> (ManualClock, Faulty, [Browser; 2]) {
    let clock = ManualClock::default();
    let log = log(&clock);
    let store = Faulty::new(log.clone());
    let one = builder(&clock, store.clone()).start().await.unwrap();
    let other = builder(&clock, log).start().await.unwrap();
    clock.advance(SECOND);
    let [one, other] = [one, other].map(|sessions| Browser::new(&serve(&sessions, streams).0));
    (clock, store, [one, other])
}

#[actix_web::test]
async fn events_end_at_a_logout_on_another_node() {
    let (_, _, [here, there]) = two_nodes().await;
    for (path, reason) in [
        ("/logout", "Over(Ended)"),
        ("/purge", "Over(Ended)"),
        ("/logout-all", "Over(SubjectEnded)"),
        ("/login/bob", "Over(Succeeded)"),
        ("/logout-everyone", "Over(EveryoneEnded)"),
    ] {
        here.post("/login/alice").await.is(200);
        let events = EventSource::open(&here, "/events").await;
        // The other node has the same cookie.
        let elsewhere = here.to(there.url());
        let status = elsewhere.post(path).await.status;
        assert!(status < 300, "{path}: {status}");
        assert_eq!(events.ended().await, reason, "{path}");
    }
}

#[actix_web::test]
async fn events_that_a_login_opens_end_with_the_session_that_it_made() {
    let (_, _, [here, _]) = two_nodes().await;
    here.post("/login/alice").await.is(200);
    let before = EventSource::open(&here, "/events").await;
    let after = EventSource::open(&here, "/login-events/alice").await;
    assert_eq!(before.ended().await, "Over(Succeeded)");
    let elsewhere = Browser::new(here.url());
    elsewhere.post("/login/alice").await.is(200);
    elsewhere.post("/logout-others").await.is(204);
    assert_eq!(after.ended().await, "Over(SubjectEnded)");
}

#[actix_web::test]
async fn events_end_when_the_list_is_too_old_to_judge_by() {
    for when_stale in [WhenStale::Reject, WhenStale::Accept] {
        let clock = ManualClock::default();
        let store = Faulty::new(log(&clock));
        let builder = builder(&clock, store.clone()).when_stale(when_stale, 10 * SECOND);
        let sessions = builder.start().await.unwrap();
        clock.advance(SECOND);
        let (url, _server) = serve(&sessions, streams);
        let browser = Browser::new(&url);
        browser.post("/login/alice").await.is(200);
        let events = EventSource::open(&browser, "/events").await;
        store.set_call(Call::Follow, Mode::Hanging);
        eventually(|| async { store.waiting() >= 1 }).await;
        clock.advance(11 * SECOND);
        if when_stale == WhenStale::Accept {
            browser.get("/me").await.is(200);
            browser.post("/logout").await.is(204);
        }
        let reason = match when_stale {
            WhenStale::Reject => "Unknown",
            _ => "Over(Ended)",
        };
        assert_eq!(events.ended().await, reason);
    }
}

#[actix_web::test]
async fn events_end_when_a_key_of_their_session_is_revoked() {
    let bench = Bench::start().await;
    let (url, _server) = serve(&bench.node.sessions, streams);
    let browser = Browser::new(&url);
    browser.post("/login/alice").await.is(200);
    let opened = EventSource::open(&browser, "/events").await;
    let logged_in = EventSource::open(&Browser::new(&url), "/login-events/bob").await;
    bench.revoke(key_of(&browser));
    bench.reload();
    assert_eq!(opened.ended().await, "Over(RevokedKey)");
    assert_eq!(logged_in.ended().await, "Over(RevokedKey)");
}
