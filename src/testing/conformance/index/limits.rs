//! Rows where there are as many as there may be.

use super::harness::IndexHarness;
use super::scene::{HOUR, Scene, session};
use crate::index::WhenRowsFull::{Drop, Evict, Refuse};
use crate::index::{IndexRow, IndexUpdate, MOST_ROWS, RowState};
use crate::testing::conformance::report::Checked;

pub(super) async fn full_refuses(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    scene.listed(1..=3).await?;
    let full = scene.put_of(scene.row(4, 4), 2, Refuse);
    scene.step(full.clone()).await?;
    // What else the update says is done.
    let full = IndexUpdate {
        removed: vec![session(1)],
        ..full
    };
    scene.step(full.clone()).await?;
    let room = IndexUpdate {
        removed: vec![session(2)],
        ..full
    };
    scene.step(room).await
}

pub(super) async fn the_same_needs_no_room(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    scene.listed(1..=3).await?;
    for when_full in [Refuse, Evict, Drop] {
        let seen = scene.put_of(scene.row(2, 9), 3, when_full);
        scene.step(seen).await?;
        let seen = scene.put_of(scene.row(1, 8), 1, when_full);
        scene.step(seen).await?;
    }
    Ok(())
}

pub(super) async fn dropped_makes_room(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    for when_full in [Refuse, Evict, Drop] {
        let short = IndexRow {
            until: scene.start + HOUR,
            ..scene.row(1, 9)
        };
        scene.step(scene.put(short)).await?;
        scene.listed([2, 3]).await?;
        let put = IndexUpdate {
            now: scene.start + HOUR,
            removed: vec![session(3)],
            ..scene.put_of(scene.row(4, 1), 2, when_full)
        };
        scene.step(put).await?;
    }
    Ok(())
}

pub(super) async fn replaced_is_not_counted(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    scene.listed([1, 2, 3]).await?;
    for (number, when_full) in [(4, Refuse), (5, Drop), (6, Evict)] {
        let put = IndexUpdate {
            // Also one that is not there.
            replaced: vec![session(1), session(77)],
            ..scene.put_of(scene.row(number, 9), 3, when_full)
        };
        scene.step(put).await?;
    }
    Ok(())
}

pub(super) async fn longest_ago_is_evicted(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    scene.listed([3, 1, 4, 2]).await?;
    // Seen once more, so another one is next.
    scene.step(scene.put(scene.row(3, 9))).await?;
    for number in [5, 6, 7] {
        // Those that come were seen before all that are there: they stay for now.
        let put = scene.put_of(scene.row(number, 0), 4, Evict);
        scene.step(put).await?;
    }
    Ok(())
}

pub(super) async fn longest_ago_is_dropped(h: &dyn IndexHarness) -> Checked {
    let mut scene = Scene::new(h).await?;
    scene.listed([3, 1, 4, 2]).await?;
    scene.step(scene.put(scene.row(3, 9))).await?;
    for number in [5, 6, 7] {
        scene
            .step(scene.put_of(scene.row(number, 0), 4, Drop))
            .await?;
    }
    Ok(())
}

pub(super) async fn the_smallest_id_makes_room(h: &dyn IndexHarness) -> Checked {
    for when_full in [Evict, Drop] {
        let mut scene = Scene::new(h).await?;
        for number in [130, 5, 200, 7] {
            scene.step(scene.put(scene.row(number, 1))).await?;
        }
        for number in [100, 101, 102, 103] {
            let put = scene.put_of(scene.row(number, 2), 4, when_full);
            scene.step(put).await?;
        }
    }
    Ok(())
}

pub(super) async fn evicting_is_not_counted(h: &dyn IndexHarness) -> Checked {
    for when_full in [Refuse, Evict, Drop] {
        let mut scene = Scene::new(h).await?;
        for number in 1..=3 {
            let evicting = IndexRow {
                state: RowState::Evicting,
                ..scene.row(number, number)
            };
            scene.step(scene.put(evicting)).await?;
        }
        for number in 4..=6 {
            let put = scene.put_of(scene.row(number, number), 2, when_full);
            scene.step(put).await?;
        }
    }
    Ok(())
}

pub(super) async fn reserved_is_counted(h: &dyn IndexHarness) -> Checked {
    for when_full in [Refuse, Evict, Drop] {
        let mut scene = Scene::new(h).await?;
        for number in 1..=4 {
            let reserved = IndexRow {
                state: RowState::Reserved,
                label: Vec::new(),
                ..scene.row(number, number)
            };
            let put = scene.put_of(reserved, 2, when_full);
            scene.step(put).await?;
        }
    }
    Ok(())
}

pub(super) async fn a_lower_limit(h: &dyn IndexHarness) -> Checked {
    for when_full in [Refuse, Evict, Drop] {
        let mut scene = Scene::new(h).await?;
        scene.listed(1..=6).await?;
        for (number, rows) in [(7, 4), (8, 2)] {
            let put = scene.put_of(scene.row(number, 9), rows, when_full);
            scene.step(put).await?;
        }
    }
    Ok(())
}

pub(super) async fn least_and_most(h: &dyn IndexHarness) -> Checked {
    for when_full in [Refuse, Evict, Drop] {
        let mut scene = Scene::new(h).await?;
        for number in 1..=3 {
            let put = scene.put_of(scene.row(number, number), 1, when_full);
            scene.step(put).await?;
        }
        let mut scene = Scene::new(h).await?;
        for number in 1..=MOST_ROWS as u64 + 2 {
            let large = IndexRow {
                facts: vec![number as u8; 300],
                label: vec![number as u8; 200],
                ..scene.row(number, number)
            };
            let put = scene.put_of(large, MOST_ROWS, when_full);
            scene.step(put).await?;
        }
    }
    Ok(())
}
