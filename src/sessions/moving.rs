//! Which cookie of another library sessions move in from.

use crate::cookie::{CookieSettings, PreviousCookie, Template};
use crate::error::ConfigError;
use crate::migrate::ActixSessionCookie;
use crate::time::{Lifetimes, UnixMillis};

/// The builder's setting.
pub(super) type Plan = ActixSessionCookie;

/// A cookie whose sessions move in.
#[derive(Debug)]
pub(super) struct Moving {
    pub(super) cookie: ActixSessionCookie,
    /// The Set-Cookie value that removes it; none if our cookie takes its place.
    pub(super) removal: Option<String>,
}

impl Moving {
    pub(super) fn prepare(
        plan: Option<Plan>,
        ours: CookieSettings,
        lifetimes: &Lifetimes,
        now: UnixMillis,
    ) -> Result<Option<Self>, ConfigError> {
        let Some(cookie) = plan else {
            return Ok(None);
        };
        // For so long the list remembers what ended a session.
        let longest = lifetimes
            .standard
            .absolute
            .max(lifetimes.remembered.absolute);
        if cookie.until() > now + longest {
            let problem = format!(
                "the old cookie is to be read until {}; at the most until {}, because the revocation list \
                 forgets logouts after the longest lifetime",
                cookie.until(),
                now + longest,
            );
            return Err(ConfigError::setting("migrate", problem));
        }
        let (domain, path) = cookie.scope();
        let theirs = PreviousCookie {
            name: cookie.name().to_owned(),
            domain: domain.map(str::to_owned),
            path: path.to_owned(),
        };
        let is_ours =
            (theirs.name == ours.name) && theirs.domain == ours.domain && theirs.path == ours.path;
        let settings = CookieSettings {
            previous: if is_ours { Vec::new() } else { vec![theirs] },
            ..ours
        };
        let template = Template::previous(&settings).map_err(|error| match error {
            ConfigError::Setting { problem, .. } => ConfigError::setting("migrate", problem),
            error => error,
        })?;
        let removal = template.first().map(|template| template.removal(0));
        Ok(Some(Self { cookie, removal }))
    }
}
