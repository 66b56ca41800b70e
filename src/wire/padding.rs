//! Padding: length, content, zeros up to a multiple of 32 bytes.
//!
//! The length of a cookie is visible to anyone on the network path of an ill-configured proxy and in
//! logs of header sizes; in steps of 32 bytes it tells little. Exactly one padding is valid for a
//! content, so nothing can hide in it.

use std::ops::Range;

use super::malformed::Malformed;

pub(crate) const BLOCK: usize = 32;
/// The length in front of the content: four bytes, big endian.
const LENGTH: usize = 4;

pub(crate) fn padded_len(content: usize) -> usize {
    (LENGTH + content).next_multiple_of(BLOCK)
}

/// Puts what `write` puts at the end there padded; `None` when it is longer than four bytes can say.
pub(crate) fn pad(to: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Option<()> {
    let start = to.len();
    to.extend_from_slice(&[0; LENGTH]);
    write(to);
    let (length, content) = to.get_mut(start..)?.split_first_chunk_mut()?;
    *length = u32::try_from(content.len()).ok()?.to_be_bytes();
    let end = start + padded_len(content.len());
    to.resize(end, 0);
    Some(())
}

/// Where in the padded bytes the content is.
pub(crate) fn unpad(padded: &[u8]) -> Result<Range<usize>, Malformed> {
    let (length, rest) = padded.split_first_chunk().ok_or(Malformed::Padding)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Malformed::Padding)?;
    let (_, zeros) = rest.split_at_checked(length).ok_or(Malformed::Padding)?;
    let whole = padded.len() == padded_len(length);
    if whole && zeros.iter().all(|byte| *byte == 0) {
        Ok(LENGTH..LENGTH + length)
    } else {
        Err(Malformed::Padding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(content: &[u8]) -> Vec<u8> {
        let mut padded = Vec::new();
        pad(&mut padded, |to| to.extend_from_slice(content)).unwrap();
        padded
    }

    #[test]
    fn contents_read_back_at_every_length() {
        for length in 0..100 {
            let content = vec![9; length];
            let padded = padded(&content);
            assert_eq!(padded.len() % BLOCK, 0);
            assert_eq!(padded.len(), padded_len(length));
            assert_eq!(padded[unpad(&padded).unwrap()], content);
        }
    }

    #[test]
    fn any_other_padding_is_rejected() {
        let good = padded(b"twelve bytes");
        let mut dirty = good.clone();
        *dirty.last_mut().unwrap() = 1;
        assert!(unpad(&dirty).is_err());
        let mut longer = good.clone();
        longer.extend([0; BLOCK]);
        assert!(unpad(&longer).is_err());
        let mut overlong = good;
        overlong[3] = 200;
        assert!(unpad(&overlong).is_err());
        assert!(unpad(&[]).is_err());
        assert!(unpad(&[255; 32]).is_err());
    }
}
