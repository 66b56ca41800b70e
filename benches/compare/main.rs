//! What a session costs beside what the cipher alone costs, and beside others that do the same.
//!
//! 1. Everyone has the same entries in a cookie, between two others of the same header.
//! 2. What is compared takes turns, in one process and on one thread.
//! 3. Before anything is measured, it is asserted that it gives the value back and refuses a changed cookie.
//! 4. Nothing passes or fails by a time. Only ratios of one run say anything.
//!
//! `scripts/bench-table`; see benches/README.md.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cache;
mod cipher;
#[path = "../common/mod.rs"]
mod common;
mod figures;
#[path = "../common/handlers.rs"]
mod handlers;
mod hits;
mod jar;
mod library;
mod nodes;
mod service;
mod table;
mod threads;
mod timing;
mod token;

use std::process::ExitCode;

use actix_web::rt::{System, SystemRunner};

use crate::common::shapes::{SIZES, Size};
use crate::figures::{Figures, Medians, ROUNDS};

/// What is measured together: sessions of one size.
struct Bench<'s> {
    system: &'s SystemRunner,
    size: Size,
}

type Group = fn(&Bench<'_>) -> Medians;

const GROUPS: [(&str, Group); 5] = [
    ("read", library::read),
    ("write", library::write),
    ("request", service::measure),
    ("cache", cache::measure),
    ("threads", threads::measure),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["run"] => {
            figures::forget();
            ROUNDS.iter().try_for_each(|round| in_own_process(round))
        }
        ["round", round] if ROUNDS.contains(round) => {
            figures::save(round, &measure(""));
            Ok(())
        }
        ["look", part] => look(part),
        ["table"] => print(table::markdown),
        ["json"] => print(table::json),
        _ => Err("usage: compare run|table|json|look GROUP[/SIZE]".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn in_own_process(round: &str) -> Result<(), String> {
    eprintln!("round {round} of {}", ROUNDS.len());
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let status = command.args(["round", round]).status().unwrap();
    match status.success() {
        true => Ok(()),
        false => Err(format!("round {round}: {status}")),
    }
}

/// What begins with `part`, for who looks at it, and not for the table.
fn look(part: &str) -> Result<(), String> {
    let figures = measure(part);
    for (name, nanos) in &figures {
        println!("{name:45} {nanos:9.1} ns");
    }
    match figures.is_empty() {
        true => Err(format!("nothing is called {part}")),
        false => Ok(()),
    }
}

fn print(of: fn(&[Figures]) -> Result<String, String>) -> Result<(), String> {
    print!("{}", of(&figures::last_run()?)?);
    Ok(())
}

/// Each group of each size, of those whose name begins with `part`.
fn measure(part: &str) -> Figures {
    let system = System::new();
    let mut figures = Figures::new();
    for size in SIZES {
        for (group, measure) in GROUPS {
            let name = format!("{group}/{}", size.name());
            if name.starts_with(part) {
                let system = &system;
                let medians = measure(&Bench { system, size }).into_iter();
                figures.extend(medians.map(|(path, nanos)| (format!("{name}/{path}"), nanos)));
            }
        }
    }
    figures
}
