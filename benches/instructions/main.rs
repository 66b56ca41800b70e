//! How many instructions a read and a write take, counted by callgrind: a gate.
//!
//! 1. Nothing here is a time. The counts are the same from run to run to about one in a hundred, and a busy
//!    machine does not change them.
//! 2. They depend on the compiler, on the C library and on what the processor can do. The figures in
//!    `figures.toml` say with which they were taken; elsewhere the gate tells the counts, judges nothing and
//!    ends with 3.
//! 3. The clock stands still, and the random bytes and the key are always the same.
//!
//! `scripts/instructions`, or with `--write` to take new figures; see benches/README.md.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;
mod counting;
mod figures;
mod processor;
mod workload;

use std::process::ExitCode;

use crate::common::shapes::SIZES;
use crate::figures::{Figures, Verdict};

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let arguments = std::env::args().skip(1).filter(|each| each != "--bench");
    let arguments: Vec<String> = arguments.collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done: Result<(), Failure> = match words.as_slice() {
        [workload::WORD, path, size] => {
            workload::run(path, size);
            Ok(())
        }
        [processor::WORD] => {
            println!("{}", processor::abilities());
            Ok(())
        }
        [] => count().and_then(|counted| compare(&counted)),
        ["--write"] => count().and_then(|counted| Ok(counted.save()?)),
        _ => Err("usage: scripts/instructions [--write]".to_owned().into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Incomparable) => ExitCode::from(3),
        Err(Failure::Problem(problem)) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

enum Failure {
    Problem(String),
    /// The figures were taken with something else.
    Incomparable,
}

impl From<String> for Failure {
    fn from(problem: String) -> Self {
        Self::Problem(problem)
    }
}

/// How often each is counted. The median stands: now and then the allocator has a harder time.
const RUNS: usize = 3;

fn count() -> Result<Figures, Failure> {
    let mut counted = Figures::here()?;
    for (path, size) in counts() {
        let mut runs = [0; RUNS];
        for run in &mut runs {
            *run = counting::count(path, size)?;
        }
        runs.sort_unstable();
        counted.set(path, size, runs[RUNS / 2]);
    }
    Ok(counted)
}

/// The read of a session in three groups. It is held against one in none of the same run.
const GROUPED: &str = "grouped";

/// What is counted: a path, and the name of a size.
fn counts() -> impl Iterator<Item = (&'static str, &'static str)> {
    let sizes = |path| SIZES.map(|size| (path, size.name()));
    ["new", GROUPED, "again", "write"]
        .into_iter()
        .flat_map(sizes)
}

/// # Errors
/// When any count grew, or nobody can tell.
fn compare(counted: &Figures) -> Result<(), Failure> {
    let recorded = Figures::recorded()?;
    let comparable = recorded.taken_with == counted.taken_with;
    if !comparable {
        println!("the figures were taken with {}", recorded.taken_with);
        println!("this is                     {}", counted.taken_with);
        println!(
            "so the counts below are not held against them; `scripts/instructions --write` takes them"
        );
    }
    let mut grown = false;
    for (path, size) in counts() {
        let count = counted.get(path, size);
        let verdict = match path {
            GROUPED => Verdict::of_groups(counted.get("new", size), count),
            _ => Verdict::of(recorded.get(path, size), count),
        };
        println!("{path:7} {size:6} {verdict}");
        grown |= verdict.grew();
    }
    if !comparable {
        return Err(Failure::Incomparable);
    }
    if grown {
        let advice = "a count grew by more than 3 %, or groups cost more than 14 %. If it is worth it: scripts/instructions --write";
        return Err(advice.to_owned().into());
    }
    Ok(())
}
