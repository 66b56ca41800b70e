//! How long a cookie goes on working elsewhere after a logout was acknowledged: what users see.
//!
//! Three nodes, each behind a server of its own, in one process. A user logs in at one, logs out
//! everywhere there, and asks the two others with the old cookie until they refuse it. The time runs from
//! the answer to the logout until the answer that refuses.

use std::thread;
use std::time::{Duration, Instant};

use actix_web::rt::System;

use crate::client::Client;
use crate::node;
use crate::publishing::{Load, Publishers};
use support::redis_server::RedisServer;
use support::{routes, serve};

const LIST: &str = "propagation";
const ROUNDS: usize = 1_000;
/// Between two questions to the same node: the servers are to work, not to be asked only.
const PAUSE: Duration = Duration::from_micros(200);
/// Between two rounds, so that one is no part of the next.
const REST: Duration = Duration::from_millis(5);
/// What others do meanwhile.
const BUSY: Load = Load {
    revocations: 1_000,
    batch: 1,
};

pub fn run() {
    System::new().block_on(async {
        let server = RedisServer::start();
        let url = server.url();
        let mut nodes = Vec::new();
        let mut addresses = Vec::new();
        for _ in 0..3 {
            let sessions = node::start(&url, LIST).await;
            let (address, handle) = serve(&sessions, routes);
            addresses.push(address.replace("http://", ""));
            nodes.push((sessions, handle));
        }
        let measured = || {
            let addresses = addresses.clone();
            let measuring = tokio::task::spawn_blocking(move || measure(&addresses));
            async { report(measuring.await.unwrap()) }
        };
        println!("  nobody else logs out");
        measured().await;
        println!("  {} others log out each second", BUSY.revocations);
        let publishers = Publishers::start(&url, LIST, BUSY, 0);
        measured().await;
        publishers.stop();
        for (_, handle) in nodes {
            handle.stop(false).await;
        }
    });
}

/// What was taken at each of the two other nodes, in every round.
fn measure(addresses: &[String]) -> Vec<Duration> {
    let mut users: Vec<_> = addresses.iter().map(|each| Client::to(each)).collect();
    let mut taken = Vec::new();
    for round in 0..ROUNDS {
        thread::sleep(REST);
        let here = round % users.len();
        let login = users[here].ask("POST", &format!("/login/user-{round}"), "");
        let cookie = login.cookie.unwrap();
        for node in &mut users {
            assert_eq!(node.ask("GET", "/me", &cookie).status, 200);
        }
        let answer = users[here].ask("POST", "/logout-all", &cookie);
        let began = Instant::now();
        assert_eq!(answer.status, 204);
        let mut waiting: Vec<_> = (0..users.len()).filter(|node| *node != here).collect();
        while !waiting.is_empty() {
            waiting.retain(|node| {
                let status = users[*node].ask("GET", "/me", &cookie).status;
                if status == 401 {
                    taken.push(began.elapsed());
                }
                status != 401
            });
            assert!(began.elapsed() < Duration::from_secs(10), "it goes on");
            thread::sleep(PAUSE);
        }
    }
    taken
}

fn report(mut taken: Vec<Duration>) {
    taken.sort_unstable();
    let percent = |part: usize| taken[(taken.len() - 1) * part / 100];
    println!(
        "    refused by {} other nodes: p50 {:.2?}, p90 {:.2?}, p99 {:.2?}, at most {:.2?}",
        taken.len(),
        percent(50),
        percent(90),
        percent(99),
        percent(100),
    );
}
