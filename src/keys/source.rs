//! Where keys come from, and how a changed key file is noticed.
//!
//! 1. A key file is watched by its content: whenever it is asked, a [`KeyWatch`] reads the file and
//!    compares a hash. So a rename over it and a symbolic link that is swapped (as Kubernetes mounts
//!    are) are noticed alike, on every file system.
//! 2. A file that has become unusable changes nothing: the caller keeps its ring. Each problem is
//!    reported once, not at every look.
//! 3. That others can read the file is told once, and again when its mode has been mended and undone.
//! 4. Keys from the environment, from tables or from code do not change while the process runs.

use std::env::{self, VarError};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::file::{self, Seen};
use super::ring::KeyRing;
use super::secret::Secret;
use super::tables::{self, KeyEntry, KeyTables, PrunedEntry, RevokedEntry};
use crate::error::ConfigError;
use crate::time::UnixMillis;

/// Where the keys come from.
///
/// In a configuration it is a table with `file = "keys.toml"`, or `env = "SESSION_KEYS"`, or the tables of
/// a key file themselves.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "WrittenSource")]
#[non_exhaustive]
pub enum KeySource {
    /// A key file (see [`KeyTables`]). Changes are picked up while running.
    File(PathBuf),
    /// The environment variable with this name: secrets in base64, separated by commas or white space.
    /// The first seals, all of them open.
    ///
    /// To change keys without logging anybody out, roll out `old,new` first, then `new,old`, and
    /// after the longest lifetime of a session `new`. There is no way to revoke a key here but to
    /// leave it out, and sessions that passed through it are then not known to have.
    Env(String),
    /// Tables out of the application's own configuration.
    Tables(KeyTables),
    /// A ring that was built in code.
    Ring(KeyRing),
}

impl KeySource {
    /// The keys, to be used from `now` on.
    ///
    /// # Errors
    /// If they cannot be read, if a secret is weak, if they do not make a ring, or if no key seals at
    /// `now`. Errors never show a secret.
    pub fn load(&self, now: UnixMillis) -> Result<KeyRing, ConfigError> {
        self.open(now).map(|(ring, _)| ring)
    }

    /// The same source, with a relative path taken from `directory`.
    pub(crate) fn relative_to(self, directory: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(directory.join(path)),
            other => other,
        }
    }

    /// The keys and, if they can change, what notices it.
    pub(crate) fn open(&self, now: UnixMillis) -> Result<(KeyRing, Option<KeyWatch>), ConfigError> {
        match self {
            Self::File(path) => {
                let (ring, watch) = KeyWatch::start(path.clone(), now)?;
                Ok((ring, Some(watch)))
            }
            Self::Env(name) => Ok((from_variable(name)?, None)),
            Self::Tables(tables) => Ok((tables.ring(now)?, None)),
            Self::Ring(ring) => {
                ring.check(now)?;
                Ok((ring.clone(), None))
            }
        }
    }
}

/// A [`KeySource`] as it stands in a configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSource {
    file: Option<PathBuf>,
    env: Option<String>,
    // Those of `KeyTables`: serde cannot both flatten it and refuse unknown fields.
    #[serde(default, deserialize_with = "tables::optional_time")]
    everyone_before: Option<UnixMillis>,
    #[serde(default)]
    key: Vec<KeyEntry>,
    #[serde(default)]
    revoked: Vec<RevokedEntry>,
    #[serde(default)]
    pruned: Vec<PrunedEntry>,
}

impl TryFrom<WrittenSource> for KeySource {
    type Error = &'static str;

    fn try_from(written: WrittenSource) -> Result<Self, Self::Error> {
        let tables = KeyTables {
            everyone_before: written.everyone_before,
            keys: written.key,
            revoked: written.revoked,
            pruned: written.pruned,
        };
        match (written.file, written.env) {
            (Some(file), None) if tables == KeyTables::default() => Ok(Self::File(file)),
            (None, Some(name)) if tables == KeyTables::default() => Ok(Self::Env(name)),
            (None, None) => Ok(Self::Tables(tables)),
            _ => Err("keys come from one of `file`, `env` and `key` tables, not from several"),
        }
    }
}

/// What a look at the key file found.
#[derive(Debug)]
pub(crate) enum KeyChange {
    /// Nothing new: the same keys as before, or the same problem.
    Unchanged,
    /// Other keys, or other times.
    Changed(KeyRing),
    /// The file cannot be used, and this was not reported yet. The ring in use stays.
    Broken(ConfigError),
}

