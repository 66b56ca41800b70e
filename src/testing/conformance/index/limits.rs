//! Rows where there are as many as there may be.

use super::harness::IndexHarness;
use super::scene::{HOUR, Scene, Updates, WHEN_FULL, session, steps_when_full};
use crate::index::WhenRowsFull::{self, Drop, Evict, Refuse};
use crate::index::{IndexRow, IndexUpdate, MOST_ROWS, RowState};
use crate::testing::conformance::report::Checked;

pub(super) fn full_refuses(scene: &Scene) -> Updates {
    let mut all = scene.listed(1..=3);
    let full = |removed| IndexUpdate {
        removed,
        ..scene.put_of(scene.row(4, 4), 2, Refuse)
    };
    // What else the update says is done.
    all.extend([vec![], vec![session(1)], vec![session(2)]].map(full));
    all
}

pub(super) fn the_same_needs_no_room(scene: &Scene) -> Updates {
    let mut all = scene.listed(1..=3);
    for when_full in WHEN_FULL {
        all.push(scene.put_of(scene.row(2, 9), 3, when_full));
        all.push(scene.put_of(scene.row(1, 8), 1, when_full));
    }
    all
}

pub(super) fn dropped_makes_room(scene: &Scene) -> Updates {
    let mut all = Vec::new();
    for when_full in WHEN_FULL {
        all.push(scene.put(IndexRow {
            until: scene.start + HOUR,
            ..scene.row(1, 9)
        }));
        all.extend(scene.listed([2, 3]));
        all.push(IndexUpdate {
            now: scene.start + HOUR,
            removed: vec![session(3)],
            ..scene.put_of(scene.row(4, 1), 2, when_full)
        });
    }
    all
}

pub(super) fn replaced_is_not_counted(scene: &Scene) -> Updates {
    let mut all = scene.listed([1, 2, 3]);
    for (number, when_full) in [(4, Refuse), (5, Drop), (6, Evict)] {
        all.push(IndexUpdate {
            // Also one that is not there.
            replaced: vec![session(1), session(77)],
            ..scene.put_of(scene.row(number, 9), 3, when_full)
        });
    }
    all
}

pub(super) fn longest_ago_is_evicted(scene: &Scene) -> Updates {
    longest_ago(scene, Evict)
}

pub(super) fn longest_ago_is_dropped(scene: &Scene) -> Updates {
    longest_ago(scene, Drop)
}

fn longest_ago(scene: &Scene, when_full: WhenRowsFull) -> Updates {
    let mut all = scene.listed([3, 1, 4, 2]);
    // Seen once more, so another one is next.
    all.push(scene.put(scene.row(3, 9)));
    // Those that come were seen before all that are there: they stay for now.
    all.extend([5, 6, 7].map(|number| scene.put_of(scene.row(number, 0), 4, when_full)));
    all
}

pub(super) fn the_smallest_id_makes_room(scene: &Scene, when_full: WhenRowsFull) -> Updates {
    let there = [130, 5, 200, 7].map(|number| scene.put(scene.row(number, 1)));
    let more = (100..104).map(|number| scene.put_of(scene.row(number, 2), 4, when_full));
    there.into_iter().chain(more).collect()
}

pub(super) fn evicting_is_not_counted(scene: &Scene, when_full: WhenRowsFull) -> Updates {
    let evicting = (1..=3).map(|number| IndexRow {
        state: RowState::Evicting,
        ..scene.row(number, number)
    });
    let evicting = evicting.map(|row| scene.put(row));
    let more = (4..=6).map(|number| scene.put_of(scene.row(number, number), 2, when_full));
    evicting.chain(more).collect()
}

pub(super) fn reserved_is_counted(scene: &Scene, when_full: WhenRowsFull) -> Updates {
    let reserved = (1..=4).map(|number| IndexRow {
        state: RowState::Reserved,
        label: Vec::new(),
        ..scene.row(number, number)
    });
    reserved
        .map(|row| scene.put_of(row, 2, when_full))
        .collect()
}

pub(super) fn a_lower_limit(scene: &Scene, when_full: WhenRowsFull) -> Updates {
    let mut all = scene.listed(1..=6);
    all.push(scene.put_of(scene.row(7, 9), 4, when_full));
    all.push(scene.put_of(scene.row(8, 9), 2, when_full));
    all
}

pub(super) async fn least_and_most(h: &dyn IndexHarness) -> Checked {
    steps_when_full(h, the_least_limit).await?;
    steps_when_full(h, the_largest_limit).await
}

fn the_least_limit(scene: &Scene, when_full: WhenRowsFull) -> Updates {
    let put = |number| scene.put_of(scene.row(number, number), 1, when_full);
    (1..=3).map(put).collect()
}

fn the_largest_limit(scene: &Scene, when_full: WhenRowsFull) -> Updates {
    let put = |number| {
        let large = IndexRow {
            facts: vec![number as u8; 300],
            label: vec![number as u8; 200],
            ..scene.row(number, number)
        };
        scene.put_of(large, MOST_ROWS, when_full)
    };
    (1..=MOST_ROWS as u64 + 2).map(put).collect()
}
