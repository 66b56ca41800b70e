//! jsonwebtoken with HS256: signed and not encrypted, so whoever has the cookie can read it.

use std::collections::BTreeMap;

use cookie::{Cookie, SameSite};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::common::shapes::{self, CHANGED, CSRF, READ, Size, USER};

const NAME: &str = "__Host-session";

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
    entries: BTreeMap<String, Value>,
}

pub struct Token {
    sealing: EncodingKey,
    opening: DecodingKey,
    validation: Validation,
    header: String,
    changed: Claims,
}

impl Token {
    pub fn new(size: Size) -> Self {
        let secret = [0x42; 32];
        let mut token = Self {
            sealing: EncodingKey::from_secret(&secret),
            opening: DecodingKey::from_secret(&secret),
            validation: Validation::default(),
            header: String::new(),
            changed: Claims {
                sub: USER.into(),
                exp: jsonwebtoken::get_current_timestamp() + 24 * 3600,
                entries: size.entries(),
            },
        };
        let cookie = token.write();
        let (name, value) = shapes::pair(&cookie);
        token.header = shapes::tampered(&shapes::header(name, value), value);
        assert_eq!(token.read(), None);
        token.header = shapes::header(name, value);
        assert_eq!(token.read().as_deref(), Some(CSRF));
        token.changed.entries.insert(READ.into(), CHANGED.into());
        token
    }

    pub fn read(&self) -> Option<String> {
        let header = str::from_utf8(self.header.as_bytes()).ok()?;
        let mut cookies = Cookie::split_parse(header).flatten();
        let cookie = cookies.find(|cookie| cookie.name() == NAME)?;
        let token =
            jsonwebtoken::decode::<Claims>(cookie.value(), &self.opening, &self.validation).ok()?;
        Some(token.claims.entries.get(READ)?.as_str()?.to_owned())
    }

    pub fn write(&self) -> String {
        let text = jsonwebtoken::encode(&Header::default(), &self.changed, &self.sealing).unwrap();
        Cookie::build((NAME, text))
            .path("/")
            .http_only(true)
            .secure(true)
            .same_site(SameSite::Lax)
            .to_string()
    }
}
