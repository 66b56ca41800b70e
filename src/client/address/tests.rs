//! From which address a request comes: trusted proxies, both headers, and what clients forge in them.

use proptest::prelude::*;

use super::*;

const PROXY: &str = "10.0.0.1";

fn proxies(texts: &[&str], header: ProxyHeader) -> Result<TrustedProxies, ConfigError> {
    let texts: Vec<_> = texts.iter().map(|&text| text.to_owned()).collect();
    TrustedProxies::new(&texts, header)
}

/// Behind these proxies, a request of this peer with these lines of the header comes from there.
fn client(trusted: &[&str], header: ProxyHeader, peer: &str, lines: &[&[u8]]) -> String {
    let proxies = proxies(trusted, header).unwrap();
    let peer = peer.parse().unwrap();
    let name = match header {
        ProxyHeader::XForwardedFor => "x-forwarded-for",
        ProxyHeader::Forwarded => "forwarded",
    };
    let lines = |asked| {
        assert_eq!(asked, name);
        lines.iter().copied()
    };
    proxies.client(peer, lines).to_string()
}

fn listed(lines: &[&[u8]]) -> String {
    let trusted = ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"];
    client(&trusted, ProxyHeader::XForwardedFor, PROXY, lines)
}

fn forwarded_by(lines: &[&[u8]]) -> String {
    let trusted = ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"];
    client(&trusted, ProxyHeader::Forwarded, PROXY, lines)
}

