//! Return addresses: where to go on after a login, as far as a client may say so.
//!
//! Whoever can choose the address can send a user who has just logged in to another site that looks like this one (an
//! open redirect, CWE-601). So an address is taken if every browser, proxy and framework reads it as the same path of
//! this site, and not otherwise:
//!
//! 1. It begins with one slash. Browsers read `//host` and `/\host` as another site.
//! 2. The path holds the characters that RFC 3986 (section 3.3) allows, and nothing that a browser changes: it drops
//!    tabs and line ends, and takes `\` for a slash.
//! 3. No name in it is `.` or `..`, also encoded, or in front of a `;`, where nothing is no name either.
//! 4. What is encoded in it is UTF-8, and no slash, backslash, percent sign or control character: some proxies and
//!    frameworks decode before they look, or twice.
//! 5. The query may hold any of them encoded: nobody looks for a path there.
//! 6. The logout path is none, however it is written: the login would end at once.

/// As long as an address may be, in bytes.
const LONGEST: usize = 2048;

/// The return address, if `text` is a path of this site that is safe to redirect to after a login; else `None`.
///
/// A path may have a query, and has no fragment. It is taken as it is written in `Location`, so blanks and letters
/// outside of ASCII are percent-encoded. `//host`, `\`, control characters, schemes, dot segments (`..`), slashes that
/// are encoded, once or twice, and what is longer than 2,048 bytes are refused. `logout_path`, without a
/// query and not encoded, is refused in every spelling, since a login that leads there ends at once; empty refuses
/// nothing more.
///
/// What `next` is in a query is decoded once, as `actix_web::web::Query` does, before it comes here:
///
/// ```
/// use sealed_session::next_path;
///
/// let next = |text| next_path(text, "/logout").unwrap_or("/account");
/// assert_eq!(next("/orders?page=2"), "/orders?page=2");
/// assert_eq!(next("//evil.example/"), "/account");
/// assert_eq!(next("/\\evil.example"), "/account");
/// assert_eq!(next("https://evil.example/"), "/account");
/// assert_eq!(next("/Logout/?now"), "/account");
/// ```
pub fn next_path<'t>(text: &'t str, logout_path: &str) -> Option<&'t str> {
    let is_logout = || !logout_path.is_empty() && is_same_path(text, logout_path);
    (is_site_path(text) && !is_logout()).then_some(text)
}

/// Whether it is a path of this site, perhaps with a query, and nothing else to anyone.
pub(crate) fn is_site_path(text: &str) -> bool {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let Some(names) = path.strip_prefix('/') else {
        return false;
    };
    text.len() <= LONGEST
        && !names.starts_with('/')
        && names.split('/').all(is_plain_name)
        && query.bytes().all(may_be_in_a_query)
        && decoded(query).is_some()
}

/// Whether two texts name the same path to a router that is lenient: slashes at the end or doubled, the case of
/// letters, encoding, queries and what follows a semicolon make no difference.
pub(crate) fn is_same_path(one: &str, other: &str) -> bool {
    names(one) == names(other)
}

/// The decoded names of a path; `None` where it cannot be decoded.
fn names(text: &str) -> Option<Vec<Vec<u8>>> {
    let path = text.split('?').next()?;
    let names = path.split('/').filter(|name| !name.is_empty());
    let bare = |name: Vec<u8>| {
        let bare = name.split(|byte| *byte == b';').next();
        bare.unwrap_or_default().to_ascii_lowercase()
    };
    names.map(|name| decoded(name).map(bare)).collect()
}

/// Whether it can stand between two slashes without meaning anything.
fn is_plain_name(name: &str) -> bool {
    let Some(Ok(plain)) = decoded(name).map(String::from_utf8) else {
        return false;
    };
    let means_something = |c: char| c.is_control() || matches!(c, '/' | '\\' | '%');
    // Some servers cut off what follows a semicolon.
    let bare = plain.split(';').next();
    name.bytes().all(may_be_in_a_name)
        && !plain.contains(means_something)
        && !matches!(bare, Some("." | ".."))
        && (plain.is_empty() || bare != Some(""))
}

/// The `pchar` of RFC 3986; whether a percent sign is followed by two digits shows when it is decoded.
fn may_be_in_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%".contains(&byte)
}

/// What browsers leave as it is there, but for the backslash.
fn may_be_in_a_query(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"#<>\\".contains(&byte)
}

/// `None` where a percent sign is not followed by two hexadecimal digits.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests;
