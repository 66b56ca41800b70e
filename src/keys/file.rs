//! Reading a key file: as a whole, at most 1 MiB, from a regular file or a link to one ([`crate::file`]).

use std::fs::Metadata;
use std::path::Path;

use super::tables::KeyTables;
use crate::error::ConfigError;
use crate::file;

impl KeyTables {
    /// Reads a key file.
    ///
    /// # Errors
    /// [`ConfigError::File`] if it does not exist, cannot be read, is not a regular file, is larger
    /// than 1 MiB, is not UTF-8, or is refused by [`KeyTables::parse`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        parse(path, &file::read(path)?)
    }
}

/// Reads the one line of a file that holds a password: no key, and as little for others to read.
#[cfg(feature = "redis")]
pub(crate) fn read_password(path: std::path::PathBuf) -> Result<String, ConfigError> {
    let (bytes, metadata) = file::look(&path)?;
    let text = file::text(&path, &bytes)?;
    // Editors end a line with it.
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(ConfigError::file(path, "is empty"));
    }
    if line.contains('\n') {
        return Err(ConfigError::file(path, "has more than one line"));
    }
    if is_loose(&metadata) {
        tracing::warn!(
            file = %path.display(),
            "others can read or change the file with the revocation store's password; set its mode to 0600"
        );
    }
    Ok(line.to_owned())
}

/// The tables in the bytes of the key file at `path`.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<KeyTables, ConfigError> {
    named(path, KeyTables::parse(file::text(path, bytes)?))
}

/// Names the file in what is wrong with its keys.
pub(super) fn named<T>(path: &Path, read: Result<T, ConfigError>) -> Result<T, ConfigError> {
    read.map_err(|error| match error {
        ConfigError::Keys(problem) => ConfigError::file(path, problem),
        other => other,
    })
}

#[cfg(unix)]
pub(crate) fn is_loose(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o037 != 0
}

#[cfg(not(unix))]
pub(crate) fn is_loose(_metadata: &Metadata) -> bool {
    false
}
