//! The pages in use: logins, roles, entries, messages, and what other sites send.

use actix_web::{App, HttpResponse, web};
use fantoccini::Locator;
use fantoccini::key::Key;
use serde_json::json;
use support::serve_app;

use super::{Chromium, Settings, Site};

#[actix_web::test]
async fn a_login_leads_to_the_page_that_was_asked_for() {
    let site = Site::start();
    let browser = Chromium::start().await;
    browser.open(&site, "/").await;
    assert_eq!(browser.path().await, "/login?next=/");
    browser.log_in_as("alice", &[]).await;
    assert_eq!(browser.path().await, "/");
    assert_eq!(browser.heading().await, "Account");
    let facts = browser.element("dl").await.text().await.unwrap();
    for fact in ["alice", "none", "UTC", "No, until the browser is closed"] {
        assert!(facts.contains(fact), "{facts}");
    }
    browser.press("Log out").await;

    browser.open(&site, "/admin").await;
    assert_eq!(browser.path().await, "/login?next=/admin");
    browser.log_in_as("<b>alice</b>", &["admin"]).await;
    assert_eq!(browser.path().await, "/admin");
    let user = browser.element(".who").await;
    assert_eq!(user.text().await.unwrap(), "<b>alice</b>");
    browser.close().await;
}

