//! What is wrong with a value, without what it is.

use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};
use serde::ser;

use super::limits::MOST_LEVELS;

/// Why a value cannot be written, or not be read as a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("is nested more than {} levels deep", MOST_LEVELS)]
    TooDeep,
    #[error("{0}")]
    Other(String),
}

impl Error {
    pub(super) fn other(problem: impl Into<String>) -> Self {
        Self::Other(problem.into())
    }

    pub(super) fn expected(expected: &dyn Expected) -> Self {
        Self::Other(format!("holds something else, expected {expected}"))
    }
}

/// Of what the type says, which may not be written.
impl ser::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }
}

/// What was expected, without what was found.
impl de::Error for Error {
    fn custom<T: Display>(_: T) -> Self {
        Self::other("cannot be read as this type")
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::expected(&OneOf(expected).to_string().as_str())
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::expected(&OneOf(expected).to_string().as_str())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Other(format!("missing field `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Other(format!("duplicate field `{field}`"))
    }
}

struct OneOf(&'static [&'static str]);

impl Display for OneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {:?}", self.0)
    }
}
