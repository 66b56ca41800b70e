//! What a command has to say: when it was carried out, and when not, and with which exit code.

use std::fmt;

use sealed_session::{ConfigError, keys::RandomError, store::StoreError};

/// What a command that was carried out has to say.
#[derive(Debug)]
pub struct CommandAnswer {
    /// For standard output.
    pub output: String,
    /// For standard error, a line each. They do not change the exit code.
    pub warnings: Vec<String>,
}

impl From<String> for CommandAnswer {
    fn from(output: String) -> Self {
        let warnings = Vec::new();
        Self { output, warnings }
    }
}

/// Why a command was not carried out, or what it found.
#[derive(Debug)]
pub enum Failure {
    /// It failed. Exit code 1.
    Failed(String),
    /// It would log people out. The text says how to insist. Exit code 3.
    WouldLogOut(String),
    /// It looked, and all is not well. Exit code 1.
    NotWell {
        /// The rest of what it found.
        report: CommandAnswer,
        /// What is not well, a line each.
        problems: Vec<String>,
    },
}

impl Failure {
    /// What is printed although it failed.
    pub fn report(&self) -> Option<&CommandAnswer> {
        match self {
            Self::NotWell { report, .. } => Some(report),
            _ => None,
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
