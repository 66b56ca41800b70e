//! One row after the other, where there is room.

use std::time::Duration;

use super::harness::IndexHarness;
use super::scene::{HOUR, SECOND, Scene, session, subject};
use crate::index::{IndexRow, IndexUpdate, RowState, WhenRowsFull};
use crate::testing::conformance::report::{Checked, require};
use crate::time::UnixMillis;

pub(super) async fn a_new_one_is_empty(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    scene.holds(subject(0), "at first").await?;
    scene.step(scene.update()).await?;
    let mut count: usize = 0;
    scene
        .index
        .each(&mut |_, rows| count = count.saturating_add(rows.rows.len()))
        .await?;
    require(count == 0, || format!("it hands over {count} rows"))
}

pub(super) async fn put_is_there(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    scene.listed([3, 1, 2]).await
}

pub(super) async fn any_bytes(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    let all = |length| (0..=255).cycle().take(length).collect::<Vec<u8>>();
    for (number, (facts, label)) in (0..).zip([
        (all(300), all(200)),
        (Vec::new(), Vec::new()),
        (vec![0; 300], vec![0xff; 200]),
        (b"\r\n\0|,:\"".to_vec(), Vec::new()),
        (Vec::new(), b"%s {} \x80".to_vec()),
    ]) {
        let row = IndexRow {
            facts,
            label,
            ..scene.row(number, 1)
        };
        scene.step(scene.put(row)).await?;
    }
    Ok(())
}

pub(super) async fn any_times(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    let just_before = UnixMillis::new(u64::MAX - 1);
    let row = |number, last_seen| IndexRow {
        last_seen,
        until: UnixMillis::MAX,
        ..IndexRow::new(
            session(number),
            RowState::Listed,
            last_seen,
            UnixMillis::MAX,
        )
    };
    let put = |row: IndexRow, now| IndexUpdate {
        now,
        row: Some(row),
        ..IndexUpdate::new(now)
    };
    scene
        .step(put(row(1, UnixMillis::MAX), UnixMillis::EPOCH))
        .await?;
    scene
        .step(put(row(2, just_before), UnixMillis::EPOCH))
        .await?;
    scene
        .step(put(row(3, UnixMillis::EPOCH), just_before))
        .await?;
    // The one seen at zero makes room, then the one that was seen a millisecond before the other.
    for (number, rows) in [(4, 3), (5, 3)] {
        let row = row(number, UnixMillis::MAX);
        scene
            .step(scene.put_of(row, rows, WhenRowsFull::Evict))
            .await?;
    }
    // Nothing lives longer than that.
    scene.step(IndexUpdate::new(UnixMillis::MAX)).await
}

pub(super) async fn a_row_replaces(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    scene.listed([1, 2]).await?;
    let reserved = IndexRow {
        state: RowState::Reserved,
        until: scene.start + 2 * HOUR,
        facts: b"other".to_vec(),
        label: b"another".to_vec(),
        ..scene.row(1, 5)
    };
    let listed = IndexRow {
        state: RowState::Listed,
        until: scene.start + HOUR,
        facts: Vec::new(),
        ..reserved.clone()
    };
    scene.step(scene.put(reserved)).await?;
    scene.step(scene.put(listed)).await
}

pub(super) async fn the_later_stays(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    for seen in [50, 40, 60, 60, 0] {
        scene.step(scene.put(scene.row(1, seen))).await?;
    }
    Ok(())
}

pub(super) async fn evicting_stays(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    let state = |state| IndexRow {
        state,
        ..scene.row(1, 1)
    };
    let states = [
        state(RowState::Evicting),
        state(RowState::Listed),
        state(RowState::Reserved),
    ];
    for row in states {
        scene.step(scene.put(row)).await?;
    }
    Ok(())
}

pub(super) async fn a_label_stays(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    for label in [&b""[..], b"first", b"", b"second", b"", b""] {
        let row = IndexRow {
            label: label.to_vec(),
            ..scene.row(1, 1)
        };
        scene.step(scene.put(row)).await?;
    }
    Ok(())
}

pub(super) async fn over_is_dropped(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    let millisecond = Duration::from_millis(1);
    let end = scene.start + HOUR;
    for (number, until) in [
        (1, end.minus(millisecond)),
        (2, end),
        (3, end + millisecond),
        (4, end + SECOND),
    ] {
        let row = IndexRow {
            until,
            ..scene.row(number, 1)
        };
        scene.step(scene.put(row)).await?;
    }
    // All are there, then the last two, then the last.
    let before = end.minus(2 * millisecond);
    for now in [before, end, end + millisecond] {
        scene.step(IndexUpdate::new(now)).await?;
    }
    // The clocks of nodes are apart. What is gone does not come back by that.
    scene.step(IndexUpdate::new(before)).await?;
    // What is over already is put, and dropped by the next.
    let over = IndexUpdate {
        now: end,
        ..scene.put(IndexRow {
            until: end,
            ..scene.row(5, 1)
        })
    };
    scene.step(over.clone()).await?;
    scene.step(IndexUpdate { row: None, ..over }).await
}

pub(super) async fn removed_is_dropped(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    scene.listed(1..=6).await?;
    for removed in [vec![], vec![2], vec![3, 2, 77], vec![1, 4, 5, 6]] {
        let removed = removed.into_iter().map(session).collect();
        scene
            .step(IndexUpdate {
                removed,
                ..scene.update()
            })
            .await?;
    }
    Ok(())
}

/// In this order: so nothing of the old row is left.
pub(super) async fn removed_before_it_is_put(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    let evicting = IndexRow {
        state: RowState::Evicting,
        ..scene.row(1, 9)
    };
    scene.step(scene.put(evicting)).await?;
    let anew = IndexRow {
        label: Vec::new(),
        ..scene.row(1, 3)
    };
    let removed = vec![session(1)];
    scene
        .step(IndexUpdate {
            removed,
            ..scene.put(anew)
        })
        .await
}

pub(super) async fn nothing_to_put(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    scene.listed(1..=3).await?;
    for when_full in [
        WhenRowsFull::Refuse,
        WhenRowsFull::Evict,
        WhenRowsFull::Drop,
    ] {
        let put = scene.put_of(scene.row(9, 9), 1, when_full);
        scene.step(IndexUpdate { row: None, ..put }).await?;
    }
    Ok(())
}
