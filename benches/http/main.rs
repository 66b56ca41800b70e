//! What sessions cost a server: requests a second over HTTP, beside a route without any.
//!
//! 1. A server in a process of its own, with one worker, and `wrk` with one thread and 32 connections. The server has half
//!    of a processor, so that it is never the one that waits: `processor`.
//! 2. Each request carries a valid cookie between two others, and is answered with a value of its session. The route
//!    without sessions gets the same headers.
//! 3. All servers run; each has its turn in every round, and the bare one before it. A turn is compared with that alone.
//!
//! `scripts/bench-http`; see benches/README.md.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/handlers.rs"]
mod handlers;
mod load;
mod processor;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::common::shapes::{SIZES, Size};
use crate::common::zipf;
use crate::load::{Cookies, Measured};
use crate::processor::Rival;
use crate::server::{Kind, Server};

const ROUNDS: usize = 7;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [server::WORD, kind, size, redis] => server::serve(kind, size, redis),
        [processor::WORD] => processor::work(),
        [redis, folder] => {
            let rival = Rival::start();
            let measured = SIZES.map(|size| measure(size, redis, Path::new(folder)));
            drop(rival);
            print(&measured);
            if let Err(problem) = check(&measured) {
                eprintln!("{problem}");
                return ExitCode::FAILURE;
            }
        }
        _ => {
            eprintln!("usage: http REDIS-URL FOLDER");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

const CASES: [&str; 6] = [
    "sealed-session, one token",
    "sealed-session, 10,000 tokens by Zipf's law",
    "sealed-session, 10,000 tokens in turn",
    "actix-session, cookies, one token",
    "actix-session, cookies, 10,000 tokens in turn",
    "actix-session, Redis, one token",
];

/// All cases with sessions of one size. The folder is for what `wrk` reads.
fn measure(size: Size, redis: &str, folder: &Path) -> [Medians; CASES.len()] {
    let file = |name: &str, lines: Vec<String>| -> PathBuf {
        let file = folder.join(name);
        fs::write(&file, lines.join("\n")).unwrap();
        file
    };
    let [bare, ours, in_cookies, in_redis] = Kind::ALL.map(|kind| Server::start(kind, size, redis));
    let our_headers = ours.begin(zipf::SESSIONS);
    let their_headers = in_cookies.begin(zipf::SESSIONS);
    let redis_header = in_redis.begin(1).remove(0);
    let (our_header, their_header) = (our_headers[0].clone(), their_headers[0].clone());
    let our_file = file("ours", our_headers);
    let their_file = file("theirs", their_headers);
    // wrk counts from one.
    let numbers = |order: Vec<usize>| order.iter().map(|nth| (nth + 1).to_string()).collect();
    let in_turn = file("in-turn", numbers((0..zipf::SESSIONS).collect()));
    let by_zipf = file("zipf", numbers(zipf::draws(100_000)));
    let many = |headers, order| Cookies::Many { headers, order };

    // In the order of `CASES`.
    let cases = [
        (&ours, Cookies::One(&our_header)),
        (&ours, many(&our_file, &by_zipf)),
        (&ours, many(&our_file, &in_turn)),
        (&in_cookies, Cookies::One(&their_header)),
        (&in_cookies, many(&their_file, &in_turn)),
        (&in_redis, Cookies::One(&redis_header)),
    ];
    let rounds: [_; ROUNDS] = std::array::from_fn(|_| {
        cases.each_ref().map(|(server, cookies)| Turn {
            bare: Measured::of(&bare, cookies),
            with: Measured::of(server, cookies),
        })
    });
    std::array::from_fn(|case| Medians::of(rounds.each_ref().map(|round| round[case])))
}

fn print(measured: &[[Medians; CASES.len()]; SIZES.len()]) {
    let share = "requests a second, as a share of those of a route without sessions";
    println!("| {share} | small | medium | large |\n|---|---|---|---|");
    for (nth, case) in CASES.iter().enumerate() {
        let [small, medium, large] = measured.each_ref().map(|medians| medians[nth].share);
        println!("| {case} | {small:.2} | {medium:.2} | {large:.2} |");
    }
    println!("\n| | | requests a second | without sessions | CPU a request | without sessions |");
    println!("|---|---|---|---|---|---|");
    for (size, medians) in SIZES.iter().zip(measured) {
        for (case, Medians { turn, .. }) in CASES.iter().zip(medians) {
            let Turn { bare, with } = turn;
            println!(
                "| {} | {case} | {:.0} | {:.0} | {:.1} µs | {:.1} µs |",
                size.name(),
                with.per_second,
                bare.per_second,
                with.cpu_micros(),
                bare.cpu_micros(),
            );
        }
    }
}

/// # Errors
/// When a server had less than its half of a processor: it waited for `wrk`, or the machine did something else.
fn check(measured: &[[Medians; CASES.len()]; SIZES.len()]) -> Result<(), String> {
    for (size, medians) in SIZES.iter().zip(measured) {
        for (case, Medians { turn, .. }) in CASES.iter().zip(medians) {
            let used = turn.bare.cpu.min(turn.with.cpu);
            if used < 0.4 {
                let size = size.name();
                return Err(format!(
                    "{size}, {case}: a server had {used:.2} of a processor, so the figures say nothing: measure again"
                ));
            }
        }
    }
    Ok(())
}

/// One after the other.
#[derive(Clone, Copy)]
struct Turn {
    bare: Measured,
    with: Measured,
}

/// What all rounds of one case came to.
struct Medians {
    turn: Turn,
    /// Of the requests a second that the bare route answered in the same turn.
    share: f64,
}

impl Medians {
    fn of(turns: [Turn; ROUNDS]) -> Self {
        let measured = |of: fn(&Turn) -> &Measured| {
            let median = |what: fn(&Measured) -> f64| median(turns.map(|turn| what(of(&turn))));
            Measured {
                per_second: median(|it| it.per_second),
                cpu: median(|it| it.cpu),
            }
        };
        Self {
            turn: Turn {
                bare: measured(|turn| &turn.bare),
                with: measured(|turn| &turn.with),
            },
            share: median(turns.map(|turn| turn.with.per_second / turn.bare.per_second)),
        }
    }
}

fn median(mut of: [f64; ROUNDS]) -> f64 {
    of.sort_by(f64::total_cmp);
    of[ROUNDS / 2]
}
