//! What a session costs beside what the cipher alone costs, and beside others that do the same.
//!
//! 1. Everyone has the same entries in a cookie, between two others of the same header.
//! 2. What is compared runs in one run, on one thread, one after the other.
//! 3. Before anything is measured, it is asserted that it gives the value back and refuses a changed cookie.
//! 4. Nothing passes or fails by a time. Only ratios of one run say anything.
//!
//! `scripts/bench-table`; see benches/README.md.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cipher;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/handlers.rs"]
mod handlers;
mod jar;
mod service;
mod table;
mod timing;
mod token;

use std::hint::black_box;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use actix_web::rt::{System, SystemRunner};
use criterion::Criterion;
use sealed_session::{
    KeyRing,
    keys::{Random, SystemRandom},
    settings::CookieSettings,
};

use crate::cipher::Message;
use crate::common::ours::{self, AUDIENCE, Ended, Ours};
use crate::common::shapes::{SIZES, Size};
use crate::jar::Jar;
use crate::timing::timed;
use crate::token::Token;

/// The associated data of a token: seven fields with their lengths, see docs/FORMAT.md.
const ASSOCIATED: usize = 7 * 4 + 14 + 21 + "__Host-session".len() + AUDIENCE.len() + 1;

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--table") {
        return match table::render(&ROUNDS.map(figures)) {
            Ok(table) => {
                print!("{table}");
                ExitCode::SUCCESS
            }
            Err(problem) => {
                eprintln!("{problem}");
                ExitCode::FAILURE
            }
        };
    }
    // Short: there are several rounds.
    let mut criterion = Criterion::default()
        .output_directory(&figures(&round()))
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(50)
        .nresamples(1_000)
        .configure_from_args();
    let system = System::new();
    criterion.bench_function("nonce", |bencher| {
        let mut nonce = [0; 24];
        bencher.iter(|| SystemRandom.fill(black_box(&mut nonce)));
    });
    for size in SIZES {
        compare(&mut criterion, &system, size);
    }
    criterion.final_summary();
    ExitCode::SUCCESS
}

/// A round measures everything once, in a process of its own. The table shows medians of all rounds: machines are
/// faster and slower by the minute, and a process by where its memory happens to lie.
const ROUNDS: [&str; 5] = ["1", "2", "3", "4", "5"];

/// Which round this process measures. Without one it measures for who looks at it, and not for the table.
fn round() -> String {
    std::env::var("ROUND").unwrap_or_else(|_| "none".to_owned())
}

/// Where Criterion keeps what it measured in a round: each implementation of the cipher has figures of its own.
fn figures(round: &str) -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    // target/release/compare
    let target = binary.ancestors().nth(2).unwrap();
    target.join("criterion").join(cipher::NAME).join(round)
}

/// Everyone's read and write of a session of one size, those next to each other that are compared.
fn compare(criterion: &mut Criterion, system: &SystemRunner, size: Size) {
    let ring = KeyRing::generate().unwrap();
    let (ours, grouped) = system.block_on(async {
        let mut cookie = CookieSettings::default();
        // Each read is that of a token which the node has not opened before.
        cookie.remembered_tokens = 0;
        let builder = ours::builder(ring).cookie(cookie);
        let sessions = builder.start().await.unwrap();
        let groups = ["acme", "globex", "initech"];
        let ours = Ours::start(sessions.clone(), size, Ended::MANY).await;
        let grouped = Ours::start_in(&groups, sessions, size, Ended::MANY).await;
        (ours, grouped)
    });
    // A token without its head, nonce and tag.
    let sealed = ours.value.len() * 3 / 4 - (21 + 24 + 16);
    let mut message = Message::new(sealed, ASSOCIATED);
    println!("{}: {sealed} bytes under the seal", size.name());
    let jar = Jar::new(size);
    let token = Token::new(size);

    let name = |who: &str| format!("read/{}/{who}", size.name());
    criterion.bench_function(&name("cipher"), |bencher| bencher.iter(|| message.open()));
    criterion.bench_function(&name("ours"), |bencher| bencher.iter(|| ours.read()));
    criterion.bench_function(&name("grouped"), |bencher| bencher.iter(|| grouped.read()));
    criterion.bench_function(&name("jar"), |bencher| bencher.iter(|| jar.read()));
    criterion.bench_function(&name("token"), |bencher| bencher.iter(|| token.read()));

    let name = |who: &str| format!("write/{}/{who}", size.name());
    criterion.bench_function(&name("cipher"), |bencher| bencher.iter(|| message.seal()));
    criterion.bench_function(&name("ours"), |bencher| {
        bencher.iter_custom(|times| {
            let write = async |changed| ours.write(changed).await;
            system.block_on(timed(times, || ours.changed(), write))
        });
    });
    criterion.bench_function(&name("jar"), |bencher| bencher.iter(|| jar.write()));
    criterion.bench_function(&name("token"), |bencher| bencher.iter(|| token.write()));

    service::run(criterion, system, &ours, size);
}
