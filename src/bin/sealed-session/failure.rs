//! How a command can fail, and with which exit code.

use std::fmt;

use sealed_session::{ConfigError, RandomError, StoreError};

/// Why a command was not carried out, or what it found.
#[derive(Debug)]
pub enum Failure {
    /// It failed. Exit code 1.
    Failed(String),
    /// It would log people out. The text says how to insist. Exit code 3.
    WouldLogOut(String),
    /// It looked, and all is not well: what goes to standard output, and the problems, a line each.
    /// Exit code 1.
    NotWell {
        /// The rest of what it found.
        output: String,
        /// What is not well.
        problems: Vec<String>,
    },
}

impl Failure {
    /// What goes to standard output all the same.
    pub fn output(&self) -> &str {
        match self {
            Self::NotWell { output, .. } => output,
            _ => "",
        }
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) | Self::NotWell { .. } => 1,
            Self::WouldLogOut(_) => 3,
        }
    }
}

/// What goes to standard error.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => write!(f, "error: {why}"),
            Self::WouldLogOut(why) => write!(f, "refused: {why}"),
            Self::NotWell { problems, .. } => {
                let lines: Vec<String> =
                    problems.iter().map(|it| format!("problem: {it}")).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<RandomError> for Failure {
    fn from(error: RandomError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}
