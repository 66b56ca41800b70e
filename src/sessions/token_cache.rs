//! Sweeping the caches of tokens, and telling metrics how they are used.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::observe;
use crate::seal::TokenCache;
use crate::seal::token_cache::TokenCacheStats;
#[cfg(any(test, feature = "testing"))]
use crate::sessions::Sessions;

/// How often metrics are told.
const TELL: Duration = Duration::from_secs(1);
/// After so many of these an entry goes that was not used since the last sweep: a minute.
const SWEEP: u32 = 60;

/// Does both until the sessions are dropped. It never holds them, not even for a moment: whoever drops the last ones may
/// open their file again at once.
pub(super) async fn watch(caches: Vec<Weak<TokenCache>>) {
    let mut told = TokenCacheStats::default();
    for round in (1..=SWEEP).cycle() {
        tokio::time::sleep(TELL).await;
        let living = caches.iter().map(Weak::upgrade);
        let Some(caches) = living.collect::<Option<Vec<_>>>() else {
            return;
        };
        if observe::can_record() {
            let now = stats(&caches);
            observe::token_cache(
                now.hits.wrapping_sub(told.hits),
                now.misses.wrapping_sub(told.misses),
                now.entries,
            );
            told = now;
        }
        if round == SWEEP {
            caches.iter().for_each(|cache| cache.sweep());
        }
    }
}

/// Of all names of the cookie together.
fn stats(caches: &[Arc<TokenCache>]) -> TokenCacheStats {
    let each = caches.iter().map(|cache| cache.stats());
    each.fold(TokenCacheStats::default(), |sum, each| TokenCacheStats {
        hits: sum.hits.wrapping_add(each.hits),
        misses: sum.misses.wrapping_add(each.misses),
        entries: sum.entries.saturating_add(each.entries),
    })
}

#[cfg(any(test, feature = "testing"))]
impl Sessions {
    pub(crate) fn token_cache_stats(&self) -> TokenCacheStats {
        let scopes = self.engine.scopes();
        let caches: Vec<_> = scopes.map(|scope| Arc::clone(&scope.tokens)).collect();
        stats(&caches)
    }
}

#[cfg(test)]
mod tests;
