//! The pages as HTML.
//!
//! 1. Every value is escaped: what a user wrote cannot become markup.
//! 2. No script and no inline style. Without them nothing is hidden that somebody needs: times are in UTC unless
//!    asked otherwise, and what a form does is said beside it.
//! 3. Messages are in one region that a screen reader announces. They are taken from the session by the page that shows
//!    them, so the next one is without.

use maud::{DOCTYPE, Markup, html};
use sealed_session::Session;
use sealed_session::session::{FlashKind, FlashMessage, Rejected};
use serde_json::Value;

use crate::organisations;
use crate::pages::STEP_UP;
use crate::preferences::{self, Preferences};

/// What somebody may choose at the login. An application would look it up.
pub const ROLES: [(&str, &str); 2] = [("admin", "Administrator"), ("editor", "Editor")];

/// What the navigation leads to.
const PAGES: [(&str, &str); 4] = [
    ("/", "Account"),
    ("/devices", "Devices"),
    ("/admin", "Admin"),
    ("/sensitive", "Danger zone"),
];

/// The login's form: what stood in it, and why it was refused.
pub struct LoginForm<'a> {
    pub user: &'a str,
    pub roles: Vec<&'a str>,
    pub remember: bool,
    /// Where it leads.
    pub next: &'a str,
    pub problem: Option<&'a str>,
    pub organisation: &'a str,
    pub organisation_problem: Option<&'a str>,
}

impl Default for LoginForm<'_> {
    fn default() -> Self {
        Self {
            user: "",
            roles: Vec::new(),
            remember: false,
            next: "/",
            problem: None,
            organisation: "",
            organisation_problem: None,
        }
    }
}

/// The form of an entry that was refused: what stood in it, and why.
#[derive(Default)]
pub struct Draft<'a> {
    pub name: &'a str,
    pub value: &'a str,
    pub problem: Option<String>,
}

/// A page with what surrounds it.
pub fn layout(
    title: &str,
    session: Option<&Session>,
    notes: &[FlashMessage],
    content: &Markup,
) -> Markup {
    let user = session.and_then(Session::subject);
    let mut messages = session
        .map(|session| session.flash().messages())
        .unwrap_or_default();
    messages.extend_from_slice(notes);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Accounts" }
                link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/assets/style.css";
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header.bar {
                    a.brand href="/" {
                        img src="/assets/icon.svg" alt="" width="32" height="32";
                        "Accounts"
                    }
                    @if let Some(user) = &user {
                        nav aria-label="Pages" {
                            ul {
                                @for (path, name) in PAGES {
                                    li { a href=(path) aria-current=[(name == title).then_some("page")] { (name) } }
                                }
                            }
                        }
                        form method="post" action="/logout" {
                            span.who { (user) }
                            button type="submit" { "Log out" }
                        }
                    }
                }
                main id="content" tabindex="-1" {
                    div role="status" aria-live="polite" {
                        @for message in &messages {
                            p.flash.(message.kind.css_class()) {
                                span aria-hidden="true" { (message.kind.icon()) }
                                span { (message.text) }
                            }
                        }
                    }
                    h1 { (title) }
                    (content)
                }
                footer { p { "A demonstration of sealed sessions. All of a session travels, sealed, in one cookie." } }
            }
        }
    }
}

