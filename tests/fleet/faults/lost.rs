//! Redis loses what it held, or some of it.

use super::fleet::{Fleet, Settings};
use super::watch::{Fate, Sight};
use support::redis_server::RedisServer;

async fn killed_and_back(redis: RedisServer, back: fn(&RedisServer), fault: &str) {
    let fleet = Fleet::on(redis, Settings::default()).await;
    let before = fleet.doomed(0, "before").await;
    let during = fleet.doomed(1, "during").await;
    let after = fleet.doomed(2, "after").await;
    fleet.end_everywhere(0, before).await;

    fleet.redis.kill();
    fleet.end_in_vain(1, during).await;
    assert_eq!(fleet.try_login(2, "nobody").await, 503);
    back(&fleet.redis);
    let recovery = fleet.recovers().await;

    fleet.end_everywhere(2, after).await;
    fleet.login(0, "late").await;
    // Nobody was kept waiting: each node had its own list all the time.
    assert_eq!(fleet.watch.asked().unavailable, 0);
    fleet.ends_well(fault, recovery).await;
}

#[actix_web::test]
async fn everything_is_restored_to_a_redis_that_was_killed_and_comes_back_empty() {
    let back = RedisServer::restart_empty;
    killed_and_back(RedisServer::start(), back, "killed, back empty").await;
}

#[actix_web::test]
async fn a_redis_that_was_killed_and_comes_back_with_its_file_is_told_what_it_missed() {
    let redis = RedisServer::with(["--appendonly", "yes"]);
    killed_and_back(redis, RedisServer::restart, "killed, back with its file").await;
}

#[actix_web::test]
async fn everything_is_restored_to_a_redis_that_is_emptied_while_it_runs() {
    let fleet = Fleet::start().await;
    let before = fleet.doomed(0, "before").await;
    let after = fleet.doomed(1, "after").await;
    fleet.end_everywhere(0, before).await;

    // No connection ends, and at two nodes the first snapshot of the empty list does not arrive.
    for number in [0, 2] {
        fleet.nodes[number].proxy.cut_reply_to("HSCAN", 8);
    }
    fleet.redis.command(&["FLUSHALL"]).ok();
    fleet.end(1, after).await;
    for number in [0, 2] {
        let lost = async || fleet.nodes[number].proxy.lost() == 1;
        fleet.eventually("no snapshot is taken", lost).await;
    }
    let recovery = fleet.recovers().await;
    fleet.login(2, "late").await;
    fleet.ends_well("emptied while it runs", recovery).await;
}

#[actix_web::test]
async fn a_fleet_that_lost_redis_and_every_node_lets_nobody_in_without_a_new_login() {
    let mut fleet = Fleet::start().await;
    let before = fleet.doomed(0, "before").await;
    fleet.end_everywhere(0, before).await;
    let all: Vec<_> = fleet.watch.people().collect();
    fleet.watch.set(&all, Fate::Between);
    for number in 0..3 {
        fleet.kill(number);
    }
    fleet.redis.restart_empty();
    for number in 0..3 {
        fleet.bring_up(number).await;
        for who in &all {
            assert_ne!(fleet.watch.ask(number, *who).await, Sight::In);
        }
    }
    let after = fleet.doomed(2, "after").await;
    fleet.login(1, "late").await;
    let recovery = fleet.recovers().await;
    fleet.end_everywhere(2, after).await;
    fleet.ends_well("lost with every node", recovery).await;
}
