//! The tables for benches/README.md, and what a program reads: ratios within a round, and of those the medians.

use std::fmt::Write;

use self::Row::{OfPart, Ratio, Time};
use crate::common::shapes::SIZES;
use crate::figures::Figures;

/// Nothing that is measured here takes fewer nanoseconds.
const LEAST: f64 = 10.0;

/// What a row says of one size, of figures by their names without it.
enum Row {
    Time(&'static str),
    /// Of one over another.
    Ratio(&'static str, &'static str),
    /// Of one over the sum of what it does among other things.
    OfPart(&'static str, &'static [&'static str]),
}

struct Line {
    title: &'static str,
    row: Row,
    /// What it is called where a program reads it.
    json: Option<&'static str>,
}

const fn line(title: &'static str, row: Row) -> Line {
    Line {
        title,
        row,
        json: None,
    }
}

const fn named(json: &'static str, title: &'static str, row: Row) -> Line {
    Line {
        title,
        row,
        json: Some(json),
    }
}

const LINES: [Line; 16] = [
    line(
        "a read of a token seen before: Cookie header to a live session and a value of it",
        Time("read/again"),
    ),
    line("a read of a new token", Time("read/new")),
    named(
        "read.new.over_cipher",
        "the time for a new token over that of the cipher alone",
        OfPart("read/new", &["read/cipher"]),
    ),
    named(
        "read.again.over_cipher",
        "the time for a token seen before over that of the cipher alone",
        Ratio("read/again", "read/cipher"),
    ),
    named(
        "read.zipf.over_uncached",
        "10,000 sessions by Zipf's law, over a node that caches no tokens",
        Ratio("cache/zipf-caching", "cache/zipf-uncached"),
    ),
    named(
        "read.misses.over_uncached",
        "10,000 sessions in turn, of which none is cached any more, over such a node",
        Ratio("cache/misses-caching", "cache/misses-uncached"),
    ),
    line(
        "a new token of a session in three groups over one in none",
        Ratio("read/grouped", "read/new"),
    ),
    line(
        "time of cookie's private jar with JSON over ours for a new token",
        Ratio("read/jar", "read/new"),
    ),
    line(
        "time of jsonwebtoken (HS256) over ours for a new token",
        Ratio("read/token", "read/new"),
    ),
    named(
        "read.added.actix_session_over_ours",
        "what actix-session adds to a request that reads, over what ours adds with a token seen before",
        Ratio("request/reading-actix-session", "request/reading-ours"),
    ),
    line(
        "the same, with a new token",
        Ratio("request/reading-actix-session", "request/reading-new"),
    ),
    line(
        "a write: a changed session to Set-Cookie",
        Time("write/ours"),
    ),
    named(
        "write.over_cipher_and_random",
        "our time over that of the cipher and 24 bytes from the system",
        OfPart("write/ours", &["write/cipher", "write/nonce"]),
    ),
    line(
        "time of cookie's private jar with JSON over ours",
        Ratio("write/jar", "write/ours"),
    ),
    line(
        "time of jsonwebtoken (HS256) over ours",
        Ratio("write/token", "write/ours"),
    ),
    named(
        "write.request.actix_session_over_ours",
        "what actix-session adds to a request that writes, over what ours adds",
        Ratio("request/writing-actix-session", "request/writing-ours"),
    ),
];

const THREADS: [Line; 7] = [
    line(
        "two threads, the cipher alone",
        Ratio("threads/cipher-1", "threads/cipher-2"),
    ),
    line(
        "two threads, one token seen before",
        Ratio("threads/cached-one-1", "threads/cached-one-2"),
    ),
    line(
        "two threads, 32 tokens seen before",
        Ratio("threads/cached-many-1", "threads/cached-many-2"),
    ),
    line(
        "four threads, one token seen before",
        Ratio("threads/cached-one-1", "threads/cached-one-4"),
    ),
    line(
        "four threads, 32 tokens seen before",
        Ratio("threads/cached-many-1", "threads/cached-many-4"),
    ),
    line(
        "two threads, one token, nothing cached",
        Ratio("threads/opened-one-1", "threads/opened-one-2"),
    ),
    line(
        "two threads, 32 tokens, nothing cached",
        Ratio("threads/opened-many-1", "threads/opened-many-2"),
    ),
];

/// Both tables, in Markdown.
///
/// # Errors
/// When a figure is missing or cannot be right.
pub fn markdown(rounds: &[Figures]) -> Result<String, String> {
    let threads = "reads a second of each busy processor, over those of one thread alone";
    let (first, second) = (rows("", &LINES, rounds)?, rows(threads, &THREADS, rounds)?);
    Ok(format!("{first}\n{second}"))
}

fn rows(title: &str, lines: &[Line], rounds: &[Figures]) -> Result<String, String> {
    let mut table = format!("| {title} |");
    for size in SIZES {
        write!(table, " {} |", size.name()).unwrap();
    }
    table.push_str("\n|---|---|---|---|\n");
    for line in lines {
        let cells = line.values(rounds)?.map(|value| line.row.cell(value));
        writeln!(table, "| {} | {} |", line.title, cells.join(" | ")).unwrap();
    }
    Ok(table)
}

/// The ratios that have a name, of the sizes in their order.
///
/// # Errors
/// When a figure is missing or cannot be right.
pub fn json(rounds: &[Figures]) -> Result<String, String> {
    let named = LINES.iter().filter_map(|line| Some((line.json?, line)));
    let entries: Result<Vec<String>, String> = named
        .map(|(name, line)| {
            let values = line.values(rounds)?;
            let values = values.map(|value| (value * 1000.0).round() / 1000.0);
            Ok(format!("  \"{name}\": {values:?}"))
        })
        .collect();
    Ok(format!("{{\n{}\n}}\n", entries?.join(",\n")))
}

impl Line {
    /// Of each size, the median of all rounds.
    fn values(&self, rounds: &[Figures]) -> Result<[f64; 3], String> {
        let mut values = [0.0; 3];
        for (value, size) in values.iter_mut().zip(SIZES) {
            let of_round = |figures| self.row.of(figures, size.name());
            let all: Result<Vec<f64>, String> = rounds.iter().map(of_round).collect();
            let mut all = all.map_err(|problem| format!("\"{}\": {problem}", self.title))?;
            all.sort_by(f64::total_cmp);
            *value = *all.get(all.len() / 2).ok_or("there are no figures")?;
        }
        Ok(values)
    }
}

impl Row {
    fn of(&self, figures: &Figures, size: &str) -> Result<f64, String> {
        let figure = |name| figure(figures, size, name);
        match self {
            Time(name) => figure(name),
            Ratio(one, other) => Ok(figure(one)? / figure(other)?),
            OfPart(whole, parts) => {
                let parts: Result<f64, String> = parts.iter().map(|name| figure(name)).sum();
                let ratio = figure(whole)? / parts?;
                if ratio < 1.0 {
                    return Err(format!("{whole} takes {ratio} times what is a part of it"));
                }
                Ok(ratio)
            }
        }
    }

    fn cell(&self, value: f64) -> String {
        match self {
            Time(_) => format!("{:.2} µs", value / 1000.0),
            _ if value < 10.0 => format!("{value:.2}"),
            _ => format!("{value:.1}"),
        }
    }
}

/// In nanoseconds.
fn figure(figures: &Figures, size: &str, name: &str) -> Result<f64, String> {
    let name = name.replace('/', &format!("/{size}/"));
    match figures.get(&name) {
        None => Err(format!("there is no figure for {name}")),
        // A difference can come out as nothing, or less.
        Some(nanos) if *nanos >= LEAST => Ok(*nanos),
        Some(nanos) => Err(format!(
            "{name} took {nanos} ns, which is noise: measure again"
        )),
    }
}

#[cfg(test)]
mod tests;