/// Also says why the browser's cookie is no session any more.
pub fn login(session: &Session, form: &LoginForm<'_>, draft: &Draft<'_>) -> Markup {
    let why = session.rejected().map(in_words);
    let note = why.map(|text| FlashMessage::new(FlashKind::Warning, text));
    let hint = "A session can hold entries before anyone logs in. They move into the new session at login.";
    let content = html! {
        div.narrow {
            p.lead { "There is no password: this is a demonstration, and any name works, with any roles." }
            form.card method="post" action="/login" {
                input type="hidden" name="next" value=(form.next);
                label for="user" { "Name" }
                input id="user" name="user" value=(form.user) autocomplete="username" autocapitalize="none"
                    spellcheck="false" maxlength="255" required autofocus
                    aria-describedby="user-error" aria-invalid=[form.problem.map(|_| "true")];
                p.error id="user-error" { (form.problem.unwrap_or_default()) }
                label for="organisation" { "Organisation (optional)" }
                input id="organisation" name="organisation" value=(form.organisation) autocomplete="organization"
                    spellcheck="false" maxlength="255" aria-describedby="organisation-error"
                    aria-invalid=[form.organisation_problem.map(|_| "true")];
                p.error id="organisation-error" { (form.organisation_problem.unwrap_or_default()) }
                fieldset {
                    legend { "Roles" }
                    @for (role, name) in ROLES {
                        label.check {
                            input type="checkbox" name="role" value=(role) checked[form.roles.contains(&role)];
                            (name)
                        }
                    }
                }
                label.check {
                    input type="checkbox" name="remember" checked[form.remember] aria-describedby="about-remember";
                    "Keep me logged in"
                }
                p.hint id="about-remember" { "Up to 30 days, instead of until the browser is closed." }
                button.primary type="submit" { "Log in" }
            }
            (entries(session, draft, hint))
        }
    };
    layout("Log in", Some(session), note.as_slice(), &content)
}

pub fn account(session: &Session, draft: &Draft<'_>) -> Markup {
    let roles = session.roles().join(", ");
    let organisation = organisations::of(session);
    let times = Preferences::of(session);
    let remembered = match session.is_remembered() {
        true => "Yes, on this device",
        false => "No, until the browser is closed",
    };
    let content = html! {
        div.columns {
            section.card aria-labelledby="session-title" {
                h2 id="session-title" { "This session" }
                dl {
                    (fact("Logged in as", html! { (session.subject().unwrap_or_default()) }))
                    (fact("Roles", html! { @if roles.is_empty() { "none" } @else { (roles) } }))
                    (fact("Organisation", html! { (organisation.as_deref().unwrap_or("none")) }))
                    (fact("Since", times.moment(session.authenticated_at())))
                    (fact("Until, at the latest", times.moment(session.expires_at())))
                    (fact("Kept", html! { (remembered) }))
                    (fact("Session", html! { code { @if let Some(id) = session.id() { (id) } } }))
                }
            }
            section.card aria-labelledby="ends-title" {
                h2 id="ends-title" { "Devices" }
                ul.actions {
                    li { a href="/devices" { "Where you are logged in" } }
                    (action("/logout-others", "Log out other devices", "Ends every session of yours but this one."))
                    (action("/logout-all", "Log out everywhere",
                        "Ends every session of yours. Copies of their cookies are worth nothing from then on."))
                    (action("/renew", "Renew the cookie",
                        "The same session under a new cookie. The old one reads for a few seconds more."))
                }
            }
        }
        (preferences::form(&times))
        (entries(session, draft, "Any JSON value, as long as everything fits into one cookie."))
    };
    let text = "This browser looks otherwise than at your login. If you know why, confirm that it is you in the danger \
                zone; else log out everywhere.";
    let changed = session.client_changed();
    let note = changed.then(|| FlashMessage::new(FlashKind::Warning, text));
    layout("Account", Some(session), note.as_slice(), &content)
}

