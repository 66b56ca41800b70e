//! Frames: how a journal's bytes show what was cut off, and what was damaged.
//!
//! 1. Each append is one frame: a header (what it is, the frame's number, the body's length) with a checksum, the
//!    body, and a checksum of both. Frames are numbered without a gap, over compactions too.
//! 2. Only the last append can be torn, because nothing follows one that failed. So bad bytes at the end, with no
//!    header of a later frame behind them, were never acknowledged: they are cut off.
//! 3. Anything else that is bad is damage. A list is never made of the rest.
//! 4. The checksums are the first eight bytes of SHA-256, which is here already. A million entries take a tenth of
//!    a second, an entry much less than its fsync; and a search for headers in arbitrary bytes finds none by chance.

use memchr::memmem;
use sha2::{Digest, Sha256};

use crate::wire::read::Reader;

/// The first bytes of each frame.
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
pub(super) struct FrameReader {
    /// Bytes that were not read yet.
    bytes: Vec<u8>,
    /// How many were read before them.
    before: u64,
    /// The number of the last frame.
    last: Option<u64>,
    /// Where something was bad. From there on only headers are looked for.
    bad: Option<u64>,
}

/// The end of a journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The number of the last frame; none in an empty journal.
    pub(super) last: Option<u64>,
    /// Whether bytes follow that are no frame: an append that was never acknowledged.
    pub(super) is_torn: bool,
    /// How many bytes the journal holds.
    pub(super) length: u64,
}

impl FrameReader {
    /// Takes a piece, and hands the bodies of the frames that it completes to `take`.
    ///
    /// # Errors
    /// The problem in words, if something is damaged or `take` fails.
    pub(super) fn feed(
        &mut self,
        piece: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        self.bytes.extend(piece);
        let mut read = 0;
        while self.bad.is_none() {
            let at = self.before.saturating_add(read as u64);
            let rest = self.bytes.get(read..).unwrap_or_default();
            match header(rest) {
                Header::Good { number, length } => {
                    let Some(frame) = rest.get(..length) else {
                        break;
                    };
                    let Some(body) = body(frame) else {
                        self.bad = Some(at);
                        continue;
                    };
                    if let Some(last) = self.last
                        && last.checked_add(1) != Some(number)
                    {
                        return Err(format!("entry {number} follows entry {last}, at byte {at}"));
                    }
                    take(body)?;
                    self.last = Some(number);
                    read = read.saturating_add(length);
                }
                Header::Cut => break,
                Header::Version(version) if self.last.is_none() => {
                    return Err(format!(
                        "its format is version {version}, and this release reads version {VERSION}"
                    ));
                }
                Header::Bad if self.last.is_none() => {
                    return Err(
                        "this is no list of revocations, or its beginning is damaged".into(),
                    );
                }
                Header::Version(_) | Header::Bad => self.bad = Some(at),
            }
        }
        self.advance(read)
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub(super) fn finish(mut self) -> Result<End, String> {
        if self.bad.is_none() && !self.bytes.is_empty() {
            // A frame is cut off. Where bytes are missing from its middle, others follow it.
            self.bad = Some(self.before);
            self.advance(0)?;
        }
        Ok(End {
            last: self.last,
            is_torn: self.bad.is_some(),
            length: self.before.saturating_add(self.bytes.len() as u64),
        })
    }

    /// Drops the bytes that were read. Behind bad ones, looks for the header of a later frame.
    fn advance(&mut self, mut read: usize) -> Result<(), String> {
        while let Some(bad) = self.bad {
            // Bad bytes may themselves begin with a header.
            let is_bad = self.before.saturating_add(read as u64) == bad;
            read = read.saturating_add(usize::from(is_bad));
            let rest = self.bytes.get(read..).unwrap_or_default();
            let Some(at) = memmem::find(rest, &MAGIC) else {
                // One may begin in the last bytes.
                read = read.saturating_add(rest.len().saturating_sub(MAGIC.len() - 1));
                break;
            };
            read = read.saturating_add(at);
            match header(rest.get(at..).unwrap_or_default()) {
                Header::Good { number, .. } if Some(number) > self.last => {
                    return Err(format!(
                        "it is damaged at byte {bad}, before entry {number}"
                    ));
                }
                Header::Cut => break,
                _ => read = read.saturating_add(1),
            }
        }
        self.before = self.before.saturating_add(read as u64);
        self.bytes.drain(..read.min(self.bytes.len()));
        Ok(())
    }
}

/// How some bytes begin.
enum Header {
    /// The header of the frame with this number, of this length in all.
    Good {
        number: u64,
        length: usize,
    },
    /// Too little to tell.
    Cut,
    Version(u32),
    Bad,
}

fn header(bytes: &[u8]) -> Header {
    let magic = bytes.get(..MAGIC.len()).unwrap_or(bytes);
    if !MAGIC.starts_with(magic) {
        return Header::Bad;
    }
    let mut rest = Reader::new(bytes.get(MAGIC.len()..).unwrap_or_default());
    let fields = (rest.array(), rest.be_u64(), rest.array(), rest.array());
    let (Some(version), Some(number), Some(body), Some(sum)) = fields else {
        return Header::Cut;
    };
    let version = u32::from_be_bytes(version);
    if version != VERSION {
        return Header::Version(version);
    }
    let is_good = bytes.get(..HEADER).map(check) == Some(sum);
    match usize::try_from(u32::from_be_bytes(body)) {
        Ok(body) if is_good && body <= LONGEST_BODY => Header::Good {
            number,
            length: HEADER + body + 2 * CHECK,
        },
        _ => Header::Bad,
    }
}

/// The body of a whole frame, if it is good.
fn body(frame: &[u8]) -> Option<&[u8]> {
    let (checked, sum) = frame.split_last_chunk()?;
    let body = checked.get(HEADER + CHECK..)?;
    (*sum == check(checked)).then_some(body)
}
