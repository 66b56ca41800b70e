//! What somebody does in front of a browser.

use std::time::Duration;

use fantoccini::Locator;
use fantoccini::elements::Element;

use super::{Chromium, Site};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

impl Chromium {
    /// Goes to a page of the site and waits until it has loaded.
    pub async fn open(&self, site: &Site, path: &str) {
        self.client.goto(&site.at(path)).await.unwrap();
    }

    pub async fn element(&self, css: &str) -> Element {
        let found = self.client.find(Locator::Css(css)).await;
        found.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    /// Types into the field with this id, in the place of what stands there.
    pub async fn fill(&self, id: &str, text: &str) {
        let field = self.element(&format!("#{id}")).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses the button or follows the link that is called so, and waits for the page that comes.
    pub async fn press(&self, name: &str) {
        let quoted = format!("'{name}'");
        let path = format!(
            "//*[self::button or self::a][normalize-space()={quoted} or @aria-label={quoted}]"
        );
        let found = self.client.find(Locator::XPath(&path)).await;
        let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
        let page = self.element("html").await;
        found.click().await.unwrap();
        self.gone(&page).await;
    }

    /// Waits until an element's page was left.
    pub async fn gone(&self, element: &Element) {
        let wait = async {
            while element.tag_name().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap();
    }

    /// Logs in at the page that is open, which leads on.
    pub async fn log_in_as(&self, user: &str, roles: &[&str]) {
        self.fill("user", user).await;
        for role in roles {
            let role = format!("[name=role][value={role}]");
            self.element(&role).await.click().await.unwrap();
        }
        self.press("Log in").await;
    }

    /// Stores an entry by the form of the page that is open.
    pub async fn store(&self, name: &str, value: &str) {
        self.fill("entry-name", name).await;
        self.fill("entry-value", value).await;
        self.press("Add").await;
    }

    /// What the page is called.
    pub async fn heading(&self) -> String {
        self.element("h1").await.text().await.unwrap()
    }

    /// The messages on top, without their icons.
    pub async fn messages(&self) -> Vec<String> {
        self.texts("[role=status] .flash span:last-child").await
    }

    /// What is stored, as the table shows it.
    pub async fn rows(&self) -> Vec<(String, String)> {
        let names = self.texts("tbody th").await;
        let mut rows = Vec::new();
        let values = self
            .client
            .find_all(Locator::Css("tbody input:not([type=hidden])"));
        for (name, value) in names.into_iter().zip(values.await.unwrap()) {
            rows.push((name, value.prop("value").await.unwrap().unwrap()));
        }
        rows
    }

    /// What these elements show.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for element in self.client.find_all(Locator::Css(css)).await.unwrap() {
            texts.push(element.text().await.unwrap());
        }
        texts
    }

    /// The path that the browser shows, with its query.
    pub async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        let query = url.query().map(|query| format!("?{query}"));
        format!("{}{}", url.path(), query.unwrap_or_default())
    }

    /// The status that the page came with.
    pub async fn status(&self) -> u64 {
        let script = "return performance.getEntriesByType('navigation')[0].responseStatus;";
        let status = self.client.execute(script, vec![]).await.unwrap();
        status.as_u64().unwrap()
    }
}
