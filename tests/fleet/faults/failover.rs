//! The primary dies, and its replica is promoted without the last entries.

use super::fleet::{Fleet, LIST, Settings};
use support::proxy::Proxy;
use support::redis_server::RedisServer;

/// How far the list on a server has come.
fn sequence(redis: &RedisServer) -> u64 {
    let key = format!("sealed-session:{{{LIST}}}:meta");
    redis
        .command(&["HGET", &key, "seq"])
        .text()
        .parse()
        .unwrap()
}

/// `overtaken`: before the nodes come, the promoted one has taken as many new entries as it lacks.
async fn promoted(overtaken: bool, fault: &str) {
    let mut fleet = Fleet::start().await;
    let before = fleet.doomed(0, "before").await;
    let last = fleet.doomed(1, "last").await;
    let during = fleet.doomed(2, "during").await;
    let after = fleet.doomed(0, "after").await;
    let replica = RedisServer::start();
    let link = Proxy::before(fleet.redis.port());
    replica.replica_of_port(link.port());
    fleet.end_everywhere(0, before).await;
    let copied = sequence(&fleet.redis);
    let copies = async || sequence(&replica) >= copied;
    fleet.eventually("nothing is copied", copies).await;

    link.stop_forwarding();
    fleet.end_everywhere(1, last).await;
    for node in &fleet.nodes {
        node.proxy.stop_forwarding();
    }
    let lost = sequence(&fleet.redis);
    fleet.redis.kill();
    link.refuse();
    replica.promote();
    assert!(sequence(&replica) + 2 <= lost, "it lacks two logouts");
    fleet.end_in_vain(2, during).await;

    if overtaken {
        // A node that was quicker. What was lost it cannot know yet.
        let early = fleet.prepare(replica.port(), Settings::default());
        fleet.watch.excuse(early, true);
        fleet.bring_up(early).await;
        for turn in 0.. {
            let who = fleet.login(early, &format!("early-{turn}")).await;
            fleet.log_out(early, who, "logout", 204).await;
            if sequence(&replica) >= lost {
                break;
            }
        }
    }
    fleet.redis = replica;
    for node in &fleet.nodes[..3] {
        node.proxy.redirect(fleet.redis.port());
        node.proxy.heal();
    }
    let recovery = fleet.recovers().await;
    if overtaken {
        fleet.settles().await;
        fleet.watch.excuse(3, false);
        fleet.recovers().await;
    }

    fleet.end_everywhere(0, after).await;
    fleet.login(1, "late").await;
    fleet.ends_well(fault, recovery).await;
}

#[actix_web::test]
async fn a_replica_that_is_promoted_without_the_last_logouts_is_told_them() {
    promoted(false, "promoted without the last entries").await;
}

#[actix_web::test]
async fn a_replica_that_has_taken_as_much_as_it_lacked_is_told_the_last_logouts() {
    promoted(true, "promoted and overtaken").await;
}
