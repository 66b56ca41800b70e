//! The table `[client]`.

use serde::Deserialize;

/// What a request's headers say about the client, and whom that is believed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ClientSettings {
    /// Whether a login's session is bound to what the browser looks like. Default: it is not.
    pub binding: ClientBinding,
    /// Proxies whose word on where a request comes from is taken: addresses, and networks as
    /// `"10.0.0.0/8"`. Default: none. For [`Sessions::client_address`](crate::Sessions::client_address), which nothing
    /// here asks by itself.
    pub trusted_proxies: Vec<String>,
    /// The header in which these proxies say it. All of them have to write this one: in the other one a client says
    /// what it likes, and most proxies pass it on.
    pub proxy_header: ProxyHeader,
}

/// What happens when a session comes with other values of `User-Agent`, `Accept-Language` and `Accept-Encoding` than its
/// login.
///
/// With `Signal` or `Reject` a login seals a fingerprint of these headers. A session that was logged in without one
/// counts, and so does one that nobody logged in to.
///
/// It is no protection against somebody who copies the headers with the cookie, as malware and stolen logs let them.
/// And browsers change them by themselves: `User-Agent` with an update, on a telephone also for a page that is shown
/// "as on a computer"; `Accept-Language` with a setting of the user's; `Accept-Encoding` between http and https, and for
/// audio and video. With `Reject` each of these logs the user out, every few weeks with most browsers, or leaves the one
/// request without a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ClientBinding {
    /// Nothing: the headers are not looked at.
    #[default]
    Off,
    /// The application is told ([`Session::client_changed`](crate::Session::client_changed)), and may ask for the
    /// password or write to its log.
    Signal,
    /// The cookie is no session ([`Rejected::ClientChanged`](crate::session::Rejected::ClientChanged)).
    Reject,
}

/// The header in which trusted proxies say where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProxyHeader {
    /// `X-Forwarded-For`, a list of addresses, which most proxies write.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239), of which `for` counts.
    Forwarded,
}
