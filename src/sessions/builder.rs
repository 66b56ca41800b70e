//! Starting, in this order: settings are checked, keys are read, the store is opened and loaded.
//!
//! The store comes last because opening it may make a file. A start that fails before has made nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::client::{ClientRules, ClientSettings};
use crate::cookie::{CookieSettings, Template};
use crate::csrf::{CsrfRules, CsrfSettings};
use crate::error::ConfigError;
use crate::keys::{KeyRing, KeySource};
use crate::observe;
use crate::random::{Random, SystemRandom};
use crate::revoke::policy::{OlderSessions, Policies, WhenStale, check_capacity, check_staleness};
use crate::revoke::store::NodeStart;
use crate::revoke::worker::Worker;
use crate::revoke::{ANONYMOUS_CAPACITY, Announcement, Store};
use crate::seal::{Binding, TokenCache, check_audience};
use crate::session::devices::Devices;
use crate::session::observer::Observed;
use crate::session::service::Service;
use crate::session::{DeviceSettings, LoginSettings, SessionObserver};
use crate::sessions::engine::{Engine, Scope};
use crate::sessions::move_in::{self, Plan};
use crate::sessions::opener::Opener;
use crate::sessions::{Sessions, double_start, keys, log, token_cache};
use crate::time::{Clock, Lifetimes, SKEW, SystemClock};

/// Settings of [`Sessions`]. Keys and a store have to be given; there is no default for either.
#[derive(Debug)]
#[must_use = "nothing starts until `start` is called"]
pub struct SessionsBuilder {
    audience: String,
    keys: Option<KeySource>,
    store: Option<Opener>,
    cookie: CookieSettings,
    csrf: CsrfSettings,
    client: ClientSettings,
    login: LoginSettings,
    devices: DeviceSettings,
    lifetimes: Lifetimes,
    policy: Policies,
    anonymous_capacity: u64,
    plan: Option<Plan>,
    observer: Observed,
    // A test sets its own. By default they are the machine's.
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn Random>>,
}

impl Sessions {
    /// Starts from settings in code. `audience` names the application and its environment, such as
    /// `"shop/production"`: cookies of one audience are worth nothing to another.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), sealed_session::ConfigError> {
    /// use sealed_session::store::Memory;
    /// use sealed_session::{KeyRing, Sessions};
    ///
    /// // As a test wants it: keys and revocations that end with the process.
    /// let sessions = Sessions::builder("shop/test")
    ///     .keys(KeyRing::generate()?)
    ///     .store(Memory::new())
    ///     .start()
    ///     .await?;
    /// # drop(sessions);
    /// # Ok(()) }
    /// ```
    pub fn builder(audience: impl Into<String>) -> SessionsBuilder {
        SessionsBuilder {
            audience: audience.into(),
            keys: None,
            store: None,
            cookie: CookieSettings::default(),
            csrf: CsrfSettings::default(),
            client: ClientSettings::default(),
            login: LoginSettings::default(),
            devices: DeviceSettings::default(),
            lifetimes: Lifetimes::default(),
            policy: Policies::default(),
            anonymous_capacity: ANONYMOUS_CAPACITY,
            plan: None,
            observer: Observed::default(),
            clock: None,
            random: None,
        }
    }
}

impl SessionsBuilder {
    /// The keys, as a ring.
    pub fn keys(self, ring: KeyRing) -> Self {
        self.key_source(KeySource::Ring(ring))
    }

    /// Where the keys come from.
    pub fn key_source(mut self, source: KeySource) -> Self {
        self.keys = Some(source);
        self
    }

    /// The revocation store. Several `Sessions` of one process may share a [`Store`] that keeps a journal,
    /// as `Memory` and `Redb` do. Do not share one `Redis` between several `Sessions`: open one each.
    /// [`start`](Self::start) fails otherwise.
    pub fn store(self, store: impl Into<Store>) -> Self {
        self.opener(Opener::opened(store.into()))
    }

