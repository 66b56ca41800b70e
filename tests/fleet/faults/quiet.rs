//! No fault at all: what the others are held against.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::fleet::Fleet;
use super::watch::Sight;

const LOGOUTS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(20);

#[actix_web::test]
async fn a_logout_on_one_node_holds_on_the_others_within_a_moment() {
    let fleet = Fleet::start().await;
    let mut taken = Vec::new();
    for turn in 0..LOGOUTS {
        let here = turn % 3;
        let who = fleet.login(here, &format!("leaving-{turn}")).await;
        let path = ["logout", "logout-all"][turn % 2];
        // Seen from the moment at which the logout is acknowledged.
        fleet.log_out(here, who, path, 204).await;
        let began = Instant::now();
        let others = (0..3).filter(|number| *number != here);
        let watch = &fleet.watch;
        let others = others.map(|number| async move {
            // Often, for the figures.
            while watch.ask(number, who).await != Sight::Out {
                assert!(began.elapsed() < PATIENCE, "{path} on {here}, {number}");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            began.elapsed()
        });
        taken.extend(join_all(others).await);
    }
    taken.sort_unstable();
    let percent = |part: usize| taken[(taken.len() - 1) * part / 100];
    println!(
        "{LOGOUTS} logouts reached two other nodes: p50 {:.2?}, p99 {:.2?}, at most {:.2?}",
        percent(50),
        percent(99),
        percent(100),
    );
    assert_eq!(fleet.watch.asked().unavailable, 0);
    let recovery = fleet.recovers().await;
    fleet.ends_well("nothing", recovery).await;
}
