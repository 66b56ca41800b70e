//! The cookie itself: its name, attributes and size.
//!
//! 1. Settings that contradict each other are refused when they are made, because browsers drop such
//!    cookies without a word.
//! 2. A removal carries the same attributes as the creation, or browsers ignore it.
//! 3. HttpOnly is not a setting: nothing in a browser could use what is in the cookie.

use std::fmt::Write;

use ::cookie::Cookie;
use time::OffsetDateTime;

use crate::error::ConfigError;
use crate::wire::chunks::{self, CookieRoom, MAX_CHUNKS, MAX_COOKIE};

/// How the session cookie is named and scoped.
///
/// The defaults are the strictest that work for most applications: `__Host-session`, `Path=/`,
/// `Secure`, `HttpOnly`, `SameSite=Lax`, no `Domain` (OWASP ASVS 5.0, 3.3.1 to 3.3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieSettings {
    /// The cookie's name. `__Host-` and `__Secure-` promise attributes that must then be set.
    /// Default: `__Host-session`.
    pub name: String,
    /// Below which path the browser sends it. Default: `/`.
    pub path: String,
    /// To which domain and its subdomains the browser sends it. Default: none, the host alone.
    pub domain: Option<String>,
    /// Whether the browser sends it over https only. Default: yes.
    pub secure: bool,
    /// Whether other sites' requests carry it. Default: [`SameSite::Lax`].
    pub same_site: SameSite,
    /// Whether an embedded page has a cookie jar for each site that embeds it (CHIPS). Default: no.
    pub partitioned: bool,
    /// Over how many cookies a large session may be spread, 1 to 8. Each is at most 4096 bytes; many
    /// proxies refuse more than 8 KiB of headers. Default: 1.
    pub max_chunks: u8,
}

/// Which requests from other sites carry the cookie (RFC 6265bis, section 5.5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SameSite {
    /// None, not even following a link.
    Strict,
    /// Only following a link.
    Lax,
    /// All. Needs [`CookieSettings::secure`].
    None,
}

impl Default for CookieSettings {
    fn default() -> Self {
        Self {
            name: "__Host-session".into(),
            path: "/".into(),
            domain: None,
            secure: true,
            same_site: SameSite::Lax,
            partitioned: false,
            max_chunks: 1,
        }
    }
}

impl CookieSettings {
    /// For development over plain http: named `session` and not `Secure`. Anyone on the network path
    /// can take such a cookie.
    pub fn plain_http() -> Self {
        Self {
            name: "session".into(),
            secure: false,
            ..Self::default()
        }
    }
}

/// What `=` and `; Max-Age=` with its number take at the most.
const MAX_AGE: usize = 1 + 10 + 20;

/// Valid settings, ready to render.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    settings: CookieSettings,
    /// All but the name, the value and Max-Age, as they are rendered.
    attributes: String,
    room: CookieRoom,
}

impl Template {
    pub(crate) fn new(settings: CookieSettings) -> Result<Self, ConfigError> {
        validate(&settings)?;
        let mut template = Self {
            room: CookieRoom {
                overhead: 0,
                max_chunks: settings.max_chunks,
            },
            attributes: String::new(),
            settings,
        };
        let rendered = template.cookie(0, "").to_string();
        let (_, attributes) = rendered.split_once('=').unwrap_or_default();
        template.attributes = attributes.to_owned();
        let longest = crate::lifetime::LONGEST.as_secs();
        template.room.overhead = template.render(0, "", Some(longest)).len();
        if template.room.overhead > MAX_COOKIE / 2 {
            let problem = "name and attributes leave too little room for a session";
            return Err(ConfigError::setting("cookie.name", problem));
        }
        Ok(template)
    }

    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    pub(crate) fn room(&self) -> CookieRoom {
        self.room
    }

