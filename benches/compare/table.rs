//! The table of ratios for the README, from the medians of one run.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use crate::common::shapes::SIZES;

/// A run takes three minutes. Figures that are further apart are of different runs.
const ONE_RUN: Duration = Duration::from_secs(20 * 60);

/// What a row says of one size.
type Cell = fn(&Figures<'_>) -> Result<f64, String>;

const ROWS: [(&str, Cell); 13] = [
    (
        "a read: Cookie header to a live session and a value of it, µs",
        |of| micros(of.read("ours")),
    ),
    ("over the cipher alone", |of| {
        ratio(of.read("ours"), of.read("cipher"))
    }),
    ("times faster than cookie's private jar", |of| {
        ratio(of.read("jar"), of.read("ours"))
    }),
    ("times faster than jsonwebtoken", |of| {
        ratio(of.read("token"), of.read("ours"))
    }),
    (
        "times faster than what actix-session's middleware adds",
        |of| ratio(of.added_by_reading("actix-session"), of.read("ours")),
    ),
    ("what our middleware adds, times faster than that", |of| {
        ratio(
            of.added_by_reading("actix-session"),
            of.added_by_reading("ours"),
        )
    }),
    ("a write: a changed session to Set-Cookie, µs", |of| {
        micros(of.write("ours"))
    }),
    ("over the cipher alone", |of| {
        ratio(of.write("ours"), of.write("cipher"))
    }),
    ("over the cipher and 24 bytes from the system", |of| {
        ratio(of.write("ours"), of.cipher_and_nonce())
    }),
    ("times faster than cookie's private jar", |of| {
        ratio(of.write("jar"), of.write("ours"))
    }),
    ("times faster than jsonwebtoken", |of| {
        ratio(of.write("token"), of.write("ours"))
    }),
    (
        "times faster than what actix-session adds to a request that writes",
        |of| ratio(of.added_by_writing("actix-session"), of.write("ours")),
    ),
    ("what our middleware adds, times faster than that", |of| {
        ratio(
            of.added_by_writing("actix-session"),
            of.added_by_writing("ours"),
        )
    }),
];

/// The table, in Markdown.
///
/// # Errors
/// When a figure is missing or of another run.
pub fn render(home: &Path) -> Result<String, String> {
    check_age(home)?;
    let mut table = String::from("| |");
    for size in SIZES {
        write!(table, " {} |", size.name()).unwrap();
    }
    table.push_str("\n|---|---|---|---|\n");
    for (title, cell) in ROWS {
        write!(table, "| {title} |").unwrap();
        for size in SIZES {
            let figures = Figures {
                home,
                size: size.name(),
            };
            let value = cell(&figures).map_err(|problem| format!("\"{title}\": {problem}"))?;
            write!(table, " {value:.2} |").unwrap();
        }
        table.push('\n');
    }
    Ok(table)
}

/// What was measured for one size.
struct Figures<'p> {
    home: &'p Path,
    size: &'static str,
}

impl Figures<'_> {
    fn read(&self, who: &str) -> Result<f64, String> {
        self.of_size("read", who)
    }

    fn write(&self, who: &str) -> Result<f64, String> {
        self.of_size("write", who)
    }

    /// What a middleware, and the handler's call of `get`, add to a request.
    fn added_by_reading(&self, who: &str) -> Result<f64, String> {
        let with = self.of_size("service-read", who)?;
        more(who, with, self.of_size("service-read", "bare")?)
    }

    /// What a request that also writes costs beyond that.
    fn added_by_writing(&self, who: &str) -> Result<f64, String> {
        let writing = self.of_size("service-write", who)?;
        more(who, writing, self.of_size("service-read", who)?)
    }

    fn cipher_and_nonce(&self) -> Result<f64, String> {
        Ok(self.write("cipher")? + self.median("nonce")?)
    }

    fn of_size(&self, path: &str, who: &str) -> Result<f64, String> {
        self.median(&format!("{path}/{}/{who}", self.size))
    }

    /// In nanoseconds.
    fn median(&self, name: &str) -> Result<f64, String> {
        let file = self
            .home
            .join(name.replace('/', "_"))
            .join("new/estimates.json");
        let text = fs::read(&file).map_err(|error| {
            format!(
                "there is no figure for {name} ({}: {error})",
                file.display()
            )
        })?;
        let estimates: Estimates = serde_json::from_slice(&text)
            .map_err(|error| format!("{} is not Criterion's: {error}", file.display()))?;
        Ok(estimates.median.point_estimate)
    }
}

/// What Criterion writes, as far as it is used here.
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

fn more(who: &str, with: f64, without: f64) -> Result<f64, String> {
    if with > without {
        Ok(with - without)
    } else {
        Err(format!(
            "{who} costs nothing, which is noise: measure again"
        ))
    }
}

fn ratio(one: Result<f64, String>, other: Result<f64, String>) -> Result<f64, String> {
    Ok(one? / other?)
}

fn micros(nanos: Result<f64, String>) -> Result<f64, String> {
    Ok(nanos? / 1000.0)
}

/// Whether all figures are of one run.
///
/// # Errors
/// When some are older than a run takes.
fn check_age(home: &Path) -> Result<(), String> {
    let mut times = Vec::new();
    let entries = fs::read_dir(home)
        .map_err(|error| format!("nothing was measured yet ({}: {error})", home.display()))?;
    for entry in entries.flatten() {
        let file = entry.path().join("new/estimates.json");
        let written = fs::metadata(&file).and_then(|file| file.modified());
        times.extend(written);
    }
    let (first, last) = (times.iter().min(), times.iter().max());
    let apart = |first: &SystemTime, last: &SystemTime| last.duration_since(*first).ok();
    match first.zip(last).and_then(|(first, last)| apart(first, last)) {
        Some(apart) if apart > ONE_RUN => {
            Err("these figures are not of one run: measure again".into())
        }
        _ => Ok(()),
    }
}
