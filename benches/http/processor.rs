//! Who runs where.
//!
//! 1. The server has a processor with somebody who is never done, which leaves it half of it. `wrk` has another one, and
//!    twice the time. Where both had a whole one, it was now the server that waited and now `wrk`, which writes and reads
//!    as much as the server; and a server that waits is woken for each request, which costs more than a session.
//! 2. So only the server's work counts, and how long a request takes is no figure: most of it is the other's half.

use std::io::Read;
use std::process::{Child, Command, Stdio};

/// What the binary is called with to be the one that is never done.
pub const WORD: &str = "work";

/// The server's, and that of everyone who is asked by it or asks it.
pub const SERVER: &str = "0";
pub const OTHERS: &str = "1";

/// A program that runs on this processor.
pub fn on(processor: &str, program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", processor, program]);
    command
}

/// This binary.
pub fn own() -> String {
    let binary = std::env::current_exe().unwrap();
    binary.to_str().unwrap().to_owned()
}

/// Works on the server's processor for as long as it is held.
pub struct Rival(Child);

impl Rival {
    pub fn start() -> Self {
        let mut command = on(SERVER, &own());
        Self(command.arg(WORD).stdin(Stdio::piped()).spawn().unwrap())
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

pub fn work() {
    end_with_input();
    loop {
        std::hint::spin_loop();
    }
}

/// Ends this process when nobody holds its standard input: whoever measures is gone.
pub fn end_with_input() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}
