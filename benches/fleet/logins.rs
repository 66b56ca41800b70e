//! What an index of sessions adds to a login, and whether a limit holds under load.
//!
//! 1. Four sets of sessions on one server, each with its own list and settings, take turns: so their times compare.
//! 2. One user logs in a thousand times a second on two nodes. What may vary is printed; that no more sessions live than
//!    the limit is asserted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sealed_session::adapter::Incoming;
use sealed_session::settings::{CookieSettings, DeviceSettings};
use sealed_session::store::Redis;
use sealed_session::{Session, Sessions};
use support::redis_server::RedisServer;
use support::{ring, settled, with};
use tokio::task::JoinSet;

const ROUNDS: usize = 2_000;
/// How many sessions a user may have.
const LIMIT: usize = 5;
/// In a second, by one user.
const RATE: u32 = 1_000;
const SECONDS: u32 = 10;

pub fn run() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let server = RedisServer::start();
        compare(&server).await;
        storm(&server).await;
    });
}

async fn start(server: &RedisServer, list: &str, devices: DeviceSettings) -> Sessions {
    let builder = Sessions::builder("bench")
        .keys(ring())
        .store(Redis::open(server.url(), list).unwrap())
        .cookie(CookieSettings::plain_http())
        .devices(devices);
    builder.start().await.unwrap()
}

fn session(sessions: &Sessions) -> Session {
    sessions
        .load(Incoming::new(std::iter::empty()))
        .unwrap()
        .session
}

async fn compare(server: &RedisServer) {
    let index = with(DeviceSettings::default(), |it| it.index = true);
    let limit = with(index, |it| it.max_sessions = Some(LIMIT));
    let mut kinds = Vec::new();
    for (name, devices, is_one_user) in [
        ("no index", DeviceSettings::default(), false),
        ("index", index, false),
        ("a limit that is not reached", limit, false),
        ("a limit that is reached", limit, true),
    ] {
        settled(server, name).await;
        let sessions = start(server, name, devices).await;
        kinds.push((name, is_one_user, sessions, Vec::with_capacity(ROUNDS)));
    }
    for round in 0..ROUNDS {
        for (_, is_one_user, sessions, taken) in &mut kinds {
            let user = match is_one_user {
                true => "alice".to_owned(),
                false => format!("user-{round}"),
            };
            let session = session(sessions);
            let began = Instant::now();
            session.authenticate(user).await.unwrap();
            taken.push(began.elapsed());
        }
    }
    let mut without = None;
    for (name, _, _, taken) in &mut kinds {
        taken.sort_unstable();
        let median = taken[ROUNDS / 2];
        let without = *without.get_or_insert(median);
        let ratio = median.as_secs_f64() / without.as_secs_f64();
        println!("  {name}: {median:.0?} a login, {ratio:.2} of one without an index");
    }
}

async fn storm(server: &RedisServer) {
    let devices = with(DeviceSettings::default(), |it| {
        it.index = true;
        it.max_sessions = Some(LIMIT);
    });
    settled(server, "storm").await;
    let nodes = [
        start(server, "storm", devices).await,
        start(server, "storm", devices).await,
    ];
    let nodes = Arc::new(nodes);
    let mut logins = JoinSet::new();
    let began = Instant::now();
    for number in 0..RATE * SECONDS {
        let due = began + Duration::from_secs(1) * number / RATE;
        tokio::time::sleep_until(due.into()).await;
        let nodes = Arc::clone(&nodes);
        logins.spawn(async move {
            let session = session(&nodes[number as usize % nodes.len()]);
            let began = Instant::now();
            session.authenticate("alice").await.unwrap();
            began.elapsed()
        });
    }
    let mut taken = logins.join_all().await;
    let took = began.elapsed();
    taken.sort_unstable();
    // Every node hears of the last ends.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for node in &*nodes {
        let live = node.list_sessions("alice").await.unwrap().len();
        assert!((1..=LIMIT).contains(&live), "{live} sessions live");
    }
    println!(
        "  {} logins of one user in {took:.1?} on {} nodes: {:.0?} a login at the median, {:.0?} for 99 of 100; at most \
         {LIMIT} sessions live",
        taken.len(),
        nodes.len(),
        taken[taken.len() / 2],
        taken[taken.len() * 99 / 100],
    );
}
