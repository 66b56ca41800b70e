//! Requests that another site makes a browser send (cross-site request forgery).
//!
//! A browser says where a request comes from, and no page can change what it says. So no tokens are needed: the rules
//! are those of `CrossOriginProtection` in Go's `net/http`.
//!
//! 1. A request is looked at if it can change something: any method but GET, HEAD and OPTIONS, and any that asks for
//!    another protocol (a WebSocket).
//! 2. `Sec-Fetch-Site` decides. Only `same-origin` and `none` (the user did it, not a page) are fine. `same-site` is not:
//!    a sibling subdomain is another application.
//! 3. Without it `Origin` decides: its host and port have to be those that the request is for.
//! 4. Without either it was no browser of today.
//! 5. Trusted origins and exempt paths are let through. On an exempt path such a request begins no session but by a
//!    login.
//! 6. Who must have tokens sets the mode `token`. Then what these rules let through needs a token of its session besides,
//!    but for exempt paths and what asks for another protocol: a browser can give that neither header nor body.

mod names;
mod origin;
mod settings;

use std::sync::Arc;

pub(crate) use self::names::TokenNames;
pub use self::settings::{CsrfMode, CsrfSettings};

use self::origin::Origin;
use crate::error::ConfigError;

/// The parts of a request's head that tell where it comes from.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct RequestSource<'h> {
    /// The method, in capitals.
    pub method: &'h str,
    /// The path as it was sent, not decoded.
    pub path: &'h str,
    /// What the request is for: the authority of its target (HTTP/2), else the value of `Host`. Not what a proxy says
    /// in other headers.
    pub host: &'h str,
    /// The value of `Sec-Fetch-Site`.
    pub sec_fetch_site: Option<&'h [u8]>,
    /// The value of `Origin`.
    pub origin: Option<&'h [u8]>,
    /// Whether there is an `Upgrade`, or an extended CONNECT.
    pub is_upgrade: bool,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrossSite {
    /// The browser says that a page of another origin sent it (`Sec-Fetch-Site`).
    #[error("a page of another origin sent this request")]
    SecFetchSite,
    /// `Origin` is not the host that the request is for.
    #[error("a page of another host sent this request")]
    Origin,
    /// `Origin: null`. A page's own forms say so too where its `Referrer-Policy` is `no-referrer` and it came over
    /// plain http.
    #[error(
        "the browser does not say which page sent this request, as for a form of a page with \
         `Referrer-Policy: no-referrer`"
    )]
    NullOrigin,
    /// The mode is `token`, and the request has none where one is looked for.
    #[error(
        "the request carries no token against cross-site requests; send it in its header, or as a field of a form, in \
         the first 64 KiB: put it first"
    )]
    NoToken,
    /// The mode is `token`, and the token is none of the request's session, or there is no session. It may be from
    /// before a login, or the session has ended since the page was made.
    #[error(
        "the token against cross-site requests is not one of this session, or there is no session; load the page again"
    )]
    WrongToken,
}

/// Where a request comes from, as far as that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may do what its session may.
    Own,
    /// The same, if it carries a token of its session: ask [`Sessions::judge_token`](crate::Sessions::judge_token).
    NeedsToken,
    /// Another site sent it to an exempt path: it begins no session but by a login.
    Exempt,
    /// It must not reach a handler.
    Refused(CrossSite),
}

/// The settings, checked.
#[derive(Debug)]
pub(crate) struct CsrfRules {
    mode: CsrfMode,
    trusted: Vec<Origin>,
    exempt: Vec<String>,
    /// What carries a token.
    pub(crate) names: Arc<TokenNames>,
}

impl CsrfRules {
    pub(crate) fn new(settings: &CsrfSettings) -> Result<Self, ConfigError> {
        let problem = |text: &str| format!("{text:?} is no origin such as \"https://example.org\"");
        let trusted = settings.trusted_origins.iter().map(|text| {
            let origin = Origin::parse(text.as_bytes());
            origin.ok_or_else(|| ConfigError::setting("csrf.trusted_origins", problem(text)))
        });
        let problem = "a path begins with a slash, is written as requests write it (no spaces, %, //, ; or ..), and has a \
                       star only as \"/*\" at its end";
        for path in &settings.exempt_paths {
            let whole = path.strip_suffix("/*").unwrap_or(path);
            let is_plain = whole.bytes().all(|byte| byte.is_ascii_graphic());
            let is_odd = whole.contains(['*', '?', '#']) || is_ambiguous(whole);
            if !path.starts_with('/') || !is_plain || is_odd {
                let problem = format!("{path:?}: {problem}");
                return Err(ConfigError::setting("csrf.exempt_paths", problem));
            }
        }
        Ok(Self {
            mode: settings.mode,
            trusted: trusted.collect::<Result<_, _>>()?,
            exempt: settings.exempt_paths.clone(),
            names: Arc::new(TokenNames::new(&settings.header, &settings.field)?),
        })
    }

    pub(crate) fn judge(&self, source: &RequestSource<'_>) -> Verdict {
        let is_safe = ["GET", "HEAD", "OPTIONS"].contains(&source.method);
        if self.mode == CsrfMode::Off || (is_safe && !source.is_upgrade) {
            return Verdict::Own;
        }
        // A WebSocket begins with a GET, over HTTP/2 with a CONNECT. A POST that asks for another protocol has a body.
        let is_socket = source.is_upgrade && (is_safe || source.method == "CONNECT");
        let needs_token = self.mode == CsrfMode::Token && !is_socket;
        match self.judge_origin(source) {
            Verdict::Own if needs_token && !self.is_exempt(source.path) => Verdict::NeedsToken,
            verdict => verdict,
        }
    }

    /// By what the browser says.
    fn judge_origin(&self, source: &RequestSource<'_>) -> Verdict {
        let refused = match (source.sec_fetch_site, source.origin) {
            (Some(b"same-origin" | b"none"), _) | (None, None) => return Verdict::Own,
            (Some(_), _) => CrossSite::SecFetchSite,
            (None, Some(b"null")) => CrossSite::NullOrigin,
            (None, Some(origin)) => match Origin::parse(origin) {
                Some(origin) if origin.is_of(source.host) => return Verdict::Own,
                _ => CrossSite::Origin,
            },
        };
        let origin = source.origin.and_then(Origin::parse);
        if origin.is_some_and(|origin| self.trusted.contains(&origin)) {
            return Verdict::Own;
        }
        match self.is_exempt(source.path) {
            true => Verdict::Exempt,
            false => Verdict::Refused(refused),
        }
    }

    fn is_exempt(&self, path: &str) -> bool {
        let fits = |exempt: &String| match exempt.strip_suffix("/*") {
            Some(folder) => path
                .strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/')),
            None => path == exempt,
        };
        // What stands before the handler may take the last slash away: then it is the path without it.
        let is_folder = path.ends_with('/') && path != "/";
        !is_folder && !is_ambiguous(path) && self.exempt.iter().any(fits)
    }
}

/// Whether something behind this could take the path for another one.
fn is_ambiguous(path: &str) -> bool {
    let odd = |segment: &str| segment == "." || segment == "..";
    path.contains(['%', '\\', ';']) || path.contains("//") || path.split('/').any(odd)
}

#[cfg(test)]
mod tests;
