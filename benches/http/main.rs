//! What sessions cost a server: requests a second over HTTP, beside a route without any.
//!
//! 1. A server in a process of its own, with one worker, and `wrk` with one thread and 32 connections.
//! 2. Each request carries a valid cookie between two others, and is answered with a value of its session.
//! 3. All servers run; each has its turn in every round. A round is compared with itself alone.
//!
//! `scripts/bench-http`; see benches/README.md.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/handlers.rs"]
mod handlers;
mod load;
mod server;

use std::process::ExitCode;

use crate::common::shapes::SIZES;
use crate::load::{Load, Measured};
use crate::server::{Kind, Server};

const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [server::WORD, kind, size, redis] => server::serve(kind, size, redis),
        [redis] => measure(redis),
        _ => {
            eprintln!("usage: http REDIS-URL");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure(redis: &str) {
    println!("| | | requests a second | of the bare route | CPU a request | p50 | p99 |");
    println!("|---|---|---|---|---|---|---|");
    for size in SIZES {
        let servers = Kind::ALL.map(|kind| Server::start(kind, size, redis));
        let mut rounds: Vec<[Measured; 4]> = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push(servers.each_ref().map(|server| Load::on(server).run()));
        }
        for (nth, kind) in Kind::ALL.iter().enumerate() {
            let median = |of: &dyn Fn(&[Measured; 4]) -> f64| {
                let mut all: Vec<f64> = rounds.iter().map(of).collect();
                all.sort_by(f64::total_cmp);
                all[ROUNDS / 2]
            };
            println!(
                "| {} | {} | {:.0} | {:.2} | {:.1} µs | {:.2} ms | {:.2} ms |",
                size.name(),
                kind.name(),
                median(&|round| round[nth].per_second),
                median(&|round| round[nth].per_second / round[0].per_second),
                median(&|round| round[nth].cpu_micros),
                median(&|round| round[nth].p50_millis),
                median(&|round| round[nth].p99_millis),
            );
        }
    }
}
