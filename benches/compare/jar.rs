//! The private jar of the crate cookie 0.18 (AES-256-GCM), with the entries as JSON in it.
//!
//! Without percent-encoding, which its cookies do not need and which would only slow it down.

use std::collections::BTreeMap;

use cookie::{Cookie, CookieJar, Key, SameSite};
use serde_json::Value;

use crate::common::shapes::{self, CHANGED, CSRF, READ, Size, USER};

const NAME: &str = "__Host-session";

pub struct Jar {
    key: Key,
    header: String,
    changed: BTreeMap<String, Value>,
}

impl Jar {
    pub fn new(size: Size) -> Self {
        let mut entries = size.entries();
        entries.insert("user".into(), USER.into());
        let mut jar = Self {
            key: Key::generate(),
            header: String::new(),
            changed: entries,
        };
        let cookie = jar.write();
        let (name, value) = shapes::pair(&cookie);
        jar.header = shapes::header(name, value);
        let tampered = Self {
            key: jar.key.clone(),
            header: shapes::tampered(&jar.header, value),
            changed: BTreeMap::new(),
        };
        assert_eq!(jar.read().as_deref(), Some(CSRF));
        assert_eq!(tampered.read(), None);
        jar.changed.insert(READ.into(), CHANGED.into());
        jar
    }

    /// The header's bytes to one entry, and so to all of them: there is one JSON.
    pub fn read(&self) -> Option<String> {
        let header = str::from_utf8(self.header.as_bytes()).ok()?;
        let mut jar = CookieJar::new();
        for cookie in Cookie::split_parse(header).flatten() {
            jar.add_original(cookie.into_owned());
        }
        let cookie = jar.private(&self.key).get(NAME)?;
        let entries: BTreeMap<String, Value> = serde_json::from_str(cookie.value()).ok()?;
        Some(entries.get(READ)?.as_str()?.to_owned())
    }

    pub fn write(&self) -> String {
        let text = serde_json::to_string(&self.changed).unwrap();
        let cookie = Cookie::build((NAME, text))
            .path("/")
            .http_only(true)
            .secure(true)
            .same_site(SameSite::Lax);
        let mut jar = CookieJar::new();
        jar.private_mut(&self.key).add(cookie);
        jar.delta().next().unwrap().to_string()
    }
}
