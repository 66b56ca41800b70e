//! One request's session, behind the handle.
//!
//! Every rule about writing to a session is in this folder, but why a refused cookie is an obstacle, which is in
//! `refusal`. At any time there is a session or an [`Absence`], never both. No code of the application runs in here:
//! it would run under a lock.
//!
//! A cookie that is no session is no obstacle: a handler may begin a new session over it. There are four exceptions,
//! in which only a login sets a cookie. For 1 and 2 a page that has to store something before calls
//! [`RequestState::start_over`]:
//!
//! 1. The browser replaced the cookie, or gave it up, a moment ago. It holds or awaits a successor.
//! 2. The cookie may be a session elsewhere, or later.
//! 3. The request began with a live session that ended meanwhile, and it did not log out itself.
//! 4. Another site sent the request, to an exempt path. This holds wherever there is no session, also without a cookie.

mod close;
mod end;
mod login;
mod write;

use std::sync::Arc;

use crate::client::{ClientDevice, ClientFingerprint};
use crate::error::Rejected;
use crate::ids::KeyId;
use crate::record::{Entries, Record};
use crate::session::error::NotWritable;
use crate::session::message::FlashMessage;
use crate::session::refusal::Obstacle;
use crate::session::service::{EndingSession, Service};
use crate::session::validity::{Freshness, Live};
use crate::time::UnixMillis;

pub(crate) use close::Change;
pub(crate) use login::PredecessorEnd;

/// What has happened to the session in this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SessionStatus {
    /// Entries were written: the cookie is sealed anew.
    Changed,
    /// The session was ended: its cookie is removed. After [`purge`](crate::Session::purge) later writes are
    /// ignored; after a logout they begin a new session, as a login does in both cases.
    Purged,
    /// The session was renewed or logged in: older cookies die.
    Renewed,
    /// Nothing happened: the browser keeps its cookie.
    #[default]
    Unchanged,
}

/// How a session is ended by its own request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Later writes begin another one.
    Logout,
    /// Later writes are ignored, as actix-session does.
    Purge,
}

/// What stands in the place of a session: the cookies that are none, or its end.
#[derive(Default)]
struct Absence {
    /// Why no session may begin over them but by a login.
    obstacle: Option<Obstacle>,
    /// Whether the handler started over.
    is_overridden: bool,
    /// An authentic one that does not count.
    dead: Option<Dead>,
    /// The application ended it, or ended none. Then nothing else is there.
    ended: Option<Ending>,
}

/// A session that counts.
struct HeldSession {
    record: Arc<Record>,
    /// The key that sealed it; none where there is no cookie of ours yet.
    key: Option<KeyId>,
    freshness: Freshness,
    last_use: UnixMillis,
    /// Which of the cookies that are read carried it.
    scope: usize,
    edit: Edit,
    /// Whether a token was made for it, which is worth a cookie then although it is empty.
    is_bound: bool,
}

/// An authentic session that does not count here. A logout still ends it, because other nodes may not know
/// yet, and a login marks it as succeeded.
#[derive(Debug)]
pub(crate) struct Dead {
    pub(crate) record: Arc<Record>,
    /// The key that it was opened with; none of a session that moved in.
    pub(crate) key: Option<KeyId>,
    pub(crate) reason: Rejected,
}

/// What this request did to its session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edit {
    Clean,
    Changed,
    Renewed,
    /// A write began it.
    Begun,
    /// What the browser holds is dead: a login made the session, or it ended all other cookies of its user.
    Replaced,
}

