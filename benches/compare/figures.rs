//! What a run measured: a file for each of its rounds, beside what was compiled.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::cipher;

/// What a group measured of one size, by path: nanoseconds a call.
pub type Medians = BTreeMap<&'static str, f64>;

/// By group, size and path, with slashes between.
pub type Figures = BTreeMap<String, f64>;

/// A round measures everything once, in a process of its own. The table shows medians of all rounds: machines are
/// faster and slower by the minute, and a process by where its memory happens to lie.
pub const ROUNDS: [&str; 5] = ["1", "2", "3", "4", "5"];

/// A run takes seven minutes. Figures that are further apart are of different runs.
const ONE_RUN: Duration = Duration::from_secs(20 * 60);

/// Each implementation of the cipher has figures of its own.
fn file(round: &str) -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    // target/release/compare
    let target = binary.ancestors().nth(2).unwrap();
    let folder = target.join("bench-table").join(cipher::NAME);
    folder.join(format!("{round}.json"))
}

/// Forgets the last run: where one breaks off, the figures of the one before are no part of it.
pub fn forget() {
    for round in ROUNDS {
        let _ = fs::remove_file(file(round));
    }
}

pub fn save(round: &str, figures: &Figures) {
    let file = file(round);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, serde_json::to_vec_pretty(figures).unwrap()).unwrap();
}

/// The figures of all rounds.
///
/// # Errors
/// When those of a round are missing, or some are of another run.
pub fn last_run() -> Result<Vec<Figures>, String> {
    let mut figures = Vec::new();
    let mut written = Vec::new();
    for round in ROUNDS {
        let file = file(round);
        let wrong = |error: String| format!("{}: {error}", file.display());
        let text = fs::read(&file).map_err(|error| wrong(error.to_string()))?;
        let time = fs::metadata(&file).and_then(|file| file.modified());
        written.push(time.map_err(|error| wrong(error.to_string()))?);
        let of_round = serde_json::from_slice(&text);
        figures.push(of_round.map_err(|error| wrong(error.to_string()))?);
    }
    check_age(&written)?;
    Ok(figures)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_two_runs_are_not_mixed() {
        let first = SystemTime::UNIX_EPOCH;
        let minutes = |count: u64| first + Duration::from_secs(60 * count);
        assert_eq!(check_age(&[minutes(8), first, minutes(4)]), Ok(()));
        assert!(check_age(&[minutes(21), first, minutes(4)]).is_err());
    }
}
