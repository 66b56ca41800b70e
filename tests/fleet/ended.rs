//! What is open on one node hears of an end on another through Redis.
#![cfg(feature = "redis")]

use sealed_session::adapter::{Incoming, Loaded};
use sealed_session::session::{EndReason, Rejected};
use sealed_session::store::Redis;
use sealed_session::{Sessions, settings::CookieSettings};
use support::redis_server::RedisServer;
use support::{ring, settled};

use super::harness::PATIENCE;

const LIST: &str = "ended";

async fn node(url: &str) -> Sessions {
    let store = Redis::open(url, LIST).unwrap();
    let builder = Sessions::builder("ended").keys(ring()).store(store);
    let builder = builder.cookie(CookieSettings::plain_http());
    builder.start().await.unwrap()
}

fn load(node: &Sessions, cookie: &str) -> Loaded {
    let lines = std::iter::once(cookie.as_bytes());
    node.load(Incoming::new(lines)).unwrap()
}

#[tokio::test]
async fn an_end_on_one_node_is_heard_on_another_through_redis() {
    let server = RedisServer::start();
    settled(&server, LIST).await;
    let [here, there] = [node(&server.url()).await, node(&server.url()).await];
    for number in 0..3 {
        let loaded = load(&here, "");
        loaded.session.authenticate("alice").await.unwrap();
        let sent = here.commit(&loaded.session, loaded.ticket).await;
        let cookie = sent.cookies[0].split(';').next().unwrap().to_owned();
        let ended = tokio::spawn(load(&here, &cookie).session.ended());
        let elsewhere = load(&there, &cookie);
        let expected = match number {
            0 => {
                elsewhere.session.logout().await.unwrap();
                Rejected::Ended
            }
            1 => {
                elsewhere.session.logout_all().await.unwrap();
                Rejected::SubjectEnded
            }
            _ => {
                there.end_everyone().await.unwrap();
                Rejected::EveryoneEnded
            }
        };
        let reason = tokio::time::timeout(PATIENCE, ended).await;
        let reason = reason.expect("it is heard").unwrap();
        assert_eq!(reason, EndReason::Over(expected));
    }
}
