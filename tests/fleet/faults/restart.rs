//! A node ends, or is killed, and starts again.

use super::fleet::{Fleet, Settings};

#[actix_web::test]
async fn a_node_that_starts_again_knows_what_was_revoked_while_it_was_away() {
    let mut fleet = Fleet::start().await;
    let before = fleet.doomed(1, "before").await;
    let killed = fleet.doomed(0, "killed").await;
    let stopped = fleet.doomed(2, "stopped").await;
    let after = fleet.doomed(1, "after").await;
    fleet.end_everywhere(1, before).await;

    // Right after it had acknowledged them.
    fleet.kill(1);
    fleet.end(0, killed).await;
    fleet.bring_up(1).await;
    fleet.recovers().await;
    assert!(fleet.stop(1).await.success());
    fleet.end(2, stopped).await;
    fleet.login(0, "newcomer").await;
    fleet.bring_up(1).await;
    let recovery = fleet.recovers().await;

    fleet.end_everywhere(1, after).await;
    assert_eq!(fleet.watch.asked().unavailable, 0);
    fleet.ends_well("a node restarted", recovery).await;
}

#[actix_web::test]
async fn a_node_does_not_start_without_redis_nor_answer_from_an_empty_list() {
    let mut fleet = Fleet::start().await;
    let before = fleet.doomed(0, "before").await;
    let during = fleet.doomed(0, "during").await;
    let after = fleet.doomed(1, "after").await;
    fleet.end_everywhere(0, before).await;

    fleet.kill(1);
    fleet.redis.kill();
    fleet.refuses_to_start(1).await;
    fleet.end_in_vain(0, during).await;
    // The node may be faster than the others, which have yet to restore the list.
    fleet.redis.restart_empty();
    fleet.bring_up(1).await;
    let recovery = fleet.recovers().await;

    fleet.end_everywhere(1, after).await;
    for number in [0, 2] {
        assert_eq!(fleet.watch.unavailable_at(number), 0, "they had their list");
    }
    fleet
        .ends_well("a node restarted without Redis", recovery)
        .await;
}

#[actix_web::test]
async fn a_node_does_not_start_on_a_redis_that_may_evict_revocations() {
    let mut fleet = Fleet::start().await;
    let before = fleet.doomed(0, "before").await;
    fleet.end_everywhere(0, before).await;
    let number = fleet.prepare(fleet.redis.port(), Settings::default());
    let policy = |policy| ["CONFIG", "SET", "maxmemory-policy", policy];
    for evicts in ["allkeys-lru", "allkeys-random"] {
        fleet.redis.command(&policy(evicts)).ok();
        fleet.refuses_to_start(number).await;
    }
    fleet.redis.command(&policy("volatile-lru")).ok();
    fleet.bring_up(number).await;
    let recovery = fleet.recovers().await;
    fleet.ends_well("may evict", recovery).await;
}
