//! Starting: from the command line to running sessions.
//!
//! 1. With `--config` everything is as the file says.
//! 2. Without it the data folder holds a key file and a revocation list. Both are made when they are
//!    missing, the list last, and never in place of something that cannot be read. With `--redis` the list is on that
//!    server, and nodes that share it also share the key file.
//! 3. A failure is one line, and the process exits with 1.

use std::fmt;
use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use clap::Parser;
use sealed_session::revoke::Store;
use sealed_session::store::Redb;
use sealed_session::{
    ConfigError, SessionConfig, Sessions,
    keys::{KeySource, KeyTables, SystemRandom},
    settings::{ClientBinding, ClientSettings, CookieSettings, DeviceSettings, SiteData},
    store::StoreError,
    time::{Clock, SystemClock},
};

use crate::audit;

/// A demonstration of sealed sessions: log in, look at the session, log out here or everywhere.
#[derive(Debug, Parser)]
pub struct Options {
    /// Where to listen. Port 0 takes a free one; the line on standard output says which.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = address)]
    pub listen: SocketAddr,
    /// Session settings in TOML, instead of the data folder and a cookie for plain http.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder for keys and revocations, made when it is missing [default: data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A Redis server for the revocation list, shared with other nodes, instead of a file in the data
    /// folder
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    redis: Option<String>,
}

/// The application and its environment, which also names its list on a shared server.
const AUDIENCE: &str = "sealed-session/accounts";

/// Why the application does not run, in one line.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    pub fn new(problem: impl fmt::Display) -> Self {
        Self(problem.to_string().replace(['\n', '\r'], " "))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(error)
    }
}

/// The sessions that the command line asks for.
pub async fn sessions(options: &Options) -> Result<Sessions, Failure> {
    if let Some(file) = &options.config {
        if options.data.is_some() {
            tracing::warn!("--data is not used: the configuration says where things are");
        }
        tracing::info!(file = %file.display(), "settings");
        let builder = SessionConfig::from_file(file)?.builder()?;
        return Ok(builder.observer(audit::observe).start().await?);
    }
    if !options.listen.ip().is_loopback() {
        return Err(Failure::new(format_args!(
            "{} can be reached over the network, where a cookie without Secure could be read; \
             serve https in front of this and use --config",
            options.listen
        )));
    }
    let data = options.data.as_deref().unwrap_or(Path::new("data"));
    make_folder(data)?;
    let keys = data.join("keys.toml");
    make_keys(&keys)?;
    let mut cookie = CookieSettings::plain_http();
    cookie.clear_site_data = vec![SiteData::Storage];
    let mut client = ClientSettings::default();
    client.binding = ClientBinding::Signal;
    let mut devices = DeviceSettings::default();
    devices.index = true;
    let builder = Sessions::builder(AUDIENCE)
        .key_source(KeySource::File(keys))
        .cookie(cookie)
        .client(client)
        .devices(devices)
        .observer(audit::observe);
    let builder = match &options.redis {
        Some(url) => builder.store(redis(url)?),
        // Once the keys are known to be good: a start that fails for them makes no list.
        None => {
            let list = data.join("revocations.redb");
            builder.open_store(move || Redb::open_or_create(list))
        }
    };
    let sessions = builder.start().await?;
    let store = sessions.health().store;
    tracing::info!(data = %data.display(), store, "keys and revocations");
    tracing::info!(
        "the session cookie is not Secure, because this is plain http on the loopback interface"
    );
    Ok(sessions)
}

#[cfg(feature = "redis")]
fn redis(url: &str) -> Result<Store, Failure> {
    Ok(sealed_session::store::Redis::open(url, AUDIENCE)?.into())
}

#[cfg(not(feature = "redis"))]
fn redis(_: &str) -> Result<Store, Failure> {
    Err(Failure::new("--redis needs --features redis"))
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    if folder.exists() && !folder.is_dir() {
        return Err(Failure::new(format_args!(
            "{} is not a folder",
            folder.display()
        )));
    }
    // Everything in it is for its owner alone.
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.recursive(true).create(folder);
    made.map_err(|error| Failure::new(format_args!("{}: {error}", folder.display())))
}

/// Makes a key file with one fresh key if there is none. Mode 0600 is the library's doing.
fn make_keys(file: &Path) -> Result<(), Failure> {
    if file.exists() {
        return Ok(());
    }
    let tables = KeyTables::fresh(SystemClock::default().now(), &SystemRandom)
        .map_err(|error| Failure::new(format_args!("no key could be made: {error}")))?;
    match tables.create(file) {
        Ok(()) => tracing::info!(file = %file.display(), "made a key"),
        // Another process was faster; its keys are as good.
        Err(_) if file.exists() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = text.to_socket_addrs().map_err(|error| error.to_string())?;
    addresses
        .next()
        .ok_or_else(|| "this name has no address".to_owned())
}
