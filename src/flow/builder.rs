//! Starting: settings are checked, the store is loaded, then there are sessions.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::cookie::{CookieSettings, Template};
use crate::error::ConfigError;
use crate::flow::{Engine, Policies, Policy, Sessions, keys, log};
use crate::key::{KeyRing, KeySource};
use crate::lifetime::Lifetimes;
use crate::lock::lock;
use crate::observe;
use crate::random::{Random, SystemRandom};
use crate::revoke::revoker::Revoker;
use crate::revoke::witness::Trust;
use crate::revoke::{Reach, RevocationStore};
use crate::seal::Binding;
use crate::session::service::Service;
use crate::time::{Clock, SystemClock};

/// A store tells that it is there once a second, so a list that lacks nothing may be 1.5 s old.
const LEAST_STALENESS: Duration = Duration::from_secs(3);

/// Settings of [`Sessions`]. Keys and a store have to be given; there is no default for either.
#[derive(Debug)]
#[must_use = "nothing starts until `start` is called"]
pub struct SessionsBuilder {
    audience: String,
    keys: Option<KeySource>,
    store: Option<Arc<dyn RevocationStore>>,
    cookie: CookieSettings,
    lifetimes: Lifetimes,
    accept_older: bool,
    policy: Policies,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl SessionsBuilder {
    pub(super) fn new(audience: String) -> Self {
        Self {
            audience,
            keys: None,
            store: None,
            cookie: CookieSettings::default(),
            lifetimes: Lifetimes::default(),
            accept_older: false,
            policy: Policies {
                when_stale: Policy::default(),
                trust: Trust {
                    max_staleness: Duration::from_secs(10),
                    max_outage: Duration::from_secs(300),
                },
            },
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom),
        }
    }

    /// The keys, as a ring.
    pub fn keys(self, ring: KeyRing) -> Self {
        self.key_source(KeySource::Ring(ring))
    }

    /// Where the keys come from.
    pub fn key_source(mut self, source: KeySource) -> Self {
        self.keys = Some(source);
        self
    }

    /// The revocation store. Several `Sessions` of one process may share a `Memory` or a `Redb`. A store that
    /// other nodes write to, as a `Redis`, each opens for itself, also for the same list; they do not start
    /// on one that others already have.
    pub fn store(mut self, store: Arc<dyn RevocationStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// The cookie's name and attributes. Default: [`CookieSettings::default`].
    pub fn cookie(mut self, settings: CookieSettings) -> Self {
        self.cookie = settings;
        self
    }

    /// The sessions' lifetimes. Default: [`Lifetimes::default`].
    pub fn lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }

    /// What to do with sessions that are older than the revocation list. Default: [`Policy::Reject`],
    /// because a list that was lost and begun anew can not tell which of them had been revoked.
    pub fn older_sessions(mut self, policy: Policy) -> Self {
        self.accept_older = policy == Policy::Accept;
        self
    }

    /// What to do when the revocation list is older than `max_staleness`. Default:
    /// [`Policy::Reject`], 10 seconds. Matters only for stores that other nodes write to, and for these
    /// 3 seconds are the least: a list is a second or two old on a healthy node too.
    pub fn when_stale(mut self, policy: Policy, max_staleness: Duration) -> Self {
        self.policy.when_stale = policy;
        self.policy.trust.max_staleness = max_staleness;
        self
    }

    /// How long the store may have been away, at most, if this node is to vouch for it after it lost its
    /// data. Default: 5 minutes. Matters only for stores that other nodes write to.
    ///
    /// Such a store refuses every session from before, until a node that held all of it has given it back
    /// and says so. A node that was cut off alone can not tell that from an outage, and might vouch
    /// although others went on without it: the longer this is, the longer that may have been.
    pub fn max_outage(mut self, max_outage: Duration) -> Self {
        self.policy.trust.max_outage = max_outage;
        self
    }