    /// One Set-Cookie header's value. `max_age` in seconds; without it the cookie ends with the browser.
    pub(crate) fn render(&self, index: u8, value: &str, max_age: Option<u64>) -> String {
        let name = chunks::name(&self.settings.name, index);
        let room = name.len() + value.len() + self.attributes.len() + MAX_AGE;
        let mut text = String::with_capacity(room);
        for part in [&name, "=", value, &self.attributes] {
            text.push_str(part);
        }
        if let Some(seconds) = max_age {
            // Writing to a String does not fail.
            let _ = write!(text, "; Max-Age={seconds}");
        }
        text
    }

    /// The Set-Cookie value that removes the cookie from the browser.
    pub(crate) fn removal(&self, index: u8) -> String {
        let mut cookie = self.cookie(index, "");
        cookie.set_max_age(time::Duration::ZERO);
        cookie.set_expires(OffsetDateTime::UNIX_EPOCH);
        cookie.to_string()
    }

    fn cookie<'v>(&self, index: u8, value: &'v str) -> Cookie<'v> {
        let settings = &self.settings;
        let name = chunks::name(&settings.name, index).into_owned();
        let mut cookie = Cookie::build((name, value))
            .path(settings.path.clone())
            .http_only(true)
            .secure(settings.secure)
            .same_site(match settings.same_site {
                SameSite::Strict => ::cookie::SameSite::Strict,
                SameSite::Lax => ::cookie::SameSite::Lax,
                SameSite::None => ::cookie::SameSite::None,
            })
            .build();
        if let Some(domain) = &settings.domain {
            cookie.set_domain(domain.clone());
        }
        if settings.partitioned {
            cookie.set_partitioned(true);
        }
        cookie
    }
}

fn validate(settings: &CookieSettings) -> Result<(), ConfigError> {
    let name = settings.name.as_str();
    let refuse = |setting, problem: &str| Err(ConfigError::setting(setting, problem));
    if name.is_empty() || name.len() > 128 || !name.bytes().all(is_token) {
        return refuse(
            "cookie.name",
            "must be 1 to 128 letters, digits or characters of !#$%&'*+-.^_`|~",
        );
    }
    if chunk_index(name).is_some() {
        return refuse(
            "cookie.name",
            "must not end in a full stop and a digit: such names belong to the parts of large sessions",
        );
    }
    if settings.max_chunks == 0 || settings.max_chunks > MAX_CHUNKS {
        return refuse("cookie.max_chunks", "must be 1 to 8");
    }
    // RFC 6265bis, section 5.6: browsers ignore an attribute with a longer value.
    let longest = settings
        .path
        .len()
        .max(settings.domain.as_ref().map_or(0, String::len));
    if longest > 1024 {
        return refuse(
            "cookie.path",
            "and `cookie.domain` must not exceed 1024 bytes",
        );
    }
    if !settings.path.starts_with('/') || !settings.path.bytes().all(is_attribute) {
        return refuse(
            "cookie.path",
            "must begin with / and hold no ; or control characters",
        );
    }
    if let Some(domain) = &settings.domain
        && (domain.is_empty()
            || !domain
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'))
    {
        return refuse("cookie.domain", "must be a host name such as example.org");
    }
    // Browsers compare the prefixes without case (RFC 6265bis, section 5.7).
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("__host-")
        && (!settings.secure || settings.path != "/" || settings.domain.is_some())
    {
        return refuse(
            "cookie.name",
            "the prefix __Host- promises secure = true, path = \"/\" and no domain; over plain http choose another name",
        );
    }
    if lower.starts_with("__secure-") && !settings.secure {
        return refuse("cookie.name", "the prefix __Secure- promises secure = true");
    }
    if settings.same_site == SameSite::None && !settings.secure {
        return refuse("cookie.same_site", "\"none\" needs secure = true");
    }
    if settings.partitioned && !settings.secure {
        return refuse("cookie.partitioned", "needs secure = true");
    }
    Ok(())
}

/// A character of a cookie's name (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A character of an attribute's value (RFC 6265, section 4.1.1).
fn is_attribute(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) && byte != b';'
}

