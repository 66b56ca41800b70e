//! The table `[csrf]`.

use serde::Deserialize;

/// Protection against requests that another site makes a browser send.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CsrfSettings {
    /// Whether there is any. Default: by what browsers say of a request.
    pub mode: CsrfMode,
    /// Origins whose pages may send requests that change something, http or https: `"https://accounts.example.org"`. Also this
    /// application's own, where a proxy changes `Host` and browsers without `Sec-Fetch-Site` are still served.
    pub trusted_origins: Vec<String>,
    /// Paths that any site may send requests to: of a webhook, or of a login that
    /// [comes back by a form](crate::operations#logins-that-come-back-by-a-form) (SAML, `form_post`). A whole path, or with `/*` at its end all below it. Such a request begins no session but by a
    /// login, which has to prove that it was begun here. If its cookie comes along (from a sibling subdomain, or with
    /// `SameSite=None`), the handler has the user's session: take none there. A path that is written in an unusual way (`%2e`, `//`, `/../`) is never exempt.
    pub exempt_paths: Vec<String>,
    /// The header that carries the token, with the mode `token`. Letters, digits and hyphens, at most 64; default:
    /// `x-csrf-token`.
    pub header: String,
    /// The field of a form that carries the token, with the mode `token`. Letters, digits, hyphens, dots and underscores,
    /// at most 64; default: `csrf_token`. Of two cookies whose middleware is one around the other, each needs a header
    /// and a field of its own.
    pub field: String,
}

impl Default for CsrfSettings {
    fn default() -> Self {
        Self {
            mode: CsrfMode::default(),
            trusted_origins: Vec::new(),
            exempt_paths: Vec::new(),
            header: "x-csrf-token".to_owned(),
            field: "csrf_token".to_owned(),
        }
    }
}

/// How a request of another site is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CsrfMode {
    /// By `Sec-Fetch-Site`, or else `Origin`.
    #[default]
    Headers,
    /// As by [`Headers`](Self::Headers), and whatever that lets through has to carry a token of its session besides
    /// ([`CsrfToken`](crate::CsrfToken)): in a header, or in a field of a form. Also what comes from a trusted origin,
    /// and from a program that is no browser. Exempt paths need none. A WebSocket needs none, because a browser could
    /// not send it.
    Token,
    /// Not at all: something in front does it.
    Off,
}
