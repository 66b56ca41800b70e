//! What a fleet on one Redis costs: figures, which depend on the machine and are not held against
//! anything.
//!
//! 1. It starts a Redis of its own, empty for each part.
//! 2. What is measured by CPU or memory is a node in a process of its own: this binary again.
//! 3. Only the figures may vary. That every node ends with every entry is asserted.
//!
//! `cargo bench --features redis --bench fleet [-- PART..]`; see benches/README.md.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

#[path = "../common/client.rs"]
mod client;
mod flood;
mod following;
mod index;
mod loading;
mod logins;
#[path = "../common/node.rs"]
mod node;
#[path = "../common/process.rs"]
mod process;
mod propagation;
mod publishing;
mod reading;
#[path = "../common/shapes.rs"]
#[allow(dead_code)]
mod shapes;
#[path = "../common/zipf.rs"]
mod zipf;

use std::io;
use std::process::{Command, ExitCode, Stdio};

const PARTS: [(&str, fn()); 8] = [
    ("propagation", propagation::run),
    ("loading", loading::run),
    ("following", following::run),
    ("reading", reading::run),
    ("idle", following::idle),
    ("flood", flood::run),
    ("index", index::run),
    ("logins", logins::run),
];

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let arguments = std::env::args().skip(1).filter(|each| each != "--bench");
    let wanted: Vec<String> = arguments.collect();
    if let [word, url, list] = wanted.as_slice()
        && word == node::WORD
    {
        node::serve(url, list);
        return ExitCode::SUCCESS;
    }
    let names = PARTS.map(|(name, _)| name);
    if let Some(unknown) = wanted.iter().find(|each| !names.contains(&each.as_str())) {
        eprintln!("there is no part {unknown}; the parts are {names:?}");
        return ExitCode::FAILURE;
    }
    let version = match redis_version() {
        Ok(version) => version,
        Err(error) => {
            eprintln!("redis-server cannot be run: {error}");
            eprintln!("`scripts/need redis-server` installs it from the system's packages");
            return ExitCode::FAILURE;
        }
    };
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{processors} processors, {}; {version}", process::model());
    for (name, run) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|each| each == name) {
            println!("\n{name}");
            run();
        }
    }
    ExitCode::SUCCESS
}

/// The first words of what it says of itself: "Redis server v=7.0.15".
fn redis_version() -> io::Result<String> {
    let mut command = Command::new("redis-server");
    let output = command.arg("--version").stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    Ok(words.join(" "))
}
