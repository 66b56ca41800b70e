//! The pages, and the forms on them.
//!
//! 1. A form that did something answers with a redirect (303) and a message for the page after it, so that reloading
//!    does nothing twice. One that was refused is shown again, with what stood in it and the reason.
//! 2. Nothing is kept by the browser: going back after a logout asks the server again.
//! 3. Who may not come in yet is sent to the login, or to the page that asks once more, and comes back by `next`. What
//!    that says is a client's word: it is followed to paths of this site alone.
//!
//! Forms carry no token: what another site sends is refused by the library before it arrives. With `csrf.mode = "token"`
//! each would need the hidden field of a `CsrfToken`.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{Form, FormConfig, Query};
use actix_web::{HttpResponse, Result, Route, web};
use maud::Markup;
use sealed_session::actix::{Authenticated, Require};
use sealed_session::session::{FlashKind, TooLarge};
use sealed_session::{ConfigError, Session, SessionInsertError, next_path};
use serde_json::Value;

use crate::api::{get, is_name, only};
use crate::errors::Problem;
use crate::views::{self, Draft, LoginForm};
use crate::{admin, organisations, preferences};

/// How long after a login, or another proof of who somebody is, what matters most may be done.
pub const STEP_UP: Duration = Duration::from_secs(5 * 60);
/// The largest form that is read: what does not fit into a session by far is still told beside the form.
const LARGEST_FORM: usize = 1 << 20;

/// Who may come in.
#[derive(Clone)]
pub struct Doors {
    pub login: Require,
    admin: Require,
    recent: Require,
}

impl Doors {
    pub fn new() -> Result<Self, ConfigError> {
        let login = Require::login().login_page("/login")?;
        let admin = Require::role("admin").login_page("/login")?;
        let recent = login
            .clone()
            .within(STEP_UP)
            .reauthentication_page("/confirm")?;
        Ok(Self {
            login,
            admin,
            recent,
        })
    }
}

/// The fields of a form. Roles come several times.
pub type Fields = Form<Vec<(String, String)>>;

/// Assets that need no session.
pub fn assets(config: &mut web::ServiceConfig) {
    let files = [
        (
            "style.css",
            "text/css; charset=utf-8",
            include_str!("style.css"),
        ),
        ("icon.svg", "image/svg+xml", include_str!("icon.svg")),
    ];
    for (name, kind, text) in files {
        let send = move || async move {
            HttpResponse::Ok()
                .content_type(kind)
                .insert_header((CACHE_CONTROL, "no-cache"))
                .body(text)
        };
        config.service(only(
            &format!("/assets/{name}"),
            "GET, HEAD",
            [get().to(send)],
        ));
    }
}

pub fn routes(config: &mut web::ServiceConfig, doors: &Doors) {
    let post = web::post;
    let login = |route: Route| route.wrap(doors.login.clone());
    let admins = |route: Route| route.wrap(doors.admin.clone());
    let recent = |route: Route| route.wrap(doors.recent.clone());
    let both = "GET, HEAD, POST";
    config
        .app_data(FormConfig::default().limit(LARGEST_FORM))
        .service(only("/", "GET, HEAD", [login(get().to(account))]))
        .service(only(
            "/login",
            both,
            [get().to(show_login), post().to(log_in)],
        ))
        .service(only("/admin", "GET, HEAD", [admins(get().to(admin::show))]))
        .service(only(
            "/admin/end-organisation",
            "POST",
            [admins(post().to(admin::end_organisation))],
        ))
        .service(only(
            "/admin/end-session",
            "POST",
            [admins(post().to(admin::end_session))],
        ))
        .service(only(
            "/preferences",
            "POST",
            [login(post().to(preferences::save))],
        ))
        .service(only(
            "/sensitive",
            both,
            [recent(get().to(sensitive)), recent(post().to(remove_all))],
        ))
        .service(only(
            "/confirm",
            both,
            [login(get().to(show_confirm)), login(post().to(confirm))],
        ))
        .service(only("/entries", "POST", [post().to(set_entry)]))
        .service(only("/entries/remove", "POST", [post().to(remove_entry)]))
        .service(only("/renew", "POST", [login(post().to(renew))]))
        .service(only("/logout", "POST", [post().to(logout)]))
        .service(only("/logout-all", "POST", [login(post().to(logout_all))]))
        .service(only(
            "/logout-others",
            "POST",
            [login(post().to(logout_others))],
        ));
}

async fn account(user: Authenticated) -> HttpResponse {
    page(views::account(user.session(), &Draft::default()))
}

async fn show_login(session: Session, query: Query<Vec<(String, String)>>) -> HttpResponse {
    let next = leads_to(field(&query, "next"));
    if session.is_authenticated() {
        return see_other(next);
    }
    let form = LoginForm {
        next,
        ..LoginForm::default()
    };
    page(views::login(&session, &form, &Draft::default()))
}