    /// The revocation store, opened when the settings and the keys are known to be good: a start that
    /// fails for them has then made no file.
    ///
    /// ```
    /// # async fn start() -> Result<(), sealed_session::ConfigError> {
    /// use sealed_session::store::Memory;
    /// use sealed_session::{keys::KeySource, ConfigError, Sessions};
    ///
    /// let sessions = Sessions::builder("shop/test")
    ///     .key_source(KeySource::File("keys.toml".into()))
    ///     .open_store(|| Ok::<_, ConfigError>(Memory::new()))
    ///     .start()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn open_store<S: Into<Store>, E: Into<ConfigError>>(
        self,
        open: impl FnOnce() -> Result<S, E> + Send + 'static,
    ) -> Self {
        let open = move || open().map(Into::into).map_err(Into::into);
        self.opener(Opener::new("opened later", open))
    }

    pub(crate) fn opener(mut self, store: Opener) -> Self {
        self.store = Some(store);
        self
    }

    /// The cookie's name and attributes. Default: [`CookieSettings::default`].
    pub fn cookie(mut self, settings: CookieSettings) -> Self {
        self.cookie = settings;
        self
    }

    /// Protection against requests that other sites make a browser send. Default: by what browsers say of a request,
    /// with no exceptions ([`CsrfSettings::default`]).
    ///
    /// ```
    /// use sealed_session::settings::CsrfSettings;
    ///
    /// let mut csrf = CsrfSettings::default();
    /// csrf.exempt_paths = vec!["/saml/acs".into()];
    /// csrf.trusted_origins = vec!["https://app.example.org".into()];
    /// # drop(csrf);
    /// ```
    pub fn csrf(mut self, settings: CsrfSettings) -> Self {
        self.csrf = settings;
        self
    }

    /// What the client's headers are good for: whether a session is bound to them, and which proxies are believed.
    /// Default: nothing and none.
    ///
    /// ```
    /// use sealed_session::{settings::{ClientBinding, ClientSettings}};
    ///
    /// let mut client = ClientSettings::default();
    /// client.binding = ClientBinding::Signal;
    /// client.trusted_proxies = vec!["10.0.0.0/8".into()];
    /// # drop(client);
    /// ```
    pub fn client(mut self, settings: ClientSettings) -> Self {
        self.client = settings;
        self
    }

    /// What a login does to what was there before it. Default: [`LoginSettings::default`].
    pub fn login(mut self, settings: LoginSettings) -> Self {
        self.login = settings;
        self
    }

    /// The index of sessions, for a list of somebody's devices and a limit of sessions. Default: none is kept.
    ///
    /// ```
    /// use sealed_session::settings::DeviceSettings;
    ///
    /// let mut devices = DeviceSettings::default();
    /// devices.index = true;
    /// devices.max_sessions = Some(5);
    /// # drop(devices);
    /// ```
    pub fn devices(mut self, settings: DeviceSettings) -> Self {
        self.devices = settings;
        self
    }

    /// The sessions' lifetimes. Default: [`Lifetimes::default`].
    pub fn lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }

    /// What to do with sessions that are older than the revocation list. Default:
    /// [`OlderSessions::Reject`], because a list that was lost and begun anew cannot tell which of them
    /// had been revoked.
    pub fn older_sessions(mut self, older_sessions: OlderSessions) -> Self {
        self.policy.older_sessions = older_sessions;
        self
    }

    /// What to do when the revocation list is older than `max_staleness`. Default:
    /// [`WhenStale::Reject`], 10 seconds. Matters only for stores that other nodes write to, and for these
    /// 3 seconds are the least: a list is a second or two old on a healthy node too.
    pub fn when_stale(mut self, when_stale: WhenStale, max_staleness: Duration) -> Self {
        self.policy.when_stale = when_stale;
        self.policy.trust.max_staleness = max_staleness;
        self
    }

    /// How long the store may have been away, at most, if this node is to attest what it restored after the store
    /// lost its data. Default: 5 minutes. Matters only for stores that other nodes write to.
    ///
    /// Such a store refuses every session from before, until a node that held all revocations has restored and
    /// attested them. A node that was cut off alone cannot tell that from an outage, and might attest although
    /// others went on without it: the longer this is, the longer that may have been.
    pub fn max_outage(mut self, max_outage: Duration) -> Self {
        self.policy.trust.max_outage = max_outage;
        self
    }

    /// How many ended or renewed anonymous sessions the store remembers, of about 100 bytes each. Default: 500,000.
    /// At least one. Of several nodes' settings the largest counts.
    ///
    /// Anyone can begin and end such sessions. Where there are more, those that began first make room, and all
    /// anonymous sessions from then or before are over: their users begin anew, and nothing that was ended comes
    /// back. Sessions that were logged in to are not touched.
    pub fn anonymous_capacity(mut self, entries: u64) -> Self {
        self.anonymous_capacity = entries;
        self
    }

    /// Takes over the sessions of an application that used actix-session before. See
    /// [`migrate`](crate::migrate).
    ///
    /// [`start`](Self::start) fails if browsers could not have had such a cookie, or if it is to be read for
    /// longer from now than a session can live.
    #[cfg(feature = "migrate-actix-session")]
    #[cfg_attr(docsrs, doc(cfg(feature = "migrate-actix-session")))]
    pub fn migrate(mut self, old: crate::migrate::ActixSessionCookie) -> Self {
        self.plan = Some(old);
        self
    }

    /// Who is told of logins, logouts and refused cookies, for an audit log. Default: nobody. See [`SessionObserver`].
    pub fn observer(mut self, observer: impl SessionObserver) -> Self {
        self.observer = Observed::by(observer);
        self
    }

    /// Where the time comes from. Default: [`SystemClock`].
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Where random bytes come from. Default: [`SystemRandom`], the operating system.
    ///
    /// A generator that repeats itself gives the sessions away: this is for tests.
    #[cfg(any(test, feature = "testing"))]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = Some(random);
        self
    }

    /// Checks the settings, reads the keys, and opens and loads the revocation list, in this order.
    ///
    /// # Errors
    /// When a setting is wrong or contradicts another, the keys cannot be used, or the store does not
    /// come up.
    pub async fn start(self) -> Result<Sessions, ConfigError> {
        observe::describe();
        check_audience(&self.audience)?;
        self.lifetimes.validate(ConfigError::setting)?;
        self.devices.validate()?;
        check_capacity(self.anonymous_capacity)?;
        let csrf = CsrfRules::new(&self.csrf)?;
        let client = ClientRules::new(&self.client)?;
        let previous = Template::previous(&self.cookie)?;
        let settings = self.cookie.clone();
        let cached_tokens = settings.cached_tokens;
        let cookie = Template::new(self.cookie)?;
        let missing = ConfigError::setting;
        let problem = "are not set; `sealed-session keys new` makes a file";
        let source = self.keys.ok_or_else(|| missing("keys", problem))?;
        let problem = "is not set; \"redb:FILE\" is a good start";
        let store = self
            .store
            .ok_or_else(|| missing("revocation.store", problem))?;
        let is_test = self.clock.is_some() || self.random.is_some();
        let clock = self
            .clock
            .unwrap_or_else(|| Arc::new(SystemClock::default()));
        let random = self.random.unwrap_or_else(|| Arc::new(SystemRandom));
        let moving = move_in::prepare(self.plan, settings, &self.lifetimes, clock.now())?;
        let (ring, watch) = source.open(clock.now())?;
        let store = store.open()?;
        // What only the store can tell: whether it is shared, and has an index.
        let trust = self.policy.trust;
        check_staleness(store.kind.is_shared(), trust.max_staleness)?;
        let index = store.session_index();
        self.devices.check_store(store.name(), index.is_some())?;
        double_start::check_followers(&store)?;
        let worker = Arc::new(Worker::start()?);
        let longest = self.lifetimes.longest_absolute() + SKEW;
        let start = NodeStart {
            worker: worker.clone(),
            clock: clock.clone(),
            random: random.clone(),
            announcement: Announcement::new(longest, self.anonymous_capacity, trust.max_outage),
            trust,
        };
        let node = store.kind.start(start).await?;
        let index = index.filter(|_| self.devices.index);
        let devices =
            index.map(|index| Devices::new(index, self.devices, clock.clone(), worker.clone()));
        if let Some(devices) = &devices {
            devices.try_out(&*clock).await?;
        }
        let binding = Binding::new(cookie.name(), &self.audience);
        let (current, earlier) = scopes(cookie, previous, &binding, cached_tokens);
        let service = Service {
            node,
            keys: ArcSwap::from_pointee(ring),
            binding,
            csrf,
            client,
            room: current.template.room,
            lifetimes: self.lifetimes,
            policy: self.policy,
            login: self.login,
            clock: clock.clone(),
            random,
            observer: self.observer,
            devices,
        };
        let engine = Arc::new(Engine {
            service: Arc::new(service),
            current,
            earlier,
            moving,
            watch: watch.map(keys::Watch::new),
            log: log::Log::new(clock),
            store: store.name(),
            plain_http: AtomicBool::new(false),
            plain_http_checks: AtomicU32::new(0),
        });
        if let Some(watch) = &engine.watch {
            worker.repeat(watch.keep_up(Arc::downgrade(&engine), Engine::reload_keys));
        }
        if cached_tokens > 0 {
            let caches = engine.scopes().map(|scope| Arc::downgrade(&scope.tokens));
            worker.repeat(token_cache::watch(caches.collect()));
        }
        double_start::register(&engine, &store, is_test)?;
        Ok(Sessions { engine })
    }
}

/// The cookie that is written, and those that are only read: one for each name.
fn scopes(
    cookie: Template,
    previous: Vec<Template>,
    binding: &Binding,
    cached_tokens: usize,
) -> (Scope, Vec<Scope>) {
    let scope = |template: Template| Scope {
        binding: binding.for_cookie(template.name()),
        tokens: Arc::new(TokenCache::new(cached_tokens)),
        template,
        others: Vec::new(),
    };
    let mut current = scope(cookie);
    let mut earlier: Vec<Scope> = Vec::new();
    for template in previous {
        let mut scopes = std::iter::once(&mut current).chain(&mut earlier);
        match scopes.find(|it| it.template.name() == template.name()) {
            Some(same) => same.others.push(template),
            None => earlier.push(scope(template)),
        }
    }
    (current, earlier)
}
