//! Two nodes of one application with the same keys, which know of the same ended sessions.

use actix_web::rt::SystemRunner;
use sealed_session::settings::CookieSettings;
use sealed_session::{KeyRing, Sessions};

use crate::common::ours::{self, Ended};

pub struct Nodes {
    /// With the default settings.
    pub remembering: Sessions,
    /// With `remembered_tokens = 0`: it opens each token each time. What it seals is new to the other.
    pub forgetful: Sessions,
}

impl Nodes {
    pub fn start(system: &SystemRunner) -> Self {
        let ring = KeyRing::generate().unwrap();
        let mut forgetful = CookieSettings::default();
        forgetful.remembered_tokens = 0;
        system.block_on(async {
            let [remembering, forgetful] = [
                ours::builder(ring.clone()),
                ours::builder(ring).cookie(forgetful),
            ];
            let nodes = Self {
                remembering: remembering.start().await.unwrap(),
                forgetful: forgetful.start().await.unwrap(),
            };
            for node in [&nodes.remembering, &nodes.forgetful] {
                ours::end_others(node, Ended::MANY).await;
            }
            nodes
        })
    }
}
