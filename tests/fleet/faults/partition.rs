//! One node is cut off from Redis, and reaches it again. Meanwhile the others go on.

use super::fleet::{Fleet, IMPATIENT};
use support::proxy::Proxy;

async fn partitioned(cut_off: fn(&Proxy), fault: &str) {
    let fleet = Fleet::with(IMPATIENT).await;
    let before = fleet.doomed(0, "before").await;
    let there = fleet.doomed(2, "there").await;
    let elsewhere = fleet.doomed(1, "elsewhere").await;
    let after = fleet.doomed(2, "after").await;
    fleet.end_everywhere(0, before).await;

    let proxy = &fleet.nodes[2].proxy;
    cut_off(proxy);
    // Acknowledged: whatever the node that is cut off says after `max_staleness`, it is not yes.
    fleet.end(1, elsewhere).await;
    fleet.login(0, "newcomer").await;
    fleet.end_in_vain(2, there).await;
    assert_eq!(fleet.try_login(2, "nobody").await, 503);
    fleet.goes_stale(2).await;
    for number in 0..2 {
        assert_eq!(fleet.watch.unavailable_at(number), 0, "the others go on");
    }
    proxy.heal();
    let recovery = fleet.recovers().await;

    fleet.end_everywhere(2, after).await;
    fleet.ends_well(fault, recovery).await;
}

#[actix_web::test]
async fn a_node_in_a_silent_partition_catches_up_when_it_heals() {
    partitioned(Proxy::stop_forwarding, "partitioned, silent").await;
}

#[actix_web::test]
async fn a_node_that_is_refused_connections_catches_up_when_it_is_let_in() {
    partitioned(Proxy::refuse, "partitioned, refused").await;
}
