//! The servers that other tests disturb do what they are told.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::proxy::Proxy;
use support::redis_server::{Connection, RedisServer, Reply};

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// After which what did not arrive is taken not to arrive.
pub const SOON: Duration = Duration::from_millis(300);

pub fn set(server: &RedisServer, value: &str) {
    server.command(&["SET", "key", value]).ok();
}

pub fn get(server: &RedisServer) -> Reply {
    server.command(&["GET", "key"])
}

pub fn bytes(text: &str) -> Reply {
    Reply::Bytes(text.into())
}

pub fn connect(proxy: &Proxy, patience: Duration) -> Connection {
    Connection::open(proxy.port(), patience).unwrap()
}

#[track_caller]
pub fn ping(connection: &mut Connection) {
    assert_eq!(
        connection.call(&["PING"]).unwrap(),
        Reply::Status("PONG".into())
    );
}

/// The call gets no answer, and the connection does not end.
#[track_caller]
pub fn gets_nothing(result: std::io::Result<Reply>) {
    let kind = result.unwrap_err().kind();
    assert!(
        [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&kind),
        "{kind:?}"
    );
}

#[track_caller]
pub fn is_reset(result: std::io::Result<Reply>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[track_caller]
pub fn is_refused(port: u16) {
    let error = Connection::open(port, PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_server_answers_on_a_port_of_its_own() {
    let (one, two) = (RedisServer::start(), RedisServer::start());
    assert_ne!(one.port(), two.port());
    set(&one, "1");
    assert_eq!(get(&one), bytes("1"));
    assert_eq!(get(&two), Reply::Nil);
    for server in [&one, &two] {
        let id = server.info("server").remove("process_id").unwrap();
        assert_eq!(id, server.id().unwrap().to_string());
        assert!(server.url().ends_with(&format!(":{}", server.port())));
    }
    assert_eq!(
        one.command(&["LPUSH", "key", "x"]),
        Reply::Error("WRONGTYPE Operation against a key holding the wrong kind of value".into())
    );
    let time = one.command(&["TIME"]);
    assert!(
        matches!(&time, Reply::Array(parts) if parts.len() == 2),
        "{time:?}"
    );
}

#[test]
fn a_server_that_is_dropped_is_gone() {
    let leave: fn(&RedisServer) = |_| {};
    for disturb in [leave, RedisServer::pause, RedisServer::kill] {
        let server = RedisServer::start();
        let (port, folder) = (server.port(), server.data());
        disturb(&server);
        drop(server);
        is_refused(port);
        assert!(!folder.exists());
    }
}

#[test]
fn a_killed_server_comes_back_on_its_port_with_what_it_wrote_to_disk() {
    let forgets = RedisServer::start();
    let remembers = RedisServer::with(["--appendonly", "yes", "--appendfsync", "always"]);
    for server in [&forgets, &remembers] {
        let port = server.port();
        set(server, "kept");
        server.kill();
        is_refused(port);
        assert_eq!(server.id(), None);
        server.restart();
        assert_eq!(server.port(), port);
    }
    assert_eq!(get(&forgets), Reply::Nil);
    assert_eq!(get(&remembers), bytes("kept"));

    // Without having been killed before.
    let id = remembers.id();
    remembers.restart_empty();
    assert_ne!(remembers.id(), id);
    assert_eq!(remembers.command(&["DBSIZE"]).integer(), 0);
    set(&remembers, "new");
    remembers.restart();
    assert_eq!(get(&remembers), bytes("new"));
}

#[test]
fn a_paused_server_holds_its_connections_and_answers_later() {
    let server = RedisServer::start();
    let mut connection = Connection::open(server.port(), SOON).unwrap();
    connection.call(&["SET", "key", "1"]).unwrap().ok();
    server.pause();
    gets_nothing(connection.call(&["INCR", "key"]));
    // Accepted by the kernel.
    gets_nothing(server.try_command(&["PING"], SOON));
    server.resume();
    assert_eq!(server.command(&["GET", "key"]).text(), "2");
    assert_eq!(connection.reply().unwrap(), Reply::Integer(2));
}

#[test]
fn a_replica_follows_until_it_is_promoted() {
    let (primary, replica) = (RedisServer::start(), RedisServer::start());
    set(&primary, "1");
    replica.replica_of(&primary);
    assert_eq!(replica.info("replication").remove("role").unwrap(), "slave");
    assert_eq!(get(&replica), bytes("1"));

    // WAIT is for what its own connection wrote.
    let mut connection = Connection::open(primary.port(), PATIENCE).unwrap();
    connection.call(&["SET", "key", "2"]).unwrap().ok();
    let reached = connection.call(&["WAIT", "1", "10000"]).unwrap();
    assert_eq!(reached, Reply::Integer(1), "{}", replica.log());
    assert_eq!(get(&replica), bytes("2"));

    replica.promote();
    assert_eq!(
        replica.info("replication").remove("role").unwrap(),
        "master"
    );
    set(&primary, "3");
    set(&replica, "4");
    assert_eq!((get(&primary), get(&replica)), (bytes("3"), bytes("4")));
}

#[test]
fn counters_count_what_others_do() {
    let server = RedisServer::start();
    let asking = {
        let before = server.counters();
        server.counters().since(before)
    };
    let before = server.counters();
    for _ in 0..10 {
        set(&server, &"x".repeat(1000));
    }
    let done = server.counters().since(before);
    assert_eq!(done.commands, asking.commands + 10);
    assert!((10_000..12_000).contains(&(done.bytes_in - asking.bytes_in)));
    // Ten times "+OK\r\n"; what INFO says of it may be longer by some digits.
    let replied = done.bytes_out.abs_diff(asking.bytes_out);
    assert!((50..100).contains(&replied), "{replied}");
}

#[test]
fn a_server_is_started_with_any_arguments() {
    let policy = RedisServer::with(["--maxmemory-policy", "allkeys-lru"]);
    let reply = policy.command(&["CONFIG", "GET", "maxmemory-policy"]);
    assert_eq!(
        reply,
        Reply::Array(vec![bytes("maxmemory-policy"), bytes("allkeys-lru")])
    );

    let users = RedisServer::with(["--user", "node", "on", ">secret", "~*", "+get"]);
    let mut connection = Connection::open(users.port(), PATIENCE).unwrap();
    connection.call(&["AUTH", "node", "secret"]).unwrap().ok();
    assert_eq!(connection.call(&["GET", "key"]).unwrap(), Reply::Nil);
    let reply = connection.call(&["SET", "key", "1"]).unwrap();
    assert!(matches!(reply, Reply::Error(text) if text.starts_with("NOPERM")));

    // It does not let the harness ask, and still counts as started.
    let closed = RedisServer::with(["--requirepass", "secret"]);
    let reply = closed.command(&["PING"]);
    assert!(matches!(reply, Reply::Error(text) if text.starts_with("NOAUTH")));

    let cluster = RedisServer::with(["--cluster-enabled", "yes"]);
    assert_eq!(
        cluster.info("cluster").remove("cluster_enabled").unwrap(),
        "1"
    );
}

#[test]
#[should_panic(expected = "redis-server does not start")]
fn a_server_that_does_not_start_says_why() {
    let _ = RedisServer::with(["--no-such-setting", "1"]);
}

#[test]
fn a_machine_without_redis_is_told_what_to_do() {
    // Another test of this file, where no program is found.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "harness::a_server_answers_on_a_port_of_its_own"])
        .env("PATH", Path::new("/nonexistent"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("redis-server is not installed; scripts/test installs it"),
        "{text}"
    );
}
