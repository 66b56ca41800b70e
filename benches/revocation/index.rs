//! What a session costs in the index of a store: bytes, and how long its row takes.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sealed_session::index::{IndexRow, IndexUpdate, RowState};
use sealed_session::revoke::{Journal, SubjectKey};
use sealed_session::store::{Memory as MemoryStore, Redb};
use serde::{Deserialize, Serialize};

use crate::entries::{self, NOW, UNTIL, each};
use crate::process::Memory;

/// The argument that makes this binary measure one index. Which store follows, and how many rows a subject has.
pub const WORD: &str = "index";

const SESSIONS: u64 = 300_000;
/// How many rows are put before the list is flushed once, and the index with it.
const FLUSHED: u64 = 10_000;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Kind {
    Memory,
    Redb,
}

#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    /// Nanoseconds each.
    update: f64,
    rows: f64,
    /// What a write of the list takes, and with it of the rows since the one before.
    flush: Duration,
    /// KiB.
    memory: u64,
    /// Bytes of the file once it is closed, and how many of them are in use.
    file: u64,
    used: u64,
    open: Duration,
}

pub fn run() {
    println!(
        "  {SESSIONS} sessions, 60 bytes of facts and 140 of label\n  \
         {:<7} {:>4} | {:>7} {:>7} {:>7} | {:>7} {:>7} {:>7} | {:>7}",
        "µs each", "rows", "update", "rows", "flush", "memory", "file", "in use", "open"
    );
    for kind in [Kind::Memory, Kind::Redb] {
        for rows in [1, 3, 10] {
            let figures = ask(kind, rows);
            println!(
                "  {:<7} {rows:>4} | {:>7.1} {:>7.1} {:>4} ms | {:>5} B {:>5} B {:>5} B | {:>4} ms",
                format!("{kind:?}"),
                figures.update / 1000.0,
                figures.rows / 1000.0,
                figures.flush.as_millis(),
                figures.memory * 1024 / SESSIONS,
                figures.file / SESSIONS,
                figures.used / SESSIONS,
                figures.open.as_millis(),
            );
        }
    }
}

fn ask(kind: Kind, rows: u64) -> Figures {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let kind = serde_json::to_string(&kind).unwrap();
    let output = command
        .args([WORD, &kind, &rows.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The other process.
pub fn measure(kind: &str, rows: &str) {
    let kind: Kind = serde_json::from_str(kind).unwrap();
    let rows: u64 = rows.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("revocations.redb");
    let figures = match kind {
        Kind::Memory => runtime.block_on(fill(MemoryStore::new(), rows)),
        Kind::Redb => runtime.block_on(fill(Redb::create(&path).unwrap(), rows)),
    };
    let figures = match kind {
        Kind::Memory => figures,
        Kind::Redb => opened(&path, figures),
    };
    println!("{}", serde_json::to_string(&figures).unwrap());
}

fn opened(path: &Path, figures: Figures) -> Figures {
    let file = path.metadata().unwrap().len();
    let began = Instant::now();
    drop(Redb::open(path).unwrap());
    let open = began.elapsed();
    let database = redb::Database::open(path).unwrap();
    let stats = database.begin_write().unwrap().stats().unwrap();
    Figures {
        file,
        used: stats.allocated_pages() * stats.page_size() as u64,
        open,
        ..figures
    }
}

async fn fill(mut journal: impl Journal, rows: u64) -> Figures {
    let index = journal.session_index().unwrap();
    let subjects = SESSIONS / rows;
    let subject = |number: u64| SubjectKey::from_bytes(*entries::id(number % subjects).as_bytes());
    let before = Memory::own();
    let began = Instant::now();
    let mut flushes = Duration::ZERO;
    for number in 0..SESSIONS {
        let mut row = IndexRow::new(entries::id(1 << 40 | number), RowState::Listed, NOW, UNTIL);
        row.facts = vec![1; 60];
        row.label = vec![2; 140];
        let mut update = IndexUpdate::new(NOW);
        update.row = Some(row);
        index.update(subject(number), &update).await.unwrap();
        if number % FLUSHED == 0 {
            let began = Instant::now();
            journal.append(b"a logout").unwrap();
            flushes += began.elapsed();
        }
    }
    let update = each(began.elapsed() - flushes, SESSIONS as usize);
    let memory = Memory::own().now.saturating_sub(before.now);
    let began = Instant::now();
    for number in 0..SESSIONS {
        let held = index.rows(subject(entries::mixed(number))).await.unwrap();
        assert_eq!(held.rows.len() as u64, rows);
    }
    let read = each(began.elapsed(), SESSIONS as usize);
    Figures {
        update,
        rows: read,
        flush: flushes / (SESSIONS / FLUSHED) as u32,
        memory,
        file: 0,
        used: 0,
        open: Duration::ZERO,
    }
}
