//! What becomes of each call.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use async_trait::async_trait;
use sealed_session::revoke::{
    Followed, Found, News, Position, Published, Raise, Raised, Reach, Reading, Revocation,
    RevocationStore, SnapshotEnd, Target,
};
use sealed_session::{
    revoke::{SessionId, SubjectKey},
    store::StoreError,
    time::UnixMillis,
};

use super::{Call, Faulty, Mode, Orders, lost};

#[async_trait]
impl RevocationStore for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn reach(&self) -> Reach {
        self.reach
    }

    async fn announce(&self, longest: Duration) -> Result<(), StoreError> {
        self.disturb(Call::Publish, self.inner().announce(longest))
            .await
    }

    async fn publish(&self, revocations: &[Revocation]) -> Result<Vec<Published>, StoreError> {
        if self.mode(Call::Publish) == Mode::Forgets {
            return Ok(vec![Published::Fresh; revocations.len()]);
        }
        if self.orders().takes_no(revocations) {
            return Err(lost());
        }
        self.disturb(Call::Publish, self.inner().publish(revocations))
            .await
    }

    async fn give_back(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.given_back.fetch_add(revocations.len(), SeqCst);
        self.disturb(Call::Publish, self.inner().give_back(revocations))
            .await
    }

    async fn raise(&self, raise: Raise) -> Result<Raised, StoreError> {
        let held_up = || match raise.target {
            Target::Subject(subject) => self.orders().held_up == Some(subject),
            Target::Everyone => false,
        };
        if held_up() && self.mode(Call::Raise) == Mode::Up {
            self.wait_while(held_up).await;
            return Err(lost());
        }
        self.disturb(Call::Raise, self.inner().raise(raise)).await
    }

    async fn read(&self, subject: SubjectKey) -> Result<Reading, StoreError> {
        self.disturb(Call::Read, self.inner().read(subject)).await
    }

    async fn find(
        &self,
        session: SessionId,
        subject: Option<SubjectKey>,
    ) -> Result<Found, StoreError> {
        self.disturb(Call::Read, self.inner().find(session, subject))
            .await
    }

    async fn snapshot(
        &self,
        receive: &mut (dyn FnMut(Vec<Revocation>) + Send),
    ) -> Result<SnapshotEnd, StoreError> {
        self.snapshots.fetch_add(1, SeqCst);
        let end = self
            .disturb(Call::Follow, self.inner().snapshot(receive))
            .await;
        self.wait_while(|| self.orders().snapshots_held).await;
        end
    }

    async fn follow(&self, position: Position) -> Result<Followed, StoreError> {
        *self.followed.lock().unwrap() = position;
        let once = std::mem::take(&mut self.orders().fail_once);
        let followed = match once {
            true => Err(lost()),
            false => {
                self.disturb(Call::Follow, follow_soon(&*self.inner(), position))
                    .await
            }
        };
        let told = followed.and_then(|followed| self.orders().tell(followed));
        if told.is_err() {
            self.unheard.fetch_add(1, SeqCst);
        }
        told
    }

    async fn vouch(&self, epoch: u64, born: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        self.disturb(Call::Publish, self.inner().vouch(epoch, born))
            .await
    }

    async fn reborn(&self) -> Result<UnixMillis, StoreError> {
        self.disturb(Call::Publish, self.inner().reborn()).await
    }

    async fn sweep(&self) -> Result<usize, StoreError> {
        self.disturb(Call::Publish, self.inner().sweep()).await
    }

    fn unreadable(&self) -> u64 {
        self.inner().unreadable()
    }
}

impl Orders {
    fn takes_no(&self, revocations: &[Revocation]) -> bool {
        revocations.iter().any(|it| match it {
            Revocation::Session { id, .. } => self.never_taken == Some(*id),
            Revocation::Visitor { .. }
            | Revocation::Subject { .. }
            | Revocation::Everyone { .. } => false,
        })
    }

    fn tell(&self, followed: Followed) -> Result<Followed, StoreError> {
        match followed {
            Followed::News(_) if self.no_news => Err(lost()),
            Followed::News(mut news) if self.settling_untold => {
                news.settling = None;
                Ok(Followed::News(news))
            }
            followed => Ok(followed),
        }
    }
}

/// A store in this process is made to answer soon, so that orders are looked at often. A server is not:
/// it would have to be asked for all it holds to say for how long it settles.
async fn follow_soon(
    store: &dyn RevocationStore,
    position: Position,
) -> Result<Followed, StoreError> {
    let followed = store.follow(position);
    if store.reach() == Reach::Network {
        return followed.await;
    }
    let end = store.snapshot(&mut |_| {}).await?;
    let mut quiet = News::new(Vec::new(), position);
    quiet.settling = Some(end.settling);
    let followed = tokio::time::timeout(Duration::from_millis(10), followed).await;
    followed.unwrap_or(Ok(Followed::News(quiet)))
}
