//! The example's store, an append-only file, as years and accidents leave it.

use std::fs;
use std::mem::discriminant;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sealed_session::Sessions;
use sealed_session::revoke::{Revocation, Serial, SessionEntry, SessionId, Store, Target};
use sealed_session::store::StoreError;
use sealed_session::testing::ManualClock;
use sealed_session::time::{Clock, UnixMillis};
use sha2::{Digest, Sha256};
use support::{Node, builder};
use tempfile::TempDir;

use super::own_store::AppendOnly;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

struct Place {
    folder: TempDir,
    clock: ManualClock,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            clock: ManualClock::default(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("list.revocations")
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    /// The store, loaded by this place's clock.
    async fn open(&self) -> Result<Store, StoreError> {
        let store = Store::from(AppendOnly::open(&self.path())?);
        store.open(Arc::new(self.clock.clone())).await?;
        Ok(store)
    }

    /// The store, once the node that had it open is gone.
    async fn reopen(&self) -> Store {
        for _ in 0..500 {
            match self.open().await {
                Err(StoreError::InUse(_)) => tokio::time::sleep(SECOND / 50).await,
                opened => return opened.unwrap(),
            }
        }
        panic!("it is still open");
    }

    /// A node on the store.
    async fn start(&self, store: &Store) -> Sessions {
        let sessions = builder(&self.clock, store.clone());
        sessions.start().await.unwrap()
    }

    /// Opening fails twice in the same way, and changes nothing.
    async fn refuses(&self, what: &str) -> StoreError {
        let before = self.bytes();
        let error = self.open().await.unwrap_err();
        let again = self.open().await.unwrap_err();
        assert_eq!(discriminant(&again), discriminant(&error), "{what}");
        assert!(self.bytes() == before, "{what}: the file was changed");
        error
    }
}

fn ended(n: u64, until: UnixMillis) -> Revocation {
    let entry = SessionEntry {
        serial: Serial::ENDED,
        from: UnixMillis::EPOCH,
        until,
    };
    let id = SessionId::from_bytes(u128::from(n).to_be_bytes());
    Revocation::Session { id, entry }
}

async fn held(store: &Store) -> Vec<Revocation> {
    store.contents().await.unwrap().revocations
}

#[tokio::test]
async fn an_old_file_with_a_torn_tail_opens_is_swept_and_compacted() {
    let place = Place::new();
    let now = place.clock.now();
    let expired: Vec<_> = (0..1000).map(|n| ended(n, now + HOUR)).collect();
    let lasting = ended(2000, now + 399 * DAY);
    let store = place.open().await.unwrap();
    store.publish(&expired).await.unwrap();
    store.publish(&[lasting]).await.unwrap();
    let everyone = store.raise(Target::Everyone).await.unwrap();
    let acknowledged = place.bytes().len();
    store
        .publish(&[ended(3000, now + 399 * DAY)])
        .await
        .unwrap();
    drop(store);
    // Power was lost before the last append was acknowledged.
    let bytes = place.bytes();
    fs::write(place.path(), &bytes[..bytes.len() - 5]).unwrap();

    place.clock.advance(300 * DAY);
    let store = place.open().await.unwrap();
    assert_eq!(held(&store).await.len(), 1000 + 2);
    // Nothing torn is left behind which something could be appended.
    drop(store);
    let cut = place.bytes().len();
    assert!(cut <= acknowledged, "{cut} bytes of {acknowledged}");

    let store = place.open().await.unwrap();
    let sessions = place.start(&store).await;
    sessions.sweep().await.unwrap();
    let kept = [
        Revocation::Everyone {
            generation: everyone,
        },
        lasting,
    ];
    assert_eq!(held(&store).await, kept);
    // What was forgotten leaves the file when it is compacted, because it has grown.
    let many = vec![lasting; 1000];
    for _ in 0..130 {
        store.publish(&many).await.unwrap();
    }
    drop((sessions, store));
    let compacted = place.bytes().len();
    assert!(compacted < 1 << 20, "{compacted} bytes");
    let store = place.open().await.unwrap();
    assert_eq!(held(&store).await, kept);
}

#[tokio::test]
async fn a_file_by_a_clock_that_was_ahead_opens_once_that_time_has_come() {
    let place = Place::new();
    let right = place.clock.now();
    place.clock.advance(2 * HOUR);
    let store = place.open().await.unwrap();
    store.publish(&[ended(1, right + DAY)]).await.unwrap();
    drop(store);
    place.clock.set(right);
    let error = place.refuses("its list was begun in the future").await;
    assert!(matches!(error, StoreError::Clock(_)), "{error}");
    // A minute behind is what a clock may be that is set.
    place.clock.set((right + 2 * HOUR).minus(60 * SECOND));
    let store = place.open().await.unwrap();
    assert_eq!(held(&store).await, [ended(1, right + DAY)]);
}

#[tokio::test]
async fn a_file_by_a_clock_that_was_behind_opens_unless_it_is_too_old_to_tell_anything() {
    let place = Place::new();
    let right = place.clock.now();
    for (behind, opens) in [(DAY, true), (399 * DAY, true), (401 * DAY, false)] {
        let _ = fs::remove_file(place.path());
        place.clock.set(right.minus(behind));
        let store = place.open().await.unwrap();
        store.publish(&[ended(1, right + DAY)]).await.unwrap();
        let began = store.contents().await.unwrap().complete_since;
        drop(store);
        place.clock.set(right);
        if opens {
            let store = place.open().await.unwrap();
            assert_eq!(held(&store).await, [ended(1, right + DAY)]);
            let since = store.contents().await.unwrap().complete_since;
            assert_eq!(since, began, "it does not begin anew");
        } else {
            let error = place.refuses("it is older than any session").await;
            assert!(matches!(error, StoreError::Clock(_)), "{error}");
        }
    }
}

#[actix_web::test]
async fn a_list_whose_clock_was_set_back_under_a_node_opens_and_revives_nobody() {
    let place = Place::new();
    let node = Node::on(&place.clock, place.open().await.unwrap()).await;
    let early = node.browser();
    early.post("/remember/alice").await.is(200);
    let stolen = early.copy();
    early.post("/logout").await.is(204);
    let right = place.clock.now();
    // Far enough ahead for the logout to be forgotten.
    place.clock.set(right + 40 * DAY);
    node.sessions.sweep().await.unwrap();
    assert_eq!(node.sessions.health().entries, 0);
    place.clock.set(right + HOUR);
    node.sessions.sweep().await.unwrap();
    place.clock.advance(SECOND);
    let (late, living) = (node.browser(), node.browser());
    late.post("/remember/bob").await.is(200);
    let stolen_since = late.copy();
    late.post("/logout").await.is(204);
    living.post("/remember/carol").await.is(200);
    node.stop().await;

    let node = Node::on(&place.clock, place.reopen().await).await;
    for copy in [&stolen, &stolen_since] {
        copy.copy().at(&node).get("/me").await.is(401);
    }
    living.at(&node).get("/me").await.is(200);
}

/// Laid out by hand, as `src/store/local/frame.rs` says.
fn frame(version: u32, number: u64, body: &[u8]) -> Vec<u8> {
    let sum = |bytes: &[u8]| Sha256::digest(bytes)[..8].to_vec();
    let mut frame = b"SSRJ".to_vec();
    frame.extend(version.to_be_bytes());
    frame.extend(number.to_be_bytes());
    frame.extend((body.len() as u32).to_be_bytes());
    frame.extend(sum(&frame));
    frame.extend(body);
    frame.extend(sum(&frame));
    frame
}

#[tokio::test]
async fn a_file_by_a_later_release_is_refused_in_words_and_untouched() {
    let place = Place::new();
    // One frame, of number 0.
    drop(place.open().await.unwrap());
    let good = place.bytes();
    // Everyone, and something that only a later release knows.
    let everyone = [&[4][..], &7_u64.to_be_bytes()].concat();
    let unknown = [&everyone[..], &[200, 1, 2, 3]].concat();
    for (bytes, says) in [
        ([good.clone(), frame(1, 1, &unknown)].concat(), "kind 200"),
        (frame(2, 0, &unknown), "version 2"),
    ] {
        fs::write(place.path(), bytes).unwrap();
        let error = place.refuses(says).await;
        let text = error.to_string();
        let file = place.path().display().to_string();
        assert!(matches!(error, StoreError::Damaged { .. }), "{text}");
        assert!(text.contains(says) && text.contains(&file), "{text}");
    }
    // The same frame without it is read.
    fs::write(place.path(), [good, frame(1, 1, &everyone)].concat()).unwrap();
    assert_eq!(held(&place.open().await.unwrap()).await.len(), 1);
}