#[test]
fn the_last_address_that_is_no_trusted_proxys_is_the_clients() {
    for (lines, address) in [
        (&[][..], PROXY),
        (&[b"".as_slice()], PROXY),
        (&[b"203.0.113.9"], "203.0.113.9"),
        (&[b"1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        (
            &[b"1.1.1.1,203.0.113.9 ,10.9.9.9, 192.0.2.1"],
            "203.0.113.9",
        ),
        (
            &[b"1.1.1.1, 203.0.113.9", b"10.0.0.7", b"2001:db8::7"],
            "203.0.113.9",
        ),
        (&[b"203.0.113.9", b"1.1.1.1"], "1.1.1.1"),
        (&[b"192.0.2.2"], "192.0.2.2"),
        // All of them are proxies: then the first one asked for itself.
        (&[b"10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        (&[b"203.0.113.9:4711"], "203.0.113.9"),
        (&[b"2606:4700::1"], "2606:4700::1"),
        (&[b"[2606:4700::1]"], "2606:4700::1"),
        (&[b"[2606:4700::1]:443"], "2606:4700::1"),
        (&[b"::ffff:203.0.113.9"], "203.0.113.9"),
        (&[b"1.1.1.1, ::ffff:10.0.0.9"], "1.1.1.1"),
        (&[b" , 203.0.113.9, ,, \t,"], "203.0.113.9"),
    ] {
        assert_eq!(listed(lines), address, "{lines:?}");
    }
}

#[test]
fn what_cannot_be_read_stops_at_the_last_good_address() {
    let odd = [
        "unknown",
        "_hidden",
        "x",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:8 0",
        "[1.2.3.4]",
        "[2001:db8::1",
        "[]",
        "[::1]x",
        "::1]:1",
        "1.2.3.4/8",
        "\"1.2.3.4\"",
        "for=1.2.3.4",
        "1.2.3.4 5.6.7.8",
        "\u{e4}",
    ];
    for odd in odd {
        let lines = format!("1.1.1.1, {odd}, 10.0.0.9");
        assert_eq!(listed(&[lines.as_bytes()]), "10.0.0.9", "{odd}");
        assert_eq!(listed(&[odd.as_bytes()]), PROXY, "{odd}");
        // What the client wrote is not looked at.
        let lines = format!("{odd}, 203.0.113.9");
        assert_eq!(listed(&[lines.as_bytes()]), "203.0.113.9", "{odd}");
    }
    assert_eq!(listed(&[b"1.1.1.1, \xff\xfe"]), PROXY);
}

#[test]
fn the_address_after_for_is_read_as_rfc_7239_writes_it() {
    for (line, address) in [
        ("for=203.0.113.9", "203.0.113.9"),
        ("For=\"203.0.113.9:4711\"", "203.0.113.9"),
        ("for=\"[2606:4700::17]:4711\"", "2606:4700::17"),
        ("FOR=\"[2606:4700::17]\";proto=https", "2606:4700::17"),
        ("for=\"[2606:4700::17]:_port\"", "2606:4700::17"),
        ("for=203.0.113.9;proto=http;by=10.0.0.1", "203.0.113.9"),
        ("by=10.0.0.1; for=203.0.113.9 ;host=\"a:1\"", "203.0.113.9"),
        (
            "for=1.1.1.1, for=203.0.113.9, for=10.0.0.2, for=\"[2001:db8::1]\"",
            "203.0.113.9",
        ),
    ] {
        assert_eq!(forwarded_by(&[line.as_bytes()]), address, "{line}");
    }
    let lines = [
        b"for=1.1.1.1".as_slice(),
        b"for=203.0.113.9",
        b"for=10.0.0.2",
    ];
    assert_eq!(forwarded_by(&lines), "203.0.113.9");
}

#[test]
fn an_element_of_forwarded_that_is_not_well_formed_names_nobody() {
    for odd in [
        "for=unknown",
        "for=_hidden",
        "for=\"_hidden\"",
        "for=",
        "for",
        "for=\"\"",
        "proto=https",
        "203.0.113.9",
        "for=1.2.3.4;for=5.6.7.8",
        "for=\"1.2.3.4",
        "for=1.2.3.4\"",
        "for =1.2.3.4",
        "for=1.2.3.4;x",
        "for=1.2.3.4;=x",
        "for=1.2.3.4;a=\"b",
        "for=1.2.3.4;a=b\"c",
        "for=1.2.3.4;a=\"\\\"\"",
        "for=1.2.3.4;a=\\",
    ] {
        let line = format!("for=1.1.1.1, {odd}");
        assert_eq!(forwarded_by(&[line.as_bytes()]), PROXY, "{odd}");
        // A quotation mark that the client left open swallows nothing.
        let line = format!("{odd}, for=203.0.113.9");
        assert_eq!(forwarded_by(&[line.as_bytes()]), "203.0.113.9", "{odd}");
    }
}

/// A proxy writes the host that the client asked for, in quotation marks, and those in it with a backslash.
#[test]
fn nothing_that_a_proxy_quotes_passes_for_an_element() {
    for host in [
        "x, for=1.1.1.1",
        "x\", for=1.1.1.1;y=\"",
        "x, for=1.1.1.1;y=\"z\"",
        "x, for=1.1.1.1;y=\"",
        "x,for=\"1.1.1.1\"",
        "x\\, for=1.1.1.1;y=\"\\",
        "x, for=1.1.1.1;y=",
    ] {
        let quoted = host.replace('\\', "\\\\").replace('"', "\\\"");
        let line = format!("for=203.0.113.9;host=\"{quoted}\"");
        assert_eq!(forwarded_by(&[line.as_bytes()]), PROXY, "{line}");
    }
}

#[test]
fn a_peer_that_is_not_trusted_is_the_client_whatever_it_says() {
    for header in [ProxyHeader::XForwardedFor, ProxyHeader::Forwarded] {
        for trusted in [&[][..], &["10.0.0.2", "10.1.0.0/16"]] {
            let proxies = proxies(trusted, header).unwrap();
            let lines = |_: &'static str| -> std::iter::Empty<&[u8]> { panic!("it was looked at") };
            let address = proxies.client(PROXY.parse().unwrap(), lines);
            assert_eq!(address.to_string(), PROXY);
        }
    }
}

#[test]
fn an_ipv4_address_in_the_form_of_an_ipv6_one_is_an_ipv4_address() {
    let header = ProxyHeader::XForwardedFor;
    let peer = "::ffff:10.0.0.1";
    assert_eq!(client(&[], header, peer, &[]), PROXY);
    for trusted in [
        "10.0.0.0/8",
        "10.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:10.0.0.0/104",
    ] {
        let lines: &[&[u8]] = &[b"203.0.113.9"];
        for peer in [peer, PROXY] {
            assert_eq!(
                client(&[trusted], header, peer, lines),
                "203.0.113.9",
                "{trusted}"
            );
        }
    }
}

#[test]
fn of_a_list_without_an_end_the_last_entries_count() {
    let list = |proxies: usize| format!("203.0.113.9{}", ", 10.0.0.2".repeat(proxies));
    assert_eq!(listed(&[list(MOST - 1).as_bytes()]), "203.0.113.9");
    assert_eq!(listed(&[list(MOST).as_bytes()]), "10.0.0.2");
    let commas = format!("203.0.113.9{}", ",".repeat(100_000));
    assert_eq!(listed(&[commas.as_bytes()]), PROXY);
    let lines = vec![b"".as_slice(); 10_000];
    assert_eq!(listed(&lines), PROXY);
}

#[test]
fn what_is_no_network_is_refused_and_named() {
    for (odd, reason) in [
        ("", "no address"),
        ("localhost", "no address"),
        ("10.0.0.0/33", "no address"),
        ("2001:db8::/129", "no address"),
        ("10.0.0/8", "no address"),
        (" 10.0.0.1", "no address"),
        ("10.0.0.0/", "no address"),
        ("10.0.0.0/255.0.0.0", "no address"),
        ("10.0.0.1/8", "the network is \"10.0.0.0/8\""),
        ("2001:db8::1/32", "the network is \"2001:db8::/32\""),
        ("0.0.0.0/0", "everybody"),
        ("::/0", "everybody"),
        ("::ffff:0.0.0.0/96", "everybody"),
    ] {
        let error = proxies(&["192.0.2.1", odd], ProxyHeader::Forwarded).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("`client.trusted_proxies`"), "{error}");
        assert!(error.contains(&format!("{odd:?} ")), "{error}");
        assert!(error.contains(reason), "{error}");
    }
}

proptest! {
    /// Whatever a client writes before what its proxy adds.
    #[test]
    fn a_client_cannot_say_where_it_comes_from(
        written in proptest::collection::vec("[-a-z0-9.,:;=\"\\\\\\[\\] ]{0,40}", 0..4),
        by in any::<bool>(),
    ) {
        let (header, added) = match by {
            true => (ProxyHeader::Forwarded, "for=203.0.113.9"),
            false => (ProxyHeader::XForwardedFor, "203.0.113.9"),
        };
        // On a line of its own, or at the end of the last one.
        let mut lines = written.clone();
        lines.push(added.to_owned());
        let mut joined = written;
        let last = joined.pop().unwrap_or_default();
        joined.push(format!("{last}, {added}"));
        for lines in [lines, joined] {
            let lines: Vec<_> = lines.iter().map(String::as_bytes).collect();
            prop_assert_eq!(client(&["10.0.0.0/8"], header, PROXY, &lines), "203.0.113.9");
        }
    }

    #[test]
    fn what_is_no_list_at_all_is_the_proxys_or_an_address(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        for header in [ProxyHeader::XForwardedFor, ProxyHeader::Forwarded] {
            let address = client(&["10.0.0.0/8"], header, PROXY, &[&bytes]);
            prop_assert!(address.parse::<IpAddr>().is_ok());
        }
    }
}
