//! What a command has to say: when it was carried out, and when not, and with which exit code.

use std::error::Error;
use std::fmt;

/// What a command that was carried out has to say.
#[derive(Debug, Default)]
pub struct CommandAnswer {
    /// For standard output.
    pub output: String,
    /// For standard error, a line each. They do not change the exit code.
    pub warnings: Vec<String>,
    /// What it looked at and found not well: for standard error, a line each. Exit code 1, if there is any.
    pub problems: Vec<String>,
}

impl From<String> for CommandAnswer {
    fn from(output: String) -> Self {
        Self {
            output,
            ..Self::default()
        }
    }
}

/// Why a command was not carried out.
#[derive(Debug)]
pub enum Failure {
    /// It failed. Exit code 1.
    Failed(String),
    /// It would log people out. The text says how to insist. Exit code 3.
    WouldLogOut(String),
}

impl Failure {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
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
        }
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}
