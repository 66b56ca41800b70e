//! The cipher alone: XChaCha20-Poly1305 over as many bytes as a session's, which nothing that seals a
//! cookie with it can be faster than.
//!
//! Written anew instead of taken from the crate, so that it stays what it is when the crate changes.

#[cfg(not(feature = "ring"))]
mod pure;
#[cfg(feature = "ring")]
mod ring;

#[cfg(not(feature = "ring"))]
use pure::{decrypt, encrypt};
#[cfg(feature = "ring")]
use ring::{decrypt, encrypt};

/// The implementation that the crate uses in this build.
pub const NAME: &str = if cfg!(feature = "ring") {
    "ring"
} else {
    "pure"
};

const KEY: [u8; 32] = [0x42; 32];
const NONCE: [u8; 24] = [0x24; 24];

/// One message, in plain and sealed.
#[derive(Clone)]
pub struct Message {
    plain: Vec<u8>,
    sealed: Vec<u8>,
    tag: [u8; 16],
    associated: Vec<u8>,
    /// Sealing and opening work in place, so each begins with a copy: a few nanoseconds.
    work: Vec<u8>,
}

impl Message {
    pub fn new(bytes: usize, associated: usize) -> Self {
        let plain: Vec<u8> = (0..=u8::MAX).cycle().take(bytes).collect();
        let associated = vec![0xad; associated];
        let mut sealed = plain.clone();
        let tag = encrypt(&KEY, &NONCE, &associated, &mut sealed);
        let work = vec![0; bytes];
        let mut message = Self {
            plain,
            sealed,
            tag,
            associated,
            work,
        };
        message.check();
        message
    }

    fn check(&mut self) {
        assert!(self.open());
        assert_eq!(self.work, self.plain);
        assert_eq!(self.seal(), self.tag);
        assert_eq!(self.work, self.sealed);
        self.sealed[0] ^= 1;
        assert!(!self.open());
        self.sealed[0] ^= 1;
    }

    pub fn open(&mut self) -> bool {
        self.work.copy_from_slice(&self.sealed);
        decrypt(&KEY, &NONCE, &self.associated, &mut self.work, &self.tag)
    }

    pub fn seal(&mut self) -> [u8; 16] {
        self.work.copy_from_slice(&self.plain);
        encrypt(&KEY, &NONCE, &self.associated, &mut self.work)
    }
}
