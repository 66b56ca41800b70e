//! What a store that lives in this process tells the lists behind it.
//!
//! 1. The last publications are kept in memory, numbered. A follower says how many it has seen.
//! 2. A follower that fell out of that window, or comes from another epoch, is told so, and takes a
//!    new snapshot. Epochs are random, so that no two stores share one, whatever their clocks say.
//! 3. Publications that changed nothing are not news.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use crate::lock::lock;
use crate::revoke::{Followed, News, Position, Revocation};

/// How many publications are kept: a follower reads in milliseconds, so this is a generous second.
const WINDOW: usize = 65_536;

/// After how long without news a follower is told that there is none.
const QUIET: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Feed {
    recent: Mutex<Recent>,
    news: Notify,
}

#[derive(Debug)]
struct Recent {
    epoch: u64,
    /// How many were published.
    published: u64,
    /// The last of them.
    window: VecDeque<Revocation>,
}

impl Feed {
    pub(super) fn new() -> Self {
        Self {
            recent: Mutex::new(Recent::new()),
            news: Notify::new(),
        }
    }

    /// Where a follower stands that has seen everything so far.
    pub(super) fn position(&self) -> Position {
        self.lock().position()
    }

    /// Tells the followers. Called after the store's state has changed, so that whoever notes a
    /// position and then reads the state misses nothing.
    pub(super) fn publish(&self, revocations: impl IntoIterator<Item = Revocation>) {
        let mut recent = self.lock();
        for revocation in revocations {
            if recent.window.len() == WINDOW {
                recent.window.pop_front();
            }
            recent.window.push_back(revocation);
            recent.published = recent.published.saturating_add(1);
        }
        drop(recent);
        self.news.notify_waiters();
    }

    /// Makes every follower take a new snapshot, because something changed that is no publication.
    pub(super) fn restart(&self) {
        let mut recent = self.lock();
        recent.window.clear();
        // One that nobody can be told of any more.
        recent.published = recent.published.saturating_add(1);
        drop(recent);
        self.news.notify_waiters();
    }

    /// What was published after `position`; nothing after a second without news.
    pub(super) async fn follow(&self, position: Position) -> Followed {
        // Registered before looking, so that news in between wakes it.
        let news = self.news.notified();
        match self.lock().since(position) {
            Followed::News(news) if news.revocations.is_empty() => {}
            followed => return followed,
        }
        // Woken or not, what is there is the answer.
        let _ = tokio::time::timeout(QUIET, news).await;
        self.lock().since(position)
    }

    fn lock(&self) -> MutexGuard<'_, Recent> {
        lock(&self.recent)
    }
}

impl Recent {
    fn new() -> Self {
        Self {
            epoch: RandomState::new().hash_one(()),
            published: 0,
            window: VecDeque::new(),
        }
    }

    fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            sequence: self.published,
            mark: 0,
        }
    }

    fn since(&self, position: Position) -> Followed {
        if position.epoch != self.epoch {
            return Followed::Gap { epoch: self.epoch };
        }
        let unseen = self.published.checked_sub(position.sequence);
        let unseen = unseen.and_then(|unseen| usize::try_from(unseen).ok());
        match unseen.and_then(|unseen| self.window.len().checked_sub(unseen)) {
            Some(seen) => Followed::News(News {
                revocations: self.window.iter().skip(seen).copied().collect(),
                born: None,
                position: self.position(),
                complete: true,
                settling: None,
            }),
            None => Followed::Gap { epoch: self.epoch },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Generation;

    fn everyone(generation: u64) -> Revocation {
        Revocation::Everyone {
            generation: Generation::new(generation),
        }
    }

    fn news(revocations: Vec<Revocation>, position: Position) -> Followed {
        Followed::News(News {
            revocations,
            born: None,
            position,
            complete: true,
            settling: None,
        })
    }

    #[tokio::test]
    async fn tells_what_came_after_a_position() {
        let feed = Feed::new();
        feed.publish([everyone(1)]);
        let position = feed.position();
        feed.publish([everyone(2), everyone(3)]);
        let followed = feed.follow(position).await;
        let news = news(vec![everyone(2), everyone(3)], feed.position());
        assert_eq!(followed, news);
    }

    #[tokio::test]
    async fn wakes_followers_and_answers_without_news() {
        let feed = std::sync::Arc::new(Feed::new());
        let position = feed.position();
        let quiet = feed.follow(position).await;
        let nothing = news(vec![], position);
        assert_eq!(quiet, nothing);

        let follower = tokio::spawn({
            let feed = feed.clone();
            async move { feed.follow(position).await }
        });
        tokio::task::yield_now().await;
        feed.publish([everyone(1)]);
        assert_ne!(follower.await.unwrap(), nothing);
    }

    #[tokio::test]
    async fn a_foreign_or_lost_position_is_a_gap() {
        let feed = Feed::new();
        let start = feed.position();
        let other = Feed::new().position();
        let gap = Followed::Gap { epoch: start.epoch };
        assert_eq!(feed.follow(other).await, gap);
        let ahead = Position {
            sequence: 1,
            ..start
        };
        assert_eq!(feed.follow(ahead).await, gap);

        feed.publish((0..WINDOW as u64).map(everyone));
        assert_ne!(feed.follow(start).await, gap);
        feed.publish([everyone(0)]);
        assert_eq!(feed.follow(start).await, gap);

        let before = feed.position();
        feed.restart();
        assert_eq!(feed.follow(before).await, gap);
    }
}
