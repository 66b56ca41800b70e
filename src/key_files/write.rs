//! Writing a key file.
//!
//! 1. It is replaced atomically: a new file beside it, flushed to disk, renamed over it. Readers see the old
//!    keys or the new, never half of them. Through a symbolic link the file it points to is replaced,
//!    and the link stays.
//! 2. A new file has mode 0600. A replaced one keeps its owner and group, and the group's right to read:
//!    otherwise a rotation by root would lock out the server that runs as somebody else.
//! 3. Two edits at the same time wait for each other: a rotation must not undo a revocation.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::ConfigError;
use crate::file::regular;
use crate::keys::{KeyTables, is_loose};

impl KeyTables {
    /// Writes a key file that does not exist yet, with mode 0600.
    ///
    /// # Errors
    /// [`ConfigError::File`] if there is such a file, or if it cannot be written; the error of
    /// [`KeyRingBuilder::build`](crate::keys::KeyRingBuilder::build) if the tables do not make a ring.
    pub fn create(&self, path: impl AsRef<Path>) -> Result<(), ConfigError> {
        let path = path.as_ref();
        let written = self.prepare(path, None)?;
        match written.persist_noclobber(path) {
            Ok(_) => sync_folder(path),
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Err(
                ConfigError::file(path, "exists already, and is not overwritten"),
            ),
            Err(failed) => Err(ConfigError::file(path, failed.error)),
        }
    }

    /// Replaces a key file, or creates it.
    ///
    /// # Errors
    /// [`ConfigError::File`] if it cannot be written, the error of
    /// [`KeyRingBuilder::build`](crate::keys::KeyRingBuilder::build) if the tables do not make a ring. The old
    /// file is then untouched.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), ConfigError> {
        let path = &target(path.as_ref())?;
        let old = match fs::metadata(path) {
            Ok(metadata) => Some(regular(path, metadata)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(ConfigError::file(path, error)),
        };
        let written = self.prepare(path, old.as_ref())?;
        match written.persist(path) {
            Ok(_) => sync_folder(path),
            Err(failed) => Err(not_replaced(path, failed.error)),
        }
    }

    /// Reads a key file, changes the tables, and replaces the file if they are different. Edits of the
    /// same file by other processes wait.
    ///
    /// # Errors
    /// Those of [`KeyTables::read`], of `edit`, and of [`KeyTables::write`]. The file is then untouched.
    pub fn edit_file<T, E: From<ConfigError>>(
        path: impl AsRef<Path>,
        edit: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let path = &target(path.as_ref())?;
        let _lock = lock(path)?;
        let old = Self::read(path)?;
        let mut new = old.clone();
        let outcome = edit(&mut new)?;
        if new != old {
            new.write(path)?;
        }
        Ok(outcome)
    }

    /// A finished file beside `path`, to be renamed.
    fn prepare(&self, path: &Path, old: Option<&Metadata>) -> Result<NamedTempFile, ConfigError> {
        // A file that no server could load is never written.
        self.builder().build()?;
        let prepare = || {
            // Created with mode 0600, before a secret is in it.
            let mut file = tempfile::Builder::new()
                .prefix(".keys-")
                .tempfile_in(folder(path))?;
            file.write_all(self.to_text().as_bytes())?;
            if let Some(old) = old {
                keep_access(file.as_file(), old)?;
            }
            file.as_file().sync_all()?;
            Ok(file)
        };
        prepare().map_err(|error: io::Error| ConfigError::file(path, error))
    }
}

/// Why a file was not replaced. The name of a file that is mounted by itself cannot be given to another.
fn not_replaced(path: &Path, error: io::Error) -> ConfigError {
    if error.kind() != io::ErrorKind::ResourceBusy {
        return ConfigError::file(path, error);
    }
    let problem = "is mounted as a single file, which nobody in here can replace; mount the folder that \
                   holds it, or change the keys outside";
    ConfigError::file(path, problem)
}

/// Whether others than the owner may read or write the key file, apart from a group that may read.
///
/// Always false where files have no such modes.
///
/// # Errors
/// [`ConfigError::File`] if the file's mode cannot be read.
pub fn mode_is_loose(path: impl AsRef<Path>) -> Result<bool, ConfigError> {
    let path = path.as_ref();
    let metadata = fs::metadata(path).map_err(|error| ConfigError::file(path, error))?;
    Ok(is_loose(&metadata))
}

/// The file that `path` names, behind any symbolic links. A link to nothing is an error.
fn target(path: &Path) -> Result<PathBuf, ConfigError> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        fs::canonicalize(path).map_err(|error| ConfigError::file(path, error))
    } else {
        Ok(path.to_owned())
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Holds the key file itself. Since every edit replaces that file, the one that was waited for may no
/// longer be the one that has the name.
fn lock(path: &Path) -> Result<File, ConfigError> {
    let error = |error| ConfigError::file(path, error);
    loop {
        regular(path, fs::metadata(path).map_err(error)?)?;
        let file = OpenOptions::new().read(true).open(path).map_err(error)?;
        match file.lock() {
            Ok(()) => {}
            // Some network file systems have no locks; an edit is still atomic there.
            Err(unsupported) if unsupported.kind() == io::ErrorKind::Unsupported => {
                return Ok(file);
            }
            Err(other) => return Err(error(other)),
        }
        let held = file.metadata().map_err(error)?;
        let named = fs::metadata(path).map_err(error)?;
        if is_same_file(&held, &named) {
            return Ok(file);
        }
    }
}

/// Makes the renaming itself durable.
#[cfg(unix)]
fn sync_folder(path: &Path) -> Result<(), ConfigError> {
    let sync = || File::open(folder(path))?.sync_all();
    sync().map_err(|error| ConfigError::file(path, error))
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> Result<(), ConfigError> {
    Ok(())
}

#[cfg(unix)]
fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same_file(_one: &Metadata, _other: &Metadata) -> bool {
    true
}

#[cfg(unix)]
fn keep_access(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        let keeping = |error| {
            let kind = io::Error::kind(&error);
            io::Error::new(kind, format!("the file's owner cannot be kept: {error}"))
        };
        fchown(file, Some(old.uid()), Some(old.gid())).map_err(keeping)?;
    }
    let mode = old.permissions().mode() & 0o040 | 0o600;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn keep_access(_file: &File, _old: &Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_mounted_alone_says_why_it_cannot_be_replaced() {
        let path = Path::new("keys.toml");
        let busy = not_replaced(path, io::ErrorKind::ResourceBusy.into()).to_string();
        for part in [
            "keys.toml: ",
            "mounted as a single file",
            "mount the folder",
        ] {
            assert!(busy.contains(part), "{busy}");
        }
        let other = not_replaced(path, io::ErrorKind::StorageFull.into());
        assert!(!other.to_string().contains("mount"), "{other}");
    }
}
