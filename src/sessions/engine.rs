//! What requests need beside the rules of [`Service`]: the names and attributes of cookies, and the log; opening a token
//! or taking it from the cache; replacing the key ring.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};

use super::adapter::HeldCookies;
use super::keys::Watch;
use super::log::Log;
use super::move_in::Moving;
use crate::cookie::Template;
use crate::error::ConfigError;
use crate::ids::KeyId;
use crate::keys::KeyRing;
use crate::seal::{self, Binding, Opened, Refused, TokenCache};
use crate::session::service::Service;
use crate::time::UnixMillis;

pub(super) struct Engine {
    pub(super) service: Arc<Service>,
    /// The cookie that is read and written.
    pub(super) current: Scope,
    /// The cookies of earlier settings, which are only read.
    pub(super) earlier: Vec<Scope>,
    /// Sessions of another library, which are taken over.
    pub(super) moving: Option<Moving>,
    /// If the keys come from a file.
    pub(super) watch: Option<Watch>,
    pub(super) log: Log,
    /// What the store is called.
    pub(super) store: &'static str,
    /// Whether a Secure cookie was set over plain http, and reported.
    pub(super) plain_http: AtomicBool,
    /// How often an adapter asked whether to check that.
    pub(super) plain_http_checks: AtomicU32,
}

impl Engine {
    /// The cookies that are read, the current one first.
    pub(super) fn scopes(&self) -> impl Iterator<Item = &Scope> {
        std::iter::once(&self.current).chain(&self.earlier)
    }

    pub(super) fn reload_keys(&self) -> Result<(), ConfigError> {
        let Some(watch) = &self.watch else {
            return Ok(());
        };
        let replace = |ring| {
            self.service.keys.store(Arc::new(ring));
            self.service.node.list().bell().ring();
            self.scopes().for_each(|scope| scope.tokens.clear());
        };
        watch.look(self.service.now(), replace)
    }
}

/// A name of a cookie that sessions are read from.
pub(crate) struct Scope {
    pub(crate) template: Template,
    pub(crate) binding: Binding,
    /// What was opened a moment ago. Shared, so that the sweep need not hold the engine.
    pub(crate) tokens: Arc<TokenCache>,
    /// Cookies of the same name and a different domain or path. A request does not tell them apart.
    pub(crate) others: Vec<Template>,
}

impl Scope {
    /// Opens a token that came under this name, or takes it from the cache while its key opens.
    pub(super) fn open(
        &self,
        text: &[u8],
        chunks: u8,
        ring: &KeyRing,
        now: UnixMillis,
    ) -> Result<Opened, Refused> {
        let opens = |key: &KeyId| ring.key(key, now).is_some();
        if let Some(cached) = self.tokens.get(text, chunks, opens) {
            return cached.recheck(now);
        }
        let opened = seal::open(text, chunks, ring, &self.binding, now)?;
        self.tokens.insert(text, chunks, &opened);
        Ok(opened)
    }

    /// Removes what the browser holds under this name, whichever its domain and path.
    pub(super) fn removals(&self, held: HeldCookies) -> impl Iterator<Item = String> {
        let templates = std::iter::once(&self.template).chain(&self.others);
        templates.flat_map(move |template| removals(template, held))
    }
}

/// Removes a cookie, and its activity cookie with it: alone that is none of ours.
pub(super) fn removals(template: &Template, held: HeldCookies) -> impl Iterator<Item = String> {
    let activity = held.activity && !held.indexes.is_empty();
    let activity = activity.then(|| template.removal(&template.activity_name()));
    let data = held.indexes.iter();
    data.map(|index| template.removal(&template.chunk_name(index)))
        .chain(activity)
}
