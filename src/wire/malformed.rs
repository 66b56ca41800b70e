//! What is wrong with bytes that no writer here makes.

/// Why some bytes are no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// Longer than any token that is made here, or shorter than the shortest.
    Length,
    /// Not canonical base64url without padding.
    Text,
    /// Decrypted, and not padded as a writer pads.
    Padding,
}
