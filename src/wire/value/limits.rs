//! How deep values may nest.

/// How many arrays and maps may stand in one another. An enum with data counts as the map that it is.
pub(super) const MOST_LEVELS: u16 = 128;
/// How many options and newtypes may stand in one another. They add nothing to the bytes, and a type that
/// holds itself by them alone has no end.
pub(super) const MOST_WRAPPERS: u16 = 512;
