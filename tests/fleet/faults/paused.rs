//! Redis stops without ending (SIGSTOP) and goes on.

use super::fleet::{Fleet, IMPATIENT};

#[actix_web::test]
async fn a_redis_that_stops_for_less_than_max_staleness_keeps_nobody_waiting() {
    let fleet = Fleet::start().await;
    let before = fleet.doomed(0, "before").await;
    let during = fleet.doomed(1, "during").await;
    let after = fleet.doomed(2, "after").await;
    fleet.end_everywhere(0, before).await;

    fleet.redis.pause();
    fleet.end_in_vain(1, during).await;
    fleet.redis.resume();
    let recovery = fleet.recovers().await;

    fleet.end_everywhere(2, after).await;
    assert_eq!(fleet.watch.asked().unavailable, 0);
    fleet.ends_well("stopped for 3 s of 10 s", recovery).await;
}

#[actix_web::test]
async fn a_redis_that_stops_for_longer_than_max_staleness_is_waited_for() {
    let fleet = Fleet::with(IMPATIENT).await;
    let before = fleet.doomed(0, "before").await;
    let during = fleet.doomed(1, "during").await;
    let after = fleet.doomed(2, "after").await;
    let patient = fleet.login(0, "patient").await;
    fleet.end_everywhere(0, before).await;

    fleet.redis.pause();
    fleet.end_in_vain(1, during).await;
    for number in 0..3 {
        fleet.goes_stale(number).await;
    }
    // Nothing is judged any more, so nothing is ended either: the cookie stays for another attempt.
    let browser = fleet.browser_of(0, patient);
    let answer = browser.post("/api/logout").await.is(503);
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    fleet.redis.resume();
    let recovery = fleet.recovers().await;

    fleet.end_everywhere(2, after).await;
    fleet.log_out(0, patient, "logout", 204).await;
    assert!(fleet.watch.asked().unavailable > 0);
    fleet
        .ends_well("stopped for longer than 7 s of 7 s", recovery)
        .await;
}
