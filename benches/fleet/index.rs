//! The index of sessions: what a session in it takes, and how long one subject's take where a million others have some.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sealed_session::index::{
    IndexRow, IndexUpdate, RowLimit, RowState, SessionIndex, WhenRowsFull,
};
use sealed_session::revoke::{ReplicatedLog, SessionId, SubjectKey};
use sealed_session::store::Redis;
use sealed_session::time::{Clock, SystemClock};
use tokio::task::JoinSet;

use support::redis_server::RedisServer;
use support::{DAY, spread};

const LIST: &str = "index";
const SUBJECTS: u64 = 1_000_000;
/// Whose sessions are listed.
const ROWS: u64 = 10;
const LISTINGS: usize = 10_000;
/// Logins of one subject that may have as many sessions.
const LOGINS: u64 = 10_000;
const LIMIT: usize = 10;
/// How many calls are under way at once where there are many.
const AT_ONCE: u64 = 32;

pub fn run() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let index = Redis::open(server.url(), LIST).unwrap().session_index();
    runtime.block_on(measure(&server, index.unwrap()));
}

async fn measure(server: &RedisServer, index: Arc<dyn SessionIndex>) {
    for rows in [1, 3, ROWS, 100] {
        let subject = subject(SUBJECTS + rows);
        for number in 0..rows {
            let update = IndexUpdate::new(SystemClock::default().now());
            put(&*index, subject, number, update).await;
        }
        let key = format!("sealed-session:{LIST}:{{{subject}}}:index");
        let usage = server.command(&["MEMORY", "USAGE", &key, "SAMPLES", "0"]);
        let usage = u64::try_from(usage.integer()).unwrap();
        println!(
            "  {rows} sessions of a subject: {} bytes each",
            usage / rows
        );
    }

    let before = used_memory(server);
    let took = at_once(&index, SUBJECTS, |index, number| async move {
        let update = IndexUpdate::new(SystemClock::default().now());
        put(&*index, subject(number), number, update).await;
    });
    let took = took.await;
    let each = (used_memory(server) - before) / SUBJECTS;
    println!("  {SUBJECTS} subjects of one session: put in {took:.1?}, {each} bytes each");

    let mut times = Vec::with_capacity(LISTINGS);
    for _ in 0..LISTINGS {
        let began = Instant::now();
        let rows = index.rows(subject(SUBJECTS + ROWS)).await.unwrap();
        times.push(began.elapsed());
        assert_eq!(rows.rows.len() as u64, ROWS);
    }
    times.sort();
    let [p50, p99, most] = [LISTINGS / 2, LISTINGS * 99 / 100, LISTINGS - 1].map(|at| times[at]);
    println!("  listing {ROWS} sessions: p50 {p50:.0?}, p99 {p99:.0?}, at most {most:.0?}");

    let took = at_once(&index, LOGINS, log_in).await;
    let each_second = LOGINS as f64 / took.as_secs_f64();
    println!("  logins of one subject at its limit, {AT_ONCE} at once: {each_second:.0} a second");
    let rows = index.rows(subject(SUBJECTS)).await.unwrap().rows;
    assert_eq!(rows.len(), LIMIT);
}

/// Two calls: one that makes room, and, when the end of whoever made it is published, one that removes the row.
async fn log_in(index: Arc<dyn SessionIndex>, number: u64) {
    let mut update = IndexUpdate::new(SystemClock::default().now());
    update.limit = RowLimit::new(LIMIT, WhenRowsFull::Evict);
    let rows = put(&*index, subject(SUBJECTS), number, update).await;
    let is_evicting = |row: &&IndexRow| row.state == RowState::Evicting;
    let counted = rows.iter().filter(|row| !is_evicting(row)).count();
    assert!(counted <= LIMIT);
    let mut removing = IndexUpdate::new(SystemClock::default().now());
    let evicted = rows.iter().filter(is_evicting);
    removing.removed = evicted.map(|row| row.session).collect();
    index.update(subject(SUBJECTS), &removing).await.unwrap();
}

/// A session with as many bytes as one usually has.
async fn put(
    index: &dyn SessionIndex,
    subject: SubjectKey,
    number: u64,
    mut update: IndexUpdate,
) -> Vec<IndexRow> {
    let session = SessionId::from_bytes(spread(number));
    let mut row = IndexRow::new(session, RowState::Listed, update.now, update.now + DAY);
    (row.facts, row.label) = (vec![0; 60], vec![0; 140]);
    update.row = Some(row);
    index.update(subject, &update).await.unwrap().rows
}

/// Calls for each number below `most`, and returns how long all of it took.
async fn at_once<F: Future<Output = ()> + Send>(
    index: &Arc<dyn SessionIndex>,
    most: u64,
    call: impl Fn(Arc<dyn SessionIndex>, u64) -> F + Copy + Send + Sync + 'static,
) -> Duration {
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for first in 0..AT_ONCE {
        let index = index.clone();
        callers.spawn(async move {
            for number in (first..most).step_by(AT_ONCE as usize) {
                call(index.clone(), number).await;
            }
        });
    }
    callers.join_all().await;
    began.elapsed()
}

fn subject(number: u64) -> SubjectKey {
    SubjectKey::from_bytes(spread(number))
}

fn used_memory(server: &RedisServer) -> u64 {
    server.info("memory")["used_memory"].parse().unwrap()
}