pub(crate) struct RequestState {
    presence: Result<HeldSession, Absence>,
    /// The other authentic sessions that the request carried: a logout ends them too, and so does a login.
    others: Vec<Arc<Record>>,
    /// Why there is no session, where the request carried a cookie for one.
    pub(super) rejected: Option<Rejected>,
    /// Whether a renewal was asked for. Of a session that is new anyway it changes the status alone.
    renewed: bool,
    /// Whether the handler looked at the session, so that the response depends on it.
    pub(super) looked: bool,
    committed: bool,
    /// Whether another site sent the request. It was let through, but only a login begins a session.
    pub(crate) is_cross_site: bool,
    /// What the request's client looks like, where that is of use.
    pub(crate) client: Option<ClientFingerprint>,
    /// What the request tells of its device, where sessions are listed.
    pub(crate) device: Option<Box<ClientDevice>>,
    /// A write that was refused by a method which cannot say so.
    refused: Option<NotWritable>,
    /// Revocations that were started and not waited for.
    endings: Vec<EndingSession>,
    /// Whether the browser asked for an end of its session, whatever came after it.
    logged_out: bool,
    /// The messages for this page, which were taken from the session.
    pub(crate) shown: Vec<FlashMessage>,
}

impl Absence {
    fn new(obstacle: Option<Obstacle>, dead: Option<Dead>) -> Self {
        Self {
            obstacle,
            dead,
            ..Self::default()
        }
    }

    fn ended(by: Ending) -> Self {
        Self {
            ended: Some(by),
            ..Self::default()
        }
    }
}

impl HeldSession {
    /// A session's newest cookie, under the name that is written.
    fn new(record: Arc<Record>, edit: Edit) -> Self {
        Self {
            last_use: record.refreshed,
            record,
            key: None,
            freshness: Freshness::Newest,
            scope: 0,
            edit,
            is_bound: false,
        }
    }

    /// Whether the request came with it, and the browser's cookie of it still counts.
    fn is_presented(&self) -> bool {
        matches!(self.edit, Edit::Clean | Edit::Changed | Edit::Renewed)
    }
}

/// # Making one
impl RequestState {
    /// No session, and why.
    pub(crate) fn absent(
        obstacle: Option<Obstacle>,
        dead: Option<Dead>,
        others: Vec<Arc<Record>>,
        rejected: Option<Rejected>,
    ) -> Self {
        Self::new(Err(Absence::new(obstacle, dead)), others, rejected)
    }

    fn new(
        presence: Result<HeldSession, Absence>,
        others: Vec<Arc<Record>>,
        rejected: Option<Rejected>,
    ) -> Self {
        Self {
            presence,
            others,
            rejected,
            renewed: false,
            looked: false,
            committed: false,
            is_cross_site: false,
            client: None,
            device: None,
            refused: None,
            endings: Vec::new(),
            logged_out: false,
            shown: Vec::new(),
        }
    }

    fn present(held: HeldSession, others: Vec<Arc<Record>>) -> Self {
        Self::new(Ok(held), others, None)
    }

    pub(crate) fn live(live: Live, scope: usize, others: Vec<Arc<Record>>) -> Self {
        let (freshness, last_use) = (live.freshness(), live.last_use());
        let opened = live.into_opened();
        let held = HeldSession {
            key: Some(opened.key()),
            freshness,
            last_use,
            scope,
            ..HeldSession::new(opened.into_record(), Edit::Clean)
        };
        Self::present(held, others)
    }

    /// A session that another library kept, used just now. Whoever looks at it gets a cookie of ours.
    #[cfg(feature = "migrate-actix-session")]
    pub(crate) fn moved_in(record: Arc<Record>, freshness: Freshness) -> Self {
        let held = HeldSession {
            freshness,
            ..HeldSession::new(record, Edit::Clean)
        };
        Self::present(held, Vec::new())
    }
}

/// # Looking
impl RequestState {
    pub(crate) fn record(&self) -> Option<&Arc<Record>> {
        let held = self.presence.as_ref().ok()?;
        Some(&held.record)
    }

    /// The session, if the request came with it, and the browser's cookie of it still counts.
    fn presented(&self) -> Option<&Arc<Record>> {
        let held = self.presence.as_ref().ok()?;
        held.is_presented().then_some(&held.record)
    }

    /// An authentic session that does not count, where there is no other.
    fn dead(&self) -> Option<&Dead> {
        self.presence.as_ref().err()?.dead.as_ref()
    }

    /// Why no session may begin but by a login, where there is none.
    fn obstacle(&self) -> Option<Obstacle> {
        self.presence.as_ref().err()?.obstacle
    }

