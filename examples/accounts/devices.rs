//! Devices: where somebody is logged in, with "log out" beside each.
//!
//! 1. The library lists what counts. A session that has ended, here or on another node, is not among it.
//! 2. An id that is none, or of a session that is unknown, has ended, or is somebody else's, is answered alike.
//! 3. A label is a text from outside as any other: it is escaped.

use actix_web::{HttpRequest, HttpResponse, Result, web};
use maud::{Markup, html};
use sealed_session::actix::Authenticated;
use sealed_session::revoke::SessionId;
use sealed_session::session::{DeviceError, FlashKind, ListedSession};
use sealed_session::time::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::api::{get, only};
use crate::pages::{Doors, Fields, field, page, say, see_other};
use crate::preferences::Preferences;
use crate::views::{fact, layout};

pub fn routes(config: &mut web::ServiceConfig, doors: &Doors) {
    let (show, end) = (get().to(show), web::post().to(end));
    config
        .service(only("/api/sessions", "GET, HEAD", [get().to(list)]))
        .service(only(
            "/api/sessions/{id:[^/]*}",
            "DELETE",
            [web::delete().to(remove)],
        ))
        .service(only(
            "/devices",
            "GET, HEAD",
            [show.wrap(doors.login.clone())],
        ))
        .service(only(
            "/devices/end",
            "POST",
            [end.wrap(doors.login.clone())],
        ));
}

async fn list(user: Authenticated) -> Result<HttpResponse> {
    let listed = user.session().list_sessions().await?;
    let listed = listed.iter().map(|it| {
        json!({
            "session": it.id,
            "created_at": it.created_at.to_string(),
            "last_seen_at": it.last_seen_at.to_string(),
            "label": it.label,
            "remembered": it.is_remembered,
            "current": it.is_current,
        })
    });
    Ok(HttpResponse::Ok().json(listed.collect::<Vec<Value>>()))
}

/// Of this session it is a logout.
async fn remove(user: Authenticated, request: HttpRequest) -> Result<HttpResponse> {
    // As it was sent: the framework decodes it, and replaces what is not UTF-8.
    let id = request.uri().path().rsplit('/').next();
    let id = session_id(id.unwrap_or_default()).ok_or(DeviceError::NotFound)?;
    user.session().revoke(id).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn show(user: Authenticated) -> Result<HttpResponse> {
    let session = user.session();
    let listed = session.list_sessions().await?;
    let content = html! {
        p.lead { "Where you are logged in. Log out whatever you do not know, or do not use any more." }
        div.card { (rows(&listed, &Preferences::of(session), "/devices/end", None)) }
        p.hint { "A device is called by what its browser says of itself. When it was last seen is exact to a few minutes." }
    };
    Ok(page(layout("Devices", Some(session), &[], &content)))
}

async fn end(user: Authenticated, form: Fields) -> Result<HttpResponse> {
    let session = user.session();
    let id = session_id(field(&form, "session"));
    let is_current = id.is_some() && id == session.id();
    let ended = match id {
        Some(id) => session.revoke(id).await,
        None => Err(DeviceError::NotFound),
    };
    let (kind, text, path) = match ended {
        Ok(()) if is_current => (FlashKind::Success, "You are logged out.", "/login"),
        Ok(()) => (FlashKind::Success, "That device is logged out.", "/devices"),
        // The page was left open meanwhile.
        Err(DeviceError::NotFound) => (FlashKind::Warning, GONE, "/devices"),
        Err(error) => return Err(error.into()),
    };
    say(session, kind, text);
    Ok(see_other(path))
}

/// What is told of a session that is not there.
pub const GONE: &str = "That device was logged out already.";

/// An id has one text: what is written otherwise is the id of no session.
pub fn session_id(text: &str) -> Option<SessionId> {
    let id: SessionId = text.parse().ok()?;
    (id.to_string() == text).then_some(id)
}

/// Sessions, each with a button that posts to `action` which of them is meant, and whose, where that is not who asks.
pub fn rows(
    listed: &[ListedSession],
    times: &Preferences,
    action: &str,
    user: Option<&str>,
) -> Markup {
    let now = SystemClock::default().now();
    html! {
        // A list without markers is none for some screen readers.
        ul.devices role="list" {
            @for it in listed {
                @let seen = times.ago(it.last_seen_at, now);
                li aria-current=[it.is_current.then_some("true")] {
                    p.device { (it.label) @if it.is_current { " " span.badge { "This device" } } }
                    dl {
                        (fact("Last seen", html! { time datetime=(it.last_seen_at) { (seen) } }))
                        (fact("Began", times.moment(Some(it.created_at))))
                        (fact("Remembered", html! { @if it.is_remembered { "yes" } @else { "no" } }))
                    }
                    form method="post" action=(action) {
                        input type="hidden" name="session" value=(it.id);
                        @if let Some(user) = user { input type="hidden" name="user" value=(user); }
                        button type="submit" aria-label={ "Log out " (it.label) ", last seen " (seen) } { "Log out" }
                    }
                }
            }
        }
    }
}
