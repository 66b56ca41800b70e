//! One row after the other, where there is room.

use std::time::Duration;

use super::harness::IndexHarness;
use super::scene::{HOUR, SECOND, Scene, Updates, WHEN_FULL, session, subject};
use crate::index::RowState::{Evicting, Listed, Reserved};
use crate::index::WhenRowsFull::Evict;
use crate::index::{IndexRow, IndexUpdate};
use crate::testing::conformance::report::{Checked, require};
use crate::time::UnixMillis;

pub(super) async fn a_new_one_is_empty(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    scene.holds(subject(0), "at first").await?;
    scene.steps(vec![scene.update()]).await?;
    let mut count: usize = 0;
    scene
        .index
        .each(&mut |_, rows| count = count.saturating_add(rows.rows.len()))
        .await?;
    require(count == 0, || format!("it hands over {count} rows"))
}

pub(super) fn put_is_there(scene: &Scene) -> Updates {
    scene.listed([3, 1, 2])
}

pub(super) fn any_bytes(scene: &Scene) -> Updates {
    let all = |length| (0..=255).cycle().take(length).collect::<Vec<u8>>();
    let pairs = [
        (all(300), all(200)),
        (Vec::new(), Vec::new()),
        (vec![0; 300], vec![0xff; 200]),
        (b"\r\n\0|,:\"".to_vec(), Vec::new()),
        (Vec::new(), b"%s {} \x80".to_vec()),
    ];
    let rows = (0..).zip(pairs).map(|(number, (facts, label))| IndexRow {
        facts,
        label,
        ..scene.row(number, 1)
    });
    rows.map(|row| scene.put(row)).collect()
}

pub(super) fn any_times(scene: &Scene) -> Updates {
    const FIRST: UnixMillis = UnixMillis::EPOCH;
    const LAST: UnixMillis = UnixMillis::MAX;
    let just_before = UnixMillis::new(u64::MAX - 1);
    let row = |number, seen| IndexRow::new(session(number), Listed, seen, LAST);
    let put = |number, seen, now| IndexUpdate {
        row: Some(row(number, seen)),
        ..IndexUpdate::new(now)
    };
    vec![
        put(1, LAST, FIRST),
        put(2, just_before, FIRST),
        put(3, FIRST, just_before),
        // The one seen at zero makes room, then the one that was seen a millisecond before the other.
        scene.put_of(row(4, LAST), 3, Evict),
        scene.put_of(row(5, LAST), 3, Evict),
        // Nothing lives longer than that.
        IndexUpdate::new(LAST),
    ]
}

pub(super) fn a_row_replaces(scene: &Scene) -> Updates {
    let mut all = scene.listed([1, 2]);
    let reserved = IndexRow {
        state: Reserved,
        until: scene.start + 2 * HOUR,
        facts: b"other".to_vec(),
        label: b"another".to_vec(),
        ..scene.row(1, 5)
    };
    let listed = IndexRow {
        state: Listed,
        until: scene.start + HOUR,
        facts: Vec::new(),
        ..reserved.clone()
    };
    all.extend([reserved, listed].map(|row| scene.put(row)));
    all
}

pub(super) fn the_later_stays(scene: &Scene) -> Updates {
    [50, 40, 60, 60, 0]
        .map(|seen| scene.put(scene.row(1, seen)))
        .into()
}

pub(super) fn evicting_stays(scene: &Scene) -> Updates {
    let put = |state| {
        scene.put(IndexRow {
            state,
            ..scene.row(1, 1)
        })
    };
    [Evicting, Listed, Reserved].map(put).into()
}

pub(super) fn a_label_stays(scene: &Scene) -> Updates {
    let labels = ["", "first", "", "second", "", ""];
    let rows = labels.map(|label| IndexRow {
        label: label.into(),
        ..scene.row(1, 1)
    });
    rows.map(|row| scene.put(row)).into()
}

pub(super) fn over_is_dropped(scene: &Scene) -> Updates {
    let millisecond = Duration::from_millis(1);
    let end = scene.start + HOUR;
    let before = end.minus(2 * millisecond);
    let put = |number, until| {
        scene.put(IndexRow {
            until,
            ..scene.row(number, 1)
        })
    };
    let over = IndexUpdate {
        now: end,
        ..put(5, end)
    };
    vec![
        put(1, end.minus(millisecond)),
        put(2, end),
        put(3, end + millisecond),
        put(4, end + SECOND),
        // All are there, then the last two, then the last.
        IndexUpdate::new(before),
        IndexUpdate::new(end),
        IndexUpdate::new(end + millisecond),
        // The clocks of nodes are apart. What is gone does not come back by that.
        IndexUpdate::new(before),
        // What is over already is put, and dropped by the next.
        over.clone(),
        IndexUpdate { row: None, ..over },
    ]
}

pub(super) fn removed_is_dropped(scene: &Scene) -> Updates {
    let mut all = scene.listed(1..=6);
    for removed in [&[][..], &[2], &[3, 2, 77], &[1, 4, 5, 6]] {
        all.push(scene.removing(removed));
    }
    all
}

/// In this order: so nothing of the old row is left.
pub(super) fn removed_before_it_is_put(scene: &Scene) -> Updates {
    let evicting = IndexRow {
        state: Evicting,
        ..scene.row(1, 9)
    };
    let anew = IndexRow {
        label: Vec::new(),
        ..scene.row(1, 3)
    };
    let anew = IndexUpdate {
        row: Some(anew),
        ..scene.removing(&[1])
    };
    vec![scene.put(evicting), anew]
}

pub(super) fn nothing_to_put(scene: &Scene) -> Updates {
    let mut all = scene.listed(1..=3);
    for when_full in WHEN_FULL {
        let put = scene.put_of(scene.row(9, 9), 1, when_full);
        all.push(IndexUpdate { row: None, ..put });
    }
    all
}
