//! The networks that fail on demand do what they are told.

use std::time::Instant;

use support::proxy::Proxy;
use support::redis_server::{RedisServer, Reply};

use super::harness::{
    PATIENCE, SOON, bytes, connect, get, gets_nothing, is_refused, is_reset, ping,
};

#[test]
fn a_proxy_forwards_and_counts() {
    let server = RedisServer::start();
    let proxy = Proxy::before(server.port());
    assert!(proxy.url().ends_with(&format!(":{}", proxy.port())));
    let mut connection = connect(&proxy, PATIENCE);
    for _ in 0..3 {
        ping(&mut connection);
    }
    assert_eq!(
        proxy.bytes_to_server(),
        3 * "*1\r\n$4\r\nPING\r\n".len() as u64
    );
    assert_eq!(proxy.bytes_to_clients(), 3 * "+PONG\r\n".len() as u64);
    assert_eq!(proxy.connections(), 1);

    // Larger than the buffers on the way, in both directions.
    let large = "x".repeat(3 << 20);
    connection.call(&["SET", "key", &large]).unwrap().ok();
    assert_eq!(connection.call(&["GET", "key"]).unwrap().text(), large);
    assert_eq!(proxy.lost(), 0);

    // A server that closes is seen to close, and one that is back is reached.
    server.kill();
    assert!(connection.call(&["PING"]).is_err());
    server.restart();
    ping(&mut connect(&proxy, PATIENCE));
}

#[test]
fn a_partition_is_silent_and_what_was_sent_arrives_when_it_heals() {
    let server = RedisServer::start();
    let proxy = Proxy::before(server.port());
    let mut old = connect(&proxy, SOON);
    ping(&mut old);
    let before = (proxy.bytes_to_server(), proxy.bytes_to_clients());

    proxy.stop_forwarding();
    gets_nothing(old.call(&["INCR", "key"]));
    let mut new = connect(&proxy, SOON);
    gets_nothing(new.call(&["INCR", "key"]));
    assert_eq!(get(&server), Reply::Nil);
    assert_eq!(before, (proxy.bytes_to_server(), proxy.bytes_to_clients()));

    proxy.heal();
    let mut replies = [old.reply().unwrap(), new.reply().unwrap()].map(Reply::integer);
    replies.sort_unstable();
    assert_eq!(replies, [1, 2]);
}

#[test]
fn a_reply_on_its_way_is_held_by_a_partition() {
    let server = RedisServer::start();
    let proxy = Proxy::before(server.port());
    let mut connection = connect(&proxy, SOON);
    connection.send(&["BLPOP", "list", "0"]).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while server.info("clients").remove("blocked_clients").unwrap() != "1" {
        assert!(Instant::now() < deadline);
    }
    proxy.stop_forwarding();
    server.command(&["RPUSH", "list", "x"]).integer();
    gets_nothing(connection.reply());
    proxy.heal();
    assert!(matches!(connection.reply().unwrap(), Reply::Array(_)));
}

#[test]
fn a_cut_resets_connections_and_lets_new_ones_in() {
    let server = RedisServer::start();
    let proxy = Proxy::before(server.port());
    let mut both = [connect(&proxy, PATIENCE), connect(&proxy, PATIENCE)];
    for connection in &mut both {
        ping(connection);
    }
    proxy.cut();
    for connection in &mut both {
        is_reset(connection.reply());
    }
    ping(&mut connect(&proxy, PATIENCE));
}

#[test]
fn a_proxy_leads_to_another_server_when_it_is_told_to() {
    let (one, two) = (RedisServer::start(), RedisServer::start());
    let proxy = Proxy::before(one.port());
    let mut old = connect(&proxy, PATIENCE);
    old.call(&["SET", "key", "one"]).unwrap().ok();
    proxy.redirect(two.port());
    is_reset(old.call(&["GET", "key"]));
    let mut new = connect(&proxy, PATIENCE);
    assert_eq!(new.call(&["GET", "key"]).unwrap(), Reply::Nil);
}

#[test]
fn a_replica_behind_a_network_that_fails_lacks_what_was_written_last() {
    let (primary, replica) = (RedisServer::start(), RedisServer::start());
    let link = Proxy::before(primary.port());
    primary.command(&["SET", "key", "before"]).ok();
    replica.replica_of_port(link.port());
    link.stop_forwarding();
    primary.command(&["SET", "key", "after"]).ok();
    primary.kill();
    link.refuse();
    replica.promote();
    assert_eq!(get(&replica).text(), "before");
}

#[test]
fn a_refusing_proxy_is_as_good_as_none_until_it_heals() {
    let server = RedisServer::start();
    let proxy = Proxy::before(server.port());
    let mut connection = connect(&proxy, PATIENCE);
    ping(&mut connection);
    proxy.refuse();
    is_reset(connection.reply());
    is_refused(proxy.port());
    proxy.heal();
    ping(&mut connect(&proxy, PATIENCE));

    let port = proxy.port();
    drop(proxy);
    is_refused(port);
}

#[test]
fn the_next_reply_is_cut_where_it_should_be() {
    let server = RedisServer::start();
    let proxy = Proxy::before(server.port());
    // ":1\r\n" and so on: nothing, half of it, and all of it.
    for (bytes, counted) in [(0, 1), (2, 2), (100, 3)] {
        let mut connection = connect(&proxy, PATIENCE);
        ping(&mut connection);
        let before = proxy.bytes_to_clients();
        proxy.cut_reply_after(bytes);
        let reply = connection.call(&["INCR", "key"]);
        assert_eq!(proxy.bytes_to_clients() - before, bytes.min(4) as u64);
        if bytes < 4 {
            is_reset(reply);
        } else {
            assert_eq!(reply.unwrap(), Reply::Integer(counted));
            is_reset(connection.reply());
        }
        assert_eq!(get(&server).text(), counted.to_string(), "it was done");
        assert_eq!(proxy.lost(), counted as u64);
        // Once.
        ping(&mut connect(&proxy, PATIENCE));
    }
}

#[test]
fn the_reply_to_one_command_is_cut_among_others() {
    let server = RedisServer::start();
    let proxy = Proxy::before(server.port());
    let (mut one, mut two) = (connect(&proxy, PATIENCE), connect(&proxy, PATIENCE));
    proxy.cut_reply_to("incrby", 0);
    ping(&mut one);
    // A reply that holds others, and the word that is looked for.
    two.send(&["EVAL", "return {1, {'INCRBY', false}, {}}", "0"])
        .unwrap();
    is_reset(two.reply());

    proxy.cut_reply_to("INCRBY", 0);
    for words in [
        &["EVAL", "return {1, {'x', false}, {}, 'y'}", "0"][..],
        &["INCRBY", "key", "5"],
        &["INCRBY", "key", "6"],
    ] {
        one.send(words).unwrap();
    }
    let inner = Reply::Array(vec![bytes("x"), Reply::Nil]);
    assert_eq!(
        one.reply().unwrap(),
        Reply::Array(vec![
            Reply::Integer(1),
            inner,
            Reply::Array(Vec::new()),
            bytes("y")
        ])
    );
    is_reset(one.reply());
    assert_eq!(proxy.lost(), 2);
    // The server may have read the last one before the connection was reset.
    let done = get(&server).text();
    assert!(["5", "11"].contains(&done.as_str()), "{done}");

    proxy.cut_reply_to("PING", 0);
    proxy.heal();
    ping(&mut connect(&proxy, PATIENCE));
}
