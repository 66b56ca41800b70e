//! The state of the model, and what an onlooker remembers of how it came about.

use super::config::{Bounds, Config, SUBJECT, SUBJECT_KEY, session_id};
use super::hash::hash;
use super::node::{Here, Node};
use super::store::Store;
use crate::clock::UnixMillis;
use crate::id::{Generation, RaiseId, Serial};
use crate::lifetime::{Class, SKEW};
use crate::record::Entries;
use crate::record::{KeyTrail, LoginFacts, Record};
use crate::revoke::lattice::{Revocation, SessionEntry};
use crate::revoke::witness::Vouch;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) now: u8,
    pub(super) store: Store,
    pub(super) copy: Option<Box<Store>>,
    /// How many publications there were.
    pub(super) names: u64,
    /// `None`: down.
    pub(super) nodes: Vec<Option<Node>>,
    pub(super) sessions: Vec<Session>,
    pub(super) messages: Vec<Message>,
    pub(super) raises: Vec<Raising>,
    pub(super) left: Bounds,
    pub(super) seen: Seen,
}

/// A session, and what was asked to become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Session {
    pub(super) generation: Generation,
    pub(super) created: UnixMillis,
    /// The serials of the cookies that browsers have, as bits.
    pub(super) cookies: u8,
    /// The largest serial that a renewal asked for.
    pub(super) asked: u32,
    /// Whether somebody ended it.
    pub(super) ended: bool,
    /// The nodes that were asked to, and live.
    pub(super) by: u8,
    /// When the store had taken it.
    pub(super) acknowledged: Option<u8>,
    /// The nodes that refused one of its cookies as revoked while they could be trusted, and live: a bit
    /// each for four serials a node.
    pub(super) refused: u16,
    /// It began in a store that did not know the subject's generation any more.
    pub(super) early: bool,
    /// Nobody was left who knew that it was ended, and the store vouches for it.
    pub(super) forgotten: bool,
}

impl Session {
    pub(super) fn serials(self) -> impl Iterator<Item = u32> {
        (0..8).filter(move |serial| self.cookies >> serial & 1 == 1)
    }
}

/// A request of a node to the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Message {
    pub(super) node: u8,
    /// Whether the node still waits for the answer.
    pub(super) awaited: bool,
    pub(super) request: Request,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Request {
    Publish {
        revocation: Revocation,
        /// The session and the serial of a renewal.
        renews: Option<(u8, u32)>,
    },
    Raise {
        number: u8,
        id: RaiseId,
        known: Generation,
    },
    GiveBack(Vec<Revocation>),
    Vouch(Vouch),
}

/// A raise that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Raising {
    pub(super) id: RaiseId,
    /// The sessions from before, as bits.
    pub(super) before: u8,
    /// The life of the store in which it last ended sessions.
    pub(super) done: Option<u8>,
}

/// What no node can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Seen {
    /// How often the store was lost or replaced.
    pub(super) lives: u8,
    /// The largest generation that was ever handed out.
    pub(super) highest: Generation,
    pub(super) failed_over: bool,
    /// The nodes that heard of a store that was lost, missed its last words and cannot know, and did not
    /// take the new one's birth since.
    pub(super) deaf: u8,
    /// One of them vouched, or set out to.
    pub(super) deaf_vouched: bool,
    /// The nodes that knew all that any lost store did, and came to the next in time.
    pub(super) whole: u8,
    /// Somebody vouched, and was believed.
    pub(super) vouched: bool,
    /// A generation did not exceed one from before.
    pub(super) not_above: bool,
    /// Somebody vouched, or set out to, whose list was stale or who had heard nothing for too long.
    pub(super) stale_vouched: bool,
    /// Somebody did not vouch because its list was stale.
    pub(super) stale: bool,
    /// Somebody did not vouch because it had heard nothing for too long.
    pub(super) late: bool,
    /// The store was given back what it lacked.
    pub(super) given_back: bool,
    /// A raise was repeated after a login, and recognised.
    pub(super) repeated: bool,
    /// A raise came, and neither the store nor the node that asked for it knew the last one.
    pub(super) blind: bool,
}

impl State {
    pub(super) fn here<'a>(&self, config: &'a Config, node: u8) -> Here<'a> {
        Here {
            config,
            now: config.moment(self.now, node),
        }
    }

    pub(super) fn node(&self, node: u8) -> Option<&Node> {
        self.nodes[usize::from(node)].as_ref()
    }

    pub(super) fn up(&mut self, node: u8) -> &mut Node {
        self.nodes[usize::from(node)].as_mut().expect("it is up")
    }

    /// The nodes that are up.
    pub(super) fn live(&self) -> impl Iterator<Item = (u8, &Node)> {
        let nodes = (0..).zip(&self.nodes);
        nodes.filter_map(|(number, node)| Some((number, node.as_ref()?)))
    }

    pub(super) fn store_time(&self, config: &Config) -> UnixMillis {
        config.store_time(self.now, self.seen.lives)
    }

    /// All cookies there are.
    pub(super) fn cookies(&self) -> impl Iterator<Item = (u8, u32)> {
        let sessions = (0..).zip(&self.sessions);
        sessions.flat_map(|(number, session)| session.serials().map(move |serial| (number, serial)))
    }

    pub(super) fn record(&self, config: &Config, session: u8, serial: u32) -> Record {
        let number = session;
        let session = self.sessions[usize::from(session)];
        let generation = |here: bool| {
            if here {
                session.generation
            } else {
                Generation::NONE
            }
        };
        Record {
            id: session_id(number),
            serial: Serial::new(serial),
            login: Some(LoginFacts {
                subject: SUBJECT.to_owned(),
                key: *SUBJECT_KEY,
                generation: generation(!config.everyone),
                at: session.created,
                roles: Vec::new(),
                groups: Vec::new(),
                fingerprint: None,
            }),
            everyone: generation(config.everyone),
            created: session.created,
            refreshed: session.created,
            expires: session.created + config.life,
            class: Class::Standard,
            keys: KeyTrail::default(),
            entries: Entries::default(),
        }
    }

    /// What makes `serial` the newest of a session.
    pub(super) fn superseding(
        &self,
        config: &Config,
        session: u8,
        serial: Serial,
        from: UnixMillis,
    ) -> Revocation {
        let expires = self.sessions[usize::from(session)].created + config.life;
        Revocation::Session {
            id: session_id(session),
            entry: SessionEntry {
                serial,
                from,
                until: expires + SKEW,
            },
        }
    }

    /// Requests overtake each other, so their order says nothing.
    pub(super) fn sort(&mut self) {
        if self.messages.len() > 1 {
            self.messages.sort_by_cached_key(hash);
        }
    }

    pub(super) fn send(&mut self, node: u8, request: Request) {
        self.messages.push(Message {
            node,
            awaited: true,
            request,
        });
    }

    pub(super) fn awaits(&self, node: u8, kind: impl Fn(&Request) -> bool) -> bool {
        let mut messages = self.messages.iter();
        messages.any(|message| message.node == node && message.awaited && kind(&message.request))
    }

    /// Nothing is under way, and every node that is up has told and heard everything.
    pub(super) fn is_quiet(&self, config: &Config) -> bool {
        self.messages.is_empty()
            && self.live().all(|(number, node)| {
                node.connected
                    && node.kept.is_empty()
                    && node.raise.is_none()
                    && node.lacking.is_empty()
                    && node.vouch.is_none()
                    && node.coming.is_none()
                    && !node.gap
                    && node.position.epoch == self.store.epoch
                    && node.position.sequence == self.store.position().sequence
                    && node.complete == config.moment(self.now, number)
            })
    }
}
