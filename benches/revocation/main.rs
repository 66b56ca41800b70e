//! What a node's own list of revocations costs, how long a node takes to start with it, what idle sessions leave in its
//! memory, and what one takes in the index of a store: figures, which depend on the machine and are not held against
//! anything.
//!
//! 1. What is measured by memory is a process of its own: this binary again.
//! 2. Keys are random, and asked for by the million, as with requests: a look-up has to fetch its own piece
//!    of memory, where the list is larger than the processor's caches.
//! 3. Only the figures may vary. That what was joined is found, and nothing else, is asserted.
//!
//! `cargo bench --features redis,testing --bench revocation [-- PART..]`; see benches/README.md.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod answering;
#[path = "../common/client.rs"]
#[allow(dead_code)]
mod client;
mod entries;
mod index;
mod loading;
#[path = "../common/node.rs"]
mod node;
mod pauses;
#[path = "../common/process.rs"]
mod process;
mod sessions;
#[path = "../common/shapes.rs"]
#[allow(dead_code)]
mod shapes;
mod sizes;

use std::process::ExitCode;

const PARTS: [(&str, fn()); 5] = [
    ("sizes", sizes::run),
    ("pauses", pauses::run),
    ("loading", loading::run),
    ("index", index::run),
    ("sessions", sessions::run),
];
/// Takes more memory than most machines can spare, and runs only when it is named.
const LARGE: (&str, fn()) = ("loading-large", loading::run_large);
/// What this binary is once more, in a process of its own, with two arguments.
type Process = (&'static str, fn(&str, &str));
const PROCESSES: [Process; 5] = [
    (node::WORD, node::serve),
    (sizes::WORD, sizes::measure),
    (answering::WORD, answering::serve),
    (sessions::WORD, sessions::measure),
    (index::WORD, index::measure),
];

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let arguments = std::env::args().skip(1).filter(|each| each != "--bench");
    let wanted: Vec<String> = arguments.collect();
    if let [word, first, second] = wanted.as_slice() {
        let process = PROCESSES.iter().find(|(name, _)| name == word);
        if let Some((_, run)) = process {
            run(first, second);
            return ExitCode::SUCCESS;
        }
    }
    let parts: Vec<_> = PARTS.into_iter().chain([LARGE]).collect();
    let names: Vec<_> = parts.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = wanted.iter().find(|each| !names.contains(&each.as_str())) {
        eprintln!("there is no part {unknown}; the parts are {names:?}");
        return ExitCode::FAILURE;
    }
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{processors} processors, {}", process::model());
    for (name, run) in parts {
        let is_wanted = wanted.is_empty() && name != LARGE.0;
        if is_wanted || wanted.iter().any(|each| each == name) {
            println!("\n{name}");
            run();
        }
    }
    ExitCode::SUCCESS
}
