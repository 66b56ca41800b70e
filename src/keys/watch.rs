//! How a changed key file is noticed.
//!
//! 1. By its content: whenever it is asked, a [`KeyWatch`] reads the file and compares a hash. So a rename
//!    over it and a symbolic link that is swapped (as Kubernetes mounts are) are noticed alike, on every
//!    file system.
//! 2. A file that has become unusable changes nothing: the caller keeps its ring. Each problem is
//!    reported once, not at every look.
//! 3. That others can read the file is told once, and again when its mode was set right and loosened once more.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::file::{is_loose, named, parse};
use super::ring::KeyRing;
use crate::error::ConfigError;
use crate::file;
use crate::observe;
use crate::time::UnixMillis;

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
        let (bytes, metadata) = file::look(&path)?;
        let ring = ring(&path, &bytes, now)?;
        let watch = Self {
            path,
            in_use: Sha256::digest(&*bytes).into(),
            modified: modified(&metadata),
            is_loose: is_loose(&metadata),
            loose_is_told: false,
            reported: None,
        };
        Ok((ring, watch))
    }

    /// Reads the file again, and returns its ring if that is another one. Does I/O, so not to be called on a thread that
    /// serves requests.
    ///
    /// # Errors
    /// When the file cannot be used. Each problem is returned at every look, and reported at the first.
    pub(crate) fn poll(&mut self, now: UnixMillis) -> Result<Option<KeyRing>, ConfigError> {
        let (bytes, metadata) = file::look(&self.path).map_err(|error| self.broken(None, error))?;
        self.is_loose = is_loose(&metadata);
        self.loose_is_told &= self.is_loose;
        let hash = Sha256::digest(&*bytes).into();
        let mut changed = None;
        if hash != self.in_use {
            // A broken content is tried at every look: it may be good later, when its key has activated.
            let ring = ring(&self.path, &bytes, now);
            changed = Some(ring.map_err(|error| self.broken(Some(hash), error))?);
        }
        self.in_use = hash;
        self.modified = modified(&metadata);
        self.reported = None;
        Ok(changed)
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

    fn broken(&mut self, content: Option<Hash>, problem: ConfigError) -> ConfigError {
        let reported = Some((content, problem.clone()));
        if self.reported != reported {
            observe::keys_reloaded("broken");
            tracing::error!(%problem, "the key file cannot be used; the keys from before stay");
            self.reported = reported;
        }
        problem
    }
}

fn ring(path: &Path, bytes: &[u8], now: UnixMillis) -> Result<KeyRing, ConfigError> {
    named(path, parse(path, bytes)?.ring(now))
}

/// Where files have such a time.
fn modified(metadata: &Metadata) -> Option<UnixMillis> {
    metadata.modified().ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::ids::KeyId;
    use crate::key_files::EditError;
    use crate::keys::{KeySource, KeyTables};
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
        /// A look at the file. A changed ring replaces the one in use, as its user would do it. A problem that was
        /// reported before changes nothing.
        fn poll(&mut self) -> &'static str {
            let reported = self.watch.reported.clone();
            match self.watch.poll(now()) {
                Ok(None) => "unchanged",
                Ok(Some(ring)) => {
                    self.ring = ring;
                    "changed"
                }
                Err(_) if self.watch.reported == reported => "unchanged",
                Err(_) => "broken",
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
            let rotation = crate::key_files::Rotation::default();
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
        let Ok(Some(ring)) = watch.poll(now()) else {
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
        assert!(matches!(bench.watch.poll(later), Ok(Some(_))));
    }

    #[cfg(feature = "metrics")]
    #[test]
    fn a_problem_is_counted_once_however_often_it_is_looked_at() {
        let mut bench = bench();
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let counted = |bench: &mut Bench| {
            metrics::with_local_recorder(&recorder, || bench.watch.poll(now()).unwrap_err());
            recorder.handle().render()
        };
        for (content, times) in [("not toml", 1), ("not toml", 1), ("nor this", 2)] {
            bench.write(content);
            let line = format!("key_reloads_total{{outcome=\"broken\"}} {times}\n");
            assert!(counted(&mut bench).contains(&line), "{content}");
        }
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
}