/// The index of a chunk's name, if it is one.
fn chunk_index(name: &str) -> Option<u8> {
    let (_, last) = name.rsplit_once('.')?;
    match last.as_bytes() {
        [digit @ b'1'..=b'9'] => Some(digit - b'0'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removal_has_the_attributes_of_the_creation() {
        let settings = CookieSettings {
            name: "__Secure-s".into(),
            domain: Some("example.org".into()),
            path: "/shop".into(),
            same_site: SameSite::None,
            partitioned: true,
            ..CookieSettings::default()
        };
        let template = Template::new(settings).unwrap();
        let attributes = |text: String| {
            let mut parts: Vec<_> = text.split("; ").skip(1).map(str::to_owned).collect();
            parts.retain(|part| !part.starts_with("Max-Age") && !part.starts_with("Expires"));
            parts.sort();
            parts
        };
        assert_eq!(
            attributes(template.render(0, "value", None)),
            attributes(template.removal(0)),
        );
        assert_eq!(attributes(template.removal(0)).len(), 6);
    }

    #[test]
    fn a_cookie_is_what_the_crate_renders() {
        let settings = CookieSettings {
            path: "/shop".into(),
            partitioned: true,
            ..CookieSettings::default()
        };
        for settings in [settings, CookieSettings::plain_http()] {
            let template = Template::new(CookieSettings {
                name: "s".into(),
                domain: Some("example.org".into()),
                ..settings
            });
            let template = template.unwrap();
            for index in [0, 3] {
                let mut cookie = template.cookie(index, "value");
                assert_eq!(template.render(index, "value", None), cookie.to_string());
                cookie.set_max_age(time::Duration::DAY);
                assert_eq!(
                    template.render(index, "value", Some(86_400)),
                    cookie.to_string()
                );
            }
        }
    }

    #[test]
    fn the_overhead_covers_every_cookie_that_is_rendered() {
        let template = Template::new(CookieSettings::default()).unwrap();
        let long = template.render(0, "", Some(crate::lifetime::LONGEST.as_secs()));
        assert_eq!(template.room().overhead, long.len());
        assert!(template.render(0, "", None).len() < long.len());
    }

    #[test]
    fn contradictions_are_refused() {
        let changes: [fn(&mut CookieSettings); 15] = [
            |c| c.secure = false,
            |c| c.path = "/app".into(),
            |c| c.domain = Some("example.org".into()),
            |c| {
                *c = CookieSettings {
                    name: "__SECURE-x".into(),
                    ..CookieSettings::plain_http()
                }
            },
            |c| {
                *c = CookieSettings {
                    same_site: SameSite::None,
                    ..CookieSettings::plain_http()
                }
            },
            |c| {
                *c = CookieSettings {
                    partitioned: true,
                    ..CookieSettings::plain_http()
                }
            },
            |c| c.name = String::new(),
            |c| c.name = "a b".into(),
            |c| c.name = "a=b".into(),
            |c| c.name = "a.3".into(),
            |c| {
                *c = CookieSettings {
                    path: format!("/{}", "x".repeat(1024)),
                    ..CookieSettings::plain_http()
                }
            },
            |c| c.max_chunks = 0,
            |c| c.max_chunks = 9,
            |c| {
                *c = CookieSettings {
                    path: "app".into(),
                    ..CookieSettings::plain_http()
                }
            },
            |c| {
                *c = CookieSettings {
                    domain: Some("a;b".into()),
                    ..CookieSettings::plain_http()
                }
            },
        ];
        for change in changes {
            let mut settings = CookieSettings::default();
            change(&mut settings);
            assert!(Template::new(settings.clone()).is_err(), "{settings:?}");
        }
        Template::new(CookieSettings::plain_http()).unwrap();
    }
}
