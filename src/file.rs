//! Reading an operator's files: a configuration, a key file, a certificate.
//!
//! 1. A file is read as a whole, and at most 1 MiB of it.
//! 2. It is a regular file, or a link to one. A pipe would hold up a start until something is written to it.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::ConfigError;

/// Thousands of keys or certificates; a larger file is something else.
const LARGEST: u64 = 1 << 20;

/// The bytes of a file, which may be secret.
///
/// # Errors
/// [`ConfigError::File`] if it cannot be read, is not a regular file or is larger than 1 MiB.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    look(path).map(|(bytes, _)| bytes)
}

/// The same, with the metadata of the file that was read: another one may have taken its name since.
///
/// # Errors
/// As [`read`].
pub(crate) fn look(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Metadata), ConfigError> {
    let error = |error| ConfigError::file(path, error);
    // Looked at before it is opened: opening a pipe would wait for its other end.
    let metadata = regular(path, fs::metadata(path).map_err(error)?)?;
    // One byte more than expected, so that reading to the end does not grow and copy.
    let capacity = metadata.len().min(LARGEST) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(capacity).unwrap_or(0)));
    let file = File::open(path).map_err(error)?;
    let metadata = file.metadata().map_err(error)?;
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(error)?;
    if bytes.len() as u64 > LARGEST {
        return Err(ConfigError::file(path, "is larger than 1 MiB"));
    }
    Ok((bytes, metadata))
}

/// The text in the bytes of the file at `path`.
///
/// # Errors
/// [`ConfigError::File`] if it is not UTF-8.
pub(crate) fn text<'b>(path: &Path, bytes: &'b [u8]) -> Result<&'b str, ConfigError> {
    std::str::from_utf8(bytes).map_err(|_| ConfigError::file(path, "is not UTF-8 text"))
}

/// # Errors
/// [`ConfigError::File`] if it is a folder, a pipe or a device.
pub(crate) fn regular(path: &Path, metadata: Metadata) -> Result<Metadata, ConfigError> {
    if metadata.is_dir() {
        Err(ConfigError::file(path, "is a directory, not a file"))
    } else if !metadata.is_file() {
        Err(ConfigError::file(path, "is not a regular file"))
    } else {
        Ok(metadata)
    }
}
