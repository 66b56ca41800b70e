//! A Secure cookie that the browser drops.
//!
//! 1. Browsers drop a Secure cookie that comes over plain http, without a word: a login then seems to work
//!    and nobody is logged in. On this machine itself most of them take it.
//! 2. So the first such cookie for another host is one warning, in the whole life of these sessions.
//! 3. Behind a proxy that ends TLS, the proxy's word counts (`Forwarded`, `X-Forwarded-Proto`). Whoever lies
//!    there can keep the warning quiet, and nothing else.
//! 4. The warning tells what kind of host it was and not which: a client chooses that.

use std::net::IpAddr;

use actix_web::HttpRequest;

use crate::sessions::{Committed, Sessions};

/// Warns if the browser will drop what `outcome` sets.
pub(super) fn warn_once(sessions: &Sessions, request: &HttpRequest, outcome: &Committed) {
    if !outcome.cookies.iter().any(|cookie| sets_a_value(cookie)) {
        return;
    }
    let connection = request.connection_info();
    let kind = kind_of(connection.host());
    if connection.scheme() != "http" || kind == Host::Local {
        return;
    }
    if sessions.take_plain_http_warning() {
        let host = match kind {
            Host::Address => "an address in the network",
            Host::Local | Host::Name => "a name that is not local",
        };
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

#[derive(Debug, PartialEq, Eq)]
enum Host {
    /// What browsers take for this machine (W3C Secure Contexts, section 3.1).
    Local,
    Address,
    Name,
}

/// Of a host with or without a port.
fn kind_of(host: &str) -> Host {
    let (bare, _) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').unwrap_or((rest, "")),
        None => host.split_once(':').unwrap_or((host, "")),
    };
    if let Ok(address) = bare.parse::<IpAddr>() {
        return match address.is_loopback() {
            true => Host::Local,
            false => Host::Address,
        };
    }
    let name = bare.trim_end_matches('.').to_ascii_lowercase();
    match name == "localhost" || name.ends_with(".localhost") {
        true => Host::Local,
        false => Host::Name,
    }
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
            assert_eq!(kind_of(host), Host::Local, "{host}");
        }
        for host in [
            "192.168.0.5:8080",
            "0.0.0.0",
            "128.0.0.1",
            "[2001:db8::1]:80",
        ] {
            assert_eq!(kind_of(host), Host::Address, "{host}");
        }
        let names = [
            "example.org",
            "localhost.example.org",
            "notlocalhost",
            "127.0.0.1.example.org",
            "",
        ];
        for host in names {
            assert_eq!(kind_of(host), Host::Name, "{host}");
        }
    }
}
