//! Frames: how a journal's bytes show what was cut off, and what was damaged.
//!
//! 1. Each append is one frame: a header (what it is, the frame's number, the body's length) with a checksum, the
//!    body, and a checksum of both. Frames are numbered without a gap, over compactions too.
//! 2. Only the last append can be torn, because nothing follows one that failed. So what is bad at the end, and
//!    followed by no header of a later frame, was never acknowledged: it is cut off.
//! 3. Anything else that is bad is damage. A list is never made of what is around it.
//! 4. The checksums are the first eight bytes of SHA-256, which is here already. A million entries take a tenth of
//!    a second, an entry much less than its fsync; and a search for headers in arbitrary bytes finds none by chance.

use memchr::memmem;
use sha2::{Digest, Sha256};

/// What each frame begins with.
const MAGIC: [u8; 4] = *b"SSRJ";
/// Which records a body can hold, and how. Another one is refused by number.
const VERSION: u32 = 1;
const HEADER: usize = 20;
const CHECK: usize = 8;

/// How long a body can be. Writers begin a new frame long before.
const LONGEST_BODY: usize = 1 << 20;

/// The frame with this number around `body`.
pub(super) fn frame(number: u64, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER + 2 * CHECK + body.len());
    frame.extend(MAGIC);
    frame.extend(VERSION.to_be_bytes());
    frame.extend(number.to_be_bytes());
    // A longer one could not be read again; there is none.
    frame.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend(check(&frame));
    frame.extend(body);
    frame.extend(check(&frame));
    frame
}

fn check(bytes: &[u8]) -> [u8; CHECK] {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    [a, b, c, d, e, f, g, h]
}

/// Reads frames from pieces that begin and end anywhere.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// What came and was not read yet, from `read` on.
    bytes: Vec<u8>,
    read: usize,
    /// How much was read before that.
    before: u64,
    /// The number of the last frame.
    last: Option<u64>,
    /// Where something was bad. From there on only headers are looked for.
    bad: Option<u64>,
}

/// What a journal ended with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The number of the last frame; none if nothing was there.
    pub(super) last: Option<u64>,
    /// Whether a part of a frame follows, or what else an append left that was never acknowledged.
    pub(super) is_torn: bool,
    /// How many bytes were there.
    pub(super) length: u64,
}

/// What some bytes begin with.
enum Found<'b> {
    Frame {
        number: u64,
        body: &'b [u8],
        length: usize,
    },
    /// A good header, whose body is not there, or not yet, or bad.
    Header {
        number: u64,
        is_whole: bool,
    },
    /// Too little to tell.
    Beginning,
    Version(u32),
    Bad,
}

impl Reader {
    /// Takes a piece, and hands the bodies of the frames that it completes to `take`.
    ///
    /// # Errors
    /// What is wrong, in words, if something is damaged, or `take` says so.
    pub(super) fn feed(
        &mut self,
        piece: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.read > 0 {
            self.before = self.before.saturating_add(self.read as u64);
            self.bytes.drain(..self.read.min(self.bytes.len()));
            self.read = 0;
        }
        self.bytes.extend(piece);
        while self.bad.is_none() {
            let rest = self.bytes.get(self.read..).unwrap_or_default();
            match find(rest) {
                Found::Frame {
                    number,
                    body,
                    length,
                } => {
                    self.follows(number)?;
                    take(body)?;
                    self.last = Some(number);
                    self.read = self.read.saturating_add(length);
                }
                Found::Beginning
                | Found::Header {
                    is_whole: false, ..
                } => return Ok(()),
                Found::Version(version) if self.last.is_none() => {
                    return Err(format!(
                        "its format is version {version}, and this release reads version {VERSION}"
                    ));
                }
                Found::Bad if self.last.is_none() => {
                    return Err(
                        "this is no list of revocations, or its beginning is damaged".into(),
                    );
                }
                Found::Bad | Found::Version(_) | Found::Header { .. } => {
                    self.bad = Some(self.position());
                    self.read = self.read.saturating_add(1);
                }
            }
        }
        self.search()
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub(super) fn finish(mut self) -> Result<End, String> {
        if self.bad.is_none() && self.read < self.bytes.len() {
            // A frame is cut off. Where bytes are missing from its middle, others follow it.
            self.bad = Some(self.position());
            self.read = self.read.saturating_add(1);
            self.search()?;
        }
        Ok(End {
            last: self.last,
            is_torn: self.bad.is_some(),
            length: self.before.saturating_add(self.bytes.len() as u64),
        })
    }

    fn position(&self) -> u64 {
        self.before.saturating_add(self.read as u64)
    }

    fn follows(&self, number: u64) -> Result<(), String> {
        match self.last {
            Some(last) if last.checked_add(1) != Some(number) => Err(format!(
                "entry {number} follows entry {last}, at byte {}",
                self.position()
            )),
            _ => Ok(()),
        }
    }

    /// Looks for the header of a later frame behind something bad.
    fn search(&mut self) -> Result<(), String> {
        let magic = memmem::Finder::new(&MAGIC);
        loop {
            let rest = self.bytes.get(self.read..).unwrap_or_default();
            let Some(at) = magic.find(rest) else {
                // It may begin in the last bytes.
                let searched = rest.len().saturating_sub(MAGIC.len() - 1);
                self.read = self.read.saturating_add(searched);
                return Ok(());
            };
            self.read = self.read.saturating_add(at);
            match find(rest.get(at..).unwrap_or_default()) {
                Found::Frame { number, .. } | Found::Header { number, .. }
                    if Some(number) > self.last =>
                {
                    return Err(format!(
                        "it is damaged at byte {}, before entry {number}",
                        self.bad.unwrap_or_default()
                    ));
                }
                Found::Beginning => return Ok(()),
                _ => self.read = self.read.saturating_add(1),
            }
        }
    }
}

fn find(bytes: &[u8]) -> Found<'_> {
    let magic = bytes.get(..MAGIC.len()).unwrap_or(bytes);
    if !MAGIC.starts_with(magic) {
        return Found::Bad;
    }
    let Some((header, after)) = bytes.split_at_checked(HEADER) else {
        return Found::Beginning;
    };
    let Some((sum, after)) = after.split_at_checked(CHECK) else {
        return Found::Beginning;
    };
    let Some((version, number, length)) = fields(header) else {
        return Found::Bad;
    };
    if version != VERSION {
        return Found::Version(version);
    }
    if sum != check(header) || length > LONGEST_BODY {
        return Found::Bad;
    }
    let whole = HEADER + CHECK + length;
    let (Some(checked), Some((body, after))) = (bytes.get(..whole), after.split_at_checked(length))
    else {
        return Found::Header {
            number,
            is_whole: false,
        };
    };
    match after.get(..CHECK) {
        None => Found::Header {
            number,
            is_whole: false,
        },
        Some(sum) if sum == check(checked) => Found::Frame {
            number,
            body,
            length: whole + CHECK,
        },
        Some(_) => Found::Header {
            number,
            is_whole: true,
        },
    }
}

/// A header's version, number and length.
fn fields(header: &[u8]) -> Option<(u32, u64, usize)> {
    let (_, rest) = header.split_first_chunk::<4>()?;
    let (version, rest) = rest.split_first_chunk()?;
    let (number, rest) = rest.split_first_chunk()?;
    let (length, _) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    Some((
        u32::from_be_bytes(*version),
        u64::from_be_bytes(*number),
        length,
    ))
}
