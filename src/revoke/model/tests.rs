//! The runs.

use std::time::Duration;

use stateright::{Checker, Model};

use super::config::{Bounds, Config, Mechanisms};
use crate::revoke::witness::Trust;
use crate::time::{Clock, SystemClock};

fn config(bounds: Bounds) -> Config {
    Config {
        nodes: 2,
        ticks: 2,
        tick: Duration::from_secs(10),
        life: Duration::from_secs(3600),
        trust: Trust {
            max_staleness: Duration::from_secs(10),
            max_outage: Duration::from_secs(20),
        },
        ahead: [0; 3],
        slower: Duration::ZERO,
        everyone: false,
        bounds,
        mechanisms: Mechanisms::default(),
    }
}

fn holds(config: Config) {
    let clock = SystemClock::default();
    let started = clock.monotonic();
    let checker = config.checker().threads(2).spawn_bfs().join();
    println!(
        "{} states, depth {}, {:?}",
        checker.unique_state_count(),
        checker.max_depth(),
        clock.monotonic() - started
    );
    for (name, path) in checker.discoveries() {
        println!("{name}: {:?}", path.into_actions());
    }
    checker.assert_properties();
}

#[test]
fn a_logout_reaches_everyone_whatever_is_lost() {
    holds(config(Bounds {
        logins: 1,
        logouts: 1,
        renewals: 1,
        strays: 1,
        partitions: 1,
        ..Bounds::default()
    }));
}
