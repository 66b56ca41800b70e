//! Random bytes.
//!
//! Nonces, ids and secrets come from the operating system, never from a generator in this process:
//! a forked process or a cloned virtual machine would repeat it, and a repeated nonce is fatal to
//! the cipher. A generator that fails is an error, not a weaker generator.

use std::fmt;

use rand::TryRng;
use rand::rngs::SysRng;

/// Where random bytes come from. [`SystemRandom`] is the default; tests may inject their own.
pub trait Random: Send + Sync + fmt::Debug + 'static {
    /// Fills `bytes` with unpredictable bytes.
    ///
    /// # Errors
    /// When the generator cannot deliver. The caller then makes nothing, rather than something weak.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError>;
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        SysRng.try_fill_bytes(bytes).map_err(|_| RandomError)
    }
}

/// The operating system's random generator failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system's random generator failed")]
pub struct RandomError;

/// `N` fresh bytes.
pub(crate) fn bytes<const N: usize>(random: &dyn Random) -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_differ() {
        let one: [u8; 24] = bytes(&SystemRandom).unwrap();
        let two: [u8; 24] = bytes(&SystemRandom).unwrap();
        assert_ne!(one, two);
    }
}
