//! An origin, as browsers write it: scheme, host and port (RFC 6454).

/// A host is compared without regard to case; a port that is not there is its scheme's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: &'static str,
    host: String,
    port: u16,
}

impl Origin {
    /// `None` for what is none of http or https, and for what has more than an origin: a path, a user.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?.to_ascii_lowercase();
        let (scheme, rest) = match text.strip_prefix("https://") {
            Some(rest) => ("https", rest),
            None => ("http", text.strip_prefix("http://")?),
        };
        let (host, port) = host_and_port(rest, default_port(scheme))?;
        Some(Self {
            scheme,
            host: host.to_owned(),
            port,
        })
    }

    /// Whether a request for `host`, which may name a port, is for this origin. Which scheme the request came by
    /// nobody knows behind a proxy, so a port that is not named is this origin's default.
    pub(super) fn is_of(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        host_and_port(&host, default_port(self.scheme)) == Some((self.host.as_str(), self.port))
    }
}

fn default_port(scheme: &str) -> u16 {
    match scheme {
        "https" => 443,
        _ => 80,
    }
}

/// `None` where there is more, or less. A port that is not there is the default one.
fn host_and_port(text: &str, default_port: u16) -> Option<(&str, u16)> {
    // The colons of an IPv6 address are in brackets.
    let end = match text.starts_with('[') {
        true => text.find(']')?.checked_add(1)?,
        false => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at_checked(end)?;
    let is_part = |c: char| c.is_ascii_graphic() && !"/?#@\\*".contains(c);
    if host.is_empty() || !host.chars().all(is_part) {
        return None;
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Some((host, default_port)),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some((host, digits.parse().ok()?))
        }
        _ => None,
    }
}
