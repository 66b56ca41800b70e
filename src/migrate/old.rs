//! Reading the cookie of actix-session 0.11.
//!
//! 1. Its `CookieSessionStore` keeps a JSON object of texts, each the JSON of one entry: 4,064 bytes at the
//!    most.
//! 2. Its middleware seals that with the crate `cookie` 0.16: encrypted (AES-256-GCM, the cookie's name is
//!    associated data) or signed (HMAC-SHA256, the name is not part of it), in base64, percent-encoded. Release
//!    0.18 opens both.
//! 3. What does not open, or does not read as that, is no session, and stays as it is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ::cookie::{Cookie, CookieJar, Key};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ConfigError;
use crate::time::UnixMillis;

/// How many values of the name may cost a run of the cipher.
const MAX_OPENED: usize = 4;
/// The largest content, as actix-session has it.
const MAX_CONTENT: usize = 4064;
/// What that takes at the most: in base64, with each character percent-encoded.
const MAX_VALUE: usize = 3 * (MAX_CONTENT + 48).div_ceil(3) * 4;

type Subject = dyn Fn(&OldEntries) -> Option<String> + Send + Sync;

/// The cookie that actix-session's `CookieSessionStore` kept its sessions in, and until when it is read. Given
/// to [`SessionsBuilder::migrate`](crate::SessionsBuilder::migrate).
#[derive(Clone)]
pub struct ActixSessionCookie {
    pub(crate) name: String,
    pub(crate) domain: Option<String>,
    pub(crate) path: String,
    key: Key,
    content: Content,
    pub(crate) until: UnixMillis,
    pub(crate) remember: bool,
    subject: Option<Arc<Subject>>,
}

/// actix-session's `CookieContentSecurity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Private,
    Signed,
}

impl ActixSessionCookie {
    /// The cookie of this name (actix-session's default: `id`), encrypted under `key`, below the path `/` of
    /// the host alone. It is read before `until`, which lies no further ahead than the longest lifetime of a
    /// session, by the [clock](crate::SessionsBuilder::clock) of the sessions.
    ///
    /// `key` is what `actix_web::cookie::Key` was made from with `Key::from`, 64 bytes or more. Whatever it was
    /// made from, `Key::master` gives these bytes.
    ///
    /// # Errors
    /// When the key is shorter.
    pub fn new(
        name: impl Into<String>,
        key: &[u8],
        until: UnixMillis,
    ) -> Result<Self, ConfigError> {
        let key = Key::try_from(key).map_err(|_| {
            let problem =
                "the key of actix-session's cookies has 64 bytes or more; Key::master() gives them";
            ConfigError::setting("migrate", problem)
        })?;
        Ok(Self {
            name: name.into(),
            domain: None,
            path: "/".to_owned(),
            key,
            content: Content::Private,
            until,
            remember: false,
            subject: None,
        })
    }

    /// For `cookie_content_security(CookieContentSecurity::Signed)`. Default: encrypted, as actix-session's.
    pub fn signed(mut self) -> Self {
        self.content = Content::Signed;
        self
    }

    /// The cookie's `Domain`, without which it is not removed. Default: none.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// The cookie's `Path`, without which it is not removed. Default: `/`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Names the user of an old session: the subject of
    /// [`Session::authenticate`](crate::Session::authenticate). `None` makes it anonymous. Where the name is
    /// no subject (1 to 255 bytes) the session is not taken over.
    ///
    /// Called for each request that carries the old cookie. Default: every session is anonymous. An
    /// application whose users are known by an entry should name them: what ends a user's sessions ends these
    /// by that alone.
    pub fn subject(
        mut self,
        name: impl Fn(&OldEntries) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.subject = Some(Arc::new(name));
        self
    }

    /// Whether logins that are taken over are of the class "keep me logged in", as
    /// [`Login::remember`](crate::Login::remember): for applications with `PersistentSession`. Default: no.
    pub fn remember(mut self, remember: bool) -> Self {
        self.remember = remember;
        self
    }
}

impl ActixSessionCookie {
    /// Who the old session's user is.
    pub(crate) fn user(&self, entries: &OldEntries) -> Option<String> {
        self.subject.as_ref()?(entries)
    }

    /// Whether no two browsers hold the same cookie unless it was copied: encrypted ones have a nonce.
    pub(crate) fn is_unique(&self) -> bool {
        self.content == Content::Private
    }

    /// The authentic ones among the first of a request's cookies, if their time has not passed.
    pub(crate) fn find<'h>(
        &self,
        lines: impl Iterator<Item = &'h [u8]>,
        now: UnixMillis,
    ) -> impl Iterator<Item = OldSession> {
        let lines = (now < self.until).then_some(lines);
        lines
            .into_iter()
            .flatten()
            .flat_map(|line| line.split(|byte| *byte == b';'))
            .filter_map(|pair| {
                let value = pair.trim_ascii_start().strip_prefix(self.name.as_bytes())?;
                value.strip_prefix(b"=")
            })
            .take(MAX_OPENED)
            .filter_map(|value| self.open(value))
    }

    fn open(&self, value: &[u8]) -> Option<OldSession> {
        if value.len() > MAX_VALUE {
            return None;
        }
        let pair = format!("{}={}", self.name, str::from_utf8(value).ok()?);
        let sealed = Cookie::parse_encoded(pair).ok()?;
        let token = sealed.value().to_owned();
        let jar = CookieJar::new();
        let opened = match self.content {
            Content::Private => jar.private(&self.key).decrypt(sealed)?,
            Content::Signed => jar.signed(&self.key).verify(sealed)?,
        };
        if opened.value().len() > MAX_CONTENT {
            return None;
        }
        let entries = serde_json::from_str(opened.value()).ok()?;
        let entries = OldEntries(entries);
        Some(OldSession { token, entries })
    }
}

// Tells neither the key nor whose sessions they are.
redacted!(ActixSessionCookie: |it| name = it.name, content = it.content, until = it.until);

/// What an authentic cookie of actix-session holds.
pub(crate) struct OldSession {
    /// The cookie's value as it was sealed: the same for every copy.
    pub(crate) token: String,
    pub(crate) entries: OldEntries,
}

/// The entries of a session of actix-session.
pub struct OldEntries(BTreeMap<String, String>);

impl OldEntries {
    /// Reads an entry; `None` if there is none of this name, or it is of another type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.get(name)?).ok()
    }

    /// Name and value of each; without a value where that is not JSON, or is nested more than 127 levels deep.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Option<Value>)> {
        let all = self.0.iter();
        all.map(|(name, text)| (name.as_str(), serde_json::from_str(text).ok()))
    }
}

/// Tells the names and not the values, which may be personal.
impl fmt::Debug for OldEntries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