    /// The key that sealed the session, or the dead one.
    pub(crate) fn key(&self) -> Option<KeyId> {
        match &self.presence {
            Ok(held) => held.key,
            Err(absence) => absence.dead.as_ref()?.key,
        }
    }

    /// Whether the request carried nothing that is, was or may be a session.
    #[cfg(feature = "migrate-actix-session")]
    pub(crate) fn is_vacant(&self) -> bool {
        match self.rejected {
            // Under a key that is known to be dead there was one.
            Some(Rejected::RevokedKey | Rejected::RetiredKey(_)) => false,
            _ => self.record().is_none() && self.obstacle().is_none() && self.dead().is_none(),
        }
    }

    /// Adds another session that the request carries, so that it ends with the rest.
    #[cfg(feature = "migrate-actix-session")]
    pub(crate) fn carries(&mut self, record: Arc<Record>) {
        let dead = self.dead().map(|dead| &dead.record);
        let own = self.record().or(dead);
        if own.is_none_or(|own| own.id != record.id) {
            self.others.push(record);
        }
    }

    fn record_mut(&mut self) -> Option<&mut Record> {
        let held = self.presence.as_mut().ok()?;
        // Usually uniquely owned, so this does not copy.
        Some(Arc::make_mut(&mut held.record))
    }

    pub(crate) fn entries(&self) -> Option<&Entries> {
        self.record().map(|record| &record.entries)
    }

    /// Whether this node cannot tell what the browser holds, and another one may.
    pub(crate) fn may_live_elsewhere(&self) -> bool {
        matches!(
            self.obstacle(),
            Some(Obstacle::Unread | Obstacle::Untried | Obstacle::Later)
        )
    }

    /// Whether a login of another client made the session, as far as both are known.
    pub(crate) fn client_changed(&self) -> bool {
        let client = self.client.map(ClientFingerprint::as_bytes);
        self.record()
            .is_some_and(|record| record.is_of_another_client(client))
    }

    pub(crate) fn status(&self) -> SessionStatus {
        match &self.presence {
            Err(absence) if absence.ended.is_some() => SessionStatus::Purged,
            _ if self.renewed => SessionStatus::Renewed,
            Err(_) => SessionStatus::Unchanged,
            Ok(held) => match held.edit {
                Edit::Clean => SessionStatus::Unchanged,
                Edit::Changed | Edit::Begun => SessionStatus::Changed,
                Edit::Renewed | Edit::Replaced => SessionStatus::Renewed,
            },
        }
    }

    /// Whether anything but a login or a logout may set a cookie.
    pub(crate) fn writable(&self) -> Result<(), NotWritable> {
        match &self.presence {
            _ if self.committed => Err(NotWritable::AlreadyCommitted),
            Err(_) if self.is_cross_site => Err(NotWritable::CrossSite),
            Err(absence) if !absence.is_overridden => {
                absence.obstacle.map_or(Ok(()), |it| Err(it.into()))
            }
            Ok(held) if held.freshness == Freshness::Superseded => Err(NotWritable::Superseded),
            _ => Ok(()),
        }
    }

    /// Whether there is a session and it still counts. One that ended during its request is dropped here;
    /// the cookie is left as it is, for the browser may hold a successor by now.
    pub(crate) fn still_counts(&mut self, service: &Service) -> bool {
        let Ok(held) = &self.presence else {
            return false;
        };
        let rules = service.rules(service.now());
        let checked = rules.check(&held.record, held.key, held.last_use);
        if let Err(reason) = checked {
            self.drop_dead(reason);
        }
        checked.is_ok()
    }

    /// Drops a session that turned out to be ended. It can still be ended elsewhere.
    fn drop_dead(&mut self, reason: Rejected) {
        let Ok(held) = &self.presence else {
            return;
        };
        let dead = held.is_presented().then(|| Dead {
            record: Arc::clone(&held.record),
            key: held.key,
            reason,
        });
        self.presence = Err(Absence::new(Some(Obstacle::EndedMeanwhile), dead));
        self.rejected = Some(reason);
    }
}
