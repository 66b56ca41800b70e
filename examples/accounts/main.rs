//! Accounts: a small application on sealed sessions, with pages for people and JSON for programs.
//!
//! ```text
//! cargo run --example accounts
//! ```
//!
//! Then open <http://127.0.0.1:8080>. There are no passwords: this is about what comes after one was
//! checked. Keys and the revocation list are kept in the folder `data`.
//!
//! | file | what it shows |
//! |---|---|
//! | `setup.rs` | starting: a first key, a list that is created on purpose, errors in one line |
//! | `audit.rs` | an audit log, a line for each login, logout and refused cookie |
//! | `api.rs` | for programs: login, logout, renewal, roles, step-up and entries, as handlers |
//! | `pages.rs` | for people: the same as forms, without scripts |
//! | `organisations.rs` | groups of sessions |
//! | `admin.rs` | the page for administrators, who end sessions of anybody, or of all in a group |
//! | `devices.rs` | where somebody is logged in, with "log out" beside each, as a page and as JSON |
//! | `policy.rs` | the Content-Security-Policy |
//! | `preferences.rs` | an entry with a type of its own: how times are shown |
//! | `views.rs` | what the pages look like; `style.css` and `icon.svg` are their assets |
//! | `errors.rs` | turning the library's errors into an application's own, as JSON or as a page |
//! | `metrics.rs` | numbers for Prometheus, with `--features metrics` |

mod admin;
mod api;
mod audit;
mod devices;
mod errors;
#[cfg(feature = "metrics")]
mod metrics;
/// Without the feature there are no numbers and no page.
#[cfg(not(feature = "metrics"))]
mod metrics {
    #[derive(Clone)]
    pub struct Metrics;

    impl Metrics {
        pub fn install() -> Result<Self, crate::setup::Failure> {
            Ok(Self)
        }

        pub fn routes(&self, _: &mut actix_web::web::ServiceConfig) {}
    }
}
mod organisations;
mod pages;
mod policy;
mod preferences;
mod setup;
mod views;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, rt, web};
use clap::Parser;
use sealed_session::Sessions;
use sealed_session::actix::SessionMiddleware;
use tracing_subscriber::EnvFilter;

use metrics::Metrics;
use pages::Doors;
use setup::{Failure, Options};

/// How long requests under way may take once the server was asked to stop, in seconds.
const LAST_REQUESTS: u64 = 3;
/// How long logouts under way may take to reach the store after that.
const LAST_LOGOUTS: Duration = Duration::from_secs(5);

#[actix_web::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    // Standard output is for the one line that a script waits for.
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    // In the log, and in one line, like everything else.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("{}", panic.to_string().replace('\n', " "));
    }));
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "accounts: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Failure> {
    // Installed this early, so that no signal is lost.
    let mut signals = Signals::listen()?;
    let metrics = Metrics::install()?;
    // Once, outside the closure below, which runs in every worker.
    let sessions = setup::sessions(&options).await?;
    let state = sessions.clone();
    let doors = Doors::new()?;
    let server = HttpServer::new(move || {
        App::new()
            .configure(|config| routes(config, &state, &doors, &metrics))
            // The last one is the outermost.
            .wrap(from_fn(errors::present))
            .wrap(from_fn(policy::protect))
    })
    .disable_signals()
    .shutdown_timeout(LAST_REQUESTS)
    .bind(options.listen)
    .map_err(|error| Failure::new(format!("cannot listen on {}: {error}", options.listen)))?;

    for address in server.addrs() {
        // The reader may have closed its end already; the server still runs.
        let _ = writeln!(io::stdout(), "listening on http://{address}");
    }
    let server = server.run();
    let handle = server.handle();
    let mut running = rt::spawn(server);
    tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "stopping");
            handle.stop(true).await;
            let _ = running.await;
        }
        ended = &mut running => {
            return Err(Failure::new(format!("the server ended by itself: {ended:?}")));
        }
    }
    match sessions.close(LAST_LOGOUTS).await {
        0 => Ok(()),
        left => Err(Failure::new(format!(
            "{left} revocations did not reach the store"
        ))),
    }
}

fn routes(config: &mut web::ServiceConfig, sessions: &Sessions, doors: &Doors, metrics: &Metrics) {
    config
        .app_data(web::Data::new(sessions.clone()))
        // A health check, numbers and the pages' assets need no session, so they stay outside.
        .configure(api::health)
        .configure(|config| metrics.routes(config))
        .configure(pages::assets)
        .service(
            web::scope("")
                .wrap(SessionMiddleware::new(sessions))
                .configure(api::routes)
                .configure(|config| devices::routes(config, doors))
                .configure(|config| pages::routes(config, doors)),
        );
}

/// Signals that ask the server to stop.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(Failure::new);
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Result<Self, Failure> {
        Ok(Self {})
    }

    async fn next(&mut self) -> &'static str {
        let _ = tokio::signal::ctrl_c().await;
        "Ctrl-C"
    }
}
