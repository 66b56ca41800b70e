//! The table of ratios for benches/README.md, from the medians of one run: of each of its rounds, and of those.

use std::cell::RefCell;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use self::Row::{Ratio, Time};
use crate::common::shapes::SIZES;

/// A run takes six minutes. Figures that are further apart are of different runs.
const ONE_RUN: Duration = Duration::from_secs(20 * 60);

/// Nothing that is measured here takes fewer nanoseconds.
const LEAST: f64 = 10.0;

/// What a row says of one size, of figures by their names without it.
enum Row {
    Time(&'static str),
    /// Of one over the sum of others.
    Ratio(&'static str, &'static [&'static str]),
}

const ROWS: [(&str, Row); 13] = [
    (
        "a read: Cookie header to a live session and a value of it",
        Time("read/ours"),
    ),
    (
        "our time over that of the cipher alone",
        Ratio("read/ours", &["read/cipher"]),
    ),
    (
        "the time of a session in three groups over ours",
        Ratio("read/grouped", &["read/ours"]),
    ),
    (
        "time of cookie's private jar with JSON over ours",
        Ratio("read/jar", &["read/ours"]),
    ),
    (
        "time of jsonwebtoken (HS256) over ours",
        Ratio("read/token", &["read/ours"]),
    ),
    (
        "what actix-session adds to a request, over our read",
        Ratio("added-by-reading/actix-session", &["read/ours"]),
    ),
    (
        "the same over what our middleware adds",
        Ratio("added-by-reading/actix-session", &["added-by-reading/ours"]),
    ),
    (
        "a write: a changed session to Set-Cookie",
        Time("write/ours"),
    ),
    (
        "our time over that of the cipher and 24 bytes from the system",
        Ratio("write/ours", &["write/cipher", "nonce"]),
    ),
    (
        "time of cookie's private jar with JSON over ours",
        Ratio("write/jar", &["write/ours"]),
    ),
    (
        "time of jsonwebtoken (HS256) over ours",
        Ratio("write/token", &["write/ours"]),
    ),
    (
        "what writing adds to a request with actix-session, over our write",
        Ratio("added-by-writing/actix-session", &["write/ours"]),
    ),
    (
        "the same over what writing adds with our middleware",
        Ratio("added-by-writing/actix-session", &["added-by-writing/ours"]),
    ),
];

/// The table, in Markdown.
///
/// # Errors
/// When a figure is missing or of another run.
pub fn render(rounds: &[PathBuf]) -> Result<String, String> {
    let written = RefCell::default();
    let mut table = String::from("| |");
    for size in SIZES {
        write!(table, " {} |", size.name()).unwrap();
    }
    table.push_str("\n|---|---|---|---|\n");
    for (title, row) in &ROWS {
        write!(table, "| {title} |").unwrap();
        for size in SIZES {
            let of_round = |home: &PathBuf| {
                row.of(&Figures {
                    home,
                    size: size.name(),
                    written: &written,
                })
            };
            let values: Result<Vec<f64>, String> = rounds.iter().map(of_round).collect();
            let mut values = values.map_err(|problem| format!("\"{title}\": {problem}"))?;
            values.sort_by(f64::total_cmp);
            write!(table, " {} |", row.cell(values[values.len() / 2])).unwrap();
        }
        table.push('\n');
    }
    check_age(&written.into_inner())?;
    Ok(table)
}

impl Row {
    fn of(&self, figures: &Figures<'_>) -> Result<f64, String> {
        match self {
            Time(name) => figures.median(name),
            Ratio(one, others) => {
                let others: Result<f64, String> =
                    others.iter().map(|name| figures.median(name)).sum();
                Ok(figures.median(one)? / others?)
            }
        }
    }

    fn cell(&self, value: f64) -> String {
        match self {
            Time(_) => format!("{:.2} µs", value / 1000.0),
            Ratio(..) => format!("{value:.1}"),
        }
    }
}

/// What was measured for one size.
struct Figures<'p> {
    home: &'p Path,
    size: &'static str,
    /// When each figure that was asked for was written.
    written: &'p RefCell<Vec<SystemTime>>,
}

impl Figures<'_> {
    /// In nanoseconds. What has no slash in its name is the same for all sizes.
    fn median(&self, name: &str) -> Result<f64, String> {
        let name = name.replace('/', &format!("_{}_", self.size));
        let file = self.home.join(&name).join("new/estimates.json");
        let missing = |error| {
            format!(
                "there is no figure for {name} ({}: {error})",
                file.display()
            )
        };
        let text = fs::read(&file).map_err(missing)?;
        let written = fs::metadata(&file).and_then(|file| file.modified());
        self.written.borrow_mut().push(written.map_err(missing)?);
        let estimates: Estimates = serde_json::from_slice(&text)
            .map_err(|error| format!("{} is not Criterion's: {error}", file.display()))?;
        let median = estimates.median.point_estimate;
        // A difference can come out as nothing.
        if median < LEAST {
            return Err(format!(
                "{name} took {median} ns, which is noise: measure again"
            ));
        }
        Ok(median)
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

/// Whether all figures are of one run.
///
/// # Errors
/// When some are older than a run takes.
fn check_age(written: &[SystemTime]) -> Result<(), String> {
    let (first, last) = (written.iter().min(), written.iter().max());
    let apart = first
        .zip(last)
        .and_then(|(first, last)| last.duration_since(*first).ok());
    match apart {
        Some(apart) if apart > ONE_RUN => {
            Err("these figures are not of one run: measure again".into())
        }
        _ => Ok(()),
    }
}
