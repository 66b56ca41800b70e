//! What an administrator sees and may do.

use actix_web::{HttpResponse, Result, web};
use maud::{Markup, html};
use sealed_session::inspect::Health;
use sealed_session::session::FlashKind;
use sealed_session::{Session, Sessions};

use crate::api::is_name;
use crate::organisations::{ENTRY, KIND, NO_NAME};
use crate::pages::{Fields, field, page, say, see_other};
use crate::preferences::Preferences;
use crate::views::{fact, layout};

pub async fn show(session: Session, sessions: web::Data<Sessions>) -> HttpResponse {
    page(view(&session, &sessions.health(), "", None))
}

/// Logs out everyone of an organisation, also the administrator who asks for it.
pub async fn end_organisation(
    session: Session,
    sessions: web::Data<Sessions>,
    form: Fields,
) -> Result<HttpResponse> {
    let name = field(&form, ENTRY).trim();
    if !is_name(name) {
        let page_again = view(&session, &sessions.health(), name, Some(NO_NAME));
        return Ok(page(page_again));
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

fn view(session: &Session, health: &Health, name: &str, problem: Option<&str>) -> Markup {
    let since = Preferences::of(session).moment(Some(health.complete_since));
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
        section.card aria-labelledby="end-title" {
            h2 id="end-title" { "Organisations" }
            p.hint { "Ends every session of an organisation, whoever's it is." }
            form.add method="post" action="/admin/end-organisation" {
                div.wide {
                    label for="organisation" { "Organisation" }
                    input id="organisation" name=(ENTRY) value=(name) autocomplete="organization" maxlength="255" required
                        aria-describedby="organisation-error" aria-invalid=[problem.map(|_| "true")];
                }
                button.danger type="submit" { "Log out everyone of it" }
                p.error id="organisation-error" role="alert" { (problem.unwrap_or_default()) }
            }
        }
    };
    layout("Admin", Some(session), &[], &content)
}