/// Notices changes of a key file.
#[derive(Debug)]
pub(crate) struct KeyWatch {
    path: PathBuf,
    /// What the ring in use was made of.
    in_use: Hash,
    /// When the file that holds it was last modified.
    modified: Option<UnixMillis>,
    is_loose: bool,
    loose_is_told: bool,
    /// The last problem that was reported, with the content that had it. Forgotten once the file is
    /// good again.
    reported: Option<(Option<Hash>, ConfigError)>,
}

type Hash = [u8; 32];

impl KeyWatch {
    /// Reads the file for the first time.
    pub(crate) fn start(path: PathBuf, now: UnixMillis) -> Result<(KeyRing, Self), ConfigError> {
        let seen = file::look(&path)?;
        let ring = ring(&path, &seen.bytes, now)?;
        let watch = Self {
            path,
            in_use: Sha256::digest(&*seen.bytes).into(),
            modified: seen.modified,
            is_loose: seen.is_loose,
            loose_is_told: false,
            reported: None,
        };
        Ok((ring, watch))
    }

    /// Reads the file again. Does I/O, so not to be called on a thread that serves requests.
    pub(crate) fn poll(&mut self, now: UnixMillis) -> KeyChange {
        let Seen {
            bytes,
            modified,
            is_loose,
        } = match file::look(&self.path) {
            Ok(seen) => seen,
            Err(error) => return self.broken(None, error),
        };
        self.is_loose = is_loose;
        self.loose_is_told &= is_loose;
        let hash = Sha256::digest(&*bytes).into();
        if hash == self.in_use {
            self.modified = modified;
            self.reported = None;
            return KeyChange::Unchanged;
        }
        // A broken content is tried at every look: it may be good later, when its key has activated.
        match ring(&self.path, &bytes, now) {
            Ok(ring) => {
                self.in_use = hash;
                self.modified = modified;
                self.reported = None;
                KeyChange::Changed(ring)
            }
            Err(error) => self.broken(Some(hash), error),
        }
    }

    /// Why the ring in use is not what stands in the file, if it is not.
    pub(crate) fn problem(&self) -> Option<&ConfigError> {
        self.reported.as_ref().map(|(_, problem)| problem)
    }

    /// When the file that holds the ring in use was last modified.
    pub(crate) fn modified(&self) -> Option<UnixMillis> {
        self.modified
    }

    /// The file, if others can read it and this was not told yet.
    pub(crate) fn tell_loose(&mut self) -> Option<&Path> {
        let is_news = self.is_loose && !self.loose_is_told;
        self.loose_is_told |= is_news;
        is_news.then_some(&self.path)
    }

    fn broken(&mut self, content: Option<Hash>, error: ConfigError) -> KeyChange {
        let problem = (content, error.clone());
        if self.reported.as_ref() == Some(&problem) {
            return KeyChange::Unchanged;
        }
        self.reported = Some(problem);
        KeyChange::Broken(error)
    }
}

fn ring(path: &Path, bytes: &[u8], now: UnixMillis) -> Result<KeyRing, ConfigError> {
    let tables = file::parse(path, bytes)?;
    tables.ring(now).map_err(|error| match error {
        ConfigError::Keys(problem) => ConfigError::file(path, problem),
        other => other,
    })
}

/// How long the name of an environment variable may be.
const LONGEST_NAME: usize = 42;

fn from_variable(name: &str) -> Result<KeyRing, ConfigError> {
    // A secret has 43 characters at least. Errors show the name, so it must not be one.
    if name.len() > LONGEST_NAME {
        return Err(ConfigError::Keys(
            "the name of the environment variable is too long; a secret does not belong there"
                .to_owned(),
        ));
    }
    let problem = |what: &str| ConfigError::Keys(format!("environment variable {name}: {what}"));
    match env::var(name) {
        Ok(text) => from_list(&Zeroizing::new(text)).map_err(|error| problem(&error.to_string())),
        Err(VarError::NotPresent) => Err(problem("is not set")),
        // The error itself holds the value.
        Err(VarError::NotUnicode(_)) => Err(problem("is not UTF-8 text")),
    }
}

