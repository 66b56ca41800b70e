//! Entries of other releases, and crowds of anonymous sessions.

use futures_util::future::join_all;
use sealed_session::testing::ManualClock;
use serde_json::json;

use super::{LIST, node, status};
use support::faulty::{Call, Faulty, Mode};
use support::redis_server::RedisServer;
use support::{Browser, Node, SECOND, eventually, log};

/// Today that takes someone who writes into the list; a later release will know values that this one does
/// not.
#[actix_web::test]
async fn a_logout_over_an_entry_that_is_not_understood_is_told_to_everyone() {
    let server = RedisServer::start();
    let (here, there) = (node(&server).await, node(&server).await);
    let browser = here.browser();
    let login = browser.post("/remember/dave").await;
    let id: sealed_session::revoke::SessionId = login.json().as_str().unwrap().parse().unwrap();
    let stolen = browser.copy();
    let client = redis::Client::open(server.url()).unwrap();
    let mut command = redis::cmd("HSET");
    command.arg(format!("sealed-session:{{{LIST}}}:sessions"));
    command.arg(id.as_bytes()).arg(b"\x02later release");
    command.exec(&mut client.get_connection().unwrap()).unwrap();
    browser.post("/logout").await.is(204);
    eventually(|| async { status(&stolen, &there).await == 401 }).await;
}

async fn one_user() -> (Node, Faulty, Browser) {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    clock.advance(SECOND);
    let node = Node::on(&clock, store.clone()).await;
    let user = node.browser();
    user.post("/login/alice").await.is(200);
    (node, store, user)
}

/// All of the crowd take so many ways to the store at a time. Whoever logs out has another.
async fn crowd(store: &Faulty, user: &Browser, crowd: &[Browser], ways: usize) {
    store.set_call(Call::Publish, Mode::Hanging);
    let all = crowd.iter().map(|browser| browser.post("/purge"));
    let all = async { join_all(all).await };
    let meanwhile = async {
        eventually(|| async { store.waiting() == ways }).await;
        let logout = user.post("/logout");
        let let_through = async {
            eventually(|| async { store.waiting() == ways + 1 }).await;
            store.set(Mode::Up);
        };
        futures_util::join!(logout, let_through).0
    };
    let (answers, logout) = futures_util::join!(all, meanwhile);
    logout.is(204);
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, vec![204; crowd.len()]);
}

#[actix_web::test]
async fn anonymous_sessions_cannot_crowd_out_those_who_log_out() {
    let (node, store, user) = one_user().await;
    let mut anonymous = Vec::new();
    for _ in 0..70 {
        let browser = node.browser();
        browser.put("/entries/a", json!(1)).await.is(204);
        anonymous.push(browser);
    }
    crowd(&store, &user, &anonymous, 1).await;
}

/// Nor can those who hold a cookie of a session that is ended.
#[actix_web::test]
async fn ended_sessions_cannot_crowd_out_those_who_log_out() {
    let (node, store, user) = one_user().await;
    let ended = node.browser();
    ended.post("/login/mallory").await.is(200);
    let copies: Vec<_> = (0..70).map(|_| ended.copy()).collect();
    ended.post("/logout").await.is(204);
    crowd(&store, &user, &copies, 1).await;
}
