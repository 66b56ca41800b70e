//! What caching tokens is worth among many sessions, and what it costs where it is of no use: the node with the default
//! settings beside one that caches none.
//!
//! 1. Both read the same tokens of 10,000 sessions in the same order. The header is copied before it is measured, as the
//!    network does.
//! 2. `misses`: one session after the other. So many share a slot that none is cached any more when it comes again.
//! 3. `zipf`: some sessions come often, most seldom. Afterwards: what is held from there would be found by the other.
//! 4. That it was so is asserted by what the node itself counts.

use std::time::Duration;

use sealed_session::Sessions;

use crate::Bench;
use crate::common::{ours, shapes, zipf};
use crate::figures::Medians;
use crate::hits::Hits;
use crate::nodes::Nodes;
use crate::timing::{Taken, Turns};

const EACH: Duration = Duration::from_secs(2);

pub fn measure(bench: &Bench<'_>) -> Medians {
    let Bench { system, size } = bench;
    let nodes = Nodes::start(system);
    let headers: Vec<String> = system.block_on(async {
        let mut headers = Vec::new();
        for number in 0..zipf::SESSIONS {
            let subject = format!("user-{number:08}");
            let cookie = ours::log_in(&nodes.uncached, &subject, &[], *size).await;
            let (name, value) = shapes::pair(&cookie);
            headers.push(shapes::header(name, value));
        }
        headers
    });
    let hits = Hits::since_now();

    let in_turn: Vec<usize> = (0..headers.len()).collect();
    let misses = take(bench, &nodes, &headers, &in_turn);
    let found = hits.share(misses.calls("caching"));
    assert!(found < 0.01, "{found} of the misses were none");

    let draws = zipf::draws(100_000);
    for number in &draws {
        read(&nodes.caching, &headers[*number]);
    }
    let zipf = take(bench, &nodes, &headers, &draws);
    let calls = zipf.calls("caching") + draws.len() as u64;
    let found = hits.share(calls);
    eprintln!("{}: {found:.2} of the Zipf mix were cached", size.name());
    assert!(found > 0.1, "only {found} of the Zipf mix were cached");

    Medians::from([
        ("misses-caching", misses.median("caching")),
        ("misses-uncached", misses.median("uncached")),
        ("zipf-caching", zipf.median("caching")),
        ("zipf-uncached", zipf.median("uncached")),
    ])
}

/// Both nodes read the sessions in this order, each from its begin.
fn take(bench: &Bench<'_>, nodes: &Nodes, headers: &[String], order: &[usize]) -> Taken {
    let next = || {
        let mut order = order.iter().cycle();
        async move || headers[*order.next().unwrap()].clone()
    };
    Turns::new(bench.system)
        .path("caching", next(), async |header: &mut String| {
            read(&nodes.caching, header)
        })
        .path("uncached", next(), async |header: &mut String| {
            read(&nodes.uncached, header)
        })
        .take(EACH)
}

fn read(node: &Sessions, header: &str) -> String {
    ours::read(node, header).expect("a session")
}
