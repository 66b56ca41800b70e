//! Which server has the rows of a subject: the one of the settings, or another node of its cluster.
//!
//! 1. A call goes to the node that had the slot last, at first to that of the settings, and once more to the one that
//!    the answer names (MOVED). So it takes one round trip but the first time.
//! 2. A node that fails is forgotten with all its slots: the one of the settings knows which has taken them over. Other
//!    nodes are not concerned.
//! 3. Slots are computed by the redis crate. Its own client for clusters is not used. It tells a call for one node of
//!    the failure of another, and where the cluster does not tell it of its nodes, it asks without a pause for ever.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::cluster_routing::Slot;
use redis::{Cmd, InfoDict, RedisError, Value, cmd, from_redis_value};

use crate::error::StoreError;
use crate::lock::lock;
use crate::store::redis::fault::{ends_connection, moved};
use crate::store::redis::link::{Link, Server};

/// How many slots a cluster has.
const SLOTS: u64 = 16_384;

pub(super) struct Nodes {
    /// The one of the settings.
    home: Arc<Link>,
    /// How long an answer may take.
    patience: Duration,
    others: Mutex<Others>,
}

/// What was learnt of the cluster, if there is one.
#[derive(Default)]
struct Others {
    /// By host and port.
    links: HashMap<String, Arc<Link>>,
    slots: HashMap<Slot, Arc<Link>>,
}

impl Nodes {
    pub(super) fn new(server: Server, patience: Duration) -> Self {
        Self {
            home: Arc::new(Link::new(Arc::new(server), patience, false)),
            patience,
            others: Mutex::default(),
        }
    }

    pub(super) fn home(&self) -> &Server {
        self.home.server()
    }

    /// Says `command`, which may be said twice, where `key` is.
    pub(super) async fn ask(&self, key: &str, command: &Cmd) -> Result<Value, StoreError> {
        let slot = Slot::for_key(key);
        let known = lock(&self.others).slots.get(&slot).cloned();
        let mut link = known.unwrap_or_else(|| self.home.clone());
        let mut answer = self.ask_at(&link, command).await?;
        if let Some(place) = answer.as_ref().err().and_then(moved) {
            link = self.learn(slot, &link, place);
            answer = self.ask_at(&link, command).await?;
        }
        answer.map_err(|error| link.server().told(&error))
    }

    async fn ask_at(
        &self,
        link: &Arc<Link>,
        command: &Cmd,
    ) -> Result<Result<Value, RedisError>, StoreError> {
        let answer = link.ask_here(command).await;
        let has_failed = match &answer {
            Ok(Ok(_)) => false,
            Ok(Err(error)) => ends_connection(error),
            Err(_) => true,
        };
        if has_failed {
            self.forget(link);
        }
        answer
    }

    /// Remembers that `slot` is at `place`, which the node at the end of `from` named.
    fn learn(&self, slot: Slot, from: &Link, (host, port): (String, u16)) -> Arc<Link> {
        let server = from.server().node(host, port);
        let others = &mut *lock(&self.others);
        let link = others.links.entry(server.address());
        let link = link.or_insert_with(|| self.link(server)).clone();
        others.slots.insert(slot, link.clone());
        link
    }

    fn forget(&self, failed: &Arc<Link>) {
        let others = &mut *lock(&self.others);
        others.links.retain(|_, link| !Arc::ptr_eq(link, failed));
        others.slots.retain(|_, link| !Arc::ptr_eq(link, failed));
    }

    fn link(&self, server: Server) -> Arc<Link> {
        Arc::new(Link::new(Arc::new(server), self.patience, false))
    }

    /// Every server that has rows, for whoever reads them all.
    pub(super) async fn all(&self) -> Result<Vec<Arc<Link>>, StoreError> {
        let odd = || self.home().odd();
        let info = self.home.ask(cmd("INFO").arg("cluster")).await?;
        let info: InfoDict = from_redis_value(info.value).map_err(|_| odd())?;
        if info.get::<u8>("cluster_enabled") != Some(1) {
            return Ok(vec![self.home.clone()]);
        }
        let slots = self.home.ask(cmd("CLUSTER").arg("SLOTS")).await?;
        let (covered, primaries) = primaries(slots.value).ok_or_else(odd)?;
        if covered < SLOTS {
            let problem = "the cluster has slots that no node serves";
            return Err(self.home().unavailable(problem));
        }
        let server = |(host, port)| self.link(self.home().node(host, port));
        Ok(primaries.into_iter().map(server).collect())
    }
}

/// How many slots are served, and by which nodes. `None` if it is not understood.
fn primaries(slots: Value) -> Option<(u64, BTreeSet<(String, u16)>)> {
    let (mut covered, mut primaries) = (0_u64, BTreeSet::new());
    // The first and the last slot of a range, its primary, and the replicas of that.
    let ranges: Vec<Vec<Value>> = from_redis_value(slots).ok()?;
    for range in ranges {
        let mut range = range.into_iter();
        let [first, last] = [range.next()?, range.next()?].map(from_redis_value::<u64>);
        let served = last.ok()?.checked_sub(first.ok()?)?.checked_add(1)?;
        covered = covered.checked_add(served)?;
        let primary: Vec<Value> = from_redis_value(range.next()?).ok()?;
        let mut primary = primary.into_iter();
        // A node that does not know what it is called is the one that was asked.
        let host: Option<String> = from_redis_value(primary.next()?).ok()?;
        let port = from_redis_value(primary.next()?).ok()?;
        primaries.insert((host.unwrap_or_default(), port));
    }
    Some((covered, primaries))
}
