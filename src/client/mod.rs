//! What a request's headers say about the client: what it looks like, and from which address it comes.
//!
//! 1. The fingerprint is a hash of all lines of three headers, as they came. Nothing is decoded, trimmed or copied, so
//!    a header that is missing, is empty, comes twice, is no text or is very long is as good as any other.
//! 2. It is sealed, so it needs no key. With the audience in it, it says nothing about the same client elsewhere.
//! 3. Two are compared plainly. What differs in time would tell somebody who tries many browsers on one cookie how much
//!    of two hashes is alike, and from that no header follows. Whoever holds the cookie may as well guess the headers.
//! 4. The address is that of the peer, unless a trusted proxy names another one ([`address`]).
//! 5. Nothing is looked at where nobody asks for it.

mod address;
pub(crate) mod device;
mod settings;

use sha2::{Digest, Sha256};

pub use self::device::ClientDevice;
pub use self::settings::{ClientBinding, ClientSettings, ProxyHeader};

use self::address::TrustedProxies;
use crate::error::ConfigError;

/// The headers that a fingerprint is made of. They are the same with almost every request of a browser.
const HEADERS: [&str; 3] = ["user-agent", "accept-language", "accept-encoding"];

/// What a client looks like: a hash of some of its headers. Made by
/// [`Sessions::fingerprint`](crate::Sessions::fingerprint).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientFingerprint([u8; 16]);

impl ClientFingerprint {
    pub(crate) fn as_bytes(self) -> [u8; 16] {
        self.0
    }
}

/// The settings, checked.
#[derive(Debug)]
pub(crate) struct ClientRules {
    pub(crate) binding: ClientBinding,
    pub(crate) proxies: TrustedProxies,
}

impl ClientRules {
    pub(crate) fn new(settings: &ClientSettings) -> Result<Self, ConfigError> {
        Ok(Self {
            binding: settings.binding,
            proxies: TrustedProxies::new(&settings.trusted_proxies, settings.proxy_header)?,
        })
    }

    /// The fingerprint of a request, if any is used. `lines` gives the values of a header, a line each.
    pub(crate) fn fingerprint<'h, L: Iterator<Item = &'h [u8]> + Clone>(
        &self,
        audience: &str,
        lines: impl Fn(&'static str) -> L,
    ) -> Option<ClientFingerprint> {
        if self.binding == ClientBinding::Off {
            return None;
        }
        let mut hash = Sha256::new();
        let length = |length: usize| (length as u64).to_be_bytes();
        let field = |hash: &mut Sha256, field: &[u8]| {
            hash.update(length(field.len()));
            hash.update(field);
        };
        field(&mut hash, audience.as_bytes());
        field(&mut hash, b"client");
        for name in HEADERS {
            let lines = lines(name);
            // So that no line of one header can pass for one of the next.
            hash.update(length(lines.clone().count()));
            lines.for_each(|line| field(&mut hash, line));
        }
        let digest: [u8; 32] = hash.finalize().into();
        let (first, _) = digest.split_first_chunk::<16>()?;
        Some(ClientFingerprint(*first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(binding: ClientBinding) -> ClientRules {
        let settings = ClientSettings {
            binding,
            ..ClientSettings::default()
        };
        ClientRules::new(&settings).unwrap()
    }

    /// Of a client that sends these lines: of its name, its languages, its encodings.
    fn print(audience: &str, headers: [&[&[u8]]; 3]) -> ClientFingerprint {
        let of = |name| headers[HEADERS.iter().position(|it| *it == name).unwrap()];
        let lines = |name| of(name).iter().copied();
        let rules = rules(ClientBinding::Signal);
        rules.fingerprint(audience, lines).unwrap()
    }

    #[test]
    fn no_two_sets_of_headers_have_one_fingerprint() {
        let long = vec![b'a'; 100_000];
        let prints = [
            print("shop", [&[b"a"], &[b"b"], &[b"c"]]),
            print("shop", [&[b"a"], &[b"c"], &[b"b"]]),
            print("shop2", [&[b"a"], &[b"b"], &[b"c"]]),
            print("shop", [&[], &[b"a"], &[b"c"]]),
            print("shop", [&[b""], &[b"a"], &[b"c"]]),
            print("shop", [&[b"a", b"b"], &[], &[b"c"]]),
            print("shop", [&[b"a"], &[], &[b"b", b"c"]]),
            print("shop", [&[b"a", b"a"], &[], &[]]),
            print("shop", [&[b"ab", b"c"], &[], &[]]),
            print("shop", [&[b"a", b"bc"], &[], &[]]),
            print("shop", [&[b"aa"], &[], &[]]),
            print("shop", [&[b"a "], &[], &[]]),
            print("shop", [&[b"A"], &[], &[]]),
            print("shop", [&[b"\xff\x00"], &[], &[]]),
            print("shop", [&[&long], &[], &[]]),
            print("shop", [&[&long[1..]], &[], &[]]),
            print("shop", [&[], &[], &[]]),
        ];
        for (number, one) in prints.iter().enumerate() {
            let same = prints.iter().filter(|other| *other == one).count();
            assert_eq!(same, 1, "{number}");
        }
    }

    /// Computed by another program from FORMAT.md.
    #[test]
    fn a_fingerprint_is_what_the_format_says() {
        let headers: [&[&[u8]]; 3] = [&[b"Mozilla/5.0"], &[], &[b"gzip", b"br"]];
        let hex: String = print("shop", headers)
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, "415d2aab6ca8909b229a9feaf031d7c5");
    }

    #[test]
    fn no_header_is_looked_at_where_nothing_is_bound() {
        let lines = |name| -> std::iter::Empty<&[u8]> { panic!("{name}") };
        assert_eq!(rules(ClientBinding::Off).fingerprint("shop", lines), None);
    }
}
