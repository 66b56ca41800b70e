//! The sessions that are measured: the same entries for everyone, in three sizes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// How large a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A user, a token against forged requests, a setting: about 100 bytes as a record.
    Small,
    /// The twelve entries of an ordinary application: about 430.
    Medium,
    /// Thirty entries: about 2,400, beyond which a cookie is full soon.
    Large,
}

pub const SIZES: [Size; 3] = [Size::Small, Size::Medium, Size::Large];

/// Who is logged in. Others keep it as an entry, which is counted with theirs.
pub const USER: &str = "user-48151623";
/// The entry that is read.
pub const READ: &str = "csrf";
pub const CSRF: &str = "kq3v9ZtYw2mPxB7cLr8Jfg";
/// What the entry becomes in a session that is changed, no shorter and no longer.
pub const CHANGED: &str = "Uo4hNd6sQe1aTi5yGz0Wkp";

impl Size {
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }

    pub fn named(name: &str) -> Self {
        let mut sizes = SIZES.into_iter();
        sizes.find(|size| size.name() == name).expect("a size")
    }

    /// What the application keeps, without the user.
    pub fn entries(self) -> BTreeMap<String, Value> {
        let mut entries = BTreeMap::from([
            (READ.to_owned(), json!(CSRF)),
            ("theme".to_owned(), json!("dark")),
        ]);
        if self != Self::Small {
            let more = [
                ("signed_up", json!("2024-02-29T11:45:12Z")),
                ("locale", json!("en-GB")),
                ("timezone", json!("Europe/Amsterdam")),
                ("visits", json!(1742)),
                ("consent", json!(true)),
                ("plan", json!("professional-yearly")),
                ("last_page", json!("/orders/2026/11/48151623?tab=invoices")),
                ("referrer", json!("https://search.example.org/results")),
                ("cart", json!("0b6f2c9e-4f57-4f0e-9a55-1d6c3f0b7a21")),
                (
                    "flash",
                    json!("Your changes have been saved. Thank you very much!"),
                ),
            ];
            entries.extend(more.map(|(name, value)| (name.to_owned(), value)));
        }
        if self == Self::Large {
            let line =
                "a page that was looked at, with its title and the place in it where it was left";
            let more = (0..18).map(|nth| {
                (
                    format!("recent.{nth:02}"),
                    json!(format!("{nth:016} {line}")),
                )
            });
            entries.extend(more);
        }
        entries
    }
}

/// A Cookie header of three cookies: the session's is neither the first nor the last.
pub fn header(name: &str, value: &str) -> String {
    format!("consent=2026-11-21.all; {name}={value}; _ga=GA1.1.1043215987.1795248000")
}

/// The name and value that a Set-Cookie header gives to the browser.
pub fn pair(set_cookie: &str) -> (&str, &str) {
    let (pair, _) = set_cookie.split_once(';').expect("it has attributes");
    pair.split_once('=').expect("it has a name and a value")
}

/// The header with one character in the middle of the session's cookie changed.
pub fn tampered(header: &str, value: &str) -> String {
    let at = header.find(value).expect("the value is in the header") + value.len() / 2;
    let (before, rest) = header.split_at(at);
    let other = if rest.starts_with('A') { 'B' } else { 'A' };
    let changed = format!("{before}{other}{}", &rest[1..]);
    assert_ne!(changed, header);
    changed
}
