//! What a session is called in a list of somebody's devices.
//!
//! 1. A label is plain text of at most [`LONGEST_LABEL`] bytes on one line. Whoever makes a page of it escapes it, as any
//!    text: markup stays what it is.
//! 2. It is made from the header `User-Agent`, which is anybody's to choose. So only names that the parser knows get into
//!    it, and nothing of the header itself.
//! 3. Applications name a session otherwise if they like. That text goes through [`label`] too.

use std::net::IpAddr;

/// The longest label in bytes.
pub(crate) const LONGEST_LABEL: usize = 95;
/// How much of a header is looked at. Those of browsers have some 150 bytes.
const LONGEST_USER_AGENT: usize = 512;

/// What a request tells of the device that sent it, for the label of its session. Made by
/// [`Sessions::device`](crate::Sessions::device).
#[derive(Clone, PartialEq, Eq)]
pub struct ClientDevice {
    user_agent: Box<[u8]>,
    address: Option<IpAddr>,
}

impl ClientDevice {
    /// By the value of the header, and the address where it is to be a part of the label.
    pub(crate) fn new(user_agent: &[u8], address: Option<IpAddr>) -> Self {
        let user_agent = user_agent.get(..LONGEST_USER_AGENT).unwrap_or(user_agent);
        Self {
            user_agent: user_agent.into(),
            address,
        }
    }

    /// What its session is called: `None` where nothing is known.
    pub(crate) fn label(&self) -> Option<String> {
        let address = self.address.map(|address| address.to_string());
        let parts = [name(&self.user_agent), address];
        label(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

// Shows nothing of who it is.
redacted!(ClientDevice);

/// A browser and a system that are known by name: `"Firefox on Linux"`.
#[cfg(feature = "user-agent")]
fn name(user_agent: &[u8]) -> Option<String> {
    let user_agent = match str::from_utf8(user_agent) {
        // It was cut off inside of a character.
        Err(error) if error.error_len().is_none() => {
            str::from_utf8(user_agent.get(..error.valid_up_to())?).ok()?
        }
        text => text.ok()?,
    };
    let known = woothee::parser::Parser::new().parse(user_agent)?;
    let of = |name| match name {
        "UNKNOWN" => None,
        "Mac OSX" => Some("macOS"),
        name => Some(name),
    };
    match (of(known.name), of(known.os)) {
        (Some(browser), Some(system)) => Some(format!("{browser} on {system}")),
        (browser, system) => browser.or(system).map(str::to_owned),
    }
}

#[cfg(not(feature = "user-agent"))]
fn name(_: &[u8]) -> Option<String> {
    None
}

/// The text as a label: without what would break the line or turn its direction, and cut off where it is too long. `None`
/// if nothing is left.
pub(crate) fn label(text: &str) -> Option<String> {
    let mut label = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let word = word.chars().filter(|c| !turns(*c));
        for (at, c) in word.enumerate() {
            let blank = at == 0 && !label.is_empty();
            if label.len() + usize::from(blank) + c.len_utf8() > LONGEST_LABEL {
                return Some(label);
            }
            if blank {
                label.push(' ');
            }
            label.push(c);
        }
    }
    (!label.is_empty()).then_some(label)
}

/// Whether it turns the direction of what follows (Unicode Standard Annex 9), or shows nothing: with such a label one row of
/// a list could pass for another.
fn turns(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "user-agent")]
    #[test]
    fn a_device_is_called_by_its_browser_and_system() {
        let named = |header: &str| ClientDevice::new(header.as_bytes(), None).label();
        let apple = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
        let chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0";
        for (header, name) in [
            (
                "(X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0".to_owned(),
                "Firefox on Linux",
            ),
            (
                format!("(Windows NT 10.0; Win64; x64) {chrome} Safari/537.36 Edg/142.0.0.0"),
                "Edge on Windows 10",
            ),
            (
                format!("(Macintosh; Intel Mac OS X 10_15_7) {apple} Version/26.0 Safari/605.1.15"),
                "Safari on macOS",
            ),
            (
                format!(
                    "(iPhone; CPU iPhone OS 18_6 like Mac OS X) {apple} Version/26.0 Mobile/15E148 Safari/604.1"
                ),
                "Safari on iPhone",
            ),
            (
                format!("(Linux; Android 10; K) {chrome} Mobile Safari/537.36"),
                "Chrome on Android",
            ),
        ] {
            assert_eq!(
                named(&format!("Mozilla/5.0 {header}")).as_deref(),
                Some(name)
            );
        }
        assert_eq!(named("curl/8.5.0").as_deref(), Some("HTTP Library"));
        let long = "Mozilla/5.0 ".repeat(9000);
        for odd in [
            "",
            "x",
            "<script>alert(1)</script>",
            "\u{202e}Firefox",
            &long,
        ] {
            assert_eq!(named(odd), None, "{odd:.20}");
        }
        assert_eq!(ClientDevice::new(b"\xff Firefox", None).label(), None);
        let cut = format!(
            "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0{}",
            "é".repeat(300)
        );
        assert_eq!(named(&cut).as_deref(), Some("Firefox on Linux"));
    }

    #[test]
    fn the_address_is_a_part_of_the_label_where_it_is_given() {
        let address = "2001:db8::7".parse().ok();
        let label = ClientDevice::new(b"", address).label();
        assert_eq!(label.as_deref(), Some("2001:db8::7"));
        assert_eq!(ClientDevice::new(b"", None).label(), None);
    }

    #[test]
    fn a_label_is_one_short_line_in_one_direction() {
        let cases = [
            (" Kiosk \t7\r\n", Some("Kiosk 7")),
            ("a\0b\u{1b}[2Jc\u{85}d", Some("a b [2Jc d")),
            ("\u{202e}evil\u{200b}\u{feff}", Some("evil")),
            ("<b>&amp;", Some("<b>&amp;")),
            ("", None),
            ("\n\u{200f} ", None),
            ("\u{3164}\u{2800}\u{fe0f}", None),
        ];
        for (text, made) in cases {
            assert_eq!(label(text).as_deref(), made, "{text:?}");
        }
        let long = label(&"Küche ".repeat(20_000)).unwrap();
        assert!((92..=LONGEST_LABEL).contains(&long.len()), "{long}");
        assert!(long.ends_with(char::is_alphabetic));
        let edge = "ü".repeat(48);
        assert_eq!(label(&edge).unwrap().len(), 94);
    }
}
