//! Redis is killed, and comes back: with nothing, or with its file.

use crate::common::redis_server::RedisServer;
use crate::fleet::{Fleet, Settings};

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
async fn a_redis_that_was_killed_and_comes_back_empty_is_given_everything_back() {
    let back = RedisServer::restart_empty;
    killed_and_back(RedisServer::start(), back, "killed, back empty").await;
}

#[actix_web::test]
async fn a_redis_that_was_killed_and_comes_back_with_its_file_is_told_what_it_missed() {
    let redis = RedisServer::with(["--appendonly", "yes"]);
    killed_and_back(redis, RedisServer::restart, "killed, back with its file").await;
}
