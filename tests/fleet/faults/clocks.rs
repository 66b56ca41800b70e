//! The time of day of one node is wrong.
//!
//! It is moved by a library that is loaded into the node and compiled for this test. Where that is not
//! possible the tests say so and end.

use super::fleet::Fleet;
use super::watch::Sight;
use support::moved_clock::MovedClock;

/// Starts node 2 again, under a clock that can be moved.
async fn clock_of_node_2(fleet: &mut Fleet) -> Option<MovedClock> {
    let clock = MovedClock::build()?;
    fleet.kill(2);
    fleet.nodes[2].environment = clock.environment();
    fleet.bring_up(2).await;
    Some(clock)
}

#[actix_web::test]
async fn a_node_whose_clock_is_half_a_minute_off_is_a_node_like_any_other() {
    let mut fleet = Fleet::start().await;
    let Some(clock) = clock_of_node_2(&mut fleet).await else {
        return;
    };
    let before = fleet.doomed(2, "before").await;
    fleet.end_everywhere(2, before).await;
    let mut recovery = None;
    for (seconds, name) in [(30, "ahead"), (-30, "behind")] {
        let here = fleet.doomed(2, &format!("here-{name}")).await;
        let there = fleet.doomed(0, &format!("there-{name}")).await;
        clock.set(seconds * 1000);
        recovery = Some(fleet.recovers().await);
        fleet.end(2, here).await;
        fleet.end(0, there).await;
        // Logged in, and out again, under this clock.
        let newcomers = fleet.doomed(2, name).await;
        fleet.login(2, &format!("stays-{name}")).await;
        fleet.recovers().await;
        fleet.end_everywhere(0, newcomers).await;
    }
    fleet.ends_well("a clock 30 s off", recovery.unwrap()).await;
}

#[actix_web::test]
async fn a_node_whose_clock_is_more_than_a_minute_ahead_logs_nobody_in_and_forgets_nothing() {
    let mut fleet = Fleet::start().await;
    let Some(clock) = clock_of_node_2(&mut fleet).await else {
        return;
    };
    let before = fleet.doomed(0, "before").await;
    let here = fleet.doomed(2, "here").await;
    let there = fleet.doomed(1, "there").await;
    fleet.end_everywhere(0, before).await;

    clock.set(90_000);
    let recovery = fleet.recovers().await;
    assert_eq!(fleet.try_login(2, "nobody").await, 503);
    fleet.end(2, here).await;
    fleet.end_everywhere(1, there).await;
    clock.set(0);
    fleet.recovers().await;
    let after = fleet.doomed(2, "after").await;
    fleet.end_everywhere(2, after).await;
    fleet.ends_well("a clock 90 s ahead", recovery).await;
}

#[actix_web::test]
async fn a_node_whose_clock_is_more_than_a_minute_behind_leaves_every_cookie_alone() {
    let mut fleet = Fleet::start().await;
    let Some(clock) = clock_of_node_2(&mut fleet).await else {
        return;
    };
    let before = fleet.doomed(2, "before").await;
    let during = fleet.doomed(0, "during").await;
    let stays = fleet.login(0, "stays").await;
    fleet.end_everywhere(2, before).await;

    fleet.watch.excuse(2, true);
    clock.set(-90_000);
    assert_eq!(fleet.try_login(2, "nobody").await, 503);
    // Sealed in its future. It may be right, so the browser keeps it.
    assert_eq!(fleet.watch.ask(2, stays).await, Sight::Out);
    let browser = fleet.browser_of(2, stays);
    browser.get("/api/me").await.leaves_alone();
    fleet.end(0, during).await;
    fleet.recovers().await;
    // What it last heard under the wrong clock is old by the right one: it answers 503 until it has
    // heard once more.
    fleet.hears(2).await;
    clock.set(0);
    fleet.watch.excuse(2, false);
    let recovery = fleet.recovers().await;
    let after = fleet.doomed(2, "after").await;
    fleet.end_everywhere(2, after).await;
    fleet.ends_well("a clock 90 s behind", recovery).await;
}