fn from_list(text: &str) -> Result<KeyRing, ConfigError> {
    let words = text.split(|c: char| c == ',' || c.is_whitespace());
    let mut builder = KeyRing::builder();
    for word in words.filter(|word| !word.is_empty()) {
        // All active from ever: of equals the first listed seals.
        builder = builder.key(Secret::parse(word)?, UnixMillis::EPOCH, None);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::ids::KeyId;
    use crate::keys::EditError;
    use crate::random::SystemRandom;

    fn now() -> UnixMillis {
        "2026-11-21T08:00:00Z".parse().unwrap()
    }

    /// A folder with a key file, being watched.
    struct Bench {
        folder: tempfile::TempDir,
        tables: KeyTables,
        ring: KeyRing,
        watch: KeyWatch,
    }

    fn bench() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        let tables = KeyTables::fresh(now(), &SystemRandom).unwrap();
        tables.create(&path).unwrap();
        let (ring, watch) = KeySource::File(path).open(now()).unwrap();
        Bench {
            folder,
            tables,
            ring,
            watch: watch.unwrap(),
        }
    }

    impl Bench {
        /// A look at the file. A changed ring replaces the one in use, as its user would do it.
        fn poll(&mut self) -> &'static str {
            match self.watch.poll(now()) {
                KeyChange::Unchanged => "unchanged",
                KeyChange::Broken(_) => "broken",
                KeyChange::Changed(ring) => {
                    self.ring = ring;
                    "changed"
                }
            }
        }

        fn sealing(&self) -> KeyId {
            self.ring.sealing(now()).unwrap().id()
        }

        fn write(&self, content: &str) {
            fs::write(&self.watch.path, content).unwrap();
        }
    }

    #[test]
    fn an_edited_file_is_noticed_once() {
        let mut bench = bench();
        assert_eq!(bench.poll(), "unchanged");
        KeyTables::edit_file(&bench.watch.path, |tables| {
            let rotation = crate::keys::Rotation::default();
            tables.rotate(now(), rotation, &SystemRandom)
        })
        .unwrap();
        assert_eq!(bench.poll(), "changed");
        assert_eq!(bench.ring.opening(now()).count(), 2);
        assert_eq!(bench.poll(), "unchanged");
        // Touched, but the same.
        let same = fs::read(&bench.watch.path).unwrap();
        fs::write(&bench.watch.path, same).unwrap();
        assert_eq!(bench.poll(), "unchanged");
    }

    #[test]
    fn a_file_renamed_over_it_is_noticed() {
        let mut bench = bench();
        let fresh = KeyTables::fresh(now(), &SystemRandom).unwrap();
        let beside = bench.folder.path().join("beside");
        fresh.create(&beside).unwrap();
        fs::rename(beside, &bench.watch.path).unwrap();
        assert_eq!(bench.poll(), "changed");
        assert_eq!(bench.sealing(), fresh.list(now())[0].id);
    }

    /// As Kubernetes mounts a secret: keys.toml -> ..data/keys.toml, ..data -> ..2026_11_21.
    #[cfg(unix)]
    #[test]
    fn a_swapped_symbolic_link_is_noticed() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut ids = Vec::new();
        for version in ["..one", "..two"] {
            fs::create_dir(path(version)).unwrap();
            let tables = KeyTables::fresh(now(), &SystemRandom).unwrap();
            tables.create(path(version).join("keys.toml")).unwrap();
            ids.push(tables.list(now())[0].id);
        }
        symlink("..one", path("..data")).unwrap();
        symlink("..data/keys.toml", path("keys.toml")).unwrap();

        let (ring, mut watch) = KeyWatch::start(path("keys.toml"), now()).unwrap();
        assert_eq!(ring.sealing(now()).unwrap().id(), ids[0]);
        symlink("..two", path("..new")).unwrap();
        fs::rename(path("..new"), path("..data")).unwrap();
        fs::remove_dir_all(path("..one")).unwrap();
        let KeyChange::Changed(ring) = watch.poll(now()) else {
            panic!("the swap was not noticed");
        };
        assert_eq!(ring.sealing(now()).unwrap().id(), ids[1]);
    }

    #[test]
    fn a_broken_file_keeps_the_ring_and_is_reported_once() {
        let mut bench = bench();
        let (before, good) = (bench.sealing(), bench.tables.to_text());
        for broken in ["", "not toml", "[[key]]", "# another comment"] {
            bench.write(broken);
            assert_eq!(bench.poll(), "broken", "{broken:?}");
            assert_eq!(bench.poll(), "unchanged", "{broken:?}");
        }
        fs::remove_file(&bench.watch.path).unwrap();
        assert_eq!(bench.poll(), "broken");
        assert_eq!(bench.poll(), "unchanged");
        assert_eq!(bench.sealing(), before);

        // What it was is nothing new; breaking again is.
        bench.write(&good);
        assert_eq!(bench.poll(), "unchanged");
        bench.write("not toml");
        assert_eq!(bench.poll(), "broken");
        bench.write(&good.replace("activate", "# changed\nactivate"));
        assert_eq!(bench.poll(), "changed");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_told_once_until_its_mode_changes() {
        use std::os::unix::fs::PermissionsExt;
        let mut bench = bench();
        for (mode, told) in [
            (0o600, false),
            // For a server that runs as somebody else.
            (0o640, false),
            (0o644, true),
            (0o644, false),
            (0o666, false),
            (0o600, false),
            (0o604, true),
            (0o660, false),
        ] {
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(&bench.watch.path, permissions).unwrap();
            assert_eq!(bench.poll(), "unchanged");
            assert_eq!(bench.watch.tell_loose().is_some(), told, "{mode:o}");
        }
    }

    #[test]
    fn the_age_is_that_of_the_file_in_use() {
        let mut bench = bench();
        let file = |bench: &Bench| fs::File::options().append(true).open(&bench.watch.path);
        let dated = |bench: &Bench, seconds| {
            let time = UnixMillis::from_secs(seconds);
            let file = file(bench).unwrap();
            file.set_modified(time.try_into().unwrap()).unwrap();
            time
        };
        assert!(bench.watch.modified().is_some());
        let touched = dated(&bench, 1_000);
        assert_eq!(bench.poll(), "unchanged");
        assert_eq!(bench.watch.modified(), Some(touched));
        bench.write("not toml");
        dated(&bench, 2_000);
        assert_eq!(bench.poll(), "broken");
        assert_eq!(bench.watch.modified(), Some(touched));
        bench.write(&KeyTables::fresh(now(), &SystemRandom).unwrap().to_text());
        let changed = dated(&bench, 3_000);
        assert_eq!(bench.poll(), "changed");
        assert_eq!(bench.watch.modified(), Some(changed));
    }

    #[test]
    fn a_file_that_came_too_early_is_used_when_its_time_has_come() {
        let mut bench = bench();
        let later = now() + Duration::from_secs(3600);
        bench.write(&KeyTables::fresh(later, &SystemRandom).unwrap().to_text());
        assert_eq!(bench.poll(), "broken");
        assert_eq!(bench.poll(), "unchanged");
        assert!(matches!(bench.watch.poll(later), KeyChange::Changed(_)));
    }

    #[test]
    fn a_failed_edit_is_no_change() {
        let mut bench = bench();
        let stranger = KeyId::from_bytes([9; 16]);
        let failed = KeyTables::edit_file(&bench.watch.path, |tables| {
            tables.revoke(stranger, now(), &SystemRandom)
        });
        assert_eq!(failed, Err(EditError::Unknown(stranger)));
        assert_eq!(bench.poll(), "unchanged");
    }

    #[test]
    fn the_first_secret_of_a_list_seals_and_all_open() {
        let secrets = [(); 3].map(|()| Secret::generate(&SystemRandom).unwrap());
        let [one, two, three] = secrets.each_ref().map(Secret::to_text);
        let list = format!("\n{},{} ,\t{}\n", *one, *two, *three);
        let ring = from_list(&list).unwrap();
        assert_eq!(ring.sealing(now()).unwrap().id(), secrets[0].key_id());
        assert_eq!(ring.opening(now()).count(), 3);
        for bad in [
            "",
            " , ",
            &format!("{} hunter2", *one),
            &format!("{0} {0}", *one),
        ] {
            assert!(from_list(bad).is_err());
        }
    }

    #[test]
    fn only_files_are_watched() {
        let ring = KeyRing::generate().unwrap();
        assert!(KeySource::Ring(ring).open(now()).unwrap().1.is_none());
        let tables = KeyTables::fresh(now(), &SystemRandom).unwrap();
        assert!(KeySource::Tables(tables).open(now()).unwrap().1.is_none());
    }
}
