//! Keeping up with a key file.
//!
//! 1. The file is looked at every five seconds.
//! 2. A cookie whose key is unknown has it looked at right away: a neighbour may have learned of a new key
//!    first. Anyone can send such cookies, so at most once a second, however many come.
//! 3. No request waits for the file.
//! 4. A file that others can read is one line in the log, at the start or when its mode has changed.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Notify;

use crate::error::ConfigError;
use crate::keys::{KeyRing, KeyWatch};
use crate::lock::lock;
use crate::observe;
use crate::time::UnixMillis;

/// How often the file is looked at when nobody asks for it.
const INTERVAL: Duration = Duration::from_secs(5);
/// The least time between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// The key file, and when to look at it.
pub(super) struct Watch {
    file: Mutex<KeyWatch>,
    /// Why the file's current ring could not be loaded, if so. Kept apart from the file, which is locked
    /// while it is read.
    problem: ArcSwapOption<ConfigError>,
    /// When the file in use was last modified. Here for the same reason.
    modified: ArcSwapOption<UnixMillis>,
    bell: Arc<Notify>,
}

impl Watch {
    pub(super) fn new(mut file: KeyWatch) -> Self {
        tell_loose(&mut file);
        Self {
            modified: ArcSwapOption::from_pointee(file.modified()),
            file: Mutex::new(file),
            problem: ArcSwapOption::empty(),
            bell: Arc::default(),
        }
    }

    /// Asks for a look at the file. Costs next to nothing, and returns at once.
    pub(super) fn look_soon(&self) {
        self.bell.notify_one();
    }

    /// Looks at the file again and again by `reload`, for as long as anyone holds the engine.
    pub(super) fn keep_up<E: Send + Sync + 'static>(
        &self,
        engine: Weak<E>,
        reload: fn(&E) -> Result<(), ConfigError>,
    ) -> impl Future<Output = ()> + use<E> {
        let bell = self.bell.clone();
        async move {
            loop {
                wait(&bell).await;
                let Some(engine) = engine.upgrade() else {
                    return;
                };
                // Problems are logged where they are found. Reading a file can block, so not on this thread.
                let look = move || {
                    let _ = reload(&engine);
                    // Returned, since this may be the last handle: dropping it here would wait for this thread.
                    engine
                };
                let _ = tokio::task::spawn_blocking(look).await;
            }
        }
    }

    /// What is wrong with the file.
    pub(super) fn problem(&self) -> Option<ConfigError> {
        self.problem.load().as_deref().cloned()
    }

    /// When the file in use was last modified, where that is known.
    pub(super) fn modified(&self) -> Option<UnixMillis> {
        self.modified.load().as_deref().copied()
    }

    /// Looks at the file now, and hands over its ring if that is another one. Does I/O.
    pub(super) fn look(
        &self,
        now: UnixMillis,
        replace: impl FnOnce(KeyRing),
    ) -> Result<(), ConfigError> {
        let mut file = lock(&self.file);
        let looked = file.poll(now);
        let problem = looked.as_ref().err().cloned();
        self.problem.store(problem.map(Arc::new));
        self.modified.store(file.modified().map(Arc::new));
        tell_loose(&mut file);
        if let Some(ring) = looked? {
            observe::keys_reloaded("changed");
            tracing::info!("the key file has changed and is in use");
            // Under the lock, so that of two looks at once the later one's ring stays.
            replace(ring);
        }
        Ok(())
    }
}

fn tell_loose(file: &mut KeyWatch) {
    if let Some(file) = file.tell_loose() {
        tracing::warn!(
            file = %file.display(),
            "others can read or change the key file, and whoever reads it can forge sessions; set its mode to 0600"
        );
    }
}

/// Waits until it is time for another look. A ring is remembered until it is heard; two are heard as one.
async fn wait(bell: &Notify) {
    tokio::time::sleep(PAUSE).await;
    // Rung or not, it is time.
    let _ = tokio::time::timeout(INTERVAL - PAUSE, bell.notified()).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    /// How many looks there are in a minute in which the bell is rung this often.
    async fn looks(ringing: Option<Duration>) -> usize {
        let bell = Arc::new(Notify::new());
        let rung = bell.clone();
        let ringer = tokio::spawn(async move {
            while let Some(every) = ringing {
                rung.notify_one();
                tokio::time::sleep(every).await;
            }
        });
        let mut looks = 0;
        let end = Instant::now() + Duration::from_secs(60);
        while tokio::time::timeout_at(end, wait(&bell)).await.is_ok() {
            looks += 1;
        }
        ringer.abort();
        looks
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_unknown_keys_costs_a_look_a_second() {
        assert_eq!(looks(None).await, 12);
        for every in [1, 10, 300] {
            let looks = looks(Some(Duration::from_millis(every))).await;
            assert!((45..=60).contains(&looks), "{looks}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_key_has_the_file_looked_at_at_once() {
        let bell = Arc::new(Notify::new());
        let rung = bell.clone();
        let start = Instant::now();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            rung.notify_one();
            tokio::time::sleep(Duration::from_millis(100)).await;
            // Too early for another look, and not forgotten.
            rung.notify_one();
        });
        let mut looks = Vec::new();
        for _ in 0..3 {
            wait(&bell).await;
            looks.push(start.elapsed().as_millis());
        }
        // The timer's grain is a millisecond.
        for (look, expected) in looks.iter().zip([1500, 2500, 7500]) {
            assert!(look.abs_diff(expected) < 10, "{looks:?}");
        }
    }
}
