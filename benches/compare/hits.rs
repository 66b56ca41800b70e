//! How many reads were of a cached token, by the metrics of the nodes: they tell them once a second.

use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

/// Of all nodes of this process that live, so there should be one that caches.
pub struct Hits {
    recorder: &'static Snapshotter,
}

impl Hits {
    /// # Panics
    /// When somebody else records metrics here.
    pub fn since_now() -> Self {
        static RECORDER: OnceLock<Snapshotter> = OnceLock::new();
        let recorder = RECORDER.get_or_init(|| {
            let recorder = DebuggingRecorder::new();
            let snapshotter = recorder.snapshotter();
            recorder.install().unwrap();
            snapshotter
        });
        let hits = Self { recorder };
        hits.take();
        hits
    }

    /// The share of hits, once so many reads were told since the last time.
    pub fn share(&self, reads: u64) -> f64 {
        let began = Instant::now();
        let (mut hits, mut misses) = (0, 0);
        while hits + misses < reads {
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "{reads} reads were made, and {hits} hits and {misses} misses told"
            );
            thread::sleep(Duration::from_millis(50));
            let more = self.take();
            hits += more.0;
            misses += more.1;
        }
        hits as f64 / (hits + misses) as f64
    }

    /// Hits and misses since the last time.
    fn take(&self) -> (u64, u64) {
        let (mut hits, mut misses) = (0, 0);
        for (key, _, _, value) in self.recorder.snapshot().into_vec() {
            match (key.key().name(), value) {
                ("sealed_session_token_cache_hits_total", DebugValue::Counter(count)) => {
                    hits += count;
                }
                ("sealed_session_token_cache_misses_total", DebugValue::Counter(count)) => {
                    misses += count;
                }
                _ => (),
            }
        }
        (hits, misses)
    }
}
