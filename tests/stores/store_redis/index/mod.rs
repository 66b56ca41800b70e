//! The index of sessions on a server: that it does what the contract says, and what only a server can get wrong.

mod cluster;
mod model;

use std::sync::Arc;
use std::time::Duration;

use sealed_session::index::{
    IndexRow, IndexRows, IndexUpdate, RowLimit, RowState, SessionIndex, WhenRowsFull,
};
use sealed_session::revoke::{ReplicatedLog, SessionId, SubjectKey};
use sealed_session::store::{Redis, StoreError};
use sealed_session::time::UnixMillis;
use tokio::task::JoinSet;

use super::harness::{Server, new_list};
use super::tools::*;

/// Any time: the caller's counts.
pub const NOW: UnixMillis = UnixMillis::from_secs(1_000_000);

pub fn index(store: &Redis) -> Arc<dyn SessionIndex> {
    store.session_index().unwrap()
}

/// Where the rows of a subject are.
pub fn key_of(list: &str, subject: SubjectKey) -> String {
    format!("sealed-session:{list}:{{{subject}}}:index")
}

pub fn session(n: u32) -> SessionId {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&n.to_be_bytes());
    SessionId::from_bytes(id)
}

pub fn row(session: SessionId, seen: u64) -> IndexRow {
    let seen = NOW + Duration::from_millis(seen);
    let mut row = IndexRow::new(session, RowState::Listed, seen, NOW + DAY);
    row.facts = b"facts".to_vec();
    row
}

pub fn put(row: IndexRow) -> IndexUpdate {
    let mut update = IndexUpdate::new(NOW);
    update.row = Some(row);
    update
}

pub fn limited(row: IndexRow, rows: usize, when_full: WhenRowsFull) -> IndexUpdate {
    let mut update = put(row);
    update.limit = RowLimit::new(rows, when_full);
    update
}

fn removing(sessions: Vec<SessionId>) -> IndexUpdate {
    let mut update = IndexUpdate::new(NOW);
    update.removed = sessions;
    update
}

pub fn sorted(mut rows: IndexRows) -> IndexRows {
    rows.rows.sort_by_key(|row| row.session);
    rows
}

fn of_state(rows: &IndexRows, state: RowState) -> Vec<SessionId> {
    let rows = rows.rows.iter().filter(|row| row.state == state);
    rows.map(|row| row.session).collect()
}

/// The rows of each subject.
pub async fn all(index: &dyn SessionIndex) -> Result<Vec<(SubjectKey, IndexRows)>, StoreError> {
    let mut all = Vec::new();
    index.each(&mut |key, rows| all.push((key, rows))).await?;
    all.sort_by_key(|(key, _)| *key);
    Ok(all)
}

/// Milliseconds; -1 for ever, -2 if there is no hash.
fn left(server: &Server, key: &str) -> i64 {
    server.ask(&["PTTL", key])
}

