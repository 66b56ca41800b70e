//! Servers of our own with the store on them, and a connection around it.
#![allow(dead_code)]

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};

use redis::{Connection, FromRedisValue};
use sealed_session::store::{Redis, RedisOptions};

use support::moved_clock::MovedClock;
use support::redis_server::RedisServer;

static LISTS: AtomicU32 = AtomicU32::new(0);

/// A name that no other list of this test run has.
pub fn new_list() -> String {
    format!("list-{}", LISTS.fetch_add(1, Ordering::Relaxed))
}

/// The name of a key of the list.
pub fn key(list: &str, name: &str) -> String {
    format!("sealed-session:{{{list}}}:{name}")
}

pub struct Server(RedisServer);

impl Deref for Server {
    type Target = RedisServer;

    fn deref(&self) -> &RedisServer {
        &self.0
    }
}

impl Server {
    pub fn start() -> Self {
        Self(RedisServer::start())
    }

    pub fn with(arguments: &[&str]) -> Self {
        Self(RedisServer::with(arguments))
    }

    pub fn under(clock: &MovedClock) -> Self {
        Self(RedisServer::under(clock))
    }

    pub fn durable_under(clock: &MovedClock) -> Self {
        Self(RedisServer::durable_under(clock))
    }

    pub fn open(&self, list: &str) -> Redis {
        Redis::open(self.url(), list).unwrap()
    }

    pub fn options(&self, list: &str) -> RedisOptions {
        Redis::options(self.url(), list)
    }

    /// A connection around the store.
    pub fn raw(&self) -> Connection {
        let client = redis::Client::open(self.url()).unwrap();
        client.get_connection().unwrap()
    }

    pub fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut self.raw()).unwrap()
    }

    pub fn tell(&self, words: &[&str]) {
        let _: redis::Value = self.ask(words);
    }
}