#[actix_web::test]
async fn entries_are_added_replaced_removed_and_taken_into_the_login() {
    let site = Site::start();
    let browser = Chromium::start().await;
    let row = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    browser.open(&site, "/login").await;
    browser.store("colour", "dark green").await;
    assert_eq!(browser.heading().await, "Log in");
    assert_eq!(browser.rows().await, [row("colour", r#""dark green""#)]);

    browser.log_in_as("alice", &[]).await;
    browser.store("<i>size</i>", "[1, 2.50]").await;
    let both = [
        row("<i>size</i>", "[1,2.5]"),
        row("colour", r#""dark green""#),
    ];
    assert_eq!(browser.rows().await, both);

    let value = browser.element("[aria-label='Value of colour']").await;
    value.clear().await.unwrap();
    value.send_keys("18446744073709551615").await.unwrap();
    browser.press("Replace colour").await;
    let [size, _] = both;
    let colour = row("colour", "18446744073709551615");
    assert_eq!(browser.rows().await, [size, colour.clone()]);
    browser.press("Remove <i>size</i>").await;
    assert_eq!(browser.rows().await, [colour]);
    browser.close().await;
}

#[actix_web::test]
async fn a_message_is_shown_after_the_redirect_and_never_again() {
    let site = Site::start();
    let browser = Chromium::start().await;
    browser.open(&site, "/login").await;
    assert_eq!(browser.messages().await, [""; 0]);
    browser.log_in_as("alice", &[]).await;
    assert_eq!(browser.messages().await, ["You are logged in."]);
    browser.client.refresh().await.unwrap();
    assert_eq!(browser.messages().await, [""; 0]);
    browser.store("a", "1").await;
    assert_eq!(browser.path().await, "/");
    assert_eq!(browser.messages().await, ["“a” is stored."]);
    browser.press("Account").await;
    assert_eq!(browser.messages().await, [""; 0]);
    browser.close().await;
}

#[actix_web::test]
async fn an_entry_that_is_too_large_is_a_message_beside_what_was_typed() {
    let site = Site::start();
    let browser = Chromium::start().await;
    browser.open(&site, "/login").await;
    browser.log_in_as("alice", &[]).await;
    browser.store("small", "1").await;
    let kept = [("small".to_owned(), "1".to_owned())];
    for size in [4_000, 100_000] {
        browser.fill("entry-name", "large").await;
        let value = browser.element("#entry-value").await;
        let value = serde_json::to_value(value).unwrap();
        let fill = "arguments[0].value = 'x'.repeat(arguments[1]);";
        browser
            .client
            .execute(fill, vec![value, json!(size)])
            .await
            .unwrap();
        browser.press("Add").await;
        assert_eq!(browser.heading().await, "Account");
        let problem = browser.element("#entry-error").await.text().await.unwrap();
        assert!(problem.starts_with("This does not fit: "), "{problem}");
        let typed = browser.element("#entry-value").await.prop("value").await;
        assert_eq!(typed.unwrap().unwrap().len(), size);
        assert_eq!(browser.rows().await, kept);
    }
    browser.press("Account").await;
    assert_eq!(browser.rows().await, kept);
    browser.close().await;
}

#[actix_web::test]
async fn a_page_for_administrators_is_shown_to_nobody_else() {
    let site = Site::start();
    let browser = Chromium::start().await;
    browser.open(&site, "/login").await;
    browser.log_in_as("alice", &["editor"]).await;
    browser.press("Admin").await;
    assert_eq!(browser.status().await, 403);
    assert_eq!(browser.heading().await, "Not for you");
    let complaints = browser.complaints().await;
    assert!(
        complaints.iter().all(|text| text.contains("403")),
        "{complaints:?}"
    );

    browser.press("Back to the start").await;
    browser.press("Log out").await;
    browser.log_in_as("alice", &["admin", "editor"]).await;
    browser.press("Admin").await;
    assert_eq!(browser.status().await, 200);
    assert_eq!(browser.heading().await, "Admin");
    browser.close().await;
}

/// Another port is another origin of the same site: its requests carry the cookie.
#[actix_web::test]
async fn a_form_of_another_origin_changes_nothing() {
    let site = Site::start();
    let form = format!(
        "<!DOCTYPE html><title>Evil</title><h1>Evil</h1>\
         <form method=post action='{}'><input name=name value=planted><input name=value value=1>\
         <button>Win</button></form><a href='{}'>Look</a>",
        site.at("/entries"),
        site.at("/"),
    );
    let (evil, _server) = serve_app!(1, {
        let form = form.clone();
        let show = move || {
            let form = form.clone();
            async move { HttpResponse::Ok().content_type("text/html").body(form) }
        };
        App::new().route("/", web::get().to(show))
    });
    let browser = Chromium::start().await;
    browser.open(&site, "/login").await;
    browser.log_in_as("alice", &[]).await;
    for host in ["127.0.0.1", "elsewhere.test"] {
        let url = evil.replace("127.0.0.1", host);
        browser.client.goto(&url).await.unwrap();
        browser.press("Win").await;
        assert_eq!(browser.path().await, "/entries");
        assert_eq!(browser.status().await, 403, "{host}");
        assert_eq!(browser.heading().await, "Not from here");
        let complaints = browser.complaints().await;
        let is_known = |text: &String| text.contains("403") || text.contains("favicon");
        assert!(complaints.iter().all(is_known), "{complaints:?}");

        // A link is no danger.
        browser.client.goto(&url).await.unwrap();
        browser.press("Look").await;
        assert_eq!(browser.heading().await, "Account", "{host}");
        assert_eq!(browser.rows().await, []);
        let complaints = browser.complaints().await;
        assert!(complaints.iter().all(is_known), "{complaints:?}");
    }
    browser.close().await;
}

#[actix_web::test]
async fn everything_is_done_with_the_keyboard_alone() {
    let site = Site::start();
    let browser = Chromium::start().await;
    browser.open(&site, "/login").await;
    browser.keys("alice").await;
    browser.tab_to("Keep me logged in").await;
    browser.keys(" ").await;
    browser.tab_to("Log in").await;
    browser.enter().await;
    assert_eq!(browser.heading().await, "Account");
    let facts = browser.element("dl").await.text().await.unwrap();
    assert!(facts.contains("Yes, on this device"), "{facts}");

    browser.tab_to("Skip to the content").await;
    browser.tab_to("Name").await;
    browser.keys("colour").await;
    browser.tab_to("Value").await;
    browser.keys("green").await;
    browser.enter().await;
    assert_eq!(browser.messages().await, ["“colour” is stored."]);

    browser.tab_to("Log out").await;
    browser.enter().await;
    assert_eq!(browser.heading().await, "Log in");
    assert_eq!(browser.messages().await, ["You are logged out."]);
    browser.close().await;
}

impl Chromium {
    /// Types into what has the focus.
    async fn keys(&self, keys: &str) {
        let focused = self.client.active_element().await.unwrap();
        focused.send_keys(keys).await.unwrap();
    }

    /// Presses Enter, and waits for the page that comes.
    async fn enter(&self) {
        let page = self.element("html").await;
        self.keys(&Key::Enter.to_string()).await;
        self.gone(&page).await;
    }

    /// Presses Tab until what is called so has the focus. Wherever the focus is, it can be seen.
    async fn tab_to(&self, name: &str) {
        let look = "const it = document.activeElement; const style = getComputedStyle(it);
            const label = it.labels?.[0]?.innerText ?? it.innerText;
            return [label.trim(), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2];";
        for _ in 0..40 {
            self.keys(&Key::Tab.to_string()).await;
            let focused = self.client.execute(look, vec![]).await.unwrap();
            assert_eq!(focused[1], true, "{focused}: the focus cannot be seen");
            if focused[0] == name {
                return;
            }
        }
        panic!("Tab never comes to {name}");
    }
}

#[actix_web::test]
async fn everything_is_done_without_javascript() {
    let site = Site::start();
    let browser = Chromium::with(Settings {
        without_javascript: true,
        ..Settings::default()
    })
    .await;
    // That it is off shows in a page whose script would say otherwise.
    let page =
        "data:text/html,<h1>off</h1><script>document.querySelector('h1').textContent='on'</script>";
    browser.client.goto(page).await.unwrap();
    assert_eq!(browser.heading().await, "off");

    browser.open(&site, "/sensitive").await;
    browser.log_in_as("alice", &[]).await;
    browser.press("Account").await;
    browser.store("colour", "green").await;
    assert_eq!(browser.messages().await, ["“colour” is stored."]);
    let found = browser.client.find_all(Locator::Css("tbody tr")).await;
    assert_eq!(found.unwrap().len(), 1);
    browser.press("Log out").await;
    assert_eq!(browser.heading().await, "Log in");
    assert_eq!(browser.messages().await, ["You are logged out."]);
    browser.close().await;
}
