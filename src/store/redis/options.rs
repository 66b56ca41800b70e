//! How a [`Redis`] is opened: what can be checked without asking the server, and for tools, whether
//! there is such a list at all.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::{
    Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, TlsCertificates, Value, cmd,
};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use zeroize::Zeroizing;

use super::handle::Redis;
use super::index::RedisIndex;
use super::link::{Link, Server};
use super::replicas::Replicas;
use super::script;
use crate::error::{ConfigError, StoreError};
use crate::random::{Random, SystemRandom};
use crate::time::SystemClock;

/// How long publications are kept at the least.
const RETENTION: Duration = Duration::from_secs(60);
const SHORTEST_RETENTION: Duration = Duration::from_secs(30);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// The same with waiting for replicas. Less than callers wait: only a call that ran out of time finds out that
/// its connection is dead.
const WRITERS_PATIENCE: Duration = Duration::from_millis(2_900);
/// The same with waiting for publications.
const FOLLOWERS_PATIENCE: Duration = Duration::from_secs(3);

/// What to do about a password that looks like the next part of a URL.
const ENCODING: &str = "in a user's name or a password write / as %2F, @ as %40, : as %3A, ? as %3F, \
                        # as %23 and % as %25, or put the password into a `revocation.password_file`";

/// How to open a [`Redis`]. From [`Redis::options`].
#[derive(Clone)]
pub struct RedisOptions {
    url: String,
    list: String,
    replicas: usize,
    retention: Duration,
    password: Option<Zeroizing<String>>,
    root_certificate: Option<Vec<u8>>,
    random: Arc<dyn Random>,
}

// The URL may hold a password, too.
redacted!(RedisOptions: |it| list = it.list, replicas = it.replicas);

impl Redis {
    /// The list called `list` on the server at `url`: `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or
    /// `rediss://` for TLS. It is made when it is first used. Nothing is sent yet.
    ///
    /// # Errors
    /// When the URL is not one, or `list` is not 1 to 255 bytes long without `{` and `}`.
    pub fn open(url: impl Into<String>, list: impl Into<String>) -> Result<Self, ConfigError> {
        Self::options(url, list).open()
    }

    /// For waiting for replicas, a certificate authority of one's own, and how long publications are kept.
    pub fn options(url: impl Into<String>, list: impl Into<String>) -> RedisOptions {
        RedisOptions {
            url: url.into(),
            list: list.into(),
            replicas: 0,
            retention: RETENTION,
            password: None,
            root_certificate: None,
            random: Arc::new(SystemRandom),
        }
    }
}

