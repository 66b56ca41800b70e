//! The largest cookie, the most parts, the longest token.

/// The most bytes of one rendered Set-Cookie value that browsers take, and any setting allows.
pub const MAX_COOKIE: usize = 4096;
/// The most cookies that a token can be spread over, whatever is configured. Proxies limit the whole
/// request header, often to 8 KiB.
pub const MAX_CHUNKS: u8 = 8;

/// The longest text of a token that any configuration makes.
pub(crate) const LONGEST_TOKEN: usize = MAX_CHUNKS as usize * MAX_COOKIE;