/// And up to a minute more, by which clocks may be apart.
#[track_caller]
fn assert_left(server: &Server, key: &str, least: Duration) {
    let (left, least) = (left(server, key), least.as_millis() as i64);
    assert!((least + 1..=least + 60_000).contains(&left), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_expire_with_the_last_of_a_subject_by_the_callers_clock() {
    let server = Server::start();
    let list = new_list();
    let index = index(&server.open(&list));
    let (subject, key) = (subject(1), key_of(&list, subject(1)));
    index
        .update(subject, &put(row(session(1), 0)))
        .await
        .unwrap();
    assert_left(&server, &key, DAY);
    let mut longer = row(session(2), 0);
    longer.until = NOW + 2 * DAY;
    index.update(subject, &put(longer)).await.unwrap();
    assert_left(&server, &key, 2 * DAY);
    let mut shorter = row(session(3), 0);
    shorter.until = NOW + HOUR;
    index.update(subject, &put(shorter)).await.unwrap();
    assert_left(&server, &key, 2 * DAY);
    // By the clock of whoever calls, which the server's need not be.
    let later = IndexUpdate::new(NOW + DAY);
    let rows = index.update(subject, &later).await.unwrap();
    assert_eq!(rows.rows.len(), 1);
    assert_left(&server, &key, DAY);
    let mut never = row(session(4), 0);
    never.until = UnixMillis::MAX;
    index.update(subject, &put(never.clone())).await.unwrap();
    assert!(left(&server, &key) > 1 << 52);
    assert!(index.rows(subject).await.unwrap().rows.contains(&never));
    // Removing the one that lives longest lets the rest go earlier.
    index
        .update(subject, &removing(vec![session(4)]))
        .await
        .unwrap();
    assert_left(&server, &key, 2 * DAY);
    index
        .update(subject, &removing(vec![session(2)]))
        .await
        .unwrap();
    assert_eq!(left(&server, &key), -2);
    assert_eq!(index.sweep(UnixMillis::MAX).await, Ok(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_not_understood_is_left_and_not_counted() {
    let server = Server::start();
    let list = new_list();
    let index = index(&server.open(&list));
    let (subject, key) = (subject(1), key_of(&list, subject(1)));
    index
        .update(subject, &put(row(session(1), 1)))
        .await
        .unwrap();
    let later = "\u{2}of a later release";
    // The ids 7777.. and 8888..
    let odd = ["7777777777777777", "8888888888888888"];
    for field in odd {
        server.tell(&["HSET", &key, field, later]);
    }
    // What is fine, of what is no id.
    let mut raw = server.raw();
    let id = session(1);
    let value = redis::cmd("HGET")
        .arg(&key)
        .arg(id.as_bytes())
        .query(&mut raw);
    let value: Vec<u8> = value.unwrap();
    let mut set = redis::cmd("HSET");
    set.arg(&key)
        .arg("short")
        .arg(value)
        .exec(&mut raw)
        .unwrap();
    let week = 7 * DAY + HOUR / 60;
    server.tell(&["PEXPIRE", &key, &week.as_millis().to_string()]);
    let found = index.rows(subject).await.unwrap();
    assert_eq!((found.rows.len(), found.unreadable), (1, 3));

    // Neither put over, nor removed, nor in the way of others, nor forgotten earlier.
    let in_the_way = SessionId::from_bytes([b'7'; 16]);
    let mut update = limited(row(in_the_way, 0), 1, WhenRowsFull::Refuse);
    update.removed = vec![SessionId::from_bytes([b'8'; 16])];
    let found = index.update(subject, &update).await.unwrap();
    assert_eq!((found.rows.len(), found.unreadable), (1, 3));
    assert!(!found.is_full);
    let update = limited(row(session(2), 2), 2, WhenRowsFull::Refuse);
    let found = index.update(subject, &update).await.unwrap();
    assert_eq!((found.rows.len(), found.unreadable), (2, 3));
    let found = index.update(subject, &IndexUpdate::new(NOW + DAY)).await;
    assert_eq!(found.unwrap().unreadable, 3);
    for field in odd {
        let kept: String = server.ask(&["HGET", &key, field]);
        assert_eq!(kept, later);
    }
    assert_left(&server, &key, 7 * DAY);
    let copied = all(&*index).await.unwrap();
    assert_eq!(copied.len(), 1);
    assert_eq!(copied[0].1.unreadable, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_holds_something_else_is_an_error_and_stays() {
    let server = Server::start();
    let list = new_list();
    let index = index(&server.open(&list));
    let key = key_of(&list, subject(1));
    server.tell(&["SET", &key, "somebody's"]);
    let update = put(row(session(1), 0));
    for outcome in [
        index.rows(subject(1)).await.map(drop),
        index.update(subject(1), &update).await.map(drop),
        all(&*index).await.map(drop),
    ] {
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains("something else"), "{error}");
    }
    let kept: String = server.ask(&["GET", &key]);
    assert_eq!(kept, "somebody's");
    index.update(subject(2), &update).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_refuses_to_put_rows_and_goes_on_removing() {
    let server = Server::start();
    let index = index(&server.open(&new_list()));
    for n in 1..=2 {
        index
            .update(subject(1), &put(row(session(n), 0)))
            .await
            .unwrap();
    }
    server.tell(&["CONFIG", "SET", "maxmemory", "1"]);
    let mut update = put(row(session(3), 0));
    update.removed = vec![session(1)];
    let error = index.update(subject(1), &update).await.unwrap_err();
    assert!(error.to_string().contains("memory"), "{error}");
    assert_eq!(
        index.rows(subject(1)).await.unwrap().rows.len(),
        2,
        "as a whole"
    );
    let left = index.update(subject(1), &removing(vec![session(1)])).await;
    assert_eq!(left.unwrap().rows.len(), 1);
    server.tell(&["CONFIG", "SET", "maxmemory", "0"]);
    index.update(subject(1), &update).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_too_long_to_be_stored_is_an_error() {
    let server = Server::start();
    let index = index(&server.open(&new_list()));
    for field in 0..2 {
        let mut long = row(session(1), 0);
        let bytes = if field == 0 {
            &mut long.facts
        } else {
            &mut long.label
        };
        *bytes = vec![0; 65_535];
        index.update(subject(1), &put(long.clone())).await.unwrap();
        assert_eq!(index.rows(subject(1)).await.unwrap().rows, [long.clone()]);
        let bytes = if field == 0 {
            &mut long.facts
        } else {
            &mut long.label
        };
        bytes.push(0);
        let error = index.update(subject(1), &put(long)).await.unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
        index
            .update(subject(1), &removing(vec![session(1)]))
            .await
            .unwrap();
    }
}

/// Whoever logs in at the limit, on two nodes at once: reserves a place, or makes room and removes what it evicted.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_logins_at_once_on_two_nodes_never_exceed_the_limit() {
    const LIMIT: usize = 3;
    let server = Server::start();
    let list = new_list();
    let nodes = [server.open(&list), server.open(&list)].map(|store| index(&store));
    let mut logins = JoinSet::new();
    for task in 0..20_u32 {
        let index = nodes[task as usize % 2].clone();
        logins.spawn(async move {
            for n in 0..50 {
                let new = session(task * 50 + n);
                let update = limited(row(new, u64::from(n)), LIMIT, WhenRowsFull::Evict);
                let rows = index.update(subject(1), &update).await.unwrap();
                assert!(of_state(&rows, RowState::Listed).len() <= LIMIT);
                assert!(rows.rows.iter().any(|row| row.session == new));
                let evicted = of_state(&rows, RowState::Evicting);
                index.update(subject(1), &removing(evicted)).await.unwrap();
            }
        });
    }
    while let Some(outcome) = logins.join_next().await {
        outcome.unwrap();
    }
    let rows = nodes[0].rows(subject(1)).await.unwrap();
    assert_eq!(rows.rows.len(), LIMIT);
    assert_eq!(of_state(&rows, RowState::Listed).len(), LIMIT);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_reservations_at_once_as_many_succeed_as_there_may_be() {
    let server = Server::start();
    let list = new_list();
    let nodes = [server.open(&list), server.open(&list)].map(|store| index(&store));
    let mut logins = JoinSet::new();
    for n in 0..100_u32 {
        let index = nodes[n as usize % 2].clone();
        logins.spawn(async move {
            let mut reserved = row(session(n), 0);
            reserved.state = RowState::Reserved;
            let update = limited(reserved, 7, WhenRowsFull::Refuse);
            index.update(subject(1), &update).await.unwrap().is_full
        });
    }
    let mut placed = 0;
    while let Some(is_full) = logins.join_next().await {
        placed += usize::from(!is_full.unwrap());
    }
    assert_eq!(placed, 7);
    let rows = nodes[1].rows(subject(1)).await.unwrap();
    assert_eq!(of_state(&rows, RowState::Reserved).len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_subject_is_copied_and_no_other_lists() {
    let server = Server::start();
    // Names that are patterns, and ones that those would match.
    let lists = ["a*", "ab", "a[b]", "a?", r"a\b", "a:{", "a"];
    let lists = lists.map(|list| list.replace('{', ""));
    for (n, list) in lists.iter().enumerate() {
        let index = index(&server.open(list));
        for each in 0..30 {
            let subject = subject(each + n as u8 * 30);
            index
                .update(subject, &put(row(session(n as u32), 0)))
                .await
                .unwrap();
        }
        // What is no subject's.
        let odd = key_of(list, subject(1)).to_uppercase();
        server.tell(&["HSET", &odd, "x", "y"]);
        let odd = format!("sealed-session:{list}:{{x}}:index");
        server.tell(&["HSET", &odd, "x", "y"]);
    }
    for (n, list) in lists.iter().enumerate() {
        let index = index(&server.open(list));
        let copied = all(&*index).await.unwrap();
        let expected = (0..30).map(|each| {
            let rows = IndexRows::new(vec![row(session(n as u32), 0)]);
            (subject(each + n as u8 * 30), rows)
        });
        assert!(copied.into_iter().eq(expected), "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_is_one_round_trip_over_connections_of_its_own() {
    let server = Server::start();
    let store = server.open(&new_list());
    let index = index(&store);
    let update = put(row(session(1), 0));
    index.update(subject(1), &update).await.unwrap();
    let from = cursor(&store).await;
    follow(&store, from).await;
    let calls = || server.calls(["evalsha", "hgetall"]);
    let [updates, _] = calls();
    for _ in 0..10 {
        index.update(subject(1), &update).await.unwrap();
    }
    let [after, reads] = calls();
    assert_eq!(after, updates + 10);
    for _ in 0..10 {
        index.rows(subject(1)).await.unwrap();
    }
    assert_eq!(calls(), [after, reads + 10]);

    // One that is lost is made anew, and the list's follower does not take it for a lost one of its own.
    let clients: String = server.ask(&["CLIENT", "LIST"]);
    let own = clients
        .lines()
        .find(|client| client.contains("cmd=hgetall"));
    let own = own.unwrap().split_whitespace().next().unwrap();
    let id = own.strip_prefix("id=").unwrap();
    server.tell(&["CLIENT", "KILL", "ID", id]);
    assert_eq!(index.rows(subject(1)).await.unwrap().rows.len(), 1);
    server.tell(&["SCRIPT", "FLUSH"]);
    index.update(subject(1), &update).await.unwrap();
    follow(&store, from).await;
}