/// What the session holds, and a form to add to it.
fn entries(session: &Session, draft: &Draft<'_>, hint: &str) -> Markup {
    let entries = session.entries();
    html! {
        section.card aria-labelledby="entries-title" {
            h2 id="entries-title" { "What is stored" }
            p.hint { (hint) }
            @if entries.is_empty() {
                p.empty { "Nothing is stored yet." }
            } @else {
                table {
                    thead { tr { th scope="col" { "Name" } th scope="col" { "Value" } } }
                    tbody {
                        @for (key, value) in &entries {
                            (entry(session, key, value.decode::<Value>().ok().as_ref()))
                        }
                    }
                }
            }
            form.add method="post" action="/entries" {
                div {
                    label for="entry-name" { "Name" }
                    input id="entry-name" name="name" value=(draft.name) autocomplete="off" spellcheck="false" required;
                }
                div.wide {
                    label for="entry-value" { "Value" }
                    input id="entry-value" name="value" value=(draft.value) autocomplete="off" spellcheck="false"
                        aria-describedby="entry-error" aria-invalid=[draft.problem.as_ref().map(|_| "true")]
                        autofocus[draft.problem.is_some()];
                }
                button type="submit" { "Add" }
                p.error id="entry-error" role="alert" { @if let Some(problem) = &draft.problem { (problem) } }
            }
        }
    }
}

fn entry(session: &Session, key: &str, value: Option<&Value>) -> Markup {
    // As JSON: a browser changes line ends in fields.
    let name = Value::from(key).to_string();
    let value = value.map(Value::to_string).unwrap_or_default();
    html! {
        tr {
            th scope="row" { (key) }
            td {
                form method="post" action="/entries" {
                    input type="hidden" name="key" value=(name);
                    input name="value" value=(value) autocomplete="off" spellcheck="false"
                        aria-label={ "Value of " (key) };
                    button type="submit" aria-label={ "Replace " (key) } { "Replace" }
                    button.quiet type="submit" formaction="/entries/remove" aria-label={ "Remove " (key) } { "Remove" }
                }
                @if session.is_from_before_login(key) { p.hint { "from before your login" } }
            }
        }
    }
}

pub fn sensitive(session: &Session) -> Markup {
    let times = Preferences::of(session);
    let content = html! {
        section.card.narrow {
            p {
                "You showed who you are at " (times.moment(session.authenticated_at())) ". For " (minutes())
                " from then on this page opens, and its button works."
            }
            form method="post" action="/sensitive" {
                button.danger type="submit" { "Delete all entries" }
            }
        }
    };
    layout("Danger zone", Some(session), &[], &content)
}

pub fn confirm(session: &Session, next: &str) -> Markup {
    let content = html! {
        section.card.narrow {
            p { "This needs a login of the last " (minutes()) ". An application would ask "
                strong { (session.subject().unwrap_or_default()) } " for the password here." }
            form method="post" action="/confirm" {
                input type="hidden" name="next" value=(next);
                button.primary type="submit" { "It is me" }
            }
        }
    };
    layout("Confirm that it is you", Some(session), &[], &content)
}

/// For a request that was refused, whoever sent it: it shows nothing of a session.
pub fn error(title: &str, text: &str) -> Markup {
    let content = html! {
        div.narrow {
            p.lead { (text) }
            p { a href="/" { "Back to the start" } }
        }
    };
    layout(title, None, &[], &content)
}

pub fn fact(name: &str, value: Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn action(path: &str, name: &str, hint: &str) -> Markup {
    html! {
        li {
            form method="post" action=(path) { button type="submit" aria-describedby=(path) { (name) } }
            p.hint id=(path) { (hint) }
        }
    }
}

fn minutes() -> String {
    format!("{} minutes", STEP_UP.as_secs() / 60)
}

fn in_words(reason: Rejected) -> &'static str {
    match reason {
        Rejected::Ended => "This session was ended, by you or by an administrator.",
        Rejected::SubjectEnded => "You were logged out on another device.",
        Rejected::GroupEnded => "Everyone of your organisation was logged out by an administrator.",
        Rejected::EveryoneEnded => "Everyone was logged out by an administrator.",
        Rejected::Idle => "You were logged out because this session was not used for long.",
        Rejected::Expired => "This session has lasted as long as one may. Please log in again.",
        Rejected::Succeeded | Rejected::Superseded => {
            "This browser has begun another session since."
        }
        _ => "The session of this browser is not known here any more.",
    }
}
