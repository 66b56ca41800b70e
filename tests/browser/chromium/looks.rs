//! How the pages look: on a phone and on a desk, by day and by night.
//!
//! The pictures are kept in target/tmp, for whoever wants to look.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use support::{DAY, HOUR};

use super::{Chromium, Site};

const ANDROID: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                       Chrome/142.0.0.0 Mobile Safari/537.36";
const SAFARI: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 \
                      (KHTML, like Gecko) Version/26.0 Safari/605.1.15";

/// The paper's brightness, and how much wider the page is than the window.
const MEASURE: &str = "
    const colour = getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number);
    const root = document.documentElement;
    return [colour[0] + colour[1] + colour[2], root.scrollWidth - root.clientWidth, innerWidth];";

#[actix_web::test]
async fn every_page_fits_a_phone_and_a_desk_by_day_and_by_night() {
    let mut site = Site::start();
    let browser = Chromium::start().await;
    browser.open(&site, "/login").await;
    browser.looks("login").await;
    let long = "Wolfeschlegelsteinhausenbergerdorff".repeat(3);
    browser.log_in_as(&long, &[]).await;
    browser.store("colour", "green").await;
    let list = format!("[{}1]", "12345,".repeat(30));
    browser.store(&"long_name".repeat(12), &list).await;
    assert_eq!(browser.rows().await.len(), 2);
    browser.looks("account").await;
    browser.store("list", "[1, 2").await;
    browser.looks("refused").await;
    browser.press("Admin").await;
    browser.looks("forbidden").await;
    browser.complaints().await;
    browser.open(&site, "/sensitive").await;
    browser.looks("sensitive").await;
    // Well before the idle limit.
    site.advance(HOUR / 2);
    browser.open(&site, "/sensitive").await;
    browser.looks("confirm").await;
    browser.press("Log out").await;
    browser.looks("logged-out").await;
    browser.log_in_as("alice", &["admin"]).await;
    browser.press("Admin").await;
    browser.looks("admin").await;

    // Several devices, and all that a row can be.
    let other = Chromium::start().await;
    for (agent, ago) in [
        ("Wonderbrowser", DAY),
        (ANDROID, 3 * HOUR),
        (SAFARI, HOUR / 2),
    ] {
        other.calls_itself(agent).await;
        other.client.delete_all_cookies().await.unwrap();
        other.open(&site, "/devices").await;
        other
            .element("[name=remember]")
            .await
            .click()
            .await
            .unwrap();
        other.log_in_as(&long, &[]).await;
        site.advance(ago);
    }
    browser.client.delete_all_cookies().await.unwrap();
    browser.open(&site, "/devices").await;
    browser.log_in_as(&long, &["admin"]).await;
    browser.looks("devices").await;
    browser.press("Admin").await;
    browser.fill("user", &long).await;
    browser.press("Show").await;
    browser.looks("admin-devices").await;
    browser.fill("user", "nobody").await;
    browser.press("Show").await;
    browser.looks("admin-nobody").await;
    browser.close().await;
    other.close().await;
}

impl Chromium {
    /// Judges the page that is open, and keeps pictures of it.
    async fn looks(&self, name: &str) {
        for (device, width) in [("phone", 320), ("tablet", 768), ("desk", 1280)] {
            let size = json!({
                "width": width, "height": 740, "deviceScaleFactor": 1, "mobile": device == "phone",
            });
            self.devtools("Emulation.setDeviceMetricsOverride", size)
                .await;
            for (scheme, is_bright) in [("light", true), ("dark", false)] {
                let still = json!({ "name": "prefers-reduced-motion", "value": "reduce" });
                let colours = json!({ "name": "prefers-color-scheme", "value": scheme });
                let media = json!({ "features": [still, colours] });
                self.devtools("Emulation.setEmulatedMedia", media).await;
                let measured = self.client.execute(MEASURE, vec![]).await.unwrap();
                let brightness = measured[0].as_u64().unwrap();
                assert_eq!(brightness > 384, is_bright, "{name}: {measured}");
                assert_eq!(measured[1], 0, "{name}: it scrolls sideways");
                assert_eq!(measured[2], width, "{name}");
                let whole = json!({ "captureBeyondViewport": true });
                let picture = self.devtools("Page.captureScreenshot", whole).await;
                keep(&format!("{name}-{device}-{scheme}.png"), &picture["data"]);
            }
        }
    }
}

fn keep(name: &str, picture: &Value) {
    let bytes = STANDARD.decode(picture.as_str().unwrap()).unwrap();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(file, bytes).unwrap();
}
