//! Running callgrind.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::{processor, workload};

/// How many instructions one call takes.
///
/// # Errors
/// When valgrind cannot be run or says nothing.
pub fn count(path: &str, size: &str) -> Result<u64, String> {
    let profile = profiles()?.join(format!("{path}-{size}.out"));
    let options = [
        "--tool=callgrind".into(),
        format!("--toggle-collect=*{}*", workload::counted(path)),
        format!("--callgrind-out-file={}", profile.display()),
    ];
    valgrind(&options, &[workload::WORD, path, size])?;
    let text = fs::read_to_string(&profile).map_err(|error| error.to_string())?;
    let total = text.lines().find_map(|line| line.strip_prefix("summary: "));
    let total: Option<u64> = total.and_then(|number| number.trim().parse().ok());
    match total {
        Some(total) if total > 0 => Ok(total / workload::CALLS),
        _ => Err(format!("{} holds no counts", profile.display())),
    }
}

/// What the processor can do as valgrind shows it to a program.
///
/// # Errors
/// When valgrind cannot be run.
pub fn processor() -> Result<String, String> {
    let abilities = valgrind(&["--tool=none".into()], &[processor::WORD])?;
    Ok(abilities.trim().to_owned())
}

/// Runs this binary under valgrind, and returns what it prints.
fn valgrind(options: &[String], arguments: &[&str]) -> Result<String, String> {
    let binary = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(options)
        .arg(binary)
        .args(arguments)
        .output()
        .map_err(|error| {
            format!("valgrind cannot be run ({error}); `scripts/need valgrind` installs it")
        })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Where the profiles are left, for `callgrind_annotate`.
fn profiles() -> Result<PathBuf, String> {
    let binary = std::env::current_exe().map_err(|error| error.to_string())?;
    // target/release/instructions
    let target = binary
        .ancestors()
        .nth(2)
        .ok_or("the binary is in no target directory")?;
    let profiles = target.join("instructions");
    fs::create_dir_all(&profiles).map_err(|error| error.to_string())?;
    Ok(profiles)
}
