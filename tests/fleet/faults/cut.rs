//! A connection ends in the middle of a reply: the store has done what it was asked, and the node does
//! not hear of it.

use super::fleet::{Fleet, Settings};
use super::watch::Fate;

#[actix_web::test]
async fn a_logout_whose_reply_is_lost_is_no_success_and_holds_everywhere() {
    let fleet = Fleet::start().await;
    let before = fleet.doomed(0, "before").await;
    let after = fleet.doomed(2, "after").await;
    let once = fleet.login(0, "arrives-at-last").await;
    let nothing = fleet.login(1, "nothing-arrives").await;
    let half = fleet.login(2, "half-arrives").await;
    fleet.end_everywhere(0, before).await;

    // One reply is asked for once more, over another connection.
    fleet.nodes[0].proxy.cut_reply_to("publish", 0);
    fleet.log_out(0, once, "logout", 204).await;
    assert_eq!(fleet.nodes[0].proxy.lost(), 1);
    // At two nodes: the retry of the one would take the loss that is meant for the other.
    for (number, who, bytes) in [(1, nothing, 0), (2, half, 9)] {
        let proxy = &fleet.nodes[number].proxy;
        proxy.cut_replies_to("publish", bytes, 2);
        fleet.log_out(number, who, "logout", 503).await;
        assert_eq!(proxy.lost(), 2);
    }
    let recovery = fleet.recovers().await;

    fleet.end_everywhere(2, after).await;
    assert_eq!(fleet.watch.asked().unavailable, 0);
    fleet.ends_well("reply to a logout cut", recovery).await;
}

#[actix_web::test]
async fn a_logout_all_whose_reply_is_lost_ends_no_login_that_came_before_its_retry() {
    let fleet = Fleet::start().await;
    let before = fleet.doomed(0, "before").await;
    let after = fleet.doomed(2, "after").await;
    let raised = fleet.login(1, "raised").await;
    fleet.login(2, "raised").await;
    fleet.end_everywhere(0, before).await;

    let proxy = &fleet.nodes[1].proxy;
    proxy.cut_replies_to("raise", 5, 2);
    fleet.log_out(1, raised, "logout-all", 503).await;
    assert_eq!(proxy.lost(), 2);
    // Between the raise, which the store has done, and its retry, which is held. Until that is through
    // the node at which the raise failed refuses everyone of this name.
    proxy.stop_forwarding();
    let between = fleet.login(0, "raised").await;
    fleet.watch.set(&[between], Fate::Between);
    proxy.heal();
    fleet.settles().await;
    fleet.watch.set(&[between], Fate::Lives);
    let recovery = fleet.recovers().await;

    fleet.end_everywhere(2, after).await;
    fleet
        .ends_well("reply to a logout of all cut", recovery)
        .await;
}

#[actix_web::test]
async fn a_node_does_not_start_with_half_a_list() {
    let mut fleet = Fleet::start().await;
    let before = fleet.doomed(0, "before").await;
    let after = fleet.doomed(2, "after").await;
    fleet.end_everywhere(0, before).await;

    let number = fleet.prepare(fleet.redis.port(), Settings::default());
    fleet.nodes[number].proxy.cut_reply_to("HSCAN", 60);
    fleet.refuses_to_start(number).await;
    assert_eq!(fleet.nodes[number].proxy.lost(), 1);
    fleet.bring_up(number).await;
    let recovery = fleet.recovers().await;

    fleet.end_everywhere(2, after).await;
    fleet.ends_well("first snapshot cut", recovery).await;
}

#[actix_web::test]
async fn a_node_whose_snapshot_is_cut_takes_another() {
    let fleet = Fleet::start().await;
    let before = fleet.doomed(0, "before").await;
    let during = fleet.doomed(1, "during").await;
    let after = fleet.doomed(2, "after").await;
    fleet.end_everywhere(0, before).await;

    for number in [0, 2] {
        fleet.nodes[number].proxy.cut_reply_to("HSCAN", 60);
    }
    // Behind a new connection there may be another server: what it holds is compared.
    for number in [0, 2] {
        fleet.nodes[number].proxy.cut();
    }
    fleet.end(1, during).await;
    for number in [0, 2] {
        let lost = async || fleet.nodes[number].proxy.lost() == 1;
        fleet.eventually("no snapshot is taken", lost).await;
    }
    let recovery = fleet.recovers().await;

    fleet.end_everywhere(2, after).await;
    assert_eq!(fleet.watch.asked().unavailable, 0);
    fleet.ends_well("snapshots cut", recovery).await;
}