async fn log_in(session: Session, form: Fields) -> Result<HttpResponse> {
    let roles = form.iter().filter(|(name, _)| name == "role");
    let form = LoginForm {
        user: field(&form, "user"),
        roles: roles.map(|(_, role)| role.as_str()).collect(),
        remember: !field(&form, "remember").is_empty(),
        next: leads_to(field(&form, "next")),
        organisation: field(&form, "organisation").trim(),
        ..LoginForm::default()
    };
    let is_member = !form.organisation.is_empty();
    if is_member && !is_name(form.organisation) {
        let organisation_problem = Some(organisations::NO_NAME);
        let form = LoginForm {
            organisation_problem,
            ..form
        };
        return Ok(page(views::login(&session, &form, &Draft::default())));
    }
    if !is_name(form.user) {
        let problem = Some("Please enter a name, at most 255 bytes long.");
        let form = LoginForm { problem, ..form };
        return Ok(page(views::login(&session, &form, &Draft::default())));
    }
    let mut login = session.authenticate(form.user).remember(form.remember);
    if is_member {
        login = organisations::join(login, form.organisation);
    }
    if login.roles(form.roles).await?.entries_dropped {
        let text = "What was stored before the login did not fit beside it, and is gone.";
        say(&session, FlashKind::Warning, text);
    }
    say(&session, FlashKind::Success, "You are logged in.");
    Ok(see_other(form.next))
}

async fn sensitive(session: Session) -> HttpResponse {
    page(views::sensitive(&session))
}

/// What must not be done with a session that somebody left open.
async fn remove_all(session: Session) -> HttpResponse {
    session.clear();
    say(&session, FlashKind::Success, "All entries are deleted.");
    see_other("/")
}

async fn show_confirm(user: Authenticated, query: Query<Vec<(String, String)>>) -> HttpResponse {
    let next = leads_to(field(&query, "next"));
    page(views::confirm(user.session(), next))
}

async fn confirm(user: Authenticated, form: Fields) -> Result<HttpResponse> {
    // Here an application checks the password once more.
    user.session().reauthenticate().await?;
    Ok(see_other(leads_to(field(&form, "next"))))
}

async fn set_entry(session: Session, form: Fields) -> Result<HttpResponse> {
    let name = entry_name(&form)?;
    let value = field(&form, "value");
    let problem = match as_json(value) {
        _ if name.is_empty() => "An entry needs a name.".to_owned(),
        None => "This looks like JSON, and is not.".to_owned(),
        Some(json) => match session.insert(name.as_str(), json) {
            Ok(()) => {
                say(&session, FlashKind::Success, format!("“{name}” is stored."));
                return Ok(see_other("/"));
            }
            Err(SessionInsertError::TooLarge(TooLarge { bytes, limit, .. })) => format!(
                "This does not fit: the session would need {bytes} bytes and may have {limit}. \
                 Nothing was changed."
            ),
            Err(
                error @ (SessionInsertError::TooDeep { .. }
                | SessionInsertError::ReservedName { .. }),
            ) => format!("This cannot be stored: {error}."),
            Err(error) => return Err(error.into()),
        },
    };
    let draft = Draft {
        name: &name,
        value,
        problem: Some(problem),
    };
    Ok(page(match session.is_authenticated() {
        true => views::account(&session, &draft),
        false => views::login(&session, &LoginForm::default(), &draft),
    }))
}

async fn remove_entry(session: Session, form: Fields) -> Result<HttpResponse> {
    let name = entry_name(&form)?;
    session.remove(&name);
    say(
        &session,
        FlashKind::Success,
        format!("“{name}” is removed."),
    );
    Ok(see_other("/"))
}

async fn renew(user: Authenticated) -> HttpResponse {
    user.session().renew();
    let text = "The session has a new cookie. The old one is dead in a few seconds.";
    say(user.session(), FlashKind::Success, text);
    see_other("/")
}

async fn logout(session: Session) -> Result<HttpResponse> {
    session.logout().await?;
    // After the logout: the messages of before ended with the session.
    say(&session, FlashKind::Success, "You are logged out.");
    Ok(see_other("/login"))
}

async fn logout_all(user: Authenticated) -> Result<HttpResponse> {
    let session = user.session();
    session.logout_all().await?;
    say(
        session,
        FlashKind::Success,
        "You are logged out everywhere.",
    );
    Ok(see_other("/login"))
}

async fn logout_others(user: Authenticated) -> Result<HttpResponse> {
    let session = user.session();
    session.logout_others().await?;
    say(
        session,
        FlashKind::Success,
        "Your other devices are logged out.",
    );
    Ok(see_other("/"))
}

/// The first field of this name, or nothing.
pub fn field<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    let mut named = fields.iter().filter(|(field, _)| field == name);
    named.next().map_or("", |(_, value)| value)
}

/// A row says its entry's name as JSON, because browsers change line ends. In the form below it is typed.
fn entry_name(form: &Fields) -> Result<String, Problem> {
    match field(form, "key") {
        "" => Ok(field(form, "name").to_owned()),
        key => serde_json::from_str(key).map_err(|_| Problem::InvalidKey),
    }
}

/// A value as it was typed. Text that is no JSON is taken as a string, unless it seems to be meant as JSON.
fn as_json(text: &str) -> Option<Value> {
    let text = text.trim();
    match serde_json::from_str(text) {
        Ok(value) => Some(value),
        Err(_) if text.starts_with(['{', '[', '"']) => None,
        Err(_) => Some(text.into()),
    }
}

/// Where to go on.
fn leads_to(next: &str) -> &str {
    next_path(next, "/logout").unwrap_or("/")
}

/// A message for the next page. One that does not fit into the session any more is left out: it only tells of what was
/// done.
pub fn say(session: &Session, kind: FlashKind, text: impl Into<String>) {
    if let Err(error) = session.flash().push(kind, text) {
        tracing::debug!(%error, "a message is not shown");
    }
}

pub fn page(content: Markup) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(content.into_string())
}

pub fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, path))
        .finish()
}
