//! Settings that browsers would drop a cookie for, without a word.

use std::net::IpAddr;

use super::settings::{ACTIVITY, CookieSettings, MOST_CACHED_TOKENS, SameSite};
use crate::error::ConfigError;
use crate::wire::chunks::{MAX_CHUNKS, MAX_COOKIE};

/// A session of a few short entries fits into that.
const LEAST_BYTES: usize = 512;

/// # Errors
/// When browsers would drop the cookie, or another cookie has the name.
pub(super) fn validate(settings: &CookieSettings) -> Result<(), ConfigError> {
    let name = settings.name.as_str();
    let path = settings.path.as_str();
    let domain = settings.domain.as_deref();
    // Browsers compare the prefixes without case (RFC 6265bis, section 5.7).
    let prefix = name.to_ascii_lowercase();
    let of_host = settings.secure && path == "/" && domain.is_none();
    let (setting, problem) = if name.is_empty() || name.len() > 128 || !name.bytes().all(is_token) {
        let problem = "must be 1 to 128 letters, digits or characters of !#$%&'*+-.^_`|~";
        ("cookie.name", problem)
    } else if let [.., b'.', b'1'..=b'9'] = name.as_bytes() {
        let problem = "must not end in a full stop and a digit: such names belong to the parts of \
                       large sessions";
        ("cookie.name", problem)
    } else if name.ends_with(ACTIVITY) {
        let problem =
            "must not end in .seen: such names belong to the activity cookies of sessions";
        ("cookie.name", problem)
    } else if !(LEAST_BYTES..=MAX_COOKIE).contains(&settings.max_bytes) {
        let problem = "must be 512 to 4096, the most that browsers take";
        ("cookie.max_bytes", problem)
    } else if !(1..=MAX_CHUNKS).contains(&settings.max_chunks) {
        ("cookie.max_chunks", "must be 1 to 8")
    } else if path.len() > 1024 {
        // RFC 6265bis, section 5.6: browsers ignore an attribute with a longer value.
        ("cookie.path", "must not exceed 1024 bytes")
    } else if !path.starts_with('/') || !path.bytes().all(is_attribute) {
        let problem = "must begin with / and hold no ; or control characters";
        ("cookie.path", problem)
    } else if let Some(problem) = domain.and_then(|domain| check_domain(domain).err()) {
        ("cookie.domain", problem)
    } else if prefix.starts_with("__host-") && !of_host {
        let problem = "the prefix __Host- promises secure = true, path = \"/\" and no domain; over \
                       plain http choose another name";
        ("cookie.name", problem)
    } else if prefix.starts_with("__secure-") && !settings.secure {
        let problem = "the prefix __Secure- promises secure = true";
        ("cookie.name", problem)
    } else if settings.same_site == SameSite::None && !settings.secure {
        ("cookie.same_site", "\"none\" needs secure = true")
    } else if settings.partitioned && !settings.secure {
        ("cookie.partitioned", "needs secure = true")
    } else if settings.partitioned && settings.same_site != SameSite::None {
        let problem = "needs same_site = \"none\": without it no embedded page gets the cookie, and \
                       there is nothing to partition";
        ("cookie.partitioned", problem)
    } else if (1..).zip(&settings.clear_site_data).any(|(next, it)| {
        let mut later = settings.clear_site_data.iter().skip(next);
        later.any(|other| other == it)
    }) {
        ("cookie.clear_site_data", "names the same twice")
    } else if settings.cached_tokens > MOST_CACHED_TOKENS {
        ("cookie.cached_tokens", "must be 65536 at most")
    } else {
        return Ok(());
    };
    Err(ConfigError::setting(setting, problem))
}

/// Whether browsers can take `domain` as a Domain: a host name of two labels or more (RFC 1034, section
/// 3.5; RFC 6265bis, section 5.7). Public suffixes of two labels cannot be told without their list.
fn check_domain(domain: &str) -> Result<(), &'static str> {
    let bare = domain.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return Err(ADDRESS);
    }
    if domain.is_empty() {
        return Err("must not be empty; leave it out for the host alone");
    }
    if !domain.is_ascii() {
        return Err(
            "must be written in letters, digits and hyphens (bücher.example is \
                    xn--bcher-kva.example)",
        );
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    if !domain.bytes().all(is_allowed) {
        return Err(
            "must be a host name such as example.org: letters, digits and hyphens between \
                    full stops",
        );
    }
    if domain.len() > 253 {
        return Err("must not exceed 253 characters");
    }
    let labels: Vec<_> = domain.split('.').collect();
    let is_whole = |rest: &[&str]| rest.iter().all(|label| !label.is_empty());
    match labels[..] {
        ["", ref rest @ ..] if is_whole(rest) => {
            return Err("begins with a full stop; subdomains are included without it");
        }
        [ref rest @ .., ""] if is_whole(rest) => {
            return Err("ends with a full stop, which browsers take for another host");
        }
        _ => {}
    }
    for label in &labels {
        if label.is_empty() {
            return Err("has an empty label: two full stops in a row, or nothing between them");
        }
        if label.len() > 63 {
            return Err("has a label of more than 63 characters");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("has a label that begins or ends with a hyphen");
        }
    }
    if labels.len() == 1 {
        return Err(
            "has one label: browsers take no cookie for all of it; leave it out for the host \
                    alone",
        );
    }
    // A host whose last label is a number is an IPv4 address, or none at all (WHATWG URL, section 3.5).
    if labels.last().is_some_and(|last| is_number(last)) {
        return Err(ADDRESS);
    }
    Ok(())
}

const ADDRESS: &str =
    "is an address: browsers take a domain of names only; leave it out for the host alone";

fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x");
    match hex.or_else(|| label.strip_prefix("0X")) {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// A character of a cookie's name (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A character of an attribute's value (RFC 6265, section 4.1.1).
fn is_attribute(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) && byte != b';'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_settings_that_browsers_would_drop_are_refused() {
        let changes: [fn(&mut CookieSettings); 18] = [
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
            |c| c.partitioned = true,
            |c| c.name = "a.seen".into(),
            |c| c.max_bytes = 511,
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
            assert!(validate(&settings).is_err(), "{settings:?}");
        }
        validate(&CookieSettings::plain_http()).unwrap();
    }
}
