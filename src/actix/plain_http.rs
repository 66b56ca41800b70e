//! A Secure cookie that the browser drops.
//!
//! 1. Browsers drop a Secure cookie that comes over plain http, without a word: a login then seems to work
//!    and nobody is logged in. On this machine itself most of them take it.
//! 2. So such a cookie for another host is one warning, in the whole life of these sessions. All of the first 1,000
//!    responses that set one are looked at, and then one in 256: a write takes 8 % more instructions where each is.
//! 3. Behind a proxy that ends TLS, the proxy's word counts (`Forwarded`, `X-Forwarded-Proto`). Whoever lies
//!    there can keep the warning quiet, and nothing else.
//! 4. The warning names the kind of host only: a client chooses the name.

use std::net::IpAddr;

use actix_web::HttpRequest;

use crate::sessions::{Committed, Sessions};

/// Warns if the browser will drop what `outcome` sets.
pub(super) fn warn_once(sessions: &Sessions, request: &HttpRequest, outcome: &Committed) {
    let mut cookies = outcome.cookies.iter();
    if !cookies.any(|cookie| sets_a_value(cookie)) || !sessions.should_check_plain_http() {
        return;
    }
    let connection = request.connection_info();
    if connection.scheme() != "http" {
        return;
    }
    if let Some(host) = remote(connection.host())
        && sessions.take_plain_http_warning()
    {
        tracing::warn!(
            host,
            "a Secure cookie was set over plain http, where browsers drop it; use https, or a proxy \
             that sends X-Forwarded-Proto, or for development secure = false"
        );
    }
}

/// A removal has none.
fn sets_a_value(cookie: &str) -> bool {
    let value = cookie.split_once('=').map(|(_, rest)| rest);
    value.is_some_and(|rest| !rest.starts_with(';'))
}

const ADDRESS: &str = "an address in the network";
const NAME: &str = "a name that is not local";

/// The kind of a host, with or without a port. None for this machine as browsers see it (W3C Secure Contexts,
/// section 3.1).
fn remote(host: &str) -> Option<&'static str> {
    let (bare, _) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').unwrap_or((rest, "")),
        None => host.split_once(':').unwrap_or((host, "")),
    };
    if let Ok(address) = bare.parse::<IpAddr>() {
        return (!address.is_loopback()).then_some(ADDRESS);
    }
    let name = bare.trim_end_matches('.').to_ascii_lowercase();
    let is_local = name == "localhost" || name.ends_with(".localhost");
    (!is_local).then_some(NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_told_from_others() {
        let local = [
            "localhost",
            "LocalHost:8080",
            "localhost.:80",
            "shop.localhost:8080",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
            "[::1]",
        ];
        for host in local {
            assert_eq!(remote(host), None, "{host}");
        }
        for host in [
            "192.168.0.5:8080",
            "0.0.0.0",
            "128.0.0.1",
            "[2001:db8::1]:80",
        ] {
            assert_eq!(remote(host), Some(ADDRESS), "{host}");
        }
        let names = [
            "example.org",
            "localhost.example.org",
            "notlocalhost",
            "127.0.0.1.example.org",
            "",
        ];
        for host in names {
            assert_eq!(remote(host), Some(NAME), "{host}");
        }
    }
}
