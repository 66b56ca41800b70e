//! Entries of other releases, and visitors.

use futures_util::future::join_all;
use sealed_session::revoke::Reach;
use sealed_session::testing::ManualClock;
use serde_json::json;

use crate::common::faulty::{Call, Faulty, Mode};
use crate::common::redis_server::RedisServer;
use crate::common::{Node, SECOND, eventually, memory};
use crate::{LIST, node, status};

/// Today that takes someone who writes into the list; a later release will know values that this one does
/// not.
#[actix_web::test]
async fn a_logout_over_an_entry_that_is_not_understood_is_told_to_everyone() {
    let server = RedisServer::start();
    let (here, there) = (node(&server).await, node(&server).await);
    let browser = here.browser();
    let login = browser.post("/remember/dave").await;
    let id: sealed_session::SessionId = login.json().as_str().unwrap().parse().unwrap();
    let stolen = browser.copy();
    let client = redis::Client::open(server.url()).unwrap();
    let mut command = redis::cmd("HSET");
    command.arg(format!("sealed-session:{{{LIST}}}:sessions"));
    command.arg(id.as_bytes()).arg(b"\x02later release");
    command.exec(&mut client.get_connection().unwrap()).unwrap();
    browser.post("/logout").await.is(204);
    eventually(|| async { status(&stolen, &there).await == 401 }).await;
}

/// Sessions of visitors cost nothing. Whoever logs out shares the way to the store with them.
#[actix_web::test]
async fn visitors_can_not_crowd_out_those_who_log_out() {
    let clock = ManualClock::default();
    let store = Faulty::new(memory(&clock), Reach::Network);
    clock.advance(SECOND);
    let node = Node::on(&clock, store.clone()).await;
    let user = node.browser();
    user.post("/login/alice").await.is(200);
    let mut visitors = Vec::new();
    for _ in 0..70 {
        let visitor = node.browser();
        visitor.put("/entries/a", json!(1)).await.is(204);
        visitors.push(visitor);
    }
    store.set_call(Call::Publish, Mode::Hanging);
    let all = visitors.iter().map(|visitor| visitor.post("/purge"));
    let all = async { join_all(all).await };
    let meanwhile = async {
        eventually(|| async { store.waiting() == 64 }).await;
        let logout = user.post("/logout");
        let let_through = async {
            eventually(|| async { store.waiting() == 65 }).await;
            store.set(Mode::Up);
        };
        futures_util::join!(logout, let_through).0
    };
    let (answers, logout) = futures_util::join!(all, meanwhile);
    logout.is(204);
    let refused = answers.iter().filter(|answer| answer.status == 503);
    assert_eq!(refused.count(), 70 - 64);
}