impl RedisOptions {
    /// Lets a logout return only when so many replicas have it too, and fail with
    /// [`StoreError::NotReplicated`] if they do not within 0.8 s. None by default.
    ///
    /// Waits that began a moment too early for a logout are waited for as well, so it may take three
    /// times as long.
    #[must_use]
    pub fn wait_for_replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// The password, as it is: for one that is kept apart from the URL, where some characters would have to be
    /// percent-encoded. A user's name stands in the URL, as in `redis://sessions@HOST`.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(Zeroizing::new(password.into()));
        self
    }

    /// Trusts the certificates below this one, in PEM form, instead of the machine's. For `rediss://`; see
    /// [`Redis`] for the implementation of TLS.
    #[must_use]
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificate = Some(pem.into());
        self
    }

    /// How long publications are kept for nodes that are slow to read them; 60 s by default, at least 30 s.
    /// The shortest that any node sets counts.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Where the random names of publications come from; the operating system by default.
    ///
    /// With a generator that repeats itself nodes miss what others revoked: this is for tests.
    #[cfg(any(test, feature = "testing"))]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// As [`Redis::open`].
    ///
    /// # Errors
    /// As there, or when a number is out of its bounds.
    pub fn open(self) -> Result<Redis, ConfigError> {
        // It is a part of the names of keys.
        if !(1..=255).contains(&self.list.len()) || self.list.contains(['{', '}']) {
            return Err(ConfigError::setting(
                "revocation.list",
                "must be 1 to 255 bytes long, without { and }",
            ));
        }
        if self.retention < SHORTEST_RETENTION {
            return Err(ConfigError::setting(
                "RedisOptions::retention",
                "must be at least 30 seconds",
            ));
        }
        let server = Server::new(self.info()?);
        let index = RedisIndex::new(server.again(), self.list.clone(), PATIENCE);
        let server = Arc::new(server);
        let link = |patience, follows| Link::new(server.clone(), patience, follows);
        Ok(Redis {
            keys: script::keys(&self.list),
            list: self.list,
            link: link(PATIENCE, false),
            writer: link(WRITERS_PATIENCE, false),
            follower: link(FOLLOWERS_PATIENCE, true),
            index: Arc::new(index),
            replicas: Replicas::new(self.replicas),
            retention: self.retention,
            random: self.random,
            clock: SystemClock::default(),
            following: Mutex::default(),
            heard: Mutex::default(),
            unreadable: AtomicU64::default(),
            unreadable_publications: AtomicU64::default(),
        })
    }

    /// As [`open`](Self::open), and only if a node has used the list already: for tools, whose user may
    /// have misspelt its name. No list is made.
    ///
    /// # Errors
    /// As there; [`StoreError::Unused`] for another list; other errors of the store where it cannot be asked.
    pub async fn open_used(self) -> Result<Redis, ConfigError> {
        let list = self.list.clone();
        let store = self.open()?;
        if !is_used(&store).await? {
            let server = store.server().address();
            return Err(StoreError::Unused { list, server }.into());
        }
        Ok(store)
    }

    /// The address in the URL. Errors do not repeat it: it may hold a password.
    fn info(&self) -> Result<ConnectionInfo, ConfigError> {
        let bad = |problem: &str| ConfigError::setting("revocation.store", problem);
        let (scheme, _) = self.url.split_once("://").unwrap_or_default();
        let is_tls = scheme == "rediss";
        if scheme != "redis" && !is_tls {
            return Err(bad(
                "must begin with \"redis://\", or \"rediss://\" for TLS",
            ));
        }
        if self.root_certificate.is_some() && !is_tls {
            return Err(bad("must begin with \"rediss://\" to use a certificate"));
        }
        if self.url.contains(['?', '#']) {
            return Err(bad(&format!(
                "takes no options after \"?\" or \"#\"; {ENCODING}"
            )));
        }
        let info = self.url.as_str().into_connection_info();
        let info = info.map_err(|_| {
            bad(&format!(
                "is written \"redis://USER:PASSWORD@HOST:PORT/DATABASE\"; all but the host can be left \
                 out; {ENCODING}"
            ))
        })?;
        let mut settings = info.redis_settings().clone();
        if let Some(password) = &self.password {
            if settings.password().is_some() {
                return Err(ConfigError::setting(
                    "revocation.password_file",
                    "is a second password beside the one in `revocation.store`",
                ));
            }
            settings = settings.set_password(password.as_str());
        }
        let settings = settings
            .set_protocol(ProtocolVersion::RESP2)
            // Saves a command that a restricted user may not call.
            .set_skip_set_lib_name();
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        let info = info.set_redis_settings(settings).set_tcp_settings(tcp);
        if is_tls {
            choose_cryptography();
        }
        let Some(pem) = &self.root_certificate else {
            return Ok(info);
        };
        check_certificates(pem)?;
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: Some(pem.clone()),
        };
        let client = Client::build_with_tls(info, certificates);
        let client = client.map_err(|_| bad_certificate("cannot be used"))?;
        Ok(client.get_connection_info().clone())
    }
}

/// At least one, and nothing that is none: of a file without any, nothing would be trusted.
fn check_certificates(pem: &[u8]) -> Result<(), ConfigError> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(()),
        Ok(_) => Err(bad_certificate("holds no certificate in PEM form")),
        Err(_) => Err(bad_certificate("is not in PEM form")),
    }
}

fn bad_certificate(problem: &str) -> ConfigError {
    ConfigError::setting("revocation.root_certificate", problem)
}

/// Whether a node has ever told the list how long its cookies live, which each does when it starts.
async fn is_used(store: &Redis) -> Result<bool, StoreError> {
    // First, because any call of the script makes the list.
    let [meta, ..] = &store.keys;
    let kind = store.link.ask(cmd("TYPE").arg(meta)).await?;
    if kind.value == Value::SimpleString("none".into()) {
        return Ok(false);
    }
    Ok(!store.whole().await?.state.announced.longest.is_zero())
}

/// Without a choice TLS panics where another crate has brought a second implementation. Whoever has
/// chosen already is heard.
fn choose_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only if somebody has chosen in between.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
