//! Where a request comes from, behind proxies.
//!
//! 1. It is the address of the peer, the other end of the connection. Only where that is a trusted proxy counts what a
//!    header says: each proxy adds at its end whom it got the request from.
//! 2. So the list is read from its end. The first address that is no trusted proxy's is the client's. What stands
//!    before it the client has written.
//! 3. An entry that cannot be read (`unknown`, `_hidden`, anything else) names nobody: the last good address counts,
//!    which is a proxy's.
//! 4. One header is read, the one that the proxies write: whichever they do not write is the client's.
//! 5. Few entries are looked at, however many there are.
//! 6. An IPv4 address in the form of an IPv6 one is an IPv4 address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use super::ProxyHeader;
use crate::error::ConfigError;

/// How many entries are looked at: more proxies than these stand in front of nobody.
const MOST: usize = 32;

/// Whose word on where a request comes from is taken.
#[derive(Debug)]
pub(crate) struct TrustedProxies {
    networks: Vec<IpNet>,
    header: ProxyHeader,
}

impl TrustedProxies {
    pub(super) fn new(texts: &[String], header: ProxyHeader) -> Result<Self, ConfigError> {
        let networks = texts.iter().map(|text| {
            network(text).map_err(|problem| {
                let problem = format!("{text:?} {problem}");
                ConfigError::setting("client.trusted_proxies", problem)
            })
        });
        Ok(Self {
            networks: networks.collect::<Result<_, _>>()?,
            header,
        })
    }

    /// Where a request comes from that `peer` sent. `lines` gives the values of a header, a line each.
    pub(crate) fn client<'h, L: DoubleEndedIterator<Item = &'h [u8]>>(
        &self,
        peer: IpAddr,
        lines: impl FnOnce(&'static str) -> L,
    ) -> IpAddr {
        let mut address = peer.to_canonical();
        if !self.trust(address) {
            return address;
        }
        let (name, read): (_, fn(&str) -> Option<IpAddr>) = match self.header {
            ProxyHeader::XForwardedFor => ("x-forwarded-for", node),
            ProxyHeader::Forwarded => ("forwarded", forwarded),
        };
        // A comma in a quoted string is taken for one between entries too. Its halves cannot be read then.
        let entries = lines(name)
            .rev()
            .flat_map(|line| line.rsplit(|it| *it == b','));
        for entry in entries.take(MOST) {
            let entry = entry.trim_ascii();
            // Lists may have empty entries, which say nothing (RFC 9110, section 5.6.1).
            if entry.is_empty() {
                continue;
            }
            let Some(named) = str::from_utf8(entry).ok().and_then(read) else {
                return address;
            };
            address = named.to_canonical();
            if !self.trust(address) {
                return address;
            }
        }
        address
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|it| it.contains(&address))
    }
}

/// An address, or a network.
fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_canonical().into());
    }
    let network: IpNet = text.parse().map_err(|_| {
        "is no address and no network such as \"10.0.0.0/8\" or \"2001:db8::/32\"".to_owned()
    })?;
    let network = mapped(network).map_or(network, IpNet::V4);
    if network.prefix_len() == 0 {
        return Err("trusts everybody: then a client says itself where it comes from".to_owned());
    }
    if network.addr() != network.network() {
        let whole = network.trunc();
        return Err(format!(
            "has bits beyond its prefix; the network is \"{whole}\""
        ));
    }
    Ok(network)
}

/// The IPv4 network that one of IPv6 addresses stands for.
fn mapped(network: IpNet) -> Option<Ipv4Net> {
    let IpNet::V6(network) = network else {
        return None;
    };
    let length = network.prefix_len().checked_sub(96)?;
    Ipv4Net::new(network.addr().to_ipv4_mapped()?, length).ok()
}

/// The address of a node (RFC 7239, section 6), which may name a port.
fn node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (address, port): (IpAddr, _) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (address.parse::<Ipv6Addr>().ok()?.into(), port)
        }
        None => {
            let (address, port) = text.split_at(text.find(':')?);
            (address.parse::<Ipv4Addr>().ok()?.into(), port)
        }
    };
    match port.strip_prefix(':') {
        None => port.is_empty().then_some(address),
        Some(port) => {
            let is_port = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            let is_good = !port.is_empty() && port.bytes().all(is_port);
            is_good.then_some(address)
        }
    }
}

/// The address after `for` in one element of `Forwarded` (RFC 7239, section 4). `None` unless the whole element is
/// well-formed: what a proxy quotes, such as the host that the client asked for, may hold a comma and look like an
/// element of its own from there on, but for its quotation marks.
fn forwarded(element: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in element
        .split(';')
        .map(str::trim)
        .filter(|it| !it.is_empty())
    {
        let (name, value) = pair.split_once('=')?;
        let inside = match value.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"')?,
            None => value,
        };
        if !is_token(name) || inside.contains(['"', '\\']) {
            return None;
        }
        if name.eq_ignore_ascii_case("for") && found.replace(inside).is_some() {
            return None;
        }
    }
    node(found?)
}

fn is_token(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests;
