//! The table `[csrf]`.

use serde::Deserialize;

/// Protection against requests that another site makes a browser send.
#[derive(Debug, Clone, Default, Deserialize)]
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
}

/// How a request of another site is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CsrfMode {
    /// By `Sec-Fetch-Site`, or else `Origin`.
    #[default]
    Headers,
    /// Not at all: something in front does it.
    Off,
}
