//! Ports for servers that come and go.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Below those that the system gives to outgoing connections (from 32768 on Linux). Otherwise a port
/// would be taken while its server is down, even by the very client that tries to reach it: on the
/// loopback interface that connects to itself.
const FIRST: u16 = 12_000;
/// Ten thousand more, which Redis adds for its cluster, are still below.
const COUNT: u16 = 10_000;

/// An address on the loopback interface.
pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Ports in a random order, without an end. Whether one is free shows when it is used.
pub fn candidates() -> impl Iterator<Item = u16> {
    let hasher = RandomState::new();
    (0u64..).map(move |number| {
        let offset = hasher.hash_one(number) % u64::from(COUNT);
        FIRST + u16::try_from(offset).unwrap()
    })
}

/// The first of `count` ports in a row that nobody listened on a moment ago.
pub fn free(count: u16) -> u16 {
    let is_free = |port| TcpListener::bind(local(port)).is_ok();
    candidates()
        .find(|first| (*first..first + count).all(is_free))
        .unwrap()
}
