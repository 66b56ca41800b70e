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

const ROUNDS: usize = 15;

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
    let measured = SIZES.map(|size| {
        let servers = Kind::ALL.map(|kind| Server::start(kind, size, redis));
        let rounds: [_; ROUNDS] =
            std::array::from_fn(|_| servers.each_ref().map(|server| Load::on(server).run()));
        Medians::of(&rounds)
    });
    let share = "requests a second, as a share of those of a route without sessions";
    println!("| {share} | small | medium | large |\n|---|---|---|---|");
    for (nth, kind) in Kind::ALL.iter().enumerate().skip(1) {
        let [small, medium, large] = measured.each_ref().map(|medians| medians[nth].share);
        println!(
            "| {} | {small:.2} | {medium:.2} | {large:.2} |",
            kind.name()
        );
    }
    println!("\n| | | requests a second | CPU a request | p50 | p99 |\n|---|---|---|---|---|---|");
    for (size, medians) in SIZES.iter().zip(&measured) {
        for (kind, median) in Kind::ALL.iter().zip(medians) {
            println!(
                "| {} | {} | {:.0} | {:.1} µs | {:.2} ms | {:.2} ms |",
                size.name(),
                kind.name(),
                median.load.per_second,
                median.load.cpu_micros,
                median.load.p50_millis,
                median.load.p99_millis,
            );
        }
    }
}

/// What all rounds of one server came to.
struct Medians {
    load: Measured,
    /// Of the requests a second that the bare route answered in the same round.
    share: f64,
}

impl Medians {
    /// Of each of the servers, which come in the order of [`Kind::ALL`].
    fn of(rounds: &[[Measured; 4]; ROUNDS]) -> [Self; 4] {
        std::array::from_fn(|nth| {
            let median =
                |of: fn(&Measured) -> f64| median(rounds.each_ref().map(|all| of(&all[nth])));
            Self {
                load: Measured {
                    per_second: median(|round| round.per_second),
                    cpu_micros: median(|round| round.cpu_micros),
                    p50_millis: median(|round| round.p50_millis),
                    p99_millis: median(|round| round.p99_millis),
                },
                share: self::median(
                    rounds
                        .each_ref()
                        .map(|all| all[nth].per_second / all[0].per_second),
                ),
            }
        })
    }
}

fn median(mut of: [f64; ROUNDS]) -> f64 {
    of.sort_by(f64::total_cmp);
    of[ROUNDS / 2]
}
