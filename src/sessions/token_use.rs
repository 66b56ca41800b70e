//! Counting how remembered tokens are used, and forgetting those that are not.

use std::sync::Weak;
use std::time::Duration;

use crate::observe;
use crate::seal::remembered::TokenUse;
use crate::sessions::engine::Engine;

/// How often it is counted.
const COUNT: Duration = Duration::from_secs(1);
/// After so many counts what was not used is forgotten: a minute.
const SWEEP: u32 = 60;

/// Does both for as long as the sessions are there.
pub(super) async fn watch(engine: Weak<Engine>) {
    let mut told = TokenUse::default();
    for round in (1..=SWEEP).cycle() {
        tokio::time::sleep(COUNT).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        let now = engine.token_use();
        observe::remembered_tokens(
            now.hits.wrapping_sub(told.hits),
            now.misses.wrapping_sub(told.misses),
            now.entries,
        );
        told = now;
        if round == SWEEP {
            engine.forget_unused_tokens();
        }
    }
}

impl Engine {
    /// Of all names of the cookie together.
    fn token_use(&self) -> TokenUse {
        let each = self.scopes().map(|scope| scope.remembered.usage());
        each.fold(TokenUse::default(), |sum, each| TokenUse {
            hits: sum.hits.wrapping_add(each.hits),
            misses: sum.misses.wrapping_add(each.misses),
            entries: sum.entries.saturating_add(each.entries),
        })
    }

    /// Forgets the tokens that were not used since the last time.
    pub(super) fn forget_unused_tokens(&self) {
        self.scopes().for_each(|scope| scope.remembered.sweep());
    }
}
