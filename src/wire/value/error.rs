//! What is wrong with a value, without what it is.

use std::fmt::Display;

use serde::de::{self, Expected, Unexpected};
use serde::ser;

/// How many arrays and maps may stand in one another. An enum with data counts as the map that it is.
pub(super) const MOST_LEVELS: u16 = 128;
/// How many options and newtypes may stand in one another. They add nothing to the bytes, and a type that
/// holds itself by them alone has no end.
pub(super) const MOST_WRAPPERS: u16 = 512;

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

    fn expected_one_of(expected: &[&str]) -> Self {
        Self::expected(&format!("one of {expected:?}").as_str())
    }
}

/// One deeper than `depth`, up to `most`.
pub(super) fn deeper(depth: u16, most: u16) -> Result<u16, Error> {
    let deeper = (depth < most).then_some(depth + 1);
    deeper.ok_or(Error::TooDeep)
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
        Self::expected_one_of(expected)
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::expected_one_of(expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Other(format!("missing field `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Other(format!("duplicate field `{field}`"))
    }
}
