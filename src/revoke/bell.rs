//! Waking whoever waits for the end of a session.
//!
//! 1. The bell is rung after anything that can end a session has changed: this node's list, or the key ring. Where
//!    nobody waits that is an atomic load, or two.
//! 2. Who waits looks for itself, by the rules that every request is judged by. It looks once a second besides, for
//!    what time alone decides: so nobody computes when that will be.
//! 3. It looks at most every tenth of a second, so that a storm of revocations costs thousands of open sockets ten
//!    looks a second each.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::watch;

/// The least time between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// How often somebody who waits looks when nothing has changed.
const INTERVAL: Duration = Duration::from_secs(1);

/// Made by the first who waits: it is larger than all else of an empty list.
#[derive(Debug, Default)]
pub(crate) struct ChangeBell(OnceLock<watch::Sender<()>>);

impl ChangeBell {
    /// Something has changed. Of a bell that is missed by somebody who begins to wait at the same time the next look
    /// makes up.
    pub(crate) fn ring(&self) {
        if let Some(bell) = self.0.get() {
            // An error says that nobody waits.
            let _ = bell.send(());
        }
    }

    /// Looks again and again, until something is found.
    pub(crate) async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        // Before the first look: what changes after it is heard.
        let mut rung = self.0.get_or_init(watch::Sender::default).subscribe();
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
            // Rung or not, it is time.
            let _ = tokio::time::timeout(INTERVAL - PAUSE, rung.changed()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;

    /// When there are looks in the first ten seconds, in milliseconds, if the bell is rung this often.
    async fn looks(ringing: Option<u64>) -> Vec<u128> {
        let bell = Arc::new(ChangeBell::default());
        let rung = Arc::clone(&bell);
        let ringer = tokio::spawn(async move {
            while let Some(every) = ringing {
                tokio::time::sleep(Duration::from_millis(every)).await;
                rung.ring();
            }
        });
        let (start, mut looks) = (Instant::now(), Vec::new());
        let never = bell.until(|| {
            looks.push(start.elapsed().as_millis());
            None::<()>
        });
        let _ = tokio::time::timeout(Duration::from_secs(10), never).await;
        ringer.abort();
        looks
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_looks_at_once_and_then_every_second() {
        let looks = looks(None).await;
        assert_eq!(looks.first(), Some(&0));
        assert!((10..=11).contains(&looks.len()), "{looks:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_seen_within_a_tenth_of_a_second_and_a_storm_costs_ten_looks_a_second() {
        for every in [1, 20, 90] {
            let looks = looks(Some(every)).await;
            assert!((90..=101).contains(&looks.len()), "{every}: {looks:?}");
        }
        let looks = looks(Some(400)).await;
        // The timer's grain is a millisecond.
        let [second, third] = [1, 2].map(|number| looks[number]);
        assert!(
            second.abs_diff(400) < 5 && third.abs_diff(800) < 5,
            "{looks:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_wait_any_more_is_not_counted() {
        let bell = ChangeBell::default();
        assert_eq!(bell.until(|| Some(5)).await, 5);
        assert_eq!(bell.0.get().unwrap().receiver_count(), 0);
        let waiting = tokio::time::timeout(PAUSE / 2, bell.until(|| None::<()>));
        assert!(waiting.await.is_err());
        assert_eq!(bell.0.get().unwrap().receiver_count(), 0);
    }
}
