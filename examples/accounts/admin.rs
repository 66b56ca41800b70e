//! What an administrator sees and may do.

use actix_web::{HttpResponse, Result, web};
use maud::{Markup, html};
use sealed_session::inspect::Health;
use sealed_session::session::{FlashKind, ListedSession};
use sealed_session::{Session, Sessions};
use url::form_urlencoded::Serializer;

use crate::api::is_name;
use crate::devices::{GONE, rows, session_id};
use crate::errors::Problem;
use crate::organisations::{ENTRY, KIND, NO_NAME};
use crate::pages::{Fields, field, page, say, see_other};
use crate::preferences::Preferences;
use crate::views::{fact, layout};

/// The field with a user's name.
const USER: &str = "user";

type Query = web::Query<Vec<(String, String)>>;

/// What stands in the forms of the page, and what is found for them.
#[derive(Default)]
struct Asked<'a> {
    organisation: &'a str,
    organisation_problem: Option<&'a str>,
    user: &'a str,
    user_problem: Option<&'a str>,
    /// The sessions of the user, if they were asked for.
    listed: Option<Vec<ListedSession>>,
}

pub async fn show(
    session: Session,
    sessions: web::Data<Sessions>,
    query: Query,
) -> Result<HttpResponse> {
    let user = field(&query, USER);
    let mut asked = Asked {
        user,
        ..Asked::default()
    };
    if is_name(user) {
        let mut listed = sessions.list_sessions(user).await?;
        for it in &mut listed {
            it.is_current = session.id() == Some(it.id);
        }
        asked.listed = Some(listed);
    } else if !user.is_empty() {
        asked.user_problem = Some(NO_NAME);
    }
    Ok(page(view(&session, &sessions.health(), &asked)))
}

/// Ends one session of somebody, also the administrator's own.
pub async fn end_session(
    session: Session,
    sessions: web::Data<Sessions>,
    form: Fields,
) -> Result<HttpResponse> {
    let user = field(&form, USER);
    if !is_name(user) {
        return Err(Problem::InvalidUser.into());
    }
    let path = Serializer::for_suffix("/admin?".to_owned(), 7)
        .append_pair(USER, user)
        .finish();
    let id = session_id(field(&form, "session"));
    let listed = sessions.list_sessions(user).await?;
    let Some(it) = listed.iter().find(|it| Some(it.id) == id) else {
        say(&session, FlashKind::Warning, GONE);
        return Ok(see_other(&path));
    };
    let is_own = session.id() == Some(it.id);
    if is_own {
        session.logout().await?;
    } else {
        sessions.revoke(user, it.id).await?;
    }
    let text = format!("“{user}” is logged out of “{}”.", it.label);
    say(&session, FlashKind::Success, text);
    Ok(see_other(if is_own { "/login" } else { &path }))
}

/// Logs out everyone of an organisation, also the administrator who asks for it.
pub async fn end_organisation(
    session: Session,
    sessions: web::Data<Sessions>,
    form: Fields,
) -> Result<HttpResponse> {
    let name = field(&form, ENTRY).trim();
    if !is_name(name) {
        let asked = Asked {
            organisation: name,
            organisation_problem: Some(NO_NAME),
            ..Asked::default()
        };
        return Ok(page(view(&session, &sessions.health(), &asked)));
    }
    let is_own = session.is_in_group(KIND, name);
    if is_own {
        // First: nothing can be written to a session that others ended.
        session.logout().await?;
    }
    sessions
        .end_group(KIND, name)
        .await
        .map_err(sealed_session::session::LogoutError::from)?;
    let text = format!("Everyone of “{name}” is logged out.");
    say(&session, FlashKind::Success, text);
    Ok(see_other(if is_own { "/login" } else { "/admin" }))
}

fn view(session: &Session, health: &Health, asked: &Asked<'_>) -> Markup {
    let times = Preferences::of(session);
    let since = times.moment(Some(health.complete_since));
    let content = html! {
        section.card aria-labelledby="node-title" {
            h2 id="node-title" { "This node" }
            dl {
                (fact("Revocations that are kept", html! { (health.entries) }))
                (fact("Where", html! { (health.store) }))
                (fact("The list is complete since", since))
                (fact("Key that seals", html! { code { @if let Some(id) = health.sealing { (id) } } }))
            }
        }
        section.card aria-labelledby="user-title" {
            h2 id="user-title" { "Devices of a user" }
            p.hint { "Shows where somebody is logged in, and ends what must not go on." }
            form.add action="/admin" {
                div.wide {
                    label for="user" { "Name" }
                    input id="user" name=(USER) value=(asked.user) autocapitalize="none" autocomplete="off"
                        spellcheck="false" maxlength="255" required
                        aria-describedby="user-error" aria-invalid=[asked.user_problem.map(|_| "true")];
                }
                button type="submit" { "Show" }
                p.error id="user-error" role="alert" { (asked.user_problem.unwrap_or_default()) }
            }
            @if let Some(listed) = &asked.listed {
                @if listed.is_empty() {
                    p.empty { "Nobody of this name is logged in." }
                } @else {
                    (rows(listed, &times, "/admin/end-session", Some(asked.user)))
                }
            }
        }
        section.card aria-labelledby="end-title" {
            h2 id="end-title" { "Organisations" }
            p.hint { "Ends every session of an organisation, whoever's it is." }
            form.add method="post" action="/admin/end-organisation" {
                div.wide {
                    label for="organisation" { "Organisation" }
                    input id="organisation" name=(ENTRY) value=(asked.organisation) autocomplete="organization" maxlength="255" required
                        aria-describedby="organisation-error" aria-invalid=[asked.organisation_problem.map(|_| "true")];
                }
                button.danger type="submit" { "Log out everyone of it" }
                p.error id="organisation-error" role="alert" { (asked.organisation_problem.unwrap_or_default()) }
            }
        }
    };
    layout("Admin", Some(session), &[], &content)
}
