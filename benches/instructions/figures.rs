//! The figures that are committed, and what they are held against.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/figures.toml");

const HEAD: &str = "\
# Instructions of one call, counted by callgrind. `scripts/instructions` fails when one grows by more than 3 %
# where compiler, C library and processor are these. `scripts/instructions --write` takes new ones.
";

/// How much a count may grow, in per cent.
const TOLERANCE: f64 = 3.0;
/// How much more the read of a session in three groups may take than of one in none. In time it is a tenth at the most: the
/// cipher counts more than it takes where the bytes are no multiple of what it does at once.
const GROUPS_TOLERANCE: f64 = 14.0;

#[derive(Serialize, Deserialize)]
pub struct Figures {
    pub taken_with: Conditions,
    /// By path, then by size.
    instructions: BTreeMap<String, BTreeMap<String, u64>>,
}

/// What else the counts depend on.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    compiler: String,
    c_library: String,
    /// As valgrind shows it to a program: the newest instructions are not among them.
    processor: String,
}

impl Figures {
    /// Without counts, on this machine.
    ///
    /// # Errors
    /// When valgrind cannot be run.
    pub fn here() -> Result<Self, String> {
        let c_library = first_line("getconf", &["GNU_LIBC_VERSION"]);
        Ok(Self {
            taken_with: Conditions {
                compiler: first_line("rustc", &["--version"])?,
                c_library: c_library.unwrap_or_else(|_| "unknown".into()),
                processor: crate::counting::processor()?,
            },
            instructions: BTreeMap::new(),
        })
    }

    /// Those that are committed.
    ///
    /// # Errors
    /// When there are none.
    pub fn recorded() -> Result<Self, String> {
        let text = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
        toml::from_str(&text).map_err(|error| format!("{FILE}: {error}"))
    }

    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self) -> Result<(), String> {
        let text = toml::to_string(self).map_err(|error| error.to_string())?;
        fs::write(FILE, format!("{HEAD}\n{text}")).map_err(|error| format!("{FILE}: {error}"))?;
        print!("{text}");
        Ok(())
    }

    pub fn set(&mut self, path: &str, size: &str, count: u64) {
        let sizes = self.instructions.entry(path.to_owned()).or_default();
        sizes.insert(size.to_owned(), count);
    }

    pub fn get(&self, path: &str, size: &str) -> Option<u64> {
        self.instructions.get(path)?.get(size).copied()
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            compiler,
            c_library,
            processor,
        } = self;
        write!(f, "{compiler}; {c_library}; {processor}")
    }
}

/// A count beside the recorded one.
pub struct Verdict {
    before: Option<u64>,
    now: Option<u64>,
    /// How much more it may be, in per cent.
    tolerance: f64,
}

impl Verdict {
    pub fn of(before: Option<u64>, now: Option<u64>) -> Self {
        Self {
            before,
            now,
            tolerance: TOLERANCE,
        }
    }

    /// Of a session in groups, beside one in none of the same run.
    pub fn of_groups(none: Option<u64>, groups: Option<u64>) -> Self {
        Self {
            tolerance: GROUPS_TOLERANCE,
            ..Self::of(none, groups)
        }
    }

    /// Whether it is more than is tolerated. Without a figure from before, anything is.
    pub fn grew(&self) -> bool {
        self.change().is_none_or(|change| change > self.tolerance)
    }

    /// In per cent.
    fn change(&self) -> Option<f64> {
        Some((self.now? as f64 / self.before? as f64 - 1.0) * 100.0)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(before), Some(now), Some(change)) = (self.before, self.now, self.change()) else {
            return write!(f, "GREW: there is no figure to hold it against");
        };
        write!(f, "{before:8} -> {now:8}  {change:+.1} %")?;
        if self.grew() {
            write!(f, "  GREW")?;
        } else if change < -self.tolerance {
            write!(f, "  less: --write keeps it so")?;
        }
        Ok(())
    }
}

fn first_line(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("{program} cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().filter(|_| output.status.success());
    line.map(str::to_owned)
        .ok_or_else(|| format!("{program} says nothing"))
}