    /// Where the time comes from. Default: [`SystemClock`].
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where random bytes come from. Default: [`SystemRandom`], the operating system.
    ///
    /// A generator that repeats itself gives the sessions away: this is for tests.
    #[cfg(any(test, feature = "testing"))]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Checks the settings, reads the keys, and loads the revocation list.
    ///
    /// # Errors
    /// When a setting is wrong or contradicts another, the keys can not be used, or the store does not
    /// come up.
    pub async fn start(self) -> Result<Sessions, ConfigError> {
        observe::describe();
        check_audience(&self.audience)?;
        self.lifetimes.validate()?;
        let cookie = Template::new(self.cookie)?;
        let source = self.keys.ok_or_else(|| {
            ConfigError::setting(
                "keys",
                "are not set; `sealed-session keys new` makes a file",
            )
        })?;
        let (ring, watch) = source.open(self.clock.now())?;
        let store = self.store.ok_or_else(|| {
            ConfigError::setting(
                "revocation.store",
                "is not set; \"redb:FILE\" is a good start",
            )
        })?;
        check_staleness(&*store, self.policy.trust.max_staleness)?;
        check_followers(&lock(&LIVING), &store)?;
        let revoker = Revoker::start(
            store.clone(),
            self.clock.clone(),
            self.random.clone(),
            self.lifetimes.longest(),
            self.policy.trust,
        )
        .await?;
        let service = Service {
            revoker,
            keys: ArcSwap::from_pointee(ring),
            binding: Binding::new(cookie.name(), &self.audience),
            room: cookie.room(),
            lifetimes: self.lifetimes,
            accept_older: self.accept_older,
            clock: self.clock.clone(),
            random: self.random,
        };
        let engine = Arc::new(Engine {
            service: Arc::new(service),
            cookie,
            policy: self.policy,
            watch: watch.map(keys::Watch::new),
            log: log::Log::new(self.clock),
        });
        if let Some(watch) = &engine.watch {
            let worker = engine.service.revoker.worker();
            worker.repeat(watch.keep_up(Arc::downgrade(&engine)));
        }
        register(&engine, &store)?;
        Ok(Sessions { engine })
    }
}

/// # Errors
/// When the audience is empty or longer than 255 bytes.
pub(crate) fn check_audience(audience: &str) -> Result<(), ConfigError> {
    if audience.is_empty() || audience.len() > 255 {
        let problem = "must name the application and its environment, in 1 to 255 bytes";
        return Err(ConfigError::setting("audience", problem));
    }
    Ok(())
}

/// # Errors
/// When healthy nodes would answer 503.
fn check_staleness(
    store: &dyn RevocationStore,
    max_staleness: Duration,
) -> Result<(), ConfigError> {
    if store.reach() == Reach::Network && max_staleness < LEAST_STALENESS {
        let problem =
            "must be at least 3 seconds: a list is a second or two old on a healthy node too";
        return Err(ConfigError::setting("revocation.max_staleness", problem));
    }
    Ok(())
}

/// All that live in this process.
static LIVING: Mutex<Vec<Weak<Engine>>> = Mutex::new(Vec::new());

/// # Errors
/// When the store is one that others follow already, who would miss what it tells these.
fn check_followers(
    living: &[Weak<Engine>],
    store: &Arc<dyn RevocationStore>,
) -> Result<(), ConfigError> {
    let mut living = living.iter().filter_map(Weak::upgrade);
    let followed = living.any(|engine| engine.service.revoker.is_on(store));
    if store.reach() == Reach::Network && followed {
        let problem = "other sessions of this process have the same one open; each opens its own";
        return Err(ConfigError::setting("revocation.store", problem));
    }
    Ok(())
}

/// Says so, loudly, when a process starts the same sessions twice: each has a revocation list of its
/// own, which is what happens when they are made inside the closure of `HttpServer::new`.
///
/// # Errors
/// As [`check_followers`]: others may have been started meanwhile.
fn register(engine: &Arc<Engine>, store: &Arc<dyn RevocationStore>) -> Result<(), ConfigError> {
    let mut living = lock(&LIVING);
    living.retain(|engine| engine.strong_count() > 0);
    check_followers(&living, store)?;
    let mut others = living.iter().filter_map(Weak::upgrade);
    let has_twin = others.any(|other| other.is_twin_of(engine));
    living.push(Arc::downgrade(engine));
    if has_twin {
        let binding = &engine.service.binding;
        tracing::error!(
            cookie = binding.cookie(),
            audience = binding.audience(),
            "these sessions were started twice in this process, each with a revocation list of its \
             own; start them once, outside the closure of HttpServer::new, and clone them into it"
        );
    }
    Ok(())
}
