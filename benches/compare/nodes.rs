//! Two nodes of one application with the same keys, which know of the same ended sessions.

use actix_web::rt::SystemRunner;
use sealed_session::settings::CookieSettings;
use sealed_session::{KeyRing, Sessions};

use crate::common::ours::{self, Ended};

pub struct Nodes {
    /// With the default settings.
    pub caching: Sessions,
    /// With `cached_tokens = 0`: it opens each token each time. What it seals is new to the other.
    pub uncached: Sessions,
}

impl Nodes {
    pub fn start(system: &SystemRunner) -> Self {
        let ring = KeyRing::generate().unwrap();
        let mut uncached = CookieSettings::default();
        uncached.cached_tokens = 0;
        system.block_on(async {
            let [caching, uncached] = [
                ours::builder(ring.clone()),
                ours::builder(ring).cookie(uncached),
            ];
            let nodes = Self {
                caching: caching.start().await.unwrap(),
                uncached: uncached.start().await.unwrap(),
            };
            for node in [&nodes.caching, &nodes.uncached] {
                ours::end_others(node, Ended::MANY).await;
            }
            nodes
        })
    }
}
