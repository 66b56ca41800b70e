//! The time of day of another process, moved by a library that is loaded into it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The clock of the processes that run in its environment.
#[derive(Debug)]
pub struct MovedClock {
    folder: TempDir,
}

impl MovedClock {
    /// One that shows the real time. `None`, said on standard error, on other systems than Linux.
    pub fn build() -> Option<Self> {
        if !cfg!(target_os = "linux") {
            eprintln!("skipped: no clock can be built here that can be moved");
            return None;
        }
        let clock = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/clock.c");
        let mut compile = Command::new("cc");
        let compile = compile.args(["-shared", "-fPIC", "-O1", source, "-o"]);
        let compiled = match compile.arg(clock.library()).output() {
            Ok(output) => output,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("cc, the C compiler that Rust links with, is not installed")
            }
            Err(error) => panic!("cc cannot be run: {error}"),
        };
        let errors = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "cc builds no clock: {errors}");
        clock.set(0);
        Some(clock)
    }

    /// For the processes whose clock it shall be.
    pub fn environment(&self) -> Vec<(String, PathBuf)> {
        let variable = |name: &str, path: &Path| (name.to_owned(), path.to_owned());
        vec![
            variable("LD_PRELOAD", &self.library()),
            variable("CLOCK_OFFSET", &self.file()),
        ]
    }

    /// Sets it so many milliseconds ahead of the real one.
    pub fn set(&self, ahead: i64) {
        self.write([ahead, 0]);
    }

    /// Sets it, and lets it stand still.
    pub fn stop_at(&self, millis: u64) {
        self.write([0, millis.try_into().unwrap()]);
    }

    fn write(&self, numbers: [i64; 2]) {
        // In place: the processes have the file mapped.
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false);
        let mut file = options.open(self.file()).unwrap();
        let bytes = numbers.map(i64::to_ne_bytes).concat();
        file.write_all(&bytes).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("clock.so")
    }
}
