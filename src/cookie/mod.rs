//! The cookie itself: its name, attributes and size.
//!
//! 1. Settings that contradict each other are refused when they are made, because browsers drop such
//!    cookies without a word.
//! 2. A removal carries the same attributes as the creation, or browsers ignore it.
//! 3. HttpOnly is not a setting: nothing in a browser could use what is in the cookie.

mod settings;
mod validate;

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use ::cookie::Cookie;

use crate::error::ConfigError;
use crate::wire::chunks::{self, CookieRoom};
use validate::validate;

use settings::ACTIVITY;
pub use settings::{CookieSettings, PreviousCookie, SameSite, SiteData};

/// The most that `; Max-Age=` with its number takes.
const MAX_AGE: usize = 10 + 20;

/// Valid settings, ready to render.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    pub(crate) settings: CookieSettings,
    /// All but the name, the value and Max-Age, as they are rendered.
    attributes: String,
    pub(crate) room: CookieRoom,
    /// The header's value that a logout sends, if it is to clear more than the cookie.
    pub(crate) clear_site_data: Option<Arc<str>>,
}

impl Template {
    pub(crate) fn new(settings: CookieSettings) -> Result<Self, ConfigError> {
        validate(&settings)?;
        let mut template = Self {
            room: CookieRoom {
                overhead: 0,
                max_bytes: settings.max_bytes,
                max_chunks: settings.max_chunks,
            },
            attributes: String::new(),
            clear_site_data: clear_site_data(&settings.clear_site_data),
            settings,
        };
        let rendered = template.cookie("", "").to_string();
        let (_, attributes) = rendered.split_once('=').unwrap_or_default();
        template.attributes = attributes.to_owned();
        let longest = crate::time::LONGEST.as_secs();
        template.room.overhead = template.render(template.name(), "", Some(longest)).len();
        if template.room.overhead > template.room.max_bytes / 2 {
            let problem = "name and attributes leave too little room for a session";
            return Err(ConfigError::setting("cookie.name", problem));
        }
        Ok(template)
    }

    /// The cookies of earlier settings, which have today's other attributes: a browser does not tell cookies
    /// apart by them.
    ///
    /// # Errors
    /// When one is not valid, is today's cookie, or stands there twice.
    pub(crate) fn previous(settings: &CookieSettings) -> Result<Vec<Self>, ConfigError> {
        let refuse = |problem: String| Err(ConfigError::setting("cookie.previous", problem));
        let mut taken = vec![Self::new(settings.clone())?.identity()];
        let mut templates = Vec::new();
        for previous in &settings.previous {
            let promises = previous.name.to_ascii_lowercase();
            let promises = promises.starts_with("__host-") || promises.starts_with("__secure-");
            let template = Self::new(CookieSettings {
                name: previous.name.clone(),
                domain: previous.domain.clone(),
                path: previous.path.clone(),
                secure: settings.secure || promises,
                previous: Vec::new(),
                ..settings.clone()
            });
            let template = match template {
                Ok(template) => template,
                Err(error) => return refuse(format!("{:?}: {error}", previous.name)),
            };
            if taken.contains(&template.identity()) {
                return refuse(format!(
                    "{:?} with this domain and path is the cookie that is in use, or stands here twice",
                    previous.name
                ));
            }
            taken.push(template.identity());
            templates.push(template);
        }
        Ok(templates)
    }

    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    /// Name, domain and path: browsers tell cookies apart by these (RFC 6265bis, section 5.7).
    pub(crate) fn identity(&self) -> [Option<String>; 3] {
        let CookieSettings {
            name, domain, path, ..
        } = &self.settings;
        let domain = domain.as_ref().map(|it| it.to_ascii_lowercase());
        [Some(name.clone()), domain, Some(path.clone())]
    }

    /// The name of the cookie that carries chunk `index`.
    pub(crate) fn chunk_name(&self, index: u8) -> Cow<'_, str> {
        chunks::name(&self.settings.name, index)
    }

    /// The name of the activity cookie, which has the attributes of the session's.
    pub(crate) fn activity_name(&self) -> String {
        format!("{}{ACTIVITY}", self.settings.name)
    }

    /// One Set-Cookie header's value. `max_age` in seconds; without it the cookie ends with the browser.
    pub(crate) fn render(&self, name: &str, value: &str, max_age: Option<u64>) -> String {
        self.render_with(name, value.len(), max_age, |text| text.push_str(value))
    }

    /// The same of a value of so many bytes, which `write` puts at the end.
    pub(crate) fn render_with(
        &self,
        name: &str,
        length: usize,
        max_age: Option<u64>,
        write: impl FnOnce(&mut String),
    ) -> String {
        let around = "=".len() + self.attributes.len();
        let room = name.len() + length + around + max_age.map_or(0, |_| MAX_AGE);
        let mut text = String::with_capacity(room);
        text.push_str(name);
        text.push('=');
        write(&mut text);
        text.push_str(&self.attributes);
        if let Some(seconds) = max_age {
            // Writing to a String does not fail.
            let _ = write!(text, "; Max-Age={seconds}");
        }
        text
    }

    /// The Set-Cookie value that removes the cookie from the browser.
    pub(crate) fn removal(&self, name: &str) -> String {
        self.render(name, "", Some(0)) + "; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    }

    fn cookie<'v>(&self, name: &'v str, value: &'v str) -> Cookie<'v> {
        let settings = &self.settings;
        let mut cookie = Cookie::build((name, value))
            .path(settings.path.clone())
            .http_only(true)
            .secure(settings.secure)
            .same_site(match settings.same_site {
                SameSite::Strict => ::cookie::SameSite::Strict,
                SameSite::Lax => ::cookie::SameSite::Lax,
                SameSite::None => ::cookie::SameSite::None,
            })
            .partitioned(settings.partitioned)
            .build();
        if let Some(domain) = &settings.domain {
            cookie.set_domain(domain.clone());
        }
        cookie
    }
}

fn clear_site_data(what: &[SiteData]) -> Option<Arc<str>> {
    let quoted = what.iter().map(|it| format!("\"{}\"", it.name()));
    let list = quoted.collect::<Vec<_>>().join(", ");
    (!what.is_empty()).then(|| list.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_what_the_crate_renders() {
        let settings = CookieSettings {
            path: "/shop".into(),
            partitioned: true,
            same_site: SameSite::None,
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
                let name = template.chunk_name(index);
                let mut cookie = template.cookie(&name, "value");
                assert_eq!(template.render(&name, "value", None), cookie.to_string());
                cookie.set_max_age(time::Duration::DAY);
                let rendered = template.render(&name, "value", Some(86_400));
                assert_eq!(rendered, cookie.to_string());
            }
            for name in [template.name(), &template.activity_name()] {
                let mut removal = template.cookie(name, "");
                removal.set_max_age(time::Duration::ZERO);
                removal.set_expires(time::OffsetDateTime::UNIX_EPOCH);
                assert_eq!(template.removal(name), removal.to_string());
            }
        }
    }

    #[test]
    fn the_overhead_covers_every_cookie_that_is_rendered() {
        let template = Template::new(CookieSettings::default()).unwrap();
        let long = template.render(template.name(), "", Some(crate::time::LONGEST.as_secs()));
        assert_eq!(template.room.overhead, long.len());
        assert!(template.render(template.name(), "", None).len() < long.len());
    }
}
