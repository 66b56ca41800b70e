//! Two browsers of one user, on the page that lists both.

use serde_json::json;
use support::MINUTE;

use super::{Chromium, Settings, Site};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 \
                      (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1";

#[actix_web::test]
async fn two_browsers_of_one_user_end_each_other_from_the_page_of_devices() {
    let mut site = Site::start();
    let laptop = Chromium::start().await;
    let phone = Chromium::with(Settings {
        without_javascript: true,
        ..Settings::default()
    })
    .await;
    for (browser, agent) in [(&laptop, FIREFOX), (&phone, IPHONE)] {
        browser.calls_itself(agent).await;
        browser.open(&site, "/devices").await;
        browser.log_in_as("alice", &[]).await;
        assert_eq!(browser.heading().await, "Devices");
    }
    site.advance(6 * MINUTE);
    laptop.press("Account").await;
    laptop.press("Where you are logged in").await;
    let both = ["Safari on iPhone", "Firefox on Linux This device"];
    assert_eq!(laptop.devices().await, both);
    laptop
        .press("Log out Safari on iPhone, last seen 6 minutes ago")
        .await;
    assert_eq!(laptop.heading().await, "Devices");
    assert_eq!(laptop.messages().await, ["That device is logged out."]);
    assert_eq!(laptop.devices().await, ["Firefox on Linux This device"]);

    phone.press("Devices").await;
    assert_eq!(phone.heading().await, "Log in");
    let why = ["This session was ended, by you or by an administrator."];
    assert_eq!(phone.messages().await, why);
    phone.log_in_as("alice", &[]).await;
    phone.press("Devices").await;
    let both = ["Safari on iPhone This device", "Firefox on Linux"];
    assert_eq!(phone.devices().await, both);
    phone
        .press("Log out Firefox on Linux, last seen just now")
        .await;
    assert_eq!(phone.devices().await, ["Safari on iPhone This device"]);
    laptop.client.refresh().await.unwrap();
    assert_eq!(laptop.heading().await, "Log in");
    assert_eq!(laptop.messages().await, why);

    // The one that is left logs itself out, here.
    phone
        .press("Log out Safari on iPhone, last seen just now")
        .await;
    assert_eq!(phone.heading().await, "Log in");
    assert_eq!(phone.messages().await, ["You are logged out."]);
    laptop.close().await;
    phone.close().await;
}

#[actix_web::test]
async fn an_administrator_ends_a_session_that_is_open_in_another_browser() {
    let site = Site::start();
    let (admin, phone) = (Chromium::start().await, Chromium::start().await);
    phone.calls_itself(IPHONE).await;
    phone.open(&site, "/login").await;
    phone.log_in_as("alice & bob", &[]).await;
    admin.open(&site, "/admin").await;
    admin.log_in_as("root", &["admin"]).await;
    admin.fill("user", "alice & bob").await;
    admin.press("Show").await;
    assert_eq!(admin.devices().await, ["Safari on iPhone"]);
    admin
        .press("Log out Safari on iPhone, last seen just now")
        .await;
    let told = ["“alice & bob” is logged out of “Safari on iPhone”."];
    assert_eq!(admin.messages().await, told);
    assert_eq!(admin.devices().await, [""; 0]);
    phone.client.refresh().await.unwrap();
    assert_eq!(phone.heading().await, "Log in");
    admin.close().await;
    phone.close().await;
}

impl Chromium {
    /// Sends another `User-Agent` from now on.
    pub async fn calls_itself(&self, agent: &str) {
        let agent = json!({ "userAgent": agent });
        self.devtools("Emulation.setUserAgentOverride", agent).await;
    }

    /// What the devices of the page are called, with the mark of this one.
    async fn devices(&self) -> Vec<String> {
        self.texts(".devices .device").await
    }
}
